package sync

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/p2p/message"
	"granary/params"
	"granary/state"
)

// Compact blocks (BIP152), version 2: short ids are of wtxids.
const (
	compactVersion = 70014 // of the protocol, from which peers know them
	compactBlocks  = 2
	shortIDMask    = 1<<48 - 1
	// compactTxsMax is more than any block has: transactions weigh at least
	// 40.
	compactTxsMax = params.MaxBlockWeight / (10 * params.WitnessScaleFactor)
)

// compactKey is the key of a compact block's short ids.
func compactKey(header *wire.BlockHeader, nonce uint64) sipKey {
	var raw [state.HeaderBytes + 8]byte
	putHeader(raw[:0], header)
	binary.LittleEndian.PutUint64(raw[state.HeaderBytes:], nonce)
	sum := sha256.Sum256(raw[:])
	return sipKey{binary.LittleEndian.Uint64(sum[:]), binary.LittleEndian.Uint64(sum[8:])}
}

// putHeader appends the 80 bytes of a header.
func putHeader(b []byte, h *wire.BlockHeader) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(h.Version))
	b = append(b, h.PrevBlock[:]...)
	b = append(b, h.MerkleRoot[:]...)
	b = binary.LittleEndian.AppendUint32(b, uint32(h.Timestamp.Unix()))
	b = binary.LittleEndian.AppendUint32(b, h.Bits)
	return binary.LittleEndian.AppendUint32(b, h.Nonce)
}

// compactOf gives a block's compact form, the coinbase whole.
func compactOf(b *state.Block, nonce uint64) *message.CmpctBlock {
	msg := &message.CmpctBlock{Header: b.Msg.Header, Nonce: nonce}
	key := compactKey(&msg.Header, nonce)
	msg.Prefilled = []message.Prefilled{{Index: 0, Tx: b.Tx(0)}}
	msg.ShortIDs = make([]uint64, len(b.Wtxids)-1)
	for i := range msg.ShortIDs {
		msg.ShortIDs[i] = key.sum(&b.Wtxids[i+1]) & shortIDMask
	}
	return msg
}

// partial is a block as far as a compact block and what we hold tell.
type partial struct {
	header  wire.BlockHeader
	txs     []*state.Tx // nil: not found
	missing int
}

// outcome says how taking a compact block went.
type outcome uint8

const (
	whole   outcome = iota // all of it is well
	doubted                // short ids collide: the block is to be fetched whole
	broken                 // its sender broke the protocol
)

// newPartial lays out a compact block and finds its transactions in pool and
// among extra.
func newPartial(msg *message.CmpctBlock, pool Transactions, extra []*state.Tx) (*partial, outcome) {
	n := len(msg.ShortIDs) + len(msg.Prefilled)
	if n == 0 || n > compactTxsMax {
		return nil, broken
	}
	p := &partial{header: msg.Header, txs: make([]*state.Tx, n)}
	for i := range msg.Prefilled {
		at := msg.Prefilled[i].Index
		if int64(at) >= int64(n) || msg.Prefilled[i].Tx == nil || p.txs[at] != nil {
			return nil, broken
		}
		p.txs[at] = msg.Prefilled[i].Tx
	}
	wanted := make(map[uint64]int, len(msg.ShortIDs))
	at := 0
	for _, id := range msg.ShortIDs {
		for p.txs[at] != nil {
			at++
		}
		if _, twice := wanted[id]; twice {
			return nil, doubted
		}
		wanted[id] = at
		at++
	}
	p.missing = len(wanted)
	f := finder{partial: p, wanted: wanted, key: compactKey(&msg.Header, msg.Nonce), met: make(map[int]bool)}
	for id := range wanted {
		f.maybe[id/64%sieveWords] |= 1 << (id % 64)
	}
	if pool != nil {
		pool.Each(f.look)
	}
	for _, tx := range extra {
		f.look(tx)
	}
	return p, whole
}

// finder matches transactions with short ids.
type finder struct {
	partial *partial
	wanted  map[uint64]int
	key     sipKey
	met     map[int]bool // places that more than one transaction answers to
	// maybe has a bit for the low bits of every id that is wanted: of a large
	// pool most transactions are not.
	maybe [sieveWords]uint64
}

// sieveWords is a power of two: 16 KiB, which stay in the processor's cache.
const sieveWords = 2048

// look fills the place that tx answers to. Where two different ones do, the
// place stays open: its sender knows which is right.
func (f *finder) look(tx *state.Tx) {
	id := f.key.sum(&tx.Wtxid) & shortIDMask
	if f.maybe[id/64%sieveWords]>>(id%64)&1 == 0 {
		return
	}
	at, ok := f.wanted[id]
	if !ok || f.met[at] {
		return
	}
	switch have := f.partial.txs[at]; {
	case have == nil:
		f.partial.txs[at] = tx
		f.partial.missing--
	case have.Wtxid != tx.Wtxid:
		f.partial.txs[at] = nil
		f.partial.missing++
		f.met[at] = true
	}
}

// open lists the places that are not filled.
func (p *partial) open() []uint32 {
	indexes := make([]uint32, 0, p.missing)
	for i, tx := range p.txs {
		if tx == nil {
			indexes = append(indexes, uint32(i))
		}
	}
	return indexes
}

// fill puts the transactions that a peer sent into the open places and reports
// whether they were as many.
func (p *partial) fill(txs []*state.Tx) bool {
	if len(txs) != p.missing {
		return false
	}
	for i := range p.txs {
		if p.txs[i] == nil {
			p.txs[i], txs = txs[0], txs[1:]
		}
	}
	p.missing = 0
	return true
}

// block puts the bytes together and decodes them: what it gives shares no
// memory with the pool. The error is a RuleError of DecodeBlock's; short ids
// that name more of the pool than a block holds cost nothing.
func (p *partial) block() (*state.Block, error) {
	bytes := state.HeaderBytes + wire.VarIntSerializeSize(uint64(len(p.txs)))
	for _, tx := range p.txs {
		bytes += len(tx.Raw)
	}
	if bytes > params.MaxBlockBytes {
		return nil, check.RuleKind(check.Mutated, "bad-blk-length", "%d bytes by its short ids", bytes)
	}
	raw := putHeader(make([]byte, 0, bytes), &p.header)
	raw = state.AppendCompactSize(raw, uint64(len(p.txs)))
	for _, tx := range p.txs {
		raw = append(raw, tx.Raw...)
	}
	return state.DecodeBlock(raw)
}

// firstOf is the first peer that was asked for a block.
func (m *Manager) firstOf(hash chainhash.Hash) *flight {
	if list := m.flights[hash]; len(list) > 0 {
		return list[0]
	}
	return nil
}
