package goods

import (
	"bytes"
	"fmt"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/params"
	"granary/state"
)

// spentSeat is a seat among a transaction's inputs.
type spentSeat struct {
	input int
	seat  *state.Seat
}

// actingSeat checks that the transaction acts for exactly one seat as
// goods-rules section 5 wants it, and gives that seat.
func (a *action) actingSeat() (*state.Seat, error) {
	switch {
	case len(a.seats) == 0:
		return nil, check.Rule(CodeSeatMissing, "a %s record needs a seat as input 0", a.record.Type())
	case len(a.seats) > 1:
		return nil, check.Rule(CodeSeatMany, "inputs %d and %d are both seats, one is allowed", a.seats[0].input, a.seats[1].input)
	case a.seats[0].input != 0:
		return nil, check.Rule(CodeSeatInput, "the seat of %s is input %d, it must be input 0", a.seats[0].seat.ID(), a.seats[0].input)
	}
	seat := a.seats[0].seat
	if seat.Height == a.g.height {
		return nil, check.Rule(CodeSeatTwice, "the seat of %s was moved in this block already", seat.ID())
	}
	if weight := a.tx.Weight(); weight > params.MaxSeatTxWeight {
		return nil, check.Rule(CodeSeatWeight, "a transaction of a seat weighs %d, at most %d is allowed", weight, params.MaxSeatTxWeight)
	}
	// A record is an output, so output 0 exists.
	next := a.tx.Msg.TxOut[0]
	if next.Value != 0 {
		return nil, check.Rule(CodeSeatValue, "the seat goes on at output 0 with %d units, it must carry 0", next.Value)
	}
	if problem := a.g.scriptProblem(next.PkScript); problem != "" {
		return nil, check.Rule(CodeSeatScript, "the seat goes on at output 0 under a script that %s", problem)
	}
	a.take(0)
	return seat, nil
}

// scriptProblem says why a script may not be one that the goods rules name
// (payee, token, seat, bond return), "" if it may.
func (g *Block) scriptProblem(script []byte) string {
	switch {
	case len(script) < 1 || len(script) > params.MaxSeatScriptBytes:
		return fmt.Sprintf("has %d bytes, 1 to %d are allowed", len(script), params.MaxSeatScriptBytes)
	case script[0] == txscript.OP_RETURN:
		return "can never be spent"
	case bytes.Equal(script, g.treasury):
		return "is the treasury's"
	}
	return ""
}

// moveSeat carries the acting seat on at output 0.
func (a *action) moveSeat() error {
	before := a.seats[0].seat
	after := *before
	after.Out = wire.OutPoint{Hash: a.tx.Txid, Index: 0}
	after.Script = bytes.Clone(a.tx.Msg.TxOut[0].PkScript)
	after.Height = a.g.height
	if err := a.g.set(state.KeyOutpoint(before.Out), nil); err != nil {
		return err
	}
	if err := a.g.putSeat(&after); err != nil {
		return err
	}
	a.g.events = append(a.g.events, SeatMoved{Seat: after, From: before.Out, Record: a.record.Type()})
	return nil
}

// putSeat writes a seat and the way back from its outpoint.
func (g *Block) putSeat(seat *state.Seat) error {
	if err := g.set(seat.Key(), seat.Encode()); err != nil {
		return err
	}
	return g.set(state.KeyOutpoint(seat.Out), state.Meaning{Kind: state.MeansSeat, Role: seat.Role, Index: seat.Index}.Encode())
}

// SeatOf gives the seat that op carries, nil if it carries none.
func SeatOf(view state.GoodsView, op wire.OutPoint) (*state.Seat, error) {
	m, err := MeaningOf(view, op)
	if err != nil || m.Kind != state.MeansSeat {
		return nil, err
	}
	seat, err := readSeat(view, m.Role, m.Index)
	if err == nil && (seat == nil || seat.Out != op) {
		err = fmt.Errorf("goods state is damaged: %s %d is not at %v", m.Role, m.Index, op)
	}
	if err != nil {
		return nil, err
	}
	return seat, nil
}

// readSeat gives a seat by its place, nil if there is none.
func readSeat(view state.GoodsView, role state.Role, index uint16) (*state.Seat, error) {
	key := state.KeySeat(role, index)
	value, err := view.Goods(key)
	if err != nil {
		return nil, fmt.Errorf("read a seat: %w", err)
	}
	if value == nil {
		return nil, nil
	}
	return state.DecodeSeat(key, value)
}

// IsSeat reports whether op carries a seat.
func IsSeat(view state.GoodsView, op wire.OutPoint) (bool, error) {
	m, err := MeaningOf(view, op)
	return m.Kind == state.MeansSeat, err
}

// ReadSeats gives all seats in charter order; none before block 1.
func ReadSeats(view state.GoodsView) ([]state.Seat, error) {
	var seats []state.Seat
	var failed error
	from, to := state.SeatKeys()
	err := view.GoodsRange(from, to, func(key, value []byte) bool {
		seat, err := state.DecodeSeat(key, value)
		if failed = err; err == nil {
			seats = append(seats, *seat)
		}
		return err == nil
	})
	if err == nil {
		err = failed
	}
	return seats, err
}
