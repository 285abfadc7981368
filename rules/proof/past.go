package proof

import (
	"fmt"
	"maps"
	"slices"
	"sort"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/rules/goods"
	"granary/state"
)

// Past is what was different in the goods state some blocks ago. It is
// immutable and safe for concurrent use.
type Past struct {
	values map[string][]byte // nil: absent then
	keys   []string          // those that are the state's, ascending
}

// Leaves goes back over blocks, given their undo from the newest to the oldest.
// The result knows the state's keys as they were, but not the tree's nodes: the
// state can be read from it, proofs cannot be made. It keeps the undos' memory.
func Leaves(undos []*state.Undo) *Past {
	p := &Past{values: map[string][]byte{}}
	for _, c := range merge(undos) {
		p.values[string(c.Key)] = c.Old
	}
	return p.sort()
}

// Rewind goes back from view, the state after the newest block, over blocks
// given their undo from the newest to the oldest, tree and all: proofs can be
// made from the result. Its cost grows with what the blocks changed.
func Rewind(view state.GoodsView, undos []*state.Undo) (*Past, error) {
	over := state.NewOverlay(goodsOnly{view}, 0)
	if err := goods.Revert(over, merge(undos)); err != nil {
		return nil, fmt.Errorf("go back to the state that the block commits to: %w", err)
	}
	delta := over.Changes(state.IsNodeKey)
	p := &Past{values: make(map[string][]byte, len(delta.Goods)+len(delta.Nodes))}
	for _, c := range slices.Concat(delta.Goods, delta.Nodes) {
		p.values[string(c.Key)] = c.New
	}
	return p.sort(), nil
}

func (p *Past) sort() *Past {
	for key := range p.values {
		if !state.IsNodeKey([]byte(key)) {
			p.keys = append(p.keys, key)
		}
	}
	slices.Sort(p.keys)
	return p
}

// merge gives the changes over all blocks together, ascending by key: New is
// the newest, Old the oldest.
func merge(undos []*state.Undo) []state.GoodsChange {
	all := map[string]state.GoodsChange{}
	for _, undo := range undos {
		for _, c := range undo.Goods {
			if newer, ok := all[string(c.Key)]; ok {
				c.New = newer.New
			}
			all[string(c.Key)] = c
		}
	}
	changes := make([]state.GoodsChange, 0, len(all))
	for _, key := range slices.Sorted(maps.Keys(all)) {
		changes = append(changes, all[key])
	}
	return changes
}

// Over is the state as it was, given the state as it is after the newest
// block.
func (p *Past) Over(now state.GoodsView) state.GoodsView { return pastView{p, now} }

type pastView struct {
	past *Past
	now  state.GoodsView
}

// Goods implements state.GoodsView.
func (v pastView) Goods(key []byte) ([]byte, error) {
	if value, ok := v.past.values[string(key)]; ok {
		return value, nil
	}
	return v.now.Goods(key)
}

// GoodsRange implements state.GoodsView, for the state's keys: nodes of the
// tree must not be in the range.
func (v pastView) GoodsRange(from, to []byte, f func(key, value []byte) bool) error {
	keys := v.past.keys
	keys = keys[sort.SearchStrings(keys, string(from)):]
	if to != nil {
		keys = keys[:sort.SearchStrings(keys, string(to))]
	}
	stopped := false
	// emit hands out what was there below the key of now.
	emit := func(below []byte) {
		for len(keys) > 0 && !stopped && (below == nil || keys[0] < string(below)) {
			if value := v.past.values[keys[0]]; value != nil {
				stopped = !f([]byte(keys[0]), value)
			}
			keys = keys[1:]
		}
	}
	err := v.now.GoodsRange(from, to, func(key, value []byte) bool {
		if emit(key); stopped {
			return false
		}
		if len(keys) > 0 && keys[0] == string(key) {
			return true // as it was then: emit comes to it next
		}
		stopped = !f(key, value)
		return !stopped
	})
	if err == nil && !stopped {
		emit(nil)
	}
	return err
}

// goodsOnly lets the goods rules go back where no coins are at hand; they
// never look at any.
type goodsOnly struct{ state.GoodsView }

// Coin implements state.CoinView.
func (goodsOnly) Coin(wire.OutPoint) (*state.Coin, error) { return nil, nil }
