package tree

import "granary/state"

// ReadAhead asks view for the pages that changes of keys, ascending, would
// touch. It is for a view that is a state.GoodsWarmer and keeps what it read.
// goOn is asked between two levels of pages; false ends it.
func ReadAhead(view state.GoodsView, keys [][]byte, goOn func() bool) {
	warmer, able := view.(state.GoodsWarmer)
	if !able {
		return
	}
	changes := make([]state.GoodsChange, len(keys))
	for i, key := range keys {
		changes[i].Key = key
	}
	l := loader{get: view.Goods, blind: true}
	if top, err := l.loadRoot(); err == nil {
		_ = l.warm(warmer, top, changes, goOn) //nolint:errcheck // whoever needs the page meets it again
	}
}

// warm loads the pages that the changes lead to, one level of pages after the
// other: a state that can read many keys at a time is told them together. What
// it leaves out, update loads.
func (l *loader) warm(warmer state.GoodsWarmer, top *node, changes []state.GoodsChange, goOn func() bool) error {
	if top == nil {
		return nil
	}
	for level := reach(nil, top, changes); len(level) > 0 && goOn(); {
		keys := make([][]byte, len(level))
		for i := range level {
			stub := level[i].stub
			stub.from = &page{key: pageKey(stub.bit, stub.key)}
			keys[i] = stub.from.key
		}
		warmer.WarmGoods(keys)
		var next []reached
		for i := range level {
			if err := l.load(level[i].stub, level[i].changes); err != nil {
				return err
			}
			next = reach(next, level[i].stub, level[i].changes)
		}
		level = next
	}
	return nil
}

// reached is an unloaded node and the changes that lead to it.
type reached struct {
	stub    *node
	changes []state.GoodsChange
}

// reach appends the unloaded nodes from n on that changes lead to.
func reach(to []reached, n *node, changes []state.GoodsChange) []reached {
	switch {
	case len(changes) == 0 || n.form == formLeaf:
		return to
	case n.form == formInner:
		zeros, ones := splitChanges(changes, n.bit)
		return reach(reach(to, n.left, zeros), n.right, ones)
	}
	for i := range changes {
		if firstDifference(changes[i].Key, n.key, n.bit) == n.bit {
			return append(to, reached{n, changes})
		}
	}
	return to
}
