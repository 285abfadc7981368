package desc

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/txscript/v2"
)

// Bounds of multisignature scripts: bare ones by Bitcoin Core's policy, the
// others by consensus.
const (
	maxBareKeys        = 3
	maxMultiKeys       = 20
	maxRedeemBytes     = 520
	maxWitnessBytes    = 10_000
	uncompressedLength = 65
)

// literal is addr() and raw(): the script itself.
type literal []byte

func (l literal) script(uint32) ([]byte, error) { return bytes.Clone(l), nil }
func (l literal) isRange() bool                 { return false }

// single is a form around one key: pk, pkh, wpkh, tr.
type single struct {
	form string
	key  *key
}

func (s *single) isRange() bool { return s.key.extended != nil }

func (s *single) script(index uint32) ([]byte, error) {
	pub, err := s.key.at(index)
	if err != nil {
		return nil, err
	}
	switch s.form {
	case "pk":
		b := append([]byte{byte(len(pub))}, pub...)
		return append(b, txscript.OP_CHECKSIG), nil
	case "pkh":
		return keyHashScript(address.Hash160(pub)), nil
	case "wpkh":
		return witnessScript(0, address.Hash160(pub)), nil
	}
	internal, err := btcec.ParsePubKey(pub)
	if err != nil {
		return nil, fmt.Errorf("tr(): %w", err)
	}
	return witnessScript(1, schnorr.SerializePubKey(txscript.ComputeTaprootKeyNoScript(internal))), nil
}

// multi is k of n keys, in the given order or sorted by their bytes (BIP67).
type multi struct {
	required int
	keys     []*key
	sorted   bool
}

func (p *parser) multi(sorted bool, inner string, at place) (node, error) {
	parts := strings.Split(inner, ",")
	required, err := strconv.Atoi(parts[0])
	keys := parts[1:]
	most := maxMultiKeys
	if at == top {
		most = maxBareKeys
	}
	if len(keys) < 1 || len(keys) > most {
		return nil, fmt.Errorf("multi() with %d keys: 1 to %d are allowed here", len(keys), most)
	}
	if err != nil || required < 1 || required > len(keys) {
		return nil, fmt.Errorf("multi() needs %q signatures: must be 1 to %d, the number of keys", parts[0], len(keys))
	}
	m := &multi{required: required, sorted: sorted}
	for _, text := range keys {
		k, err := parseKey(text, keyRules{compressedOnly: at == inWsh}, p.chain)
		if err != nil {
			return nil, err
		}
		m.keys = append(m.keys, k)
	}
	return m, nil
}

func (m *multi) isRange() bool {
	return slices.ContainsFunc(m.keys, func(k *key) bool { return k.extended != nil })
}

func (m *multi) script(index uint32) ([]byte, error) {
	pubs := make([][]byte, len(m.keys))
	for i, k := range m.keys {
		pub, err := k.at(index)
		if err != nil {
			return nil, err
		}
		pubs[i] = pub
	}
	if m.sorted {
		slices.SortFunc(pubs, bytes.Compare)
	}
	b := txscript.NewScriptBuilder(txscript.WithScriptAllocSize(4 + len(pubs)*(1+uncompressedLength)))
	b.AddInt64(int64(m.required))
	for _, pub := range pubs {
		b.AddData(pub)
	}
	return b.AddInt64(int64(len(pubs))).AddOp(txscript.OP_CHECKMULTISIG).Script()
}

// wrapped is sh() or wsh(): the hash of the script inside.
type wrapped struct {
	inner   node
	witness bool
}

func (w *wrapped) isRange() bool { return w.inner.isRange() }

func (w *wrapped) script(index uint32) ([]byte, error) {
	inner, err := w.inner.script(index)
	if err != nil {
		return nil, err
	}
	if w.witness {
		if len(inner) > maxWitnessBytes {
			return nil, fmt.Errorf("script of %d bytes inside wsh(): at most %d", len(inner), maxWitnessBytes)
		}
		sum := sha256.Sum256(inner)
		return witnessScript(0, sum[:]), nil
	}
	if len(inner) > maxRedeemBytes {
		return nil, fmt.Errorf("script of %d bytes inside sh(): at most %d, use wsh()", len(inner), maxRedeemBytes)
	}
	return scriptHashScript(address.Hash160(inner)), nil
}
