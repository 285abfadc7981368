package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/base/kv"
	"granary/state"
	"granary/store/coins"
)

// The tables of the state database.
//
//	'c' txid, output u32            -> coin (package coins)
//	'g' key of the goods state      -> its value, tree nodes among them
//	'h' height u32, block hash      -> headerRecord
//	'm'                             -> metaRecord
//	's' file u32, offset u32        -> CRC-32C of the block there
//	'x' file u32                    -> nothing: this pair of files is to be deleted
//
// Numbers in keys have the greatest byte first.
const (
	prefixCoins = 'c'
	prefixGoods = 'g'
)

var metaTable = kv.Table[struct{}, metaRecord]{
	Prefix:      'm',
	AppendKey:   func(dst []byte, _ struct{}) []byte { return dst },
	ParseKey:    func([]byte) (struct{}, error) { return struct{}{}, nil },
	AppendValue: func(dst []byte, m metaRecord) []byte { return m.append(dst) },
	ParseValue:  parseMeta,
}

var headerTable = kv.Table[headerKey, headerRecord]{
	Prefix: 'h',
	AppendKey: func(dst []byte, k headerKey) []byte {
		return append(binary.BigEndian.AppendUint32(dst, uint32(k.height)), k.hash[:]...)
	},
	ParseKey: func(raw []byte) (k headerKey, err error) {
		if len(raw) != 4+chainhash.HashSize {
			return k, errRecord
		}
		k.height = int32(binary.BigEndian.Uint32(raw))
		copy(k.hash[:], raw[4:])
		return k, nil
	},
	AppendValue: func(dst []byte, r headerRecord) []byte { return r.append(dst) },
	ParseValue:  parseHeaderRecord,
}

var sumTable = kv.Table[recordPlace, uint32]{
	Prefix: 's',
	AppendKey: func(dst []byte, p recordPlace) []byte {
		return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(dst, p.file), p.offset)
	},
	ParseKey: func(raw []byte) (p recordPlace, err error) {
		if len(raw) != 8 {
			return p, errRecord
		}
		return recordPlace{binary.BigEndian.Uint32(raw), binary.BigEndian.Uint32(raw[4:])}, nil
	},
	AppendValue: binary.BigEndian.AppendUint32,
	ParseValue:  parseUint32,
}

var deletionTable = kv.Table[uint32, struct{}]{
	Prefix:      'x',
	AppendKey:   binary.BigEndian.AppendUint32,
	ParseKey:    parseUint32,
	AppendValue: func(dst []byte, _ struct{}) []byte { return dst },
	ParseValue:  func([]byte) (struct{}, error) { return struct{}{}, nil },
}

var errRecord = errors.New("record of a wrong form")

func parseUint32(raw []byte) (uint32, error) {
	if len(raw) != 4 {
		return 0, errRecord
	}
	return binary.BigEndian.Uint32(raw), nil
}

// recordPlace is where a block's payload lies.
type recordPlace struct{ file, offset uint32 }

func placeOf(pos state.FilePos) recordPlace { return recordPlace{pos.File, pos.Offset} }

// metaRecord is what there is once.
type metaRecord struct {
	// tip is the last connected block.
	tip headerKey
	// nextFile is the least number that no file of ours has; current is the
	// file that blocks are appended to, where hasCurrent.
	nextFile, current uint32
	hasCurrent        bool
	// reindexing: the state is being built again from the block files.
	reindexing bool
}

const (
	metaHasCurrent = 1 << iota
	metaReindexing
)

func (m *metaRecord) append(dst []byte) []byte {
	var flags byte
	if m.hasCurrent {
		flags |= metaHasCurrent
	}
	if m.reindexing {
		flags |= metaReindexing
	}
	dst = append(dst, flags)
	dst = binary.BigEndian.AppendUint32(dst, m.nextFile)
	dst = binary.BigEndian.AppendUint32(dst, m.current)
	return headerTable.AppendKey(dst, m.tip)
}

func parseMeta(raw []byte) (m metaRecord, err error) {
	if len(raw) != 9+36 || raw[0]&^(metaHasCurrent|metaReindexing) != 0 {
		return m, errRecord
	}
	m.hasCurrent = raw[0]&metaHasCurrent != 0
	m.reindexing = raw[0]&metaReindexing != 0
	m.nextFile = binary.BigEndian.Uint32(raw[1:])
	m.current = binary.BigEndian.Uint32(raw[5:])
	m.tip, err = headerTable.ParseKey(raw[9:])
	return m, err
}

type headerKey struct {
	height int32
	hash   chainhash.Hash
}

func keyOf(h *state.Header) headerKey { return headerKey{h.Height, h.Hash} }

// headerBytes is the length of a serialized header.
const headerBytes = 80

// headerRecord is a header with what is known of its block: the 80 bytes,
// then as uvarints status, transactions, sequence, and the places that the
// status says there are (file, offset, length each).
type headerRecord struct {
	raw      [headerBytes]byte
	status   state.Status
	txCount  uint32
	sequence uint64
	data     state.FilePos
	undo     state.FilePos
}

// statusBits are the bits that this format knows.
const statusBits = state.StatusFailedParent<<1 - 1

func recordOf(h *state.Header) (headerRecord, error) {
	r := headerRecord{
		status: h.Status, txCount: h.TxCount, sequence: h.Sequence, data: h.DataPos, undo: h.UndoPos,
	}
	var raw bytes.Buffer
	if err := h.Raw.Serialize(&raw); err != nil || raw.Len() != headerBytes {
		return r, fmt.Errorf("header %s does not serialize: %w", h.Hash, err)
	}
	copy(r.raw[:], raw.Bytes())
	return r, nil
}

func (r *headerRecord) append(dst []byte) []byte {
	dst = append(dst, r.raw[:]...)
	dst = binary.AppendUvarint(dst, uint64(r.status))
	dst = binary.AppendUvarint(dst, uint64(r.txCount))
	dst = binary.AppendUvarint(dst, r.sequence)
	for _, pos := range r.places() {
		dst = binary.AppendUvarint(dst, uint64(pos.File))
		dst = binary.AppendUvarint(dst, uint64(pos.Offset))
		dst = binary.AppendUvarint(dst, uint64(pos.Bytes))
	}
	return dst
}

// places are the positions that the status says there are.
func (r *headerRecord) places() (places []*state.FilePos) {
	if r.status&state.StatusHaveData != 0 {
		places = append(places, &r.data)
	}
	if r.status&state.StatusHaveUndo != 0 {
		places = append(places, &r.undo)
	}
	return places
}

func parseHeaderRecord(raw []byte) (r headerRecord, err error) {
	if len(raw) < headerBytes {
		return r, errRecord
	}
	copy(r.raw[:], raw)
	d := fields{raw: raw[headerBytes:]}
	r.status = state.Status(d.uint32())
	r.txCount = d.uint32()
	r.sequence = d.uvarint()
	if r.status&^statusBits != 0 {
		return r, errRecord
	}
	for _, pos := range r.places() {
		*pos = state.FilePos{File: d.uint32(), Offset: d.uint32(), Bytes: d.uint32()}
	}
	if d.bad || len(d.raw) != 0 {
		return r, errRecord
	}
	return r, nil
}

// fields reads numbers one after the other; bad tells that one was not there.
type fields struct {
	raw []byte
	bad bool
}

func (d *fields) uvarint() uint64 {
	n, size := binary.Uvarint(d.raw)
	if size <= 0 || (size > 1 && d.raw[size-1] == 0) {
		d.bad, d.raw = true, nil
		return 0
	}
	d.raw = d.raw[size:]
	return n
}

func (d *fields) uint32() uint32 {
	n := d.uvarint()
	if n > 1<<32-1 {
		d.bad = true
		return 0
	}
	return uint32(n)
}

// bytes reads a length and that many bytes.
func (d *fields) bytes() []byte {
	n := d.uvarint()
	if n > uint64(len(d.raw)) {
		d.bad, d.raw = true, nil
		return nil
	}
	b := d.raw[:n:n]
	d.raw = d.raw[n:]
	return b
}

func coinKey(key *coins.Key) []byte {
	return append(append(make([]byte, 0, 1+coins.KeyBytes), prefixCoins), key[:]...)
}

func goodsKey(key []byte) []byte {
	return append(append(make([]byte, 0, 1+len(key)), prefixGoods), key...)
}
