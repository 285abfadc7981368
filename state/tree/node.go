package tree

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// node is a node of the tree in memory. Whoever holds the topmost one owns all
// of them; they point into the pages' values, which nobody modifies.
type node struct {
	hash chainhash.Hash
	// key is the key of a leaf. For any other node it is a string that has the
	// bits before bit, which all keys below it share.
	key         []byte
	left, right *node
	from        *page // the page of an inner node that was read, or of a stub that is about to be
	bit         uint16
	form        form
	changed     bool   // it or something below it is not as it is stored
	packed      []byte // of a packed node
}

// form is what is known of a node.
type form uint8

const (
	formLeaf   form = iota
	formInner       // with its children
	formStub        // an inner node whose page is not loaded
	formPacked      // an inner node as it is written, with all of its page below it
)

// sharedBytes is how many bytes hold the bits before bit.
func sharedBytes(bit uint16) int { return (int(bit) + 7) / 8 }

// appendShared appends the bytes from skip on that hold the first bit bits of
// key, the rest of the last one zero.
func appendShared(b, key []byte, skip int, bit uint16) []byte {
	b = append(b, key[skip:sharedBytes(bit)]...)
	if rest := bit % 8; rest != 0 {
		b[len(b)-1] &= 0xff << (8 - rest)
	}
	return b
}

// Entries of a page and of the root reference.
const (
	// Below tagLeaf the tag is an inner node's place in its window.
	tagLeaf = windowBits
	tagStub = windowBits + 1
)

// appendLeaf writes a leaf: tag, hash, u8 length and key, both without the
// first skip bytes, which the place tells.
func appendLeaf(b []byte, hash *chainhash.Hash, key []byte, skip int) []byte {
	b = append(append(b, tagLeaf), hash[:]...)
	return append(append(b, byte(len(key)-skip)), key[skip:]...)
}

// appendStub refers to an inner node of another page: tag, hash, u16 bit
// (big-endian) and shared bits, without the first skip bytes.
func appendStub(b []byte, hash *chainhash.Hash, bit uint16, key []byte, skip int) []byte {
	b = append(append(b, tagStub), hash[:]...)
	return appendShared(binary.BigEndian.AppendUint16(b, bit), key, skip, bit)
}

// entryReader reads entries, whose keys begin with prefix. One reader serves
// many pages: it is where their nodes and keys have their memory.
type entryReader struct {
	raw    []byte
	prefix []byte
	nodes  []node
	bytes  []byte
}

// chunkNodes and chunkBytes are how much an entryReader takes at a time.
const (
	chunkNodes = 128
	chunkBytes = 8 << 10
)

func (r *entryReader) node() *node {
	if len(r.nodes) == 0 {
		r.nodes = make([]node, chunkNodes)
	}
	n := &r.nodes[0]
	r.nodes = r.nodes[1:]
	return n
}

// key is the prefix with the rest.
func (r *entryReader) key(rest []byte) []byte {
	if len(r.prefix) == 0 {
		return rest
	}
	size := len(r.prefix) + len(rest)
	if size > cap(r.bytes)-len(r.bytes) {
		r.bytes = make([]byte, 0, max(size, chunkBytes))
	}
	at := len(r.bytes)
	r.bytes = append(append(r.bytes, r.prefix...), rest...)
	return r.bytes[at:len(r.bytes):len(r.bytes)]
}

// skimmed is what is known of a node that was read past.
type skimmed struct {
	hash chainhash.Hash
	rest []byte // of its key without the prefix; for an inner node, of one below it
	bit  uint16 // of a stub
	form form
}

// entry reads a leaf or a stub; false if there is neither.
func (r *entryReader) entry(s *skimmed) bool {
	const head = 1 + chainhash.HashSize + 1
	if len(r.raw) < head+1 {
		return false
	}
	s.hash = chainhash.Hash(r.raw[1:])
	length := int(r.raw[head-1])
	rest := r.raw[head:]
	switch r.raw[0] {
	case tagLeaf:
		s.form = formLeaf
	case tagStub:
		s.form, s.bit = formStub, binary.BigEndian.Uint16(r.raw[head-1:])
		length, rest = sharedBytes(s.bit)-len(r.prefix), rest[1:]
	default:
		return false
	}
	if length <= 0 || length > len(rest) || len(r.prefix)+length > MaxKeyBytes {
		return false
	}
	s.rest, r.raw = rest[:length:length], rest[length:]
	return true
}

// entryNode is the node of an entry that was read.
func (r *entryReader) entryNode(s *skimmed) *node {
	n := r.node()
	n.hash, n.form, n.bit, n.key = s.hash, s.form, s.bit, r.key(s.rest)
	return n
}

// loadRoot reads the reference to the topmost node, nil for an empty tree.
func (l *loader) loadRoot() (*node, error) {
	value, err := l.get(rootKey())
	if err != nil || value == nil {
		return nil, err
	}
	r := &l.reader
	r.raw, r.prefix = value, nil
	var s skimmed
	if r.entry(&s) && len(r.raw) == 0 {
		return r.entryNode(&s), nil
	}
	return nil, fmt.Errorf("commitment tree: stored root %x is damaged", value)
}

// getter reads one key of the goods state.
type getter func(key []byte) ([]byte, error)

// agree reports whether two strings have the same first bits.
func agree(a, b []byte, bits uint16) bool {
	whole := int(bits / 8)
	return bytes.Equal(a[:whole], b[:whole]) && firstDifference(a[whole:], b[whole:], bits%8) == bits%8
}
