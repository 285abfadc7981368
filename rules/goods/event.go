package goods

import (
	"github.com/btcsuite/btcd/wire/v2"

	"granary/state"
)

// Event is something that a block did to the goods state, so that followers
// need no rules. Switch on the type.
type Event interface{ isEvent() }

// SeatCreated: block 1 made a seat.
type SeatCreated struct{ Seat state.Seat }

// SeatMoved: a seat acted and goes on at Seat.Out.
type SeatMoved struct {
	Seat   state.Seat // as it is now
	From   wire.OutPoint
	Record RecordType // what it did
}

// TreasuryPaid: an output to the treasury, which is pool from now on.
type TreasuryPaid struct {
	Out      wire.OutPoint
	Units    int64
	Coinbase bool
}

func (SeatCreated) isEvent()  {}
func (SeatMoved) isEvent()    {}
func (TreasuryPaid) isEvent() {}

func outpoint(tx *state.Tx, index int) wire.OutPoint {
	return wire.OutPoint{Hash: tx.Txid, Index: uint32(index)}
}
