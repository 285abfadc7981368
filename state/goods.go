package state

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/wire/v2"
)

// Role is the office that a seat holds.
type Role uint8

// The roles, in charter order. Their numbers stand in keys.
const (
	RoleCustodian Role = 1
	RoleAuditor   Role = 2
	RoleCouncil   Role = 3
)

// String is the word for a person: custodian, auditor, council.
func (r Role) String() string {
	switch r {
	case RoleCustodian:
		return "custodian"
	case RoleAuditor:
		return "auditor"
	case RoleCouncil:
		return "council"
	}
	return fmt.Sprintf("role %d", uint8(r))
}

// Seat is the authority of one custodian, auditor or the council: a lineage
// of zero-value outputs that begins in block 1 (goods-rules section 5).
type Seat struct {
	Role  Role
	Index uint16 // within the role, from 0, in charter order
	Name  string // as the charter says
	// Out is the one outpoint that carries the seat now, Script its script,
	// Height the block that created it (the seat acts once in a block).
	Out    wire.OutPoint
	Script []byte
	Height int32
	// Since is the height at which its present holder came: what the seat
	// attested before counts no more.
	Since int32
}

// ID is the seat's place for a person: "auditor 1".
func (s *Seat) ID() string {
	if s.Role == RoleCouncil {
		return s.Role.String()
	}
	return fmt.Sprintf("%s %d", s.Role, s.Index)
}

// Key is the seat's key in the goods state.
func (s *Seat) Key() []byte { return KeySeat(s.Role, s.Index) }

// Encode gives the canonical value under Key: name (u8 length), txid, vout
// u32, height u32, since u32, script (u8 length); little-endian. Name and
// Script are at most 255 bytes.
func (s *Seat) Encode() []byte {
	b := make([]byte, 0, 1+len(s.Name)+32+4+4+4+1+len(s.Script))
	b = append(b, byte(len(s.Name)))
	b = append(b, s.Name...)
	b = append(b, s.Out.Hash[:]...)
	b = binary.LittleEndian.AppendUint32(b, s.Out.Index)
	b = binary.LittleEndian.AppendUint32(b, uint32(s.Height))
	b = binary.LittleEndian.AppendUint32(b, uint32(s.Since))
	b = append(b, byte(len(s.Script)))
	return append(b, s.Script...)
}

// DecodeSeat reads a seat from its key and canonical value. The result shares
// no memory with them.
func DecodeSeat(key, value []byte) (*Seat, error) {
	if len(key) != 4 || key[0] != kindSeat || key[1] < byte(RoleCustodian) || key[1] > byte(RoleCouncil) {
		return nil, fmt.Errorf("goods key %x is not a seat's", key)
	}
	s := &Seat{Role: Role(key[1]), Index: binary.BigEndian.Uint16(key[2:])}
	b := NewByteReader(value)
	s.Name = string(b.Short())
	s.Out, s.Height, s.Since = b.OutPoint(), b.Height(), b.Height()
	s.Script = append([]byte(nil), b.Short()...)
	if !b.Done() {
		return nil, fmt.Errorf("%s: stored value %x is damaged", s.ID(), value)
	}
	return s, nil
}

// Totals are the sums that hold after a block, in units. They are kept twice:
// CirculatingUnits moves by the rules' own formula, the other three by what
// enters and leaves the UTXO set, and after every block
// CirculatingUnits = UTXOUnits - PoolUnits - EscrowUnits.
type Totals struct {
	CirculatingUnits int64 // L of the goods rules
	PoolUnits        int64 // treasury outputs of kind pool
	EscrowUnits      int64 // treasury outputs of kind escrow
	UTXOUnits        int64 // the whole UTXO set
}

// Check reports totals that contradict each other.
func (t *Totals) Check() error {
	if t.CirculatingUnits < 0 || t.PoolUnits < 0 || t.EscrowUnits < 0 || t.UTXOUnits < 0 {
		return fmt.Errorf("a total is negative: %+v", *t)
	}
	if t.CirculatingUnits != t.UTXOUnits-t.PoolUnits-t.EscrowUnits {
		return fmt.Errorf("circulating is not the UTXO set less pool and escrow: %+v", *t)
	}
	return nil
}

// Encode gives the canonical value under KeyTotals: the four sums in the
// order of the struct, u64 little-endian.
func (t *Totals) Encode() []byte {
	b := make([]byte, 0, 32)
	for _, units := range []int64{t.CirculatingUnits, t.PoolUnits, t.EscrowUnits, t.UTXOUnits} {
		b = binary.LittleEndian.AppendUint64(b, uint64(units))
	}
	return b
}

// DecodeTotals reads what Encode wrote; nil, before block 1, is all zero.
func DecodeTotals(value []byte) (Totals, error) {
	var t Totals
	if value == nil {
		return t, nil
	}
	if len(value) != 32 {
		return t, errors.New("stored totals are damaged: not 32 bytes")
	}
	for i, units := range []*int64{&t.CirculatingUnits, &t.PoolUnits, &t.EscrowUnits, &t.UTXOUnits} {
		*units = int64(binary.LittleEndian.Uint64(value[8*i:]))
	}
	return t, t.Check()
}

// EncodeLimit is the value under KeyAllowance: measures, u64 little-endian.
func EncodeLimit(limit int64) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(limit)) }

// DecodeLimit reads what EncodeLimit wrote.
func DecodeLimit(value []byte) (int64, error) {
	if len(value) != 8 || value[7] >= 0x80 {
		return 0, fmt.Errorf("stored allowance %x is damaged", value)
	}
	return int64(binary.LittleEndian.Uint64(value)), nil
}
