package state

import (
	"encoding/binary"
	"fmt"
)

// MeaningKind is what an outpoint is to the goods rules.
type MeaningKind uint8

// The meanings. Their numbers stand in values.
const (
	MeansNothing MeaningKind = 0 // an ordinary coin; a treasury output is pool
	MeansSeat    MeaningKind = 1
	MeansToken   MeaningKind = 2 // of a claim
	MeansEscrow  MeaningKind = 3 // of a claim
	MeansBond    MeaningKind = 4 // of a custodian
	MeansWaiting MeaningKind = 5 // to be a seat when a pending change is effective
)

// Meaning is the value under KeyOutpoint; the fields are set as Kind says.
type Meaning struct {
	Kind  MeaningKind
	Role  Role   // seat
	Index uint16 // seat, or custodian of a bond
	Claim uint64 // token, escrow
	Slot  Slot   // waiting
}

// Encode gives the canonical value, nil for MeansNothing.
func (m Meaning) Encode() []byte {
	b := []byte{byte(m.Kind)}
	switch m.Kind {
	case MeansSeat:
		return binary.LittleEndian.AppendUint16(append(b, byte(m.Role)), m.Index)
	case MeansToken, MeansEscrow:
		return binary.LittleEndian.AppendUint64(b, m.Claim)
	case MeansBond:
		return binary.LittleEndian.AppendUint16(b, m.Index)
	case MeansWaiting:
		return append(b, byte(m.Slot))
	}
	return nil
}

// DecodeMeaning reads what Encode wrote; nil means nothing.
func DecodeMeaning(value []byte) (Meaning, error) {
	if value == nil {
		return Meaning{}, nil
	}
	b := NewByteReader(value)
	m := Meaning{Kind: MeaningKind(b.U8())}
	good := true
	switch m.Kind {
	case MeansSeat:
		m.Role, m.Index = Role(b.U8()), b.U16()
		good = m.Role >= RoleCustodian && m.Role <= RoleCouncil
	case MeansToken, MeansEscrow:
		m.Claim = b.U64()
	case MeansBond:
		m.Index = b.U16()
	case MeansWaiting:
		m.Slot = Slot(b.U8())
		good = m.Slot < SlotCount
	default:
		good = false
	}
	if !good || !b.Done() {
		return Meaning{}, fmt.Errorf("stored outpoint value %x is damaged", value)
	}
	return m, nil
}
