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

// load gives a stub its children, and those of its page theirs as far as the
// changes lead; the rest is packed.
func (l *loader) load(stub *node, changes []state.GoodsChange) error {
	p := stub.from
	if p == nil {
		p = &page{key: pageKey(stub.bit, stub.key)}
	}
	value, err := l.get(p.key)
	if err != nil {
		return err
	}
	r := l.pageReader(stub, p, value)
	top := r.read(-1, changes, true)
	if top == nil || top.form != formInner || len(r.raw) > 0 || top.hash != stub.hash ||
		top.bit != stub.bit || !agree(top.key, stub.key, stub.bit) {
		return fmt.Errorf("commitment tree: stored page %x is missing or does not match its hash", p.key)
	}
	stub.form, stub.left, stub.right, stub.from = formInner, top.left, top.right, p
	l.pages = append(l.pages, p)
	return nil
}

// pageReader reads raw, of the page in which the inner node n lies.
func (l *loader) pageReader(n *node, p *page, raw []byte) pageReader {
	r := pageReader{entryReader: &l.reader, page: p, window: windowOf(n.bit)}
	r.at = skipOf(r.window)
	r.raw, r.prefix = raw, n.key[:r.at]
	return r
}

// children gives an inner node's children, loading its page if need be. The
// changes say what else of the page is to be at hand.
func (l *loader) children(n *node, changes []state.GoodsChange) (left, right *node, err error) {
	switch n.form {
	case formStub:
		err = l.load(n, changes)
	case formPacked:
		r := l.pageReader(n, &page{}, n.packed)
		top := r.read(-1, changes, true)
		n.form, n.left, n.right = formInner, adopt(top.left, n.from), adopt(top.right, n.from)
	}
	return n.left, n.right, err
}

// adopt says of nodes that were packed which page they are from.
func adopt(n *node, from *page) *node {
	if n.form == formInner || n.form == formPacked {
		n.from = from
	}
	if n.form == formInner {
		adopt(n.left, from)
		adopt(n.right, from)
	}
	return n
}

// pageReader reads one page.
type pageReader struct {
	*entryReader
	page   *page
	window uint16
	at     int // the byte in which the window lies
}

// read gives the next node, nil where the page is damaged. Below it is what
// the changes lead to; what they do not lead to is packed, unless the node is
// to be open itself. It lies below the node at bit above.
func (r *pageReader) read(above int, changes []state.GoodsChange, open bool) *node {
	if len(r.raw) == 0 {
		return nil
	}
	if r.raw[0] >= windowBits {
		var s skimmed
		if !r.skimEntry(&s) {
			return nil
		}
		return r.entryNode(&s)
	}
	if len(changes) == 0 && !open {
		return r.pack(above)
	}
	bit := r.window*windowBits + uint16(r.raw[0])
	r.raw = r.raw[1:]
	if int(bit) <= above {
		return nil
	}
	zeros, ones := splitChanges(changes, bit)
	n := r.node()
	n.form, n.bit, n.from = formInner, bit, r.page
	if n.left = r.read(int(bit), zeros, false); n.left == nil {
		return nil
	}
	if n.right = r.read(int(bit), ones, false); n.right == nil || !differ(n.left.key[r.at], n.right.key[r.at], bit) {
		return nil
	}
	n.key = n.left.key
	n.hash = NodeHash(bit, n.left.hash, n.right.hash)
	r.page.alive++
	return n
}

// differ reports whether two bytes differ first at bit, and zero has a zero
// there.
func differ(zero, one byte, bit uint16) bool {
	return bits.LeadingZeros8(zero^one) == int(bit%8) && zero < one
}

// pack gives the next node, an inner one, as it is written.
func (r *pageReader) pack(above int) *node {
	var s skimmed
	raw := r.raw
	bit := r.window*windowBits + uint16(raw[0])
	if !r.skim(above, &s) {
		return nil
	}
	n := r.node()
	n.form, n.bit, n.from, n.hash = formPacked, bit, r.page, s.hash
	n.packed = raw[:len(raw)-len(r.raw)]
	n.key = r.key(s.rest)
	return n
}

// skim goes over the next node and all below it; false where it is damaged.
func (r *pageReader) skim(above int, s *skimmed) bool {
	if len(r.raw) == 0 {
		return false
	}
	if r.raw[0] >= windowBits {
		return r.skimEntry(s)
	}
	bit := r.window*windowBits + uint16(r.raw[0])
	r.raw = r.raw[1:]
	var right skimmed
	if int(bit) <= above || !r.skim(int(bit), s) || !r.skim(int(bit), &right) || !differ(s.rest[0], right.rest[0], bit) {
		return false
	}
	s.hash = NodeHash(bit, s.hash, right.hash)
	r.page.alive++
	return true
}

// skimEntry is skim for a leaf or a stub, which must lie below the window.
func (r *pageReader) skimEntry(s *skimmed) bool {
	return r.entry(s) && (s.form == formLeaf || windowOf(s.bit) > r.window)
}
