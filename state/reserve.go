package state

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
)

// Holding is what one custodian holds of one good over its open receipts, in
// measures; the whole is at most its limit, so nothing overflows.
type Holding struct {
	Whole   int64 // undrawn + free + owed
	Free    int64 // free, of every receipt
	Counted int64 // free, of receipts that are not too old
	Claimed int64 // owed to redemptions
}

// Encode gives the canonical value under KeyHolding, nil where all is 0.
func (h Holding) Encode() []byte {
	if h == (Holding{}) {
		return nil
	}
	b := make([]byte, 0, 32)
	for _, v := range []int64{h.Whole, h.Free, h.Counted, h.Claimed} {
		b = binary.LittleEndian.AppendUint64(b, uint64(v))
	}
	return b
}

// DecodeHolding reads what Encode wrote; nil is all zero.
func DecodeHolding(value []byte) (Holding, error) {
	var h Holding
	if value == nil {
		return h, nil
	}
	b := NewByteReader(value)
	h = Holding{b.Int64(), b.Int64(), b.Int64(), b.Int64()}
	if !b.Done() || h.Counted > h.Free || h.Free > h.Whole || h.Claimed > h.Whole-h.Free || h == (Holding{}) {
		return h, fmt.Errorf("stored holding %x is damaged", value)
	}
	return h, nil
}

// Sum is a sum of values in units that cannot overflow: 128 bits. Taking away
// what was added gives the sum before, which saturating would not.
type Sum struct{ Hi, Lo uint64 }

// Add gives s + units; units is not negative.
func (s Sum) Add(units int64) Sum {
	lo, carry := bits.Add64(s.Lo, uint64(units), 0)
	return Sum{s.Hi + carry, lo}
}

// Sub gives s - units, which was added before.
func (s Sum) Sub(units int64) Sum {
	lo, borrow := bits.Sub64(s.Lo, uint64(units), 0)
	return Sum{s.Hi - borrow, lo}
}

// Plus gives s + t.
func (s Sum) Plus(t Sum) Sum {
	lo, carry := bits.Add64(s.Lo, t.Lo, 0)
	return Sum{s.Hi + t.Hi + carry, lo}
}

// Minus gives s - t, which was added before.
func (s Sum) Minus(t Sum) Sum {
	lo, borrow := bits.Sub64(s.Lo, t.Lo, 0)
	return Sum{s.Hi - t.Hi - borrow, lo}
}

// Units is the sum, saturated at 2^63-1.
func (s Sum) Units() int64 {
	if s.Hi > 0 || s.Lo > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(s.Lo)
}

// Reserve holds the sums over custodians of the value of free measures: of
// receipts that count (R of the goods rules), and of all open receipts of
// custodians not in default (D); and of what redemptions took from the latter (C).
type Reserve struct{ Counted, All, Claimed Sum }

// Encode gives the canonical value under KeyReserve, nil where all are 0:
// three numbers of 16 bytes, little-endian.
func (r Reserve) Encode() []byte {
	if r == (Reserve{}) {
		return nil
	}
	b := make([]byte, 0, 48)
	for _, v := range []uint64{r.Counted.Lo, r.Counted.Hi, r.All.Lo, r.All.Hi, r.Claimed.Lo, r.Claimed.Hi} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return b
}

// DecodeReserve reads what Encode wrote; nil is zero.
func DecodeReserve(value []byte) (Reserve, error) {
	var r Reserve
	if value == nil {
		return r, nil
	}
	b := NewByteReader(value)
	for _, v := range []*uint64{&r.Counted.Lo, &r.Counted.Hi, &r.All.Lo, &r.All.Hi, &r.Claimed.Lo, &r.Claimed.Hi} {
		*v = b.U64()
	}
	if !b.Done() || r == (Reserve{}) {
		return r, fmt.Errorf("stored reserve %x is damaged", value)
	}
	return r, nil
}
