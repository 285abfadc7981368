package goods

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/params"
	"granary/state"
)

// DrawQuantity gives the most measures that one draw of receipt can move
// without releasing more than roomUnits, and what it releases; 0 where no draw
// is possible. good and p are those in force; age and coverage are not looked
// at here.
func DrawQuantity(receipt *state.Receipt, good *Good, p *params.Parameters, roomUnits int64) (measures, releaseUnits int64) {
	credit := func(measures int64) int64 { return CreditUnits(receipt, good, measures) }
	measures, roomUnits = receipt.Undrawn, max(roomUnits, 0)
	if credit(measures) > roomUnits {
		measures = firstQuantity(measures, func(q int64) bool { return credit(q) > roomUnits }) - 1
	}
	releaseUnits = credit(measures)
	if measures < receipt.Undrawn { // no more of them than the credit needs
		measures = firstQuantity(measures, func(q int64) bool { return credit(q) == releaseUnits })
	}
	part := measures < receipt.Undrawn && releaseUnits < p.MinDrawUnits
	if part || releaseUnits <= DrawFeeUnits(releaseUnits, p.MinerShareBP) {
		return 0, 0
	}
	return measures, releaseUnits
}

// firstQuantity is the lowest of 0 to most for which is holds, where is holds
// for most and for everything above one for which it holds.
func firstQuantity(most int64, is func(q int64) bool) int64 {
	low, high := int64(0), most
	for low < high {
		if middle := low + (high-low)/2; is(middle) {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return low
}

// DrawTx makes the draw that releases releaseUnits for measures of receipt
// from these pool outputs, which hold poolUnits together. It needs no
// signature. The error says that the pool does not reach.
func DrawTx(id params.CharterID, receipt *state.Receipt, p *params.Parameters, measures, releaseUnits int64, pool []wire.OutPoint, poolUnits int64) (*wire.MsgTx, error) {
	if len(pool) == 0 {
		return nil, errors.New("a draw needs an output of the pool")
	}
	if poolUnits < releaseUnits {
		return nil, fmt.Errorf("the outputs of the pool hold %d units, the draw releases %d: take more of them", poolUnits, releaseUnits)
	}
	msg := wire.NewMsgTx(2)
	for i := range pool {
		msg.AddTxIn(wire.NewTxIn(&pool[i], nil, nil))
	}
	msg.AddTxOut(wire.NewTxOut(releaseUnits-DrawFeeUnits(releaseUnits, p.MinerShareBP), bytes.Clone(receipt.Script)))
	if poolUnits > releaseUnits {
		msg.AddTxOut(wire.NewTxOut(poolUnits-releaseUnits, TreasuryScript(id)))
	}
	msg.AddTxOut(wire.NewTxOut(0, RecordScript(Draw{Receipt: receipt.Number, ID: receipt.ID, Quantity: measures})))
	return msg, nil
}
