package rpc

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/hash"
	"granary/params"
	"granary/state"
)

// merkleBlock is the proof of gettxoutproof: a header and the part of its
// Merkle tree that leads to some transactions (BIP37's merkleblock). Hashes
// and bits are in the order of a walk from the root, left before right: a set
// bit says that a matching transaction is below.
type merkleBlock struct {
	header wire.BlockHeader
	txs    uint32
	hashes []chainhash.Hash
	bits   []bool
}

var errMerkleBlock = errors.New("the proof is not well formed")

// partialTree walks the Merkle tree of a block of txs transactions.
type partialTree struct{ txs uint32 }

func (t partialTree) width(height uint) uint32 { return (t.txs + 1<<height - 1) >> height }

func (t partialTree) top() uint {
	height := uint(0)
	for t.width(height) > 1 {
		height++
	}
	return height
}

// newMerkleBlock proves the transactions of a block that match.
func newMerkleBlock(b *state.Block, match func(txid *chainhash.Hash) bool) *merkleBlock {
	m := &merkleBlock{header: b.Msg.Header, txs: uint32(len(b.Txids))}
	tree := partialTree{m.txs}
	// levels hold the whole tree and what matches below each node.
	level, found := b.Txids, make([]bool, len(b.Txids))
	for i := range b.Txids {
		found[i] = match(&b.Txids[i])
	}
	levels, matches := [][]chainhash.Hash{level}, [][]bool{found}
	for height := uint(1); height <= tree.top(); height++ {
		up, upFound := make([]chainhash.Hash, tree.width(height)), make([]bool, tree.width(height))
		for i := range up {
			left, right := 2*i, min(2*i+1, len(level)-1)
			up[i] = hash.Pair(&level[left], &level[right])
			upFound[i] = found[left] || found[right]
		}
		level, found = up, upFound
		levels, matches = append(levels, level), append(matches, found)
	}
	var walk func(height uint, at uint32)
	walk = func(height uint, at uint32) {
		below := matches[height][at]
		m.bits = append(m.bits, below)
		if height == 0 || !below {
			m.hashes = append(m.hashes, levels[height][at])
			return
		}
		walk(height-1, 2*at)
		if 2*at+1 < tree.width(height-1) {
			walk(height-1, 2*at+1)
		}
	}
	walk(tree.top(), 0)
	return m
}

// encode gives BIP37's bytes.
func (m *merkleBlock) encode() []byte {
	var buf bytes.Buffer
	m.header.Serialize(&buf) //nolint:errcheck // a buffer takes everything
	out := binary.LittleEndian.AppendUint32(buf.Bytes(), m.txs)
	out = state.AppendCompactSize(out, uint64(len(m.hashes)))
	for i := range m.hashes {
		out = append(out, m.hashes[i][:]...)
	}
	packed := make([]byte, (len(m.bits)+7)/8)
	for i, bit := range m.bits {
		if bit {
			packed[i/8] |= 1 << (i % 8)
		}
	}
	out = state.AppendCompactSize(out, uint64(len(packed)))
	return append(out, packed...)
}

// decodeMerkleBlock reads what encode wrote. What follows it is ignored, as
// Core does.
func decodeMerkleBlock(raw []byte) (*merkleBlock, error) {
	m := &merkleBlock{}
	r := bytes.NewReader(raw)
	if m.header.Deserialize(r) != nil || binary.Read(r, binary.LittleEndian, &m.txs) != nil {
		return nil, errMerkleBlock
	}
	count, err := wire.ReadVarInt(r, 0)
	if err != nil || count > uint64(r.Len())/chainhash.HashSize {
		return nil, errMerkleBlock
	}
	m.hashes = make([]chainhash.Hash, count)
	for i := range m.hashes {
		r.Read(m.hashes[i][:]) //nolint:errcheck // the length was looked at
	}
	size, err := wire.ReadVarInt(r, 0)
	if err != nil || size > uint64(r.Len()) {
		return nil, errMerkleBlock
	}
	for range size {
		packed, _ := r.ReadByte()
		for i := range 8 {
			m.bits = append(m.bits, packed>>i&1 == 1)
		}
	}
	return m, nil
}

// root climbs the partial tree and gives its root and the transactions that
// match. ok is false where the proof is not the one form that fits: too many
// or too few bits and hashes, or two equal hashes side by side
// (CVE-2012-2459).
func (m *merkleBlock) root() (root chainhash.Hash, matches []chainhash.Hash, ok bool) {
	if m.txs == 0 || m.txs > params.MaxBlockWeight/params.MinTxWeight ||
		len(m.hashes) > int(m.txs) || len(m.bits) < len(m.hashes) {
		return root, nil, false
	}
	walk := merkleWalk{m: m, tree: partialTree{m.txs}}
	root = walk.climb(walk.tree.top(), 0)
	ok = !walk.bad && (walk.bit+7)/8 == (len(m.bits)+7)/8 && walk.hash == len(m.hashes)
	return root, walk.matches, ok
}

type merkleWalk struct {
	m         *merkleBlock
	tree      partialTree
	bit, hash int
	matches   []chainhash.Hash
	bad       bool
}

func (w *merkleWalk) climb(height uint, at uint32) (node chainhash.Hash) {
	if w.bad || w.bit >= len(w.m.bits) {
		w.bad = true
		return node
	}
	below := w.m.bits[w.bit]
	w.bit++
	if height == 0 || !below {
		if w.hash >= len(w.m.hashes) {
			w.bad = true
			return node
		}
		node = w.m.hashes[w.hash]
		w.hash++
		if height == 0 && below {
			w.matches = append(w.matches, node)
		}
		return node
	}
	left := w.climb(height-1, 2*at)
	right := left
	if 2*at+1 < w.tree.width(height-1) {
		if right = w.climb(height-1, 2*at+1); right == left {
			w.bad = true
		}
	}
	return hash.Pair(&left, &right)
}
