package goods

import (
	"fmt"

	"granary/params"
	"granary/state"
)

// Good is a good as a rule sees it: in force, and as a pending amendment will
// make it. While its par is about to change what is given out is valued at
// the lower of both and what is taken in at the higher.
type Good struct {
	state.GoodInForce
	Pending *params.Good // nil where no amendment is pending for it
}

// LowUnits is floor(quantity x par) at the lower par, what a quantity is worth
// when coins are given for it.
func (g *Good) LowUnits(quantity int64) int64 {
	units := g.ValueUnits(quantity)
	if g.Pending != nil {
		units = min(units, g.Pending.ValueUnits(quantity))
	}
	return units
}

// HighUnits is floor(quantity x par) at the higher par.
func (g *Good) HighUnits(quantity int64) int64 {
	units := g.ValueUnits(quantity)
	if g.Pending != nil {
		units = max(units, g.Pending.ValueUnits(quantity))
	}
	return units
}

// HighUpUnits is ceil(quantity x par) at the higher par, what is asked for a
// quantity.
func (g *Good) HighUpUnits(quantity int64) int64 {
	units := g.ValueUpUnits(quantity)
	if g.Pending != nil {
		units = max(units, g.Pending.ValueUpUnits(quantity))
	}
	return units
}

// ReadGood gives good index as it is in force, nil if there is none.
func ReadGood(view state.GoodsView, index uint16) (*Good, error) {
	pending, err := pendingGoods(view)
	if err != nil {
		return nil, err
	}
	return readGood(view, index, pending)
}

func readGood(view state.GoodsView, index uint16, pending map[uint16]*params.Good) (*Good, error) {
	value, err := view.Goods(state.KeyGood(index))
	if err != nil {
		return nil, fmt.Errorf("read good %d: %w", index, err)
	}
	if value == nil {
		return nil, nil
	}
	good, err := state.DecodeGoodInForce(value)
	if err != nil {
		return nil, err
	}
	return &Good{GoodInForce: *good, Pending: pending[index]}, nil
}

// good gives a good that is there.
func (g *Block) good(index uint16) (*Good, error) {
	good, err := readGood(g.over, index, g.pendingGoods)
	if err == nil && good == nil {
		err = fmt.Errorf("goods state is damaged: there is no good %d", index)
	}
	return good, err
}

// ReadCounts gives how many goods, custodians and auditors there are; none
// before block 1.
func ReadCounts(view state.GoodsView) (state.Counts, error) {
	value, err := view.Goods(state.KeyCounts())
	if err != nil {
		return state.Counts{}, fmt.Errorf("read goods counts: %w", err)
	}
	return state.DecodeCounts(value)
}
