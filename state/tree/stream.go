package tree

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/state"
)

// Builder computes a root from all leaves in ascending key order, in memory
// that grows with the depth only. It shares no code with Update but the form
// of an entry: each checks the other. The zero Builder is ready.
type Builder struct {
	stack []subtree
	last  []byte
	pages func(key, value []byte) error // sees every page but the topmost, may be nil
}

// subtree is finished but for its place.
type subtree struct {
	hash chainhash.Hash
	leaf bool
	bit  uint16 // of an inner node
	key  []byte // of a leaf; for an inner node one of those below it
	// below is the bit in which its keys first differ from those of the
	// subtree under it on the stack.
	below uint16
	page  []byte // what lies in the page of an inner node, from it on
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
	b.stack = append(b.stack, subtree{hash: LeafHash(key, value), leaf: true, key: b.last, below: bit})
	return nil
}

func (b *Builder) merge() error {
	top := len(b.stack) - 1
	left, right := &b.stack[top-1], &b.stack[top]
	joined := subtree{
		hash: NodeHash(right.below, left.hash, right.hash), bit: right.below, key: right.key, below: left.below,
	}
	if b.pages != nil {
		joined.page = append(joined.page, byte(joined.bit%windowBits))
		for _, child := range []*subtree{left, right} {
			if err := b.place(&joined, child); err != nil {
				return err
			}
		}
	}
	b.stack = append(b.stack[:top-1], joined)
	return nil
}

// place adds a child to its parent's page, or gives it a page of its own.
func (b *Builder) place(parent, child *subtree) error {
	window := parent.bit / windowBits
	if !child.leaf && child.bit/windowBits == window {
		parent.page = append(parent.page, child.page...)
		return nil
	}
	parent.page = child.refer(parent.page, int(window/2))
	if child.leaf {
		return nil
	}
	return b.pages(pageKey(child.bit, child.key), child.page)
}

func (s *subtree) refer(b []byte, skip int) []byte {
	if s.leaf {
		return appendLeaf(b, &s.hash, s.key, skip)
	}
	return appendStub(b, &s.hash, s.bit, s.key, skip)
}

// finish joins what is left, nil for no leaves.
func (b *Builder) finish() (*subtree, error) {
	for len(b.stack) > 1 {
		if err := b.merge(); err != nil {
			return nil, err
		}
	}
	if len(b.stack) == 0 {
		return nil, nil
	}
	return &b.stack[0], nil
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
// stored page: none may be missing, wrong or left over. It gives the root.
func Check(view state.GoodsView) (chainhash.Hash, error) {
	expected := 0
	stored := func(key, want []byte) error {
		expected++
		return checkStored(view, key, want)
	}
	b := Builder{pages: stored}
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
	if top == nil {
		return chainhash.Hash{}, checkCount(view, 0)
	}
	if err := stored(rootKey(), top.refer(nil, 0)); err != nil {
		return top.hash, err
	}
	if !top.leaf {
		if err := stored(pageKey(top.bit, top.key), top.page); err != nil {
			return top.hash, err
		}
	}
	return top.hash, checkCount(view, expected)
}

func checkStored(view state.GoodsView, key, want []byte) error {
	got, err := view.Goods(key)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("commitment tree: page %x is stored as %x, should be %x", key, got, want)
	}
	return nil
}

// checkCount compares the number of stored pages with what belongs there.
func checkCount(view state.GoodsView, expected int) error {
	stored := 0
	err := view.GoodsRange(state.NodeKeyPrefix(), state.FirstStateKey(), func(_, _ []byte) bool {
		stored++
		return true
	})
	if err == nil && stored != expected {
		err = fmt.Errorf("commitment tree: %d pages are stored, should be %d", stored, expected)
	}
	return err
}
