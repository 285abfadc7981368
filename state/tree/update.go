package tree

import (
	"bytes"

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
	r, err := loadRoot(view.Goods)
	if err != nil || r == nil {
		return chainhash.Hash{}, err
	}
	return r.hash, nil
}

// Update brings the stored nodes in line with changed state keys and gives
// the new root. changes are ascending by key, one for each key; New is the
// value now, nil for a removed key; Old is not used. The cost grows with
// the number of changes and the depth of the tree, not with its size.
func Update(rw ReadWriter, changes []state.GoodsChange) (chainhash.Hash, error) {
	for i, c := range changes {
		check.Must(len(c.Key) > 0 && len(c.Key) <= MaxKeyBytes && !state.IsNodeKey(c.Key), "tree: bad key %x", c.Key)
		check.Must(i == 0 || bytes.Compare(changes[i-1].Key, c.Key) < 0, "tree: changes are not ascending at %x", c.Key)
	}
	old, err := loadRoot(rw.Goods)
	if err != nil {
		return chainhash.Hash{}, err
	}
	u := updater{rw: rw}
	now := u.update(old, changes)
	if u.err == nil {
		u.set(rootKey(), now)
	}
	if u.err != nil || now == nil {
		return chainhash.Hash{}, u.err
	}
	return now.hash, nil
}

// updater walks down with the changes and up with the new references; the
// first error of the state stops it.
type updater struct {
	rw  ReadWriter
	err error
}

func (u *updater) set(key []byte, refs ...*ref) {
	if u.err != nil {
		return
	}
	var value []byte
	for _, r := range refs {
		if r != nil {
			value = r.append(value)
		}
	}
	u.err = u.rw.SetGoods(key, value)
}

// update applies changes to the subtree below old (nil if there is none) and
// gives the reference to what is there afterwards.
func (u *updater) update(old *ref, changes []state.GoodsChange) *ref {
	if u.err != nil || len(changes) == 0 {
		return old
	}
	if old == nil || old.leaf {
		if only := len(changes) == 1; only && (old == nil || bytes.Equal(old.prefix, changes[0].Key)) {
			return leafOf(&changes[0])
		}
	}
	bit, key := splitBit(old, changes)
	if old != nil && !old.leaf && bit == old.bit {
		return u.inner(old, changes)
	}
	check.Must(bit < noBit, "tree: key %x is the beginning of another", key)
	zeros, ones := splitChanges(changes, bit)
	var oldLeft, oldRight *ref
	if old != nil && bitOf(old.prefix, bit) == 0 {
		oldLeft = old
	} else {
		oldRight = old
	}
	return u.join(bit, key, u.update(oldLeft, zeros), u.update(oldRight, ones))
}

// inner applies changes that all lie below an existing inner node.
func (u *updater) inner(old *ref, changes []state.GoodsChange) *ref {
	left, right, err := children(u.rw.Goods, old)
	if err != nil {
		u.err = err
		return nil
	}
	zeros, ones := splitChanges(changes, old.bit)
	left, right = u.update(left, zeros), u.update(right, ones)
	if left == nil || right == nil {
		u.set(old.key())
	}
	return u.join(old.bit, old.prefix, left, right)
}

// join stores the inner node over two subtrees; with one of them empty there
// is no node and the other takes its place.
func (u *updater) join(bit uint16, key []byte, left, right *ref) *ref {
	switch {
	case u.err != nil || left == nil && right == nil:
		return nil
	case left == nil:
		return right
	case right == nil:
		return left
	}
	r := innerRef(NodeHash(bit, left.hash, right.hash), bit, key)
	u.set(r.key(), left, right)
	return r
}

// leafOf is the leaf that a change leaves behind, nil for a removal.
func leafOf(c *state.GoodsChange) *ref {
	if c.New == nil {
		return nil
	}
	return &ref{hash: LeafHash(c.Key, c.New), leaf: true, prefix: bytes.Clone(c.Key)}
}

// noBit is beyond the last bit of any key.
const noBit = 8 * MaxKeyBytes

// splitBit is the first bit in which old and the changes do not all agree, at
// most the bit of old itself; key shows the bits before it.
func splitBit(old *ref, changes []state.GoodsChange) (bit uint16, key []byte) {
	key, bit = changes[0].Key, noBit
	if old != nil {
		key = old.prefix
		if !old.leaf {
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
	at := 0
	for at < len(changes) && bitOf(changes[at].Key, bit) == 0 {
		at++
	}
	return changes[:at], changes[at:]
}
