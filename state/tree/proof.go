package tree

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/state"
)

// Proof shows, to someone who trusts a root only, the value under a key or
// that there is none. It is the path from the root to the leaf that a search
// for the key ends at: that leaf has the key, or the key is absent, because
// every subtree holds only keys that agree below its bit.
type Proof struct {
	Leaf       bool // false for the empty tree, which has nothing else
	Key, Value []byte
	Path       []Step // root first
}

// Step is one inner node on the way down and the subtree not taken.
type Step struct {
	Bit     uint16
	Sibling chainhash.Hash
}

// Prove makes a proof for key from the stored tree, whether the key is there
// or not. The result owns its memory.
func Prove(view state.GoodsView, key []byte) (*Proof, error) {
	l := loader{get: view.Goods}
	at, err := l.loadRoot()
	if err != nil || at == nil {
		return &Proof{}, err
	}
	p, aim := &Proof{Leaf: true}, []state.GoodsChange{{Key: key}}
	for at.form != formLeaf {
		left, right, err := l.children(at, aim)
		if err != nil {
			return nil, err
		}
		next, sibling := left, right
		if bitOf(key, at.bit) == 1 {
			next, sibling = right, left
		}
		p.Path = append(p.Path, Step{at.bit, sibling.hash})
		at = next
	}
	value, err := view.Goods(at.key)
	if err != nil {
		return nil, err
	}
	if value == nil || LeafHash(at.key, value) != at.hash {
		return nil, fmt.Errorf("commitment tree: leaf %x does not match its hash", at.key)
	}
	p.Key, p.Value = bytes.Clone(at.key), bytes.Clone(value)
	return p, nil
}

// Verify checks the proof against a root and gives the value under key, or
// present = false if the proof shows that there is none. An error means that
// it shows neither.
func (p *Proof) Verify(root chainhash.Hash, key []byte) (value []byte, present bool, err error) {
	if !p.Leaf {
		if root != (chainhash.Hash{}) || len(p.Path) > 0 {
			return nil, false, errors.New("proof does not lead to the root")
		}
		return nil, false, nil
	}
	if len(p.Key) == 0 || len(p.Key) > MaxKeyBytes {
		return nil, false, errors.New("proof has a leaf without a proper key")
	}
	hash, lower := LeafHash(p.Key, p.Value), 8*len(p.Key)
	for _, step := range slices.Backward(p.Path) {
		if int(step.Bit) >= lower {
			return nil, false, errors.New("proof has a path that does not descend")
		}
		if bitOf(key, step.Bit) != bitOf(p.Key, step.Bit) {
			return nil, false, errors.New("proof belongs to another key")
		}
		if bitOf(key, step.Bit) == 0 {
			hash = NodeHash(step.Bit, hash, step.Sibling)
		} else {
			hash = NodeHash(step.Bit, step.Sibling, hash)
		}
		lower = int(step.Bit)
	}
	if hash != root {
		return nil, false, errors.New("proof does not lead to the root")
	}
	if !bytes.Equal(p.Key, key) {
		return nil, false, nil
	}
	return p.Value, true, nil
}

// MaxProofValueBytes bounds the value in a decoded proof.
const MaxProofValueBytes = 1 << 20

// Encode gives the one form of a proof: nothing for the empty tree, otherwise
// u16 length and key, u32 length and value, u16 count and the steps root
// first, each u16 bit and 32 bytes; integers little-endian.
func (p *Proof) Encode() []byte {
	if !p.Leaf {
		return nil
	}
	b := binary.LittleEndian.AppendUint16(nil, uint16(len(p.Key)))
	b = append(b, p.Key...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(p.Value)))
	b = append(b, p.Value...)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(p.Path)))
	for i := range p.Path {
		b = binary.LittleEndian.AppendUint16(b, p.Path[i].Bit)
		b = append(b, p.Path[i].Sibling[:]...)
	}
	return b
}

// DecodeProof reads what Encode wrote, refusing anything left over.
func DecodeProof(b []byte) (*Proof, error) {
	if len(b) == 0 {
		return &Proof{}, nil
	}
	short := errors.New("proof ends too early")
	take := func(n int) []byte {
		if n < 0 || n > len(b) {
			b = nil
			return nil
		}
		head := b[:n]
		b = b[n:]
		return head
	}
	p := &Proof{Leaf: true}
	n := take(2)
	if n == nil {
		return nil, short
	}
	if p.Key = bytes.Clone(take(int(binary.LittleEndian.Uint16(n)))); len(p.Key) == 0 || len(p.Key) > MaxKeyBytes {
		return nil, fmt.Errorf("proof has a key of %d bytes, 1 to %d are allowed", len(p.Key), MaxKeyBytes)
	}
	if n = take(4); n == nil {
		return nil, short
	}
	length := binary.LittleEndian.Uint32(n)
	if length > MaxProofValueBytes || int(length) > len(b) {
		return nil, short
	}
	p.Value = bytes.Clone(take(int(length)))
	if n = take(2); n == nil {
		return nil, short
	}
	const stepBytes = 2 + chainhash.HashSize
	if steps := int(binary.LittleEndian.Uint16(n)); len(b) != steps*stepBytes {
		return nil, fmt.Errorf("proof has %d bytes for %d steps", len(b), steps)
	}
	for len(b) > 0 {
		p.Path = append(p.Path, Step{binary.LittleEndian.Uint16(take(2)), chainhash.Hash(take(chainhash.HashSize))})
	}
	return p, nil
}
