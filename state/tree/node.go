package tree

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/state"
)

// ref points at a subtree: its hash and where to find it. A leaf is found by
// its key; an inner node by the bit at which its keys differ and the bits
// before that, which they share.
type ref struct {
	hash   chainhash.Hash
	leaf   bool
	bit    uint16 // of an inner node
	prefix []byte // key of a leaf; shared bits of an inner node, the rest zero
}

// innerRef names the inner node whose keys share the first bit bits of key.
func innerRef(hash chainhash.Hash, bit uint16, key []byte) *ref {
	prefix := make([]byte, (int(bit)+7)/8)
	copy(prefix, key)
	if rest := bit % 8; rest != 0 {
		prefix[len(prefix)-1] &= 0xff << (8 - rest)
	}
	return &ref{hash: hash, bit: bit, prefix: prefix}
}

// key is where an inner node is stored: node kind, bit, shared bits.
func (r *ref) key() []byte {
	key := binary.BigEndian.AppendUint16(state.NodeKeyPrefix(), r.bit)
	return append(key, r.prefix...)
}

// rootKey is where the reference to the topmost node is stored. No inner
// node has this key: theirs are longer.
func rootKey() []byte { return state.NodeKeyPrefix() }

const (
	refLeaf  = 1
	refInner = 2
)

// append writes a reference: hash, kind, then u8 length and key of a leaf, or
// u16 bit (big-endian) and shared bits of an inner node.
func (r *ref) append(b []byte) []byte {
	b = append(b, r.hash[:]...)
	if r.leaf {
		b = append(b, refLeaf, byte(len(r.prefix)))
	} else {
		b = binary.BigEndian.AppendUint16(append(b, refInner), r.bit)
	}
	return append(b, r.prefix...)
}

func readRef(b []byte) (*ref, []byte, error) {
	damaged := func() (*ref, []byte, error) {
		return nil, nil, fmt.Errorf("commitment tree: stored node %x is damaged", b)
	}
	if len(b) < 34 {
		return damaged()
	}
	r := &ref{hash: chainhash.Hash(b[:32])}
	var n int
	rest := b[33:]
	switch b[32] {
	case refLeaf:
		r.leaf, n, rest = true, int(rest[0]), rest[1:]
	case refInner:
		if len(rest) < 2 {
			return damaged()
		}
		r.bit, rest = binary.BigEndian.Uint16(rest), rest[2:]
		n = (int(r.bit) + 7) / 8
	default:
		return damaged()
	}
	if len(rest) < n {
		return damaged()
	}
	r.prefix = bytes.Clone(rest[:n])
	return r, rest[n:], nil
}

// loadRoot reads the topmost reference, nil for an empty tree.
func loadRoot(get getter) (*ref, error) {
	value, err := get(rootKey())
	if err != nil || value == nil {
		return nil, err
	}
	r, rest, err := readRef(value)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("commitment tree: stored root %x is damaged", value)
	}
	return r, err
}

// children reads an inner node.
func children(get getter, r *ref) (left, right *ref, err error) {
	value, err := get(r.key())
	if err != nil {
		return nil, nil, err
	}
	left, rest, err := readRef(value)
	if err != nil {
		return nil, nil, err
	}
	right, rest, err = readRef(rest)
	if err == nil && (len(rest) > 0 || NodeHash(r.bit, left.hash, right.hash) != r.hash) {
		err = fmt.Errorf("commitment tree: stored node %x does not match its hash", r.key())
	}
	return left, right, err
}

// getter reads one key of the goods state.
type getter func(key []byte) ([]byte, error)
