package tree

import "granary/state"

// warm loads the pages that the changes lead to, one level of pages after the
// other: a state that can read many keys at a time is told them together. What
// it leaves out, update loads.
func (l *loader) warm(warmer state.GoodsWarmer, top *node, changes []state.GoodsChange) error {
	if top == nil {
		return nil
	}
	for level := reach(nil, top, changes); len(level) > 0; {
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
