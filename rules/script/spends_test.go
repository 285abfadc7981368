package script

import (
	"bytes"
	"crypto/sha256"
	"math/rand/v2"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/state"
	"granary/test/vectors"
)

// templateNames are the spends that the templates know, and two they leave to
// the interpreter.
var templateNames = []string{
	"P2PK", "P2PKH", "P2WPKH", "P2SH-P2WPKH", "P2TR", "bare 2-of-3", "P2SH 2-of-3",
	"P2WSH 2-of-3", "P2SH-P2WSH 2-of-3", "P2WSH 1-of-1", "P2WSH P2PK", "P2SH P2PK", "P2WSH 15-of-16",
	"P2TR script", "P2WSH conditional",
}

const firstUnknownTemplate = 13

// maker makes signed spends from a seed. Digests come from txscript, so that
// what our own hasher computes is tested by every valid spend.
type maker struct {
	rand *rand.Rand
	keys []*btcec.PrivateKey
}

func newMaker(seed uint64) *maker {
	m := &maker{rand: rand.New(rand.NewPCG(seed, 54))}
	for range 17 {
		secret := m.bytes(32)
		key, _ := btcec.PrivKeyFromBytes(secret)
		m.keys = append(m.keys, key)
	}
	return m
}

func (m *maker) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(m.rand.Uint32())
	}
	return b
}

// plan is one input before it is signed.
type plan struct {
	name     string
	pkScript []byte
	redeem   []byte // P2SH's script
	witness  []byte // P2WSH's or the leaf's script
	control  []byte
	keys     []*btcec.PrivateKey // those that sign, in order
	pub      []byte              // pushed beside a signature
	multi    bool
	v0       bool
	taproot  bool
}

func h160(b []byte) []byte { var h hash160; s := h.sum(b); return s[:] }

func p2wpkh(pub []byte) []byte { return append([]byte{0, 20}, h160(pub)...) }
func p2wsh(script []byte) []byte {
	s := sha256.Sum256(script)
	return append([]byte{0, 32}, s[:]...)
}

func p2sh(script []byte) []byte {
	return append(append([]byte{txscript.OP_HASH160, 20}, h160(script)...), txscript.OP_EQUAL)
}

func p2pkh(pub []byte) []byte {
	s := append([]byte{txscript.OP_DUP, txscript.OP_HASH160, 20}, h160(pub)...)
	return append(s, txscript.OP_EQUALVERIFY, txscript.OP_CHECKSIG)
}

func p2pk(pub []byte) []byte { return append(vectors.AppendPush(nil, pub), txscript.OP_CHECKSIG) }

// serialize picks a form for a public key; segwit's policy wants it short.
func (m *maker) serialize(key *btcec.PrivateKey, short bool) []byte {
	pub := key.PubKey()
	if !short {
		switch m.rand.IntN(4) {
		case 0:
			return pub.SerializeUncompressed()
		case 1:
			b := pub.SerializeUncompressed()
			b[0] = 6 + b[64]&1
			return b
		}
	}
	return pub.SerializeCompressed()
}

// multisig makes an m-of-n script and picks who signs.
func (m *maker) multisig(needed, total int, short bool) (script []byte, signers []*btcec.PrivateKey) {
	picked := m.rand.Perm(total)[:needed]
	script = []byte{byte(txscript.OP_1 + needed - 1)}
	for i := range total {
		script = vectors.AppendPush(script, m.serialize(m.keys[i], short))
		for _, p := range picked {
			if p == i {
				signers = append(signers, m.keys[i])
			}
		}
	}
	return append(script, byte(txscript.OP_1+total-1), txscript.OP_CHECKMULTISIG), signers
}

func (m *maker) plan(name string) *plan {
	key := m.keys[m.rand.IntN(len(m.keys))]
	short := m.rand.IntN(3) > 0
	p := &plan{name: name, keys: []*btcec.PrivateKey{key}}
	pub := m.serialize(key, short)
	switch name {
	case "P2PK":
		p.pkScript = p2pk(pub)
	case "P2PKH":
		p.pkScript, p.pub = p2pkh(pub), pub
	case "P2WPKH":
		p.pkScript, p.pub, p.v0 = p2wpkh(pub), pub, true
	case "P2SH-P2WPKH":
		p.redeem, p.pub, p.v0 = p2wpkh(pub), pub, true
	case "P2TR":
		p.taproot = true
		p.pkScript = append([]byte{txscript.OP_1, 32}, schnorr.SerializePubKey(key.PubKey())...)
	case "bare 2-of-3":
		p.pkScript, p.keys = m.multisig(2, 3, short)
		p.multi = true
	case "P2SH 2-of-3":
		p.redeem, p.keys = m.multisig(2, 3, short)
		p.multi = true
	case "P2WSH 2-of-3":
		p.witness, p.keys = m.multisig(2, 3, short)
		p.multi, p.v0 = true, true
	case "P2SH-P2WSH 2-of-3":
		p.witness, p.keys = m.multisig(2, 3, short)
		p.multi, p.v0, p.redeem = true, true, p2wsh(p.witness)
	case "P2WSH 1-of-1":
		p.witness, p.keys = m.multisig(1, 1, short)
		p.multi, p.v0 = true, true
	case "P2WSH P2PK":
		p.witness, p.v0 = p2pk(pub), true
	case "P2SH P2PK":
		p.redeem = p2pk(pub)
	case "P2WSH 15-of-16":
		p.witness, p.keys = m.multisig(15, 16, true)
		p.multi, p.v0 = true, true
	case "P2TR script":
		p.taproot = true
		p.witness = append(vectors.AppendPush(nil, schnorr.SerializePubKey(key.PubKey())), txscript.OP_CHECKSIG)
		tree := txscript.AssembleTaprootScriptTree(txscript.NewBaseTapLeaf(p.witness))
		block := tree.LeafMerkleProofs[0].ToControlBlock(m.keys[0].PubKey())
		root := tree.RootNode.TapHash()
		output := txscript.ComputeTaprootOutputKey(m.keys[0].PubKey(), root[:])
		p.control, _ = block.ToBytes()
		p.pkScript = append([]byte{txscript.OP_1, 32}, schnorr.SerializePubKey(output)...)
	case "P2WSH conditional":
		p.v0 = true
		p.witness = append([]byte{txscript.OP_1, txscript.OP_IF}, p2pk(pub)...)
		p.witness = append(p.witness, txscript.OP_ENDIF)
	}
	if p.pkScript == nil && p.redeem != nil {
		p.pkScript = p2sh(p.redeem)
	} else if p.pkScript == nil {
		p.pkScript = p2wsh(p.witness)
	}
	return p
}

var (
	ecdsaHashTypes   = []txscript.SigHashType{1, 1, 1, 2, 3, 0x81, 0x82, 0x83}
	taprootHashTypes = []txscript.SigHashType{0, 0, 1, 2, 3, 0x81, 0x82, 0x83}
)

// spend makes a transaction with one input for each name, all signed.
func (m *maker) spend(t testing.TB, names ...string) Job {
	t.Helper()
	tx := wire.NewMsgTx(int32(1 + m.rand.IntN(2)))
	tx.LockTime = m.rand.Uint32N(3)
	var plans []*plan
	var coins []*state.Coin
	prevouts := txscript.NewMultiPrevOutFetcher(nil)
	for _, name := range names {
		p := m.plan(name)
		plans = append(plans, p)
		op := wire.OutPoint{Hash: chainhash.Hash(m.bytes(32)), Index: m.rand.Uint32N(4)}
		in := wire.NewTxIn(&op, nil, nil)
		in.Sequence -= m.rand.Uint32N(3)
		tx.AddTxIn(in)
		coin := &state.Coin{ValueUnits: m.rand.Int64N(1e9), Script: p.pkScript}
		coins = append(coins, coin)
		prevouts.AddPrevOut(op, &wire.TxOut{Value: coin.ValueUnits, PkScript: coin.Script})
	}
	for range len(names) + m.rand.IntN(2) {
		tx.AddTxOut(wire.NewTxOut(m.rand.Int64N(1e9), m.bytes(m.rand.IntN(40))))
	}
	hashes := txscript.NewTxSigHashes(tx, prevouts)
	for i, p := range plans {
		m.sign(t, tx, i, p, coins[i], hashes, prevouts)
	}
	return jobWith(tx, coins, ConsensusFlags)
}

func (m *maker) sign(t testing.TB, tx *wire.MsgTx, i int, p *plan, coin *state.Coin, hashes *txscript.TxSigHashes, prevouts txscript.PrevOutputFetcher) {
	t.Helper()
	var items [][]byte
	if p.multi {
		items = append(items, nil)
	}
	same := m.rand.IntN(2) == 0
	hashType := ecdsaHashTypes[m.rand.IntN(len(ecdsaHashTypes))]
	for _, key := range p.keys {
		if !same {
			hashType = ecdsaHashTypes[m.rand.IntN(len(ecdsaHashTypes))]
		}
		if p.taproot {
			items = append(items, m.signTaproot(t, tx, i, p, key, hashes, prevouts))
		} else {
			items = append(items, m.signECDSA(t, tx, i, p, key, hashType, coin, hashes))
		}
	}
	if p.pub != nil {
		items = append(items, p.pub)
	}
	in := tx.TxIn[i]
	if p.v0 || p.taproot {
		if p.witness != nil {
			items = append(items, p.witness)
		}
		if p.control != nil {
			items = append(items, p.control)
		}
		in.Witness = items
		if p.redeem != nil {
			in.SignatureScript = vectors.AppendPush(nil, p.redeem)
		}
		return
	}
	if p.redeem != nil {
		items = append(items, p.redeem)
	}
	for _, item := range items {
		in.SignatureScript = vectors.AppendPush(in.SignatureScript, item)
	}
}

func (m *maker) signTaproot(t testing.TB, tx *wire.MsgTx, i int, p *plan, key *btcec.PrivateKey, hashes *txscript.TxSigHashes, prevouts txscript.PrevOutputFetcher) []byte {
	t.Helper()
	hashType := taprootHashTypes[m.rand.IntN(len(taprootHashTypes))]
	var digest []byte
	var err error
	if p.witness != nil {
		digest, err = txscript.CalcTapscriptSignaturehash(hashes, hashType, tx, i, prevouts, txscript.NewBaseTapLeaf(p.witness))
	} else {
		digest, err = txscript.CalcTaprootSignatureHash(hashes, hashType, tx, i, prevouts)
	}
	if err != nil {
		t.Fatal(err)
	}
	signature, err := schnorr.Sign(key, digest)
	if err != nil {
		t.Fatal(err)
	}
	b := signature.Serialize()
	if hashType != 0 {
		b = append(b, byte(hashType))
	}
	return b
}

func (m *maker) signECDSA(t testing.TB, tx *wire.MsgTx, i int, p *plan, key *btcec.PrivateKey, hashType txscript.SigHashType, coin *state.Coin, hashes *txscript.TxSigHashes) []byte {
	t.Helper()
	var digest []byte
	var err error
	switch {
	case p.v0 && p.pub != nil:
		digest, err = txscript.CalcWitnessSigHash(p2pkh(p.pub), hashes, hashType, tx, i, coin.ValueUnits)
	case p.v0:
		digest, err = txscript.CalcWitnessSigHash(p.witness, hashes, hashType, tx, i, coin.ValueUnits)
	case p.redeem != nil:
		digest, err = txscript.CalcSignatureHash(p.redeem, hashType, tx, i)
	default:
		digest, err = txscript.CalcSignatureHash(p.pkScript, hashType, tx, i)
	}
	if err != nil {
		t.Fatal(err)
	}
	return append(ecdsa.Sign(key, digest).Serialize(), byte(hashType))
}

// mutate damages, or only changes, one job in place.
func (m *maker) mutate(job *Job) {
	tx := job.Tx.Msg
	i := m.rand.IntN(len(tx.TxIn))
	in, coin := tx.TxIn[i], job.Spent[i]
	switch m.rand.IntN(14) {
	case 0, 1, 2:
		m.flip(in.SignatureScript)
	case 3, 4, 5:
		if len(in.Witness) > 0 {
			m.flip(in.Witness[m.rand.IntN(len(in.Witness))])
		}
	case 6:
		m.flip(coin.Script)
	case 7:
		coin.ValueUnits++
	case 8:
		m.changeItems(in)
	case 9:
		tx.TxOut[m.rand.IntN(len(tx.TxOut))].Value++
	case 10:
		in.Sequence--
	case 11:
		m.reencode(in)
	case 12:
		in.SignatureScript = append(in.SignatureScript, byte(txscript.OP_NOP-m.rand.IntN(20)))
	case 13:
		other := m.rand.IntN(len(tx.TxIn))
		in.Witness, tx.TxIn[other].Witness = tx.TxIn[other].Witness, in.Witness
	}
}

func (m *maker) flip(b []byte) {
	if len(b) > 0 {
		b[m.rand.IntN(len(b))] ^= 1 << m.rand.IntN(8)
	}
}

// changeItems drops, doubles, swaps, empties or lengthens a witness item.
func (m *maker) changeItems(in *wire.TxIn) {
	n := len(in.Witness)
	if n == 0 {
		in.Witness = wire.TxWitness{{}}
		return
	}
	a, b := m.rand.IntN(n), m.rand.IntN(n)
	switch m.rand.IntN(6) {
	case 0:
		in.Witness = append(in.Witness[:a:a], in.Witness[a+1:]...)
	case 1:
		in.Witness = append(in.Witness, in.Witness[a])
	case 2:
		in.Witness[a], in.Witness[b] = in.Witness[b], in.Witness[a]
	case 3:
		in.Witness[a] = nil
	case 4:
		in.Witness[a] = append(bytes.Clone(in.Witness[a]), byte(m.rand.Uint32()))
	case 5:
		in.Witness = append(in.Witness, []byte{0x50, 1, 2})
	}
}

// reencode turns a signature of the input into its twin with the other S, or
// gives it another hash type.
func (m *maker) reencode(in *wire.TxIn) {
	items := in.Witness
	legacy := len(items) == 0
	if legacy {
		items, _ = readPushes(in.SignatureScript, make([][]byte, 0, 20))
	}
	for i, item := range items {
		if len(item) < 9 || item[0] != 0x30 {
			continue
		}
		if m.rand.IntN(2) == 0 {
			items[i] = append(bytes.Clone(item[:len(item)-1]), byte(m.rand.Uint32()))
		} else if twin := otherS(item); twin != nil {
			items[i] = twin
		}
		break
	}
	if legacy && len(items) > 0 {
		in.SignatureScript = nil
		for _, item := range items {
			in.SignatureScript = vectors.AppendPush(in.SignatureScript, item)
		}
	}
}

func otherS(item []byte) []byte {
	signature, err := ecdsa.ParseDERSignature(item[:len(item)-1])
	if err != nil {
		return nil
	}
	r, s := signature.R(), signature.S()
	s.Negate()
	rBytes, sBytes := r.Bytes(), s.Bytes()
	number := func(b []byte) []byte {
		for len(b) > 1 && b[0] == 0 {
			b = b[1:]
		}
		if b[0]&0x80 != 0 {
			b = append([]byte{0}, b...)
		}
		return append([]byte{2, byte(len(b))}, b...)
	}
	body := append(number(rBytes[:]), number(sBytes[:])...)
	return append(append([]byte{0x30, byte(len(body))}, body...), item[len(item)-1])
}

// clone copies a job deeply.
func clone(job *Job) Job {
	coins := make([]*state.Coin, len(job.Spent))
	for i, coin := range job.Spent {
		coins[i] = coin.Clone()
	}
	return jobWith(job.Tx.Msg.Copy(), coins, job.Flags)
}
