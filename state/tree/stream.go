package tree

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/state"
)

// Builder computes a root from all leaves in ascending key order, in memory
// that grows with the depth only. It shares no code with Update: each checks
// the other. The zero Builder is ready.
type Builder struct {
	stack []subtree
	last  []byte
	inner func(node, left, right *ref) error // sees every inner node, may be nil
}

// subtree is finished but for its place: below is the bit in which its keys
// first differ from those of the subtree under it on the stack.
type subtree struct {
	ref   *ref
	below uint16
}

// Add takes the next leaf. It fails on a key that is out of order, too long,
// or the beginning of another.
func (b *Builder) Add(key, value []byte) error {
	if len(key) == 0 || len(key) > MaxKeyBytes {
		return fmt.Errorf("commitment tree: key of %d bytes, 1 to %d are allowed", len(key), MaxKeyBytes)
	}
	var bit uint16
	if b.last != nil {
		shared := uint16(8 * min(len(b.last), len(key)))
		bit = firstDifference(b.last, key, shared)
		if bit == shared || bytes.Compare(b.last, key) > 0 {
			return fmt.Errorf("commitment tree: key %x is out of order or the beginning of another", key)
		}
		for top := len(b.stack) - 1; top > 0 && b.stack[top].below > bit; top-- {
			if err := b.merge(); err != nil {
				return err
			}
		}
	}
	b.last = bytes.Clone(key)
	leaf := &ref{hash: LeafHash(key, value), leaf: true, prefix: b.last}
	b.stack = append(b.stack, subtree{leaf, bit})
	return nil
}

func (b *Builder) merge() error {
	top := len(b.stack) - 1
	left, right := b.stack[top-1].ref, b.stack[top].ref
	bit := b.stack[top].below
	node := innerRef(NodeHash(bit, left.hash, right.hash), bit, right.prefix)
	b.stack[top-1].ref = node
	b.stack = b.stack[:top]
	if b.inner != nil {
		return b.inner(node, left, right)
	}
	return nil
}

// finish joins what is left, nil for no leaves.
func (b *Builder) finish() (*ref, error) {
	for len(b.stack) > 1 {
		if err := b.merge(); err != nil {
			return nil, err
		}
	}
	if len(b.stack) == 0 {
		return nil, nil
	}
	return b.stack[0].ref, nil
}

// Root gives the root of all leaves added; the Builder is used up.
func (b *Builder) Root() (chainhash.Hash, error) {
	top, err := b.finish()
	if err != nil || top == nil {
		return chainhash.Hash{}, err
	}
	return top.hash, nil
}

// Check recomputes the whole tree from the state's leaves and compares every
// stored node: none may be missing, wrong or left over. It gives the root.
func Check(view state.GoodsView) (chainhash.Hash, error) {
	expected := 0
	b := Builder{inner: func(node, left, right *ref) error {
		expected++
		return checkStored(view, node.key(), right.append(left.append(nil)))
	}}
	var failed error
	err := view.GoodsRange(state.FirstStateKey(), nil, func(key, value []byte) bool {
		failed = b.Add(key, value)
		return failed == nil
	})
	if err = errors.Join(err, failed); err != nil {
		return chainhash.Hash{}, err
	}
	top, err := b.finish()
	if err != nil {
		return chainhash.Hash{}, err
	}
	var root chainhash.Hash
	var rootValue []byte
	if top != nil {
		expected++
		root, rootValue = top.hash, top.append(nil)
	}
	if err := checkStored(view, rootKey(), rootValue); err != nil {
		return root, err
	}
	return root, checkCount(view, expected)
}

func checkStored(view state.GoodsView, key, want []byte) error {
	got, err := view.Goods(key)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("commitment tree: node %x is stored as %x, should be %x", key, got, want)
	}
	return nil
}

// checkCount compares the number of stored nodes with what belongs there.
func checkCount(view state.GoodsView, expected int) error {
	stored := 0
	err := view.GoodsRange(state.NodeKeyPrefix(), state.FirstStateKey(), func(_, _ []byte) bool {
		stored++
		return true
	})
	if err == nil && stored != expected {
		err = fmt.Errorf("commitment tree: %d nodes are stored, should be %d", stored, expected)
	}
	return err
}
