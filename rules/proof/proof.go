package proof

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"granary/state"
	"granary/state/tree"
)

// Proof shows values of the goods state after the parent of one block.
type Proof struct {
	Anchor
	Entries []Entry // ascending by key, each once
}

// Entry is what is under one key, or that nothing is.
type Entry struct {
	Key  []byte
	Tree *tree.Proof
}

// Make makes a proof of keys from view, the state that the anchor's root is
// of, tree included. The order of keys does not matter.
func Make(anchor *Anchor, view state.GoodsView, keys [][]byte) (*Proof, error) {
	keys = slices.Clone(keys)
	slices.SortFunc(keys, bytes.Compare)
	keys = slices.CompactFunc(keys, bytes.Equal)
	if len(keys) > maxEntries {
		return nil, fmt.Errorf("a proof of %d keys is too large, %d are allowed", len(keys), maxEntries)
	}
	p := &Proof{Anchor: *anchor}
	for _, key := range keys {
		path, err := tree.Prove(view, key)
		if err != nil {
			return nil, err
		}
		p.Entries = append(p.Entries, Entry{key, path})
	}
	return p, nil
}

// Encode gives the one form of a proof: prefix, charter id, anchor, u16 count
// and for each entry u8 length and key, u32 length and tree proof. The charter
// itself, which grows with custodians and goods, is what the verifier brings.
func (p *Proof) Encode() []byte {
	b := append(appendPrefix(nil, KindProof), p.CharterID[:]...)
	b = p.Anchor.append(b)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(p.Entries)))
	for i := range p.Entries {
		e := &p.Entries[i]
		path := e.Tree.Encode()
		b = append(append(b, byte(len(e.Key))), e.Key...)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(path)))
		b = append(b, path...)
	}
	return b
}

// Decode reads what Encode wrote, and nothing else. It checks the form alone.
func Decode(b []byte) (*Proof, error) {
	if len(b) > MaxProofBytes {
		return nil, fmt.Errorf("the proof has %d bytes, at most %d are allowed", len(b), MaxProofBytes)
	}
	r := &reader{r: bufio.NewReader(bytes.NewReader(b))}
	r.prefix(KindProof)
	anchor := r.anchor(r.hash())
	count := r.u16()
	if count > maxEntries {
		r.fail("the proof has %d entries, at most %d are allowed", count, maxEntries)
	}
	var entries []Entry
	for range count {
		if r.err != nil {
			break
		}
		entries = append(entries, r.entry())
		if n := len(entries); n > 1 && bytes.Compare(entries[n-2].Key, entries[n-1].Key) >= 0 {
			r.fail("the entries of the proof are not in order")
		}
	}
	if err := r.end(); err != nil {
		return nil, err
	}
	return &Proof{*anchor, entries}, nil
}

func (r *reader) entry() Entry {
	e := Entry{Key: r.bytes(r.u8(), tree.MaxKeyBytes, "a key")}
	raw := r.bytes(r.u32(), maxEntryBytes, "a tree proof")
	if r.err != nil {
		return e
	}
	if err := state.CheckKey(e.Key); err != nil {
		r.fail("%w", err)
	}
	path, err := tree.DecodeProof(raw)
	if err != nil {
		r.fail("the entry of key %x: %w", e.Key, err)
	}
	e.Tree = path
	return e
}

// Check proves the anchor and every entry, and gives the values by key; nil
// for one that is proved to be absent.
func (p *Proof) Check() (*Block, map[string][]byte, error) {
	block, err := p.Anchor.Check()
	if err != nil {
		return nil, nil, err
	}
	values := make(map[string][]byte, len(p.Entries))
	for i := range p.Entries {
		e := &p.Entries[i]
		value, present, err := e.Tree.Verify(p.Root, e.Key)
		if err != nil {
			return nil, nil, fmt.Errorf("the entry of key %x: %w", e.Key, err)
		}
		if present && value == nil {
			value = []byte{}
		}
		values[string(e.Key)] = value
	}
	return block, values, nil
}
