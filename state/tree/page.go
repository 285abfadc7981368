package tree

import (
	"fmt"
	"math/bits"

	"granary/state"
)

// Nodes are stored in pages. A page holds the inner nodes whose bit lies in
// one window, [4w, 4w+4), and which share the bits before it. These are one
// connected piece of the tree of at most 15 nodes, for the node in which two
// of them meet has its bit in the window too. Its value lists them in
// preorder, a node before its left and its right:
//
//	tag 0..3  inner node at bit 4w+tag
//	tag 4     leaf: hash, u8 length, key
//	tag 5     inner node of another page: hash, u16 bit (big-endian), the
//	          bits before it that its keys share, the rest of their last
//	          byte zero
//
// Keys and shared bits are written without their first w/2 (rounded down)
// bytes, which the page's key tells; the length counts what is written.
// Hashes of the page's own nodes follow from the rest; that of its topmost
// one must be the one that the page above refers to.
//
// The page's key is the node kind, the shared bits in whole bytes, the rest
// of the last one zero, and one byte that is 1 where w is odd: a page lies
// near those below it. The node kind alone is the key of the reference to the
// topmost node of all, an entry of tag 4 or 5 with nothing left out.

// windowBits is how many bits a page covers.
const windowBits = 4

// windowOf is the number of the window in which bit lies.
func windowOf(bit uint16) uint16 { return bit / windowBits }

// skipOf is how many bytes of keys the key of a page of that window tells.
func skipOf(window uint16) int { return int(window) * windowBits / 8 }

// pageKey is where the page of the inner node with that bit is stored, key
// having the bits before it.
func pageKey(bit uint16, key []byte) []byte {
	window := windowOf(bit)
	prefix := state.NodeKeyPrefix()
	b := make([]byte, len(prefix), len(prefix)+sharedBytes(bit)+2)
	copy(b, prefix)
	b = appendShared(b, key, 0, window*windowBits)
	return append(b, byte(window%2))
}

// rootKey is where the reference to the topmost node is stored. No page has
// this key: theirs are longer.
func rootKey() []byte { return state.NodeKeyPrefix() }

// page is a page that was read.
type page struct {
	key []byte
	// alive is how many of its nodes are still in the tree; lost says that
	// some are not.
	alive int
	lost  bool
}

// loader reads pages.
type loader struct {
	get    getter
	reader entryReader
	pages  []*page
}

// load gives a stub its children, and those of its page theirs.
func (l *loader) load(stub *node) error {
	p := stub.from
	if p == nil {
		p = &page{key: pageKey(stub.bit, stub.key)}
	}
	value, err := l.get(p.key)
	if err != nil {
		return err
	}
	r := pageReader{entries: &l.reader, page: p, window: windowOf(stub.bit)}
	r.at = skipOf(r.window)
	r.entries.raw, r.entries.prefix = value, stub.key[:r.at]
	top := r.read(-1)
	if top == nil || top.form != formInner || len(r.entries.raw) > 0 ||
		top.hash != stub.hash || top.bit != stub.bit || !agree(top.key, stub.key, stub.bit) {
		return fmt.Errorf("commitment tree: stored page %x is missing or does not match its hash", p.key)
	}
	stub.form, stub.left, stub.right, stub.from = formInner, top.left, top.right, p
	l.pages = append(l.pages, p)
	return nil
}

// children gives an inner node's children, loading its page if need be.
func (l *loader) children(n *node) (left, right *node, err error) {
	if n.form == formStub {
		err = l.load(n)
	}
	return n.left, n.right, err
}

// pageReader reads one page.
type pageReader struct {
	entries *entryReader
	page    *page
	window  uint16
	at      int // the byte in which the window lies
}

// read gives the next node with all below it, nil where the page is damaged.
// The node lies below the node at bit above.
func (r *pageReader) read(above int) *node {
	tag := r.entries.take(1)
	if tag == nil {
		return nil
	}
	if tag[0] >= windowBits {
		n := r.entries.entry(tag[0])
		if n != nil && n.form == formStub && windowOf(n.bit) <= r.window {
			return nil
		}
		return n
	}
	bit := r.window*windowBits + uint16(tag[0])
	if int(bit) <= above {
		return nil
	}
	n := r.entries.node()
	n.form, n.bit, n.from = formInner, bit, r.page
	if n.left = r.read(int(bit)); n.left == nil {
		return nil
	}
	if n.right = r.read(int(bit)); n.right == nil {
		return nil
	}
	// They must first differ at bit, and left have a zero there.
	zero, one := n.left.key[r.at], n.right.key[r.at]
	if bits.LeadingZeros8(zero^one) != int(bit%8) || zero > one {
		return nil
	}
	n.key = n.left.key
	n.hash = NodeHash(bit, n.left.hash, n.right.hash)
	r.page.alive++
	return n
}
