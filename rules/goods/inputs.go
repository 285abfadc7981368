package goods

import (
	"fmt"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/state"
)

// MeaningOf gives what an outpoint is to the rules; most are nothing.
func MeaningOf(view state.GoodsView, op wire.OutPoint) (state.Meaning, error) {
	value, err := view.Goods(state.KeyOutpoint(op))
	if err != nil {
		return state.Meaning{}, fmt.Errorf("read an outpoint: %w", err)
	}
	return state.DecodeMeaning(value)
}

// readInputs finds what the inputs are. Only coins of value 0 and treasury
// outputs can be anything, so that other inputs cost no look-up.
func (a *action) readInputs() error {
	for i, coin := range a.spent {
		if coin.ValueUnits != 0 && !a.g.isTreasury(coin.Script) {
			continue
		}
		op := a.tx.Msg.TxIn[i].PreviousOutPoint
		m, err := MeaningOf(a.g.over, op)
		if err != nil {
			return err
		}
		if m.Kind == state.MeansNothing {
			continue
		}
		if a.inputs == nil {
			a.inputs = make([]state.Meaning, len(a.spent))
		}
		a.inputs[i] = m
		if m.Kind == state.MeansSeat {
			seat, err := SeatOf(a.g.over, op)
			if err != nil {
				return err
			}
			a.seats = append(a.seats, spentSeat{i, seat})
		}
	}
	return nil
}

// meaningOf gives that of input i; inputs is nil where all are nothing.
func meaningOf(inputs []state.Meaning, i int) state.Meaning {
	if inputs == nil {
		return state.Meaning{}
	}
	return inputs[i]
}

// take marks input i as one that the record spends, so that checkOtherInputs
// lets it pass.
func (a *action) take(i int) {
	if a.taken == nil {
		a.taken = make(map[int]bool)
	}
	a.taken[i] = true
}

// takeTreasury is take of a treasury output, which nothing but the record
// opens.
func (a *action) takeTreasury(i int) error {
	if in := a.tx.Msg.TxIn[i]; len(in.SignatureScript) > 0 || len(in.Witness) > 0 {
		return check.Rule(CodeTreasuryWitness, "input %d spends the treasury with a signature script or witness, both must be empty", i)
	}
	a.take(i)
	return nil
}

// name makes treasury output i one that is not pool.
func (a *action) name(i int, kind state.MeaningKind) {
	if a.named == nil {
		a.named = make(map[int]state.MeaningKind)
	}
	a.named[i] = kind
}

// checkOtherInputs: what means something is spent only as a record says.
func (a *action) checkOtherInputs() error {
	for i, coin := range a.spent {
		if a.taken[i] {
			continue
		}
		if a.g.isTreasury(coin.Script) {
			return check.Rule(CodeTreasurySpend, "input %d spends the treasury and no record allows it", i)
		}
		switch meaningOf(a.inputs, i).Kind {
		case state.MeansSeat:
			return check.Rule(CodeSeatRecord, "input %d spends a seat, and a %s record acts for none", i, a.record.Type())
		case state.MeansToken:
			return check.Rule(CodeTokenSpend, "input %d spends the token of claim %d without a record for that claim", i, a.inputs[i].Claim)
		case state.MeansWaiting:
			return check.Rule(CodePendingSpend, "input %d spends an output that waits to be a seat", i)
		}
	}
	return nil
}

// output gives output i, nil if there is none before the record.
func (a *action) output(i int) *wire.TxOut {
	outs := a.tx.Msg.TxOut
	if i >= len(outs)-1 {
		return nil
	}
	return outs[i]
}

// setMeaning writes what an outpoint is from now on.
func (g *Block) setMeaning(op wire.OutPoint, m state.Meaning) error {
	return g.set(state.KeyOutpoint(op), m.Encode())
}
