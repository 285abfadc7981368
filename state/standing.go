package state

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/btcsuite/btcd/wire/v2"
)

// Bond is one treasury output that a custodian stands good with.
type Bond struct {
	Out   wire.OutPoint
	Units int64
}

// Standing is how a custodian stands: whether its receipts count, what it
// owes, its bonds, and the value of what it holds. Every custodian has one.
type Standing struct {
	Suspended   bool
	SuspendedAt int32 // the height of the last act that suspended it; 0: not suspended
	Defaulted   bool  // in default, for good
	DebtUnits   int64 // saturates at 2^63-1
	DefaultAt   int32 // the height at which default comes unless bonds cover the debt before; 0: none

	Untendered uint64 // open claims that no tender named yet

	AnnouncedUnits int64 // of an announced unbond, 0: none
	ReadyAt        int32 // the first height at which they may be withdrawn
	ReturnScript   []byte
	Bonds          []Bond // oldest first

	// The value of what it holds, summed over its goods (goods-rules, Reserve):
	Counted Sum // free measures that are not too old, at the lower par
	All     Sum // free measures, at the higher par
	Claimed Sum // measures owed to redemptions, at the higher par
	Whole   Sum // all measures, at the higher par
}

// Counts reports whether the custodian's receipts may count.
func (s *Standing) Counts() bool { return !s.Suspended && !s.Defaulted }

// Suspend suspends the custodian at height, again where it is: what was said
// of its suspension before is void.
func (s *Standing) Suspend(height int32) { s.Suspended, s.SuspendedAt = true, height }

// Lift ends a suspension.
func (s *Standing) Lift() { s.Suspended, s.SuspendedAt = false, 0 }

// BondUnits is the sum of its bonds.
func (s *Standing) BondUnits() int64 {
	sum := int64(0) // at most all coins
	for i := range s.Bonds {
		sum += s.Bonds[i].Units
	}
	return sum
}

const (
	flagSuspended = 1
	flagDefaulted = 2
)

// Encode gives the canonical value under KeyStanding; docs/goods-rules.md
// lists it. There are at most 255 bonds.
func (s *Standing) Encode() []byte {
	flags := byte(0)
	if s.Suspended {
		flags |= flagSuspended
	}
	if s.Defaulted {
		flags |= flagDefaulted
	}
	b := binary.LittleEndian.AppendUint32([]byte{flags}, uint32(s.SuspendedAt))
	b = binary.LittleEndian.AppendUint64(b, uint64(s.DebtUnits))
	b = binary.LittleEndian.AppendUint32(b, uint32(s.DefaultAt))
	b = binary.LittleEndian.AppendUint64(b, s.Untendered)
	b = binary.LittleEndian.AppendUint64(b, uint64(s.AnnouncedUnits))
	b = binary.LittleEndian.AppendUint32(b, uint32(s.ReadyAt))
	b = appendShort(b, s.ReturnScript)
	b = append(b, byte(len(s.Bonds)))
	for i := range s.Bonds {
		b = appendOutPoint(b, s.Bonds[i].Out)
		b = binary.LittleEndian.AppendUint64(b, uint64(s.Bonds[i].Units))
	}
	for _, v := range []Sum{s.Counted, s.All, s.Claimed, s.Whole} {
		b = binary.LittleEndian.AppendUint64(b, v.Lo)
		b = binary.LittleEndian.AppendUint64(b, v.Hi)
	}
	return b
}

// DecodeStanding reads what Encode wrote. The result shares no memory with it.
func DecodeStanding(value []byte) (*Standing, error) {
	b := NewByteReader(value)
	s := &Standing{}
	flags := b.U8()
	s.Suspended, s.Defaulted = flags&flagSuspended != 0, flags&flagDefaulted != 0
	s.SuspendedAt = b.Height()
	s.DebtUnits, s.DefaultAt, s.Untendered = b.Int64(), b.Height(), b.U64()
	s.AnnouncedUnits, s.ReadyAt, s.ReturnScript = b.Int64(), b.Height(), bytes.Clone(b.Short())
	for n := b.U8(); n > 0; n-- {
		s.Bonds = append(s.Bonds, Bond{b.OutPoint(), b.Int64()})
	}
	for _, v := range []*Sum{&s.Counted, &s.All, &s.Claimed, &s.Whole} {
		v.Lo, v.Hi = b.U64(), b.U64()
	}
	if !b.Done() || flags > flagSuspended|flagDefaulted || s.Suspended != (s.SuspendedAt != 0) {
		return nil, fmt.Errorf("stored standing %x is damaged", value)
	}
	return s, nil
}

// LaterHeight is height + blocks, held at the last height a header can have.
func LaterHeight(height int32, blocks int64) int32 {
	return int32(min(int64(height)+blocks, math.MaxInt32))
}
