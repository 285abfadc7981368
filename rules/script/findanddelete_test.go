package script

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/state"
)

// TestFindAndDeleteCVE2024_38365: before a signature is checked exactly its own
// push leaves the script that is signed, and nothing that merely holds its
// bytes. Who takes out more, or nothing, sees another hash and splits off the
// chain. The signature here is any number; the key that it is valid for follows
// from it and the hash, which may so depend on the signature itself.
func TestFindAndDeleteCVE2024_38365(t *testing.T) {
	signature := madeUpSignature()
	push := func(data []byte) []byte { return append([]byte{byte(len(data))}, data...) }
	twoPushes := append(push(signature), txscript.OP_DROP)
	for name, c := range map[string]struct {
		script []byte
		signed []byte // after the removal
	}{
		"its own push goes": {
			append(bytes.Clone(twoPushes), txscript.OP_CHECKSIG),
			[]byte{txscript.OP_DROP, txscript.OP_CHECKSIG},
		},
		"a longer push stays": {
			append(push(append(bytes.Clone(signature), 0)), txscript.OP_DROP, txscript.OP_CHECKSIG),
			append(push(append(bytes.Clone(signature), 0)), txscript.OP_DROP, txscript.OP_CHECKSIG),
		},
		"one that begins otherwise stays": {
			append(push(append([]byte{0}, signature...)), txscript.OP_DROP, txscript.OP_CHECKSIG),
			append(push(append([]byte{0}, signature...)), txscript.OP_DROP, txscript.OP_CHECKSIG),
		},
		"the same bytes pushed otherwise stay": {
			append(append([]byte{txscript.OP_PUSHDATA1}, push(signature)...), txscript.OP_DROP, txscript.OP_CHECKSIG),
			append(append([]byte{txscript.OP_PUSHDATA1}, push(signature)...), txscript.OP_DROP, txscript.OP_CHECKSIG),
		},
	} {
		t.Run(name, func(t *testing.T) {
			tx := wire.NewMsgTx(1)
			tx.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Hash: chainhash.Hash{1}}, Sequence: wire.MaxTxInSequenceNum})
			tx.AddTxOut(wire.NewTxOut(1000, []byte{txscript.OP_TRUE}))
			check := func(signed []byte) error {
				key := recovered(t, legacyHash(tx, signed))
				tx.TxIn[0].SignatureScript = append(push(signature), push(key)...)
				spent := []*state.Coin{{ValueUnits: 2000, Script: c.script, Height: 1}}
				return NewChecker(Options{}).Check([]Job{{Tx: state.NewTx(tx), Spent: spent, Flags: ConsensusFlags}})
			}
			if err := check(c.signed); err != nil {
				t.Errorf("the signature of what is left does not hold: %v", err)
			}
			if err := check(append([]byte{txscript.OP_NOP}, c.signed...)); err == nil {
				t.Error("a signature of something else holds")
			}
		})
	}
}

// madeUpSignature is a number that signs something, in DER with SIGHASH_ALL.
func madeUpSignature() []byte {
	compact := compactSignature()
	return append(append(append(append([]byte{0x30, 0x44, 0x02, 0x20}, compact[1:33]...), 0x02, 0x20), compact[33:]...), 1)
}

// compactSignature has an r that is the x of a point, and some small s.
func compactSignature() []byte {
	compact := make([]byte, 65)
	compact[0] = 27 + 4
	copy(compact[1:33], []byte{ // x of the generator
		0x79, 0xbe, 0x66, 0x7e, 0xf9, 0xdc, 0xbb, 0xac, 0x55, 0xa0, 0x62, 0x95, 0xce, 0x87, 0x0b, 0x07,
		0x02, 0x9b, 0xfc, 0xdb, 0x2d, 0xce, 0x28, 0xd9, 0x59, 0xf2, 0x81, 0x5b, 0x16, 0xf8, 0x17, 0x98,
	})
	for i := 33; i < 65; i++ {
		compact[i] = 0x11
	}
	return compact
}

func recovered(t *testing.T, hash []byte) []byte {
	t.Helper()
	key, _, err := ecdsa.RecoverCompact(compactSignature(), hash)
	if err != nil {
		t.Fatal(err)
	}
	return key.SerializeCompressed()
}

// legacyHash is SIGHASH_ALL of the only input, with code for its script.
func legacyHash(tx *wire.MsgTx, code []byte) []byte {
	signed := tx.Copy()
	signed.TxIn[0].SignatureScript = code
	var raw bytes.Buffer
	signed.SerializeNoWitness(&raw) //nolint:errcheck // a buffer takes everything
	raw.Write([]byte{1, 0, 0, 0})
	once := sha256.Sum256(raw.Bytes())
	twice := sha256.Sum256(once[:])
	return twice[:]
}
