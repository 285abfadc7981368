package state

import (
	"encoding/binary"

	"github.com/btcsuite/btcd/wire/v2"
)

// ByteReader reads the little-endian forms of goods values and record bodies.
// After a read beyond the end everything is zero and Done is false.
type ByteReader struct {
	rest  []byte
	short bool
}

// NewByteReader reads b, which it does not copy.
func NewByteReader(b []byte) *ByteReader { return &ByteReader{rest: b} }

// Done reports that exactly all bytes were read.
func (r *ByteReader) Done() bool { return !r.short && len(r.rest) == 0 }

// Bytes gives the next n bytes, which alias the source; nil beyond the end.
func (r *ByteReader) Bytes(n int) []byte {
	if n > len(r.rest) {
		r.rest, r.short = nil, true
		return nil
	}
	head := r.rest[:n:n]
	r.rest = r.rest[n:]
	return head
}

func (r *ByteReader) number(n int) uint64 {
	var b [8]byte
	copy(b[:], r.Bytes(n))
	return binary.LittleEndian.Uint64(b[:])
}

// U8 reads one byte.
func (r *ByteReader) U8() uint8 { return uint8(r.number(1)) }

// U16 reads two bytes.
func (r *ByteReader) U16() uint16 { return uint16(r.number(2)) }

// U32 reads four bytes.
func (r *ByteReader) U32() uint32 { return uint32(r.number(4)) }

// U64 reads eight bytes.
func (r *ByteReader) U64() uint64 { return r.number(8) }

// Int64 reads a u64 below 2^63; a larger one counts as beyond the end.
func (r *ByteReader) Int64() int64 {
	v := int64(r.U64())
	if v < 0 {
		r.rest, r.short, v = nil, true, 0
	}
	return v
}

// Height reads a u32 below 2^31; a larger one counts as beyond the end.
func (r *ByteReader) Height() int32 {
	v := int32(r.U32())
	if v < 0 {
		r.rest, r.short, v = nil, true, 0
	}
	return v
}

// Hash fills 32 bytes.
func (r *ByteReader) Hash() (h [32]byte) {
	copy(h[:], r.Bytes(32))
	return h
}

// OutPoint reads a txid and a u32.
func (r *ByteReader) OutPoint() wire.OutPoint { return wire.OutPoint{Hash: r.Hash(), Index: r.U32()} }

// Short reads a u8 length and that many bytes, which alias the source.
func (r *ByteReader) Short() []byte { return r.Bytes(int(r.U8())) }

// appendShort is the reverse of Short; b has at most 255 bytes.
func appendShort(to, b []byte) []byte { return append(append(to, byte(len(b))), b...) }
