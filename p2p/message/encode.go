package message

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/state"
)

// Encode gives the payload of a message. It must not be written to: a block
// or transaction in its whole form is given as it lies in memory. Messages
// beyond the bounds of the protocol are a mistake of the caller's.
func Encode(m Message) (command string, payload []byte) {
	switch m := m.(type) {
	case *RawBlock:
		return m.Command(), m.Raw
	case *Block:
		if !m.Stripped {
			return m.Command(), m.Block.Raw
		}
	case *Tx:
		if !m.Stripped {
			return m.Command(), m.Tx.Raw
		}
	}
	return m.Command(), Append(nil, m)
}

// Append appends the payload of a message to dst.
func Append(dst []byte, m Message) []byte {
	w := writer{dst}
	switch m := m.(type) {
	case *VerAck, *WTxIDRelay, *SendAddrV2, *SendHeaders, *GetAddr, *MemPool:
	case *Version:
		w.version(m)
	case *Ping:
		w.u64(m.Nonce)
	case *Pong:
		w.u64(m.Nonce)
	case *FeeFilter:
		w.u64(uint64(m.UnitsPerKVB))
	case *SendCmpct:
		w.flag(m.HighBandwidth)
		w.u64(m.Version)
	case *Addr:
		w.addresses(m.Addresses, w.address)
	case *AddrV2:
		w.addresses(m.Addresses, w.addressV2)
	case *Inv:
		w.items(m.Items)
	case *GetData:
		w.items(m.Items)
	case *NotFound:
		w.items(m.Items)
	default:
		w.chainMessage(m)
	}
	return w.out
}

// chainMessage has the messages of blocks, headers and filters.
func (w *writer) chainMessage(m Message) {
	switch m := m.(type) {
	case *GetHeaders:
		w.locator(&m.Locator)
	case *GetBlocks:
		w.locator(&m.Locator)
	case *Headers:
		w.headers(m.Headers)
	case *Block:
		w.block(m)
	case *RawBlock:
		w.bytes(m.Raw)
	case *Tx:
		w.tx(m)
	case *CmpctBlock:
		w.cmpctBlock(m)
	case *GetBlockTxn:
		w.getBlockTxn(m)
	case *BlockTxn:
		w.bytes(m.Block[:])
		w.size(len(m.Txs))
		for _, tx := range m.Txs {
			w.bytes(tx.Raw)
		}
	default:
		w.filterMessage(m)
	}
}

func (w *writer) filterMessage(m Message) {
	switch m := m.(type) {
	case *GetCFilters:
		w.filterRange(m.Type, m.Start, &m.Stop)
	case *GetCFHeaders:
		w.filterRange(m.Type, m.Start, &m.Stop)
	case *CFilter:
		w.u8(m.Type)
		w.bytes(m.Block[:])
		w.size(len(m.Filter))
		w.bytes(m.Filter)
	case *CFHeaders:
		w.u8(m.Type)
		w.bytes(m.Stop[:])
		w.bytes(m.Previous[:])
		w.hashes(m.Filters)
	case *GetCFCheckpt:
		w.u8(m.Type)
		w.bytes(m.Stop[:])
	case *CFCheckpt:
		w.u8(m.Type)
		w.bytes(m.Stop[:])
		w.hashes(m.Headers)
	default:
		check.Must(false, "message %T has no encoding", m)
	}
}

// writer appends the parts of a payload.
type writer struct{ out []byte }

func (w *writer) bytes(b []byte) { w.out = append(w.out, b...) }
func (w *writer) u8(n uint8)     { w.out = append(w.out, n) }
func (w *writer) u32(n uint32)   { w.out = binary.LittleEndian.AppendUint32(w.out, n) }
func (w *writer) u64(n uint64)   { w.out = binary.LittleEndian.AppendUint64(w.out, n) }
func (w *writer) size(n int)     { w.out = state.AppendCompactSize(w.out, uint64(n)) }
func (w *writer) port(n uint16)  { w.out = binary.BigEndian.AppendUint16(w.out, n) }

func (w *writer) flag(on bool) {
	if on {
		w.u8(1)
	} else {
		w.u8(0)
	}
}

func (w *writer) version(v *Version) {
	check.Must(len(v.UserAgent) <= MaxUserAgentBytes, "user agent of %d bytes", len(v.UserAgent))
	w.u32(uint32(v.Version))
	w.u64(uint64(v.Services))
	w.u64(uint64(v.Time))
	w.oldAddress(&v.To)
	w.oldAddress(&v.From)
	w.u64(v.Nonce)
	w.size(len(v.UserAgent))
	w.bytes([]byte(v.UserAgent))
	w.u32(uint32(v.StartHeight))
	w.flag(v.Relay)
}

func (w *writer) oldAddress(a *OldAddress) {
	w.u64(uint64(a.Services))
	w.bytes(a.IP[:])
	w.port(a.Port)
}

func (w *writer) addresses(list []Address, one func(*Address)) {
	check.Must(len(list) <= MaxAddresses, "%d addresses in one message", len(list))
	w.size(len(list))
	for i := range list {
		one(&list[i])
	}
}

// address writes the old form; what it cannot hold is written as no address.
func (w *writer) address(a *Address) {
	var ip [16]byte
	switch a.Network {
	case IPv4:
		copy(ip[:], mappedPrefix[:])
		copy(ip[len(mappedPrefix):], a.Bytes)
	case IPv6:
		copy(ip[:], a.Bytes)
	}
	w.u32(a.Time)
	w.u64(uint64(a.Services))
	w.bytes(ip[:])
	w.port(a.Port)
}

func (w *writer) addressV2(a *Address) {
	w.u32(a.Time)
	w.out = state.AppendCompactSize(w.out, uint64(a.Services))
	w.u8(uint8(a.Network))
	w.size(len(a.Bytes))
	w.bytes(a.Bytes)
	w.port(a.Port)
}

func (w *writer) items(items []Item) {
	check.Must(len(items) <= MaxItems, "%d items in one message", len(items))
	w.out = append(make([]byte, 0, 9+36*len(items)), w.out...)
	w.size(len(items))
	for i := range items {
		w.u32(uint32(items[i].Type))
		w.bytes(items[i].Hash[:])
	}
}

func (w *writer) hashes(list []chainhash.Hash) {
	w.size(len(list))
	for i := range list {
		w.bytes(list[i][:])
	}
}

func (w *writer) locator(l *Locator) {
	check.Must(len(l.Hashes) <= MaxLocatorHashes, "locator of %d hashes", len(l.Hashes))
	w.u32(l.Version)
	w.hashes(l.Hashes)
	w.bytes(l.Stop[:])
}

func (w *writer) header(h *wire.BlockHeader) {
	w.u32(uint32(h.Version))
	w.bytes(h.PrevBlock[:])
	w.bytes(h.MerkleRoot[:])
	w.u32(uint32(h.Timestamp.Unix()))
	w.u32(h.Bits)
	w.u32(h.Nonce)
}

func (w *writer) headers(list []wire.BlockHeader) {
	check.Must(len(list) <= MaxHeaders, "%d headers in one message", len(list))
	w.out = append(make([]byte, 0, 9+(state.HeaderBytes+1)*len(list)), w.out...)
	w.size(len(list))
	for i := range list {
		w.header(&list[i])
		w.size(0)
	}
}

func (w *writer) block(m *Block) {
	if !m.Stripped {
		w.bytes(m.Block.Raw)
		return
	}
	w.stripped(m.Block.StrippedBytes, m.Block.Msg.SerializeNoWitness)
}

func (w *writer) tx(m *Tx) {
	if !m.Stripped || m.Tx.Txid == m.Tx.Wtxid {
		w.bytes(m.Tx.Raw)
		return
	}
	w.stripped(m.Tx.StrippedBytes(), m.Tx.Msg.SerializeNoWitness)
}

// stripped appends what serialize writes.
func (w *writer) stripped(sizeBytes int, serialize func(io.Writer) error) {
	buf := bytes.NewBuffer(append(make([]byte, 0, len(w.out)+sizeBytes), w.out...))
	err := serialize(buf)
	check.Must(err == nil, "serialise to memory: %v", err)
	w.out = buf.Bytes()
}

func (w *writer) cmpctBlock(m *CmpctBlock) {
	w.header(&m.Header)
	w.u64(m.Nonce)
	w.size(len(m.ShortIDs))
	for _, id := range m.ShortIDs {
		w.u32(uint32(id))
		w.u8(uint8(id >> 32))
		w.u8(uint8(id >> 40))
	}
	w.size(len(m.Prefilled))
	before := -1
	for i := range m.Prefilled {
		before = w.place(before, m.Prefilled[i].Index)
		w.bytes(m.Prefilled[i].Tx.Raw)
	}
}

func (w *writer) getBlockTxn(m *GetBlockTxn) {
	w.bytes(m.Block[:])
	w.size(len(m.Indexes))
	before := -1
	for _, index := range m.Indexes {
		before = w.place(before, index)
	}
}

// place writes a place in a block as its difference to the one before.
func (w *writer) place(before int, index uint32) int {
	place := int(index)
	check.Must(place > before, "place %d behind place %d", place, before)
	w.size(place - before - 1)
	return place
}

func (w *writer) filterRange(kind uint8, start uint32, stop *chainhash.Hash) {
	w.u8(kind)
	w.u32(start)
	w.bytes(stop[:])
}

// String is the type as logs name it.
func (t ItemType) String() string {
	switch t {
	case ItemTx:
		return "tx"
	case ItemBlock:
		return "block"
	case ItemCompactBlock:
		return "compact block"
	case ItemWTx:
		return "wtx"
	case ItemWitnessTx:
		return "witness tx"
	case ItemWitnessBlock:
		return "witness block"
	}
	return fmt.Sprintf("type %#x", uint32(t))
}
