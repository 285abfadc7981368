package tree

import (
	"bytes"
	"sort"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/base/check"
	"granary/state"
)

// ReadWriter is the goods state that Update works on, a *state.Overlay.
type ReadWriter interface {
	Goods(key []byte) ([]byte, error)
	SetGoods(key, value []byte) error
}

// Root gives the root of the stored tree, 32 zero bytes for an empty one.
func Root(view state.GoodsView) (chainhash.Hash, error) {
	l := loader{get: view.Goods}
	top, err := l.loadRoot()
	if err != nil || top == nil {
		return chainhash.Hash{}, err
	}
	return top.hash, nil
}

// Update brings the stored pages in line with changed state keys and gives
// the new root. changes are ascending by key, one for each key; New is the
// value now, nil for a removed key; Old is not used. The cost grows with
// the number of changes and the depth of the tree, not with its size.
func Update(rw ReadWriter, changes []state.GoodsChange) (chainhash.Hash, error) {
	for i, c := range changes {
		check.Must(len(c.Key) > 0 && len(c.Key) <= MaxKeyBytes && !state.IsNodeKey(c.Key), "tree: bad key %x", c.Key)
		check.Must(i == 0 || bytes.Compare(changes[i-1].Key, c.Key) < 0, "tree: changes are not ascending at %x", c.Key)
	}
	u := updater{loader: loader{get: rw.Goods}, rw: rw}
	old, err := u.loadRoot()
	if err != nil {
		return chainhash.Hash{}, err
	}
	if warmer, able := rw.(state.GoodsWarmer); able {
		if err := u.warm(warmer, old, changes); err != nil {
			return chainhash.Hash{}, err
		}
	}
	now := u.update(old, changes)
	if u.err == nil {
		u.store(now)
	}
	if u.err != nil || now == nil {
		return chainhash.Hash{}, u.err
	}
	return now.hash, nil
}

// updater changes nodes in memory, page by page as the changes lead to them,
// and stores them afterwards; the first error of the state stops it.
type updater struct {
	loader
	rw        ReadWriter
	unwritten []*node // topmost nodes of pages
	value     []byte  // of the page that is being written
	err       error
}

func (u *updater) children(n *node, changes []state.GoodsChange) (left, right *node) {
	left, right, err := u.loader.children(n, changes)
	if err != nil && u.err == nil {
		u.err = err
	}
	return left, right
}

// update applies changes to the subtree below old (nil if there is none) and
// gives what is there afterwards.
func (u *updater) update(old *node, changes []state.GoodsChange) *node {
	if u.err != nil || len(changes) == 0 {
		return old
	}
	if old == nil || old.form == formLeaf {
		if only := len(changes) == 1; only && (old == nil || bytes.Equal(old.key, changes[0].Key)) {
			return leafOf(old, &changes[0])
		}
	}
	bit, key := splitBit(old, changes)
	zeros, ones := splitChanges(changes, bit)
	if old != nil && old.form != formLeaf && bit == old.bit {
		return u.inner(old, changes, len(zeros))
	}
	check.Must(bit < noBit, "tree: key %x is the beginning of another", key)
	var oldLeft, oldRight *node
	if old != nil && bitOf(old.key, bit) == 0 {
		oldLeft = old
	} else {
		oldRight = old
	}
	left, right := u.update(oldLeft, zeros), u.update(oldRight, ones)
	if left == nil || right == nil || u.err != nil {
		return either(left, right)
	}
	return &node{
		form: formInner, bit: bit, key: key, left: left, right: right, changed: true,
		hash: NodeHash(bit, left.hash, right.hash),
	}
}

// inner applies changes that all lie below an existing inner node. With one
// side empty it is no more and the other takes its place.
// The first so many changes belong to the left.
func (u *updater) inner(n *node, changes []state.GoodsChange, zeros int) *node {
	oldLeft, oldRight := u.children(n, changes)
	if u.err != nil {
		return nil
	}
	left, right := u.update(oldLeft, changes[:zeros]), u.update(oldRight, changes[zeros:])
	switch {
	case u.err != nil:
		return nil
	case left == nil || right == nil:
		if n.from != nil {
			n.from.alive--
			n.from.lost = true
		}
		return either(left, right)
	}
	if left != oldLeft || right != oldRight || left.changed || right.changed {
		n.left, n.right, n.changed = left, right, true
		n.hash = NodeHash(n.bit, left.hash, right.hash)
	}
	return n
}

func either(left, right *node) *node {
	if left == nil {
		return right
	}
	return left
}

// leafOf is the leaf that a change leaves behind, nil for a removal.
func leafOf(old *node, c *state.GoodsChange) *node {
	if c.New == nil {
		return nil
	}
	hash := LeafHash(c.Key, c.New)
	if old != nil && old.hash == hash {
		return old
	}
	return &node{hash: hash, key: bytes.Clone(c.Key), changed: true}
}

// noBit is beyond the last bit of any key.
const noBit = 8 * MaxKeyBytes

// splitBit is the first bit in which old and the changes do not all agree, at
// most the bit of old itself; key shows the bits before it.
func splitBit(old *node, changes []state.GoodsChange) (bit uint16, key []byte) {
	key, bit = changes[0].Key, noBit
	if old != nil {
		key = old.key
		if old.form != formLeaf {
			bit = old.bit
		}
	}
	// Changes are sorted: the first and the last differ first of all.
	for _, c := range []*state.GoodsChange{&changes[0], &changes[len(changes)-1]} {
		bit = firstDifference(key, c.Key, bit)
	}
	return bit, key
}

// splitChanges cuts sorted changes that share the bits before bit.
func splitChanges(changes []state.GoodsChange, bit uint16) (zeros, ones []state.GoodsChange) {
	at := sort.Search(len(changes), func(i int) bool { return bitOf(changes[i].Key, bit) == 1 })
	return changes[:at], changes[at:]
}
