package demo

import (
	"bytes"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/rules/goods"
	"granary/state"
)

// maxGeneration bounds the search for the key that holds a seat now.
const maxGeneration = 100_000

// rotateNext moves the seat that has stood still longest to its next key, and
// puts the transaction into the mempool.
func rotateNext(n Parts, keys *Keys) error {
	var seats []state.Seat
	err := n.Chain.View(func(_ *state.Header, view state.View) (err error) {
		seats, err = goods.ReadSeats(view)
		return err
	})
	if err != nil {
		return err
	}
	var oldest *state.Seat
	for i := range seats {
		if oldest == nil || seats[i].Height < oldest.Height {
			oldest = &seats[i]
		}
	}
	if oldest == nil || n.Pool.Spender(oldest.Out) != nil {
		return nil
	}
	tx, err := keys.rotation(oldest)
	if err != nil {
		return err
	}
	if _, err := n.Pool.Accept(tx); err != nil {
		return fmt.Errorf("the mempool refused the rotation of %s: %w", oldest.ID(), err)
	}
	n.Log.Info("rotated a seat", "seat", oldest.ID(), "name", oldest.Name, "txid", tx.Txid)
	return nil
}

// rotation builds and signs the transaction that moves a seat to its next key.
func (k *Keys) rotation(seat *state.Seat) (*state.Tx, error) {
	generation, ok := k.generationOf(seat)
	if !ok {
		return nil, fmt.Errorf("%s is not held by this demo's keys", seat.ID())
	}
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(wire.NewTxIn(&seat.Out, nil, nil))
	tx.AddTxOut(wire.NewTxOut(0, k.seatScript(seat.Role, seat.Index, generation+1)))
	tx.AddTxOut(wire.NewTxOut(0, goods.RecordScript(goods.Rotate{})))
	fetcher := txscript.NewCannedPrevOutputFetcher(seat.Script, 0)
	digest, err := txscript.CalcWitnessSigHash(seat.Script, txscript.NewTxSigHashes(tx, fetcher), txscript.SigHashAll, tx, 0, 0)
	if err != nil {
		return nil, err
	}
	key := k.seatKey(seat.Role, seat.Index, generation)
	signature := append(ecdsa.Sign(key, digest).Serialize(), byte(txscript.SigHashAll))
	tx.TxIn[0].Witness = wire.TxWitness{signature, key.PubKey().SerializeCompressed()}
	return state.NewTx(tx), nil
}

// generationOf finds which of a seat's keys holds it now.
func (k *Keys) generationOf(seat *state.Seat) (uint32, bool) {
	for generation := range uint32(maxGeneration) {
		if bytes.Equal(seat.Script, k.seatScript(seat.Role, seat.Index, generation)) {
			return generation, true
		}
	}
	return 0, false
}
