package benchchain

import (
	"fmt"
	"sync"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// unsigned is a transaction on its way to being signed.
type unsigned struct {
	msg        *wire.MsgTx
	spends     []coin
	locks      []lock // of the outputs
	signatures int
}

func newUnsigned(spends []coin) *unsigned {
	tx := &unsigned{msg: wire.NewMsgTx(2), spends: spends}
	for i := range spends {
		tx.msg.AddTxIn(&wire.TxIn{PreviousOutPoint: spends[i].out, Sequence: wire.MaxTxInSequenceNum})
		tx.signatures += spends[i].lock.kind.signatures()
	}
	return tx
}

// pay adds an output; its script is filled in by sign.
func (u *unsigned) pay(valueUnits int64, to lock) {
	u.msg.AddTxOut(wire.NewTxOut(valueUnits, nil))
	u.locks = append(u.locks, to)
}

// coins are the outputs of a signed transaction.
func (u *unsigned) coins() []coin {
	txid := u.msg.TxHash()
	made := make([]coin, len(u.locks))
	for i := range made {
		made[i] = coin{out: wire.OutPoint{Hash: txid, Index: uint32(i)}, value: u.msg.TxOut[i].Value, lock: u.locks[i]}
	}
	return made
}

// sign fills in scripts and signatures of independent transactions, on all
// workers.
func (b *builder) sign(txs []*unsigned) error {
	var once sync.Once
	var failure error
	parallel(len(txs), b.options.Workers, func(i int) {
		if err := b.keys.sign(txs[i]); err != nil {
			once.Do(func() { failure = fmt.Errorf("signing transaction %d: %w", i, err) })
		}
	})
	return failure
}

// spent gives the outputs that a transaction spends to txscript.
type spent struct {
	coins []coin
	keys  *keyring
}

// FetchPrevOutput implements txscript.PrevOutputFetcher.
func (s *spent) FetchPrevOutput(out wire.OutPoint) *wire.TxOut {
	for i := range s.coins {
		if s.coins[i].out == out {
			return wire.NewTxOut(s.coins[i].value, s.keys.script(s.coins[i].lock))
		}
	}
	return nil
}

func (r *keyring) sign(tx *unsigned) error {
	for i, to := range tx.locks {
		tx.msg.TxOut[i].PkScript = r.script(to)
	}
	fetcher := &spent{tx.spends, r}
	hashes := txscript.NewTxSigHashes(tx.msg, fetcher)
	for i := range tx.spends {
		if err := r.signInput(tx, i, hashes, fetcher); err != nil {
			return err
		}
	}
	return nil
}

func (r *keyring) signInput(tx *unsigned, i int, hashes *txscript.TxSigHashes, fetcher *spent) error {
	from := &tx.spends[i]
	entry, script, input := &r.keys[from.lock.key], r.script(from.lock), tx.msg.TxIn[i]
	switch from.lock.kind {
	case kindP2PKH:
		digest, err := txscript.CalcSignatureHash(script, txscript.SigHashAll, tx.msg, i)
		if err != nil {
			return err
		}
		signature := signECDSA(entry.private, digest)
		input.SignatureScript = append(append(append(append(
			make([]byte, 0, len(signature)+35), byte(len(signature))), signature...), 33), entry.public...)
	case kindP2WPKH:
		digest, err := txscript.CalcWitnessSigHash(script, hashes, txscript.SigHashAll, tx.msg, i, from.value)
		if err != nil {
			return err
		}
		input.Witness = wire.TxWitness{signECDSA(entry.private, digest), entry.public}
	case kindP2WSH:
		digest, err := txscript.CalcWitnessSigHash(entry.multisig, hashes, txscript.SigHashAll, tx.msg, i, from.value)
		if err != nil {
			return err
		}
		// Which two of the three sign varies with the key.
		first, second := from.lock.key%2, 1+(from.lock.key/2)%2
		if first == second {
			first = 0
		}
		input.Witness = wire.TxWitness{
			nil,
			signECDSA(r.keys[(from.lock.key+first)%keyCount].private, digest),
			signECDSA(r.keys[(from.lock.key+second)%keyCount].private, digest),
			entry.multisig,
		}
	case kindP2TR:
		digest, err := txscript.CalcTaprootSignatureHash(hashes, txscript.SigHashDefault, tx.msg, i, fetcher)
		if err != nil {
			return err
		}
		signature, err := schnorr.Sign(entry.tweaked, digest, schnorr.FastSign())
		if err != nil {
			return err
		}
		input.Witness = wire.TxWitness{signature.Serialize()}
	}
	return nil
}

func signECDSA(key *btcec.PrivateKey, digest []byte) []byte {
	return append(ecdsa.Sign(key, digest).Serialize(), byte(txscript.SigHashAll))
}
