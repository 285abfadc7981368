package peers

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// holder is somebody with keys: the script that the keys open, and how.
type holder struct {
	script []byte
	// sign opens input 0 of tx, which spends an output of value units under
	// script.
	sign func(tx *wire.MsgTx, valueUnits int64) error
}

// newHolder makes the keys from a name. The kind of script goes round with n:
// P2WPKH, P2TR, P2WSH 2-of-3, P2PKH.
func newHolder(t *testing.T, name string, n int) *holder {
	t.Helper()
	keys := make([]*btcec.PrivateKey, 3)
	for i := range keys {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s, key %d", name, i))
		keys[i], _ = btcec.PrivKeyFromBytes(sum[:])
	}
	switch n % 4 {
	case 0:
		return witnessKeyHolder(keys[0])
	case 1:
		return taprootHolder(t, keys[0])
	case 2:
		return multisigHolder(keys)
	}
	return keyHashHolder(keys[0])
}

func keyHash(key *btcec.PrivateKey) []byte {
	return address.Hash160(key.PubKey().SerializeCompressed())
}

func witnessKeyHolder(key *btcec.PrivateKey) *holder {
	h := &holder{script: append([]byte{txscript.OP_0, 20}, keyHash(key)...)}
	h.sign = func(tx *wire.MsgTx, valueUnits int64) (err error) {
		tx.TxIn[0].Witness, err = txscript.WitnessSignature(tx, h.digests(tx, valueUnits), 0, valueUnits, h.script, txscript.SigHashAll, key, true)
		return err
	}
	return h
}

func taprootHolder(t *testing.T, key *btcec.PrivateKey) *holder {
	t.Helper()
	script, err := txscript.PayToTaprootScript(txscript.ComputeTaprootKeyNoScript(key.PubKey()))
	if err != nil {
		t.Fatal(err)
	}
	h := &holder{script: script}
	h.sign = func(tx *wire.MsgTx, valueUnits int64) error {
		sig, err := txscript.RawTxInTaprootSignature(tx, h.digests(tx, valueUnits), 0, valueUnits, script, []byte{}, txscript.SigHashDefault, key)
		tx.TxIn[0].Witness = wire.TxWitness{sig}
		return err
	}
	return h
}

func multisigHolder(keys []*btcec.PrivateKey) *holder {
	redeem := []byte{txscript.OP_2}
	for _, key := range keys {
		redeem = append(append(redeem, txscript.OP_DATA_33), key.PubKey().SerializeCompressed()...)
	}
	redeem = append(redeem, txscript.OP_3, txscript.OP_CHECKMULTISIG)
	sum := sha256.Sum256(redeem)
	h := &holder{script: append([]byte{txscript.OP_0, 32}, sum[:]...)}
	h.sign = func(tx *wire.MsgTx, valueUnits int64) error {
		witness := wire.TxWitness{nil}
		for _, key := range keys[1:] {
			sig, err := txscript.RawTxInWitnessSignature(tx, h.digests(tx, valueUnits), 0, valueUnits, redeem, txscript.SigHashAll, key)
			if err != nil {
				return err
			}
			witness = append(witness, sig)
		}
		tx.TxIn[0].Witness = append(witness, redeem)
		return nil
	}
	return h
}

func keyHashHolder(key *btcec.PrivateKey) *holder {
	h := &holder{script: append([]byte{txscript.OP_DUP, txscript.OP_HASH160, 20}, keyHash(key)...)}
	h.script = append(h.script, txscript.OP_EQUALVERIFY, txscript.OP_CHECKSIG)
	h.sign = func(tx *wire.MsgTx, _ int64) (err error) {
		tx.TxIn[0].SignatureScript, err = txscript.SignatureScript(tx, 0, h.script, txscript.SigHashAll, key, true)
		return err
	}
	return h
}

// digests is what the signatures of a transaction with one input commit to.
func (h *holder) digests(tx *wire.MsgTx, valueUnits int64) *txscript.TxSigHashes {
	return txscript.NewTxSigHashes(tx, txscript.NewCannedPrevOutputFetcher(h.script, valueUnits))
}
