package goods

import (
	"fmt"

	"granary/params"
	"granary/state"
)

// The reserve is kept in sums, so that a block costs what it changes: per
// custodian and good the free measures of all receipts and of those that
// count; per height, custodian and good the free measures that stop counting
// after it; and the two totals in units.

// sums is the part of them that a change of one holding touches.
type sums struct {
	holding state.Holding
	fresh   int64 // free measures with the receipt's valid_until
	reserve state.Reserve
}

// ReadReserve gives the reserve after the last block.
func ReadReserve(view state.GoodsView) (state.Reserve, error) {
	value, err := view.Goods(state.KeyReserve())
	if err != nil {
		return state.Reserve{}, fmt.Errorf("read the reserve: %w", err)
	}
	return state.DecodeReserve(value)
}

// ReadHolding gives what a custodian holds of a good after the last block.
func ReadHolding(view state.GoodsView, custodian, good uint16) (state.Holding, error) {
	value, err := view.Goods(state.KeyHolding(custodian, good))
	if err != nil {
		return state.Holding{}, fmt.Errorf("read a holding: %w", err)
	}
	return state.DecodeHolding(value)
}

func (g *Block) holding(custodian, good uint16) (state.Holding, error) {
	return ReadHolding(g.over, custodian, good)
}

// good gives good index as it is in force, which is there.
func (g *Block) good(index uint16) (*params.Good, error) {
	value, err := g.over.Goods(state.KeyGood(index))
	if err != nil {
		return nil, fmt.Errorf("read good %d: %w", index, err)
	}
	good, err := params.DecodeGood(value)
	return &good, err
}

// allowance is how much of a good a custodian may hold, 0 where it may not or
// where there is no such custodian or good.
func (g *Block) allowance(custodian, good uint16) (int64, error) {
	value, err := g.over.Goods(state.KeyAllowance(custodian, good))
	if err != nil || value == nil {
		return 0, err
	}
	return state.DecodeLimit(value)
}

// freshFree gives the free measures that count until a height.
func (g *Block) freshFree(validUntil int32, custodian, good uint16) (int64, error) {
	value, err := g.over.Goods(state.KeyFresh(validUntil, custodian, good))
	if err != nil || value == nil {
		return 0, err
	}
	return state.DecodeLimit(value)
}

// sumsAfter gives the sums as they are once measures more are free behind a
// receipt that counts.
func (g *Block) sumsAfter(r *state.Receipt, measures int64) (s sums, err error) {
	if s.holding, err = g.holding(r.Custodian, r.Good); err != nil {
		return s, err
	}
	if s.fresh, err = g.freshFree(r.ValidUntil, r.Custodian, r.Good); err != nil {
		return s, err
	}
	good, err := g.good(r.Good)
	if err != nil {
		return s, err
	}
	if s.reserve, err = ReadReserve(g.over); err != nil {
		return s, err
	}
	before := s.holding
	s.fresh += measures
	s.holding.Free += measures
	s.holding.Counted += measures
	s.reserve = revalue(s.reserve, good, before, s.holding)
	return s, nil
}

// revalue moves the totals with one holding, valued anew from what remains.
func revalue(r state.Reserve, good *params.Good, before, after state.Holding) state.Reserve {
	r.Counted = r.Counted.Add(good.ValueUnits(after.Counted)).Sub(good.ValueUnits(before.Counted))
	r.All = r.All.Add(good.ValueUnits(after.Free)).Sub(good.ValueUnits(before.Free))
	return r
}

// addFree writes the sums after measures of a receipt that counts became free.
func (g *Block) addFree(r *state.Receipt, measures int64) error {
	s, err := g.sumsAfter(r, measures)
	if err != nil {
		return err
	}
	if err := g.set(state.KeyHolding(r.Custodian, r.Good), s.holding.Encode()); err != nil {
		return err
	}
	if err := g.set(state.KeyFresh(r.ValidUntil, r.Custodian, r.Good), state.EncodeLimit(s.fresh)); err != nil {
		return err
	}
	return g.set(state.KeyReserve(), s.reserve.Encode())
}
