package proof

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"sort"

	"granary/rules/goods"
	"granary/state"
	"granary/state/tree"
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
// made from the result. Its cost grows with what the blocks changed, most of it
// for the nodes of the tree above.
func Rewind(view state.GoodsView, undos []*state.Undo) (*Past, error) {
	w := &rewinding{now: view, past: &Past{values: map[string][]byte{}}}
	if err := w.back(merge(undos)); err != nil {
		return nil, fmt.Errorf("go back to the state that the block commits to: %w", err)
	}
	return w.past.sort(), nil
}

// rewinding is a state that is being taken back. It does no more than that
// takes: it asks the state of now for nothing twice that was changed, and keeps
// no changes apart.
type rewinding struct {
	now  state.GoodsView
	past *Past
}

// back takes changes back, which are ascending by key.
func (w *rewinding) back(changes []state.GoodsChange) error {
	for i := range changes {
		c := &changes[i]
		if len(c.Key) == 0 || state.IsNodeKey(c.Key) {
			return fmt.Errorf("%w: key %x is out of place", goods.ErrUnclean, c.Key)
		}
		now, err := w.now.Goods(c.Key)
		if err != nil {
			return err
		}
		if !bytes.Equal(now, c.New) || (now == nil) != (c.New == nil) {
			return fmt.Errorf("%w: key %x is not as the block left it", goods.ErrUnclean, c.Key)
		}
		w.past.values[string(c.Key)] = c.Old
		c.New = c.Old
	}
	_, err := tree.Update(w, changes)
	return err
}

// Goods implements tree.ReadWriter.
func (w *rewinding) Goods(key []byte) ([]byte, error) {
	if value, ok := w.past.values[string(key)]; ok {
		return value, nil
	}
	return w.now.Goods(key)
}

// SetGoods implements tree.ReadWriter.
func (w *rewinding) SetGoods(key, value []byte) error {
	w.past.values[string(key)] = value
	return nil
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
