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
	changed     bool // it or something below it is not as it is stored
}

// form is what is known of a node.
type form uint8

const (
	formLeaf  form = iota
	formInner      // with its children
	formStub       // an inner node whose page is not loaded
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

// take is the next n bytes, nil where there are fewer.
func (r *entryReader) take(n int) []byte {
	if n > len(r.raw) {
		return nil
	}
	b := r.raw[:n:n]
	r.raw = r.raw[n:]
	return b
}

// key is the prefix with n more bytes, nil where there are fewer.
func (r *entryReader) key(n int) []byte {
	if n <= 0 || n > len(r.raw) {
		return nil
	}
	rest := r.take(n)
	if len(r.prefix) == 0 {
		return rest
	}
	size := len(r.prefix) + n
	if size > cap(r.bytes)-len(r.bytes) {
		r.bytes = make([]byte, 0, max(size, chunkBytes))
	}
	at := len(r.bytes)
	r.bytes = append(append(r.bytes, r.prefix...), rest...)
	return r.bytes[at:len(r.bytes):len(r.bytes)]
}

// entry reads a leaf or a stub whose tag was read, nil if it is neither.
func (r *entryReader) entry(tag byte) *node {
	hash := r.take(chainhash.HashSize)
	if hash == nil || tag != tagLeaf && tag != tagStub {
		return nil
	}
	n := r.node()
	n.hash = chainhash.Hash(hash)
	if tag == tagLeaf {
		if length := r.take(1); length != nil {
			n.key = r.key(int(length[0]))
		}
	} else if bit := r.take(2); bit != nil {
		n.form, n.bit = formStub, binary.BigEndian.Uint16(bit)
		n.key = r.key(sharedBytes(n.bit) - len(r.prefix))
	}
	if n.key == nil || len(n.key) > MaxKeyBytes {
		return nil
	}
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
	if tag := r.take(1); tag != nil {
		if n := r.entry(tag[0]); n != nil && len(r.raw) == 0 {
			return n, nil
		}
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
