package state

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// ObjectID is the second name of a receipt beside its number: the first bytes
// of a tagged hash of what created it. A record that names both can never mean
// another object after a reorganisation.
type ObjectID [8]byte

// Receipt is a warehouse receipt (goods-rules section 3). Quantities are
// measures of its good. All of it is proved by the commitment tree; document,
// location and lot are what the custodian and a quorum of auditors said.
type Receipt struct {
	Number uint64
	ID     ObjectID

	Good, Custodian uint16
	Registry        uint16
	Serial          string
	Document        chainhash.Hash
	Location        string
	Script          []byte // where its coins go

	HaircutBP  uint32 // of the good when it opened
	Opened     int32  // height
	Observed   int32  // height of the block at which the goods were last seen
	ValidUntil int32  // the last height at which it counts

	// OpenedWith is the quantity when it opened, in measures, and the sum of
	// the five after it.
	OpenedWith    int64
	Undrawn       int64 // its coins have not left the pool
	Free          int64 // backs circulating coins
	Owed          int64 // taken out by claims
	Delivered     int64
	Lost          int64 // by audits, or written off
	ReleasedUnits int64 // all that draws took from the pool for it
}

// Quantity is what the custodian must still hold for it, in measures.
func (r *Receipt) Quantity() int64 { return r.Undrawn + r.Free + r.Owed }

// Fresh reports whether the receipt's age lets it count at height.
func (r *Receipt) Fresh(height int32) bool { return height <= r.ValidUntil }

// Key is the receipt's key in the goods state.
func (r *Receipt) Key() []byte { return KeyReceipt(r.Number) }

// Encode gives the canonical value under Key; docs/goods-rules.md lists it.
// Serial, Location and Script are at most 255 bytes.
func (r *Receipt) Encode() []byte {
	b := make([]byte, 0, 160+len(r.Serial)+len(r.Location)+len(r.Script))
	b = append(b, r.ID[:]...)
	b = binary.LittleEndian.AppendUint16(b, r.Good)
	b = binary.LittleEndian.AppendUint16(b, r.Custodian)
	b = binary.LittleEndian.AppendUint16(b, r.Registry)
	b = appendShort(b, []byte(r.Serial))
	b = append(b, r.Document[:]...)
	b = appendShort(b, []byte(r.Location))
	b = appendShort(b, r.Script)
	for _, v := range []uint32{r.HaircutBP, uint32(r.Opened), uint32(r.Observed), uint32(r.ValidUntil)} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	for _, v := range []int64{r.OpenedWith, r.Undrawn, r.Free, r.Owed, r.Delivered, r.Lost, r.ReleasedUnits} {
		b = binary.LittleEndian.AppendUint64(b, uint64(v))
	}
	return b
}

// DecodeReceipt reads a receipt from its key and canonical value. The result
// shares no memory with them.
func DecodeReceipt(key, value []byte) (*Receipt, error) {
	if len(key) != 9 || key[0] != kindReceipt {
		return nil, fmt.Errorf("goods key %x is not a receipt's", key)
	}
	b := NewByteReader(value)
	r := &Receipt{Number: binary.BigEndian.Uint64(key[1:])}
	copy(r.ID[:], b.Bytes(len(r.ID)))
	r.Good, r.Custodian, r.Registry = b.U16(), b.U16(), b.U16()
	r.Serial = string(b.Short())
	r.Document = b.Hash()
	r.Location = string(b.Short())
	r.Script = bytes.Clone(b.Short())
	r.HaircutBP, r.Opened, r.Observed, r.ValidUntil = b.U32(), b.Height(), b.Height(), b.Height()
	for _, v := range []*int64{&r.OpenedWith, &r.Undrawn, &r.Free, &r.Owed, &r.Delivered, &r.Lost, &r.ReleasedUnits} {
		*v = b.Int64()
	}
	// The parts are the whole, so no sum of them overflows.
	left := r.OpenedWith
	for _, part := range []int64{r.Undrawn, r.Free, r.Owed, r.Delivered, r.Lost} {
		left = max(left-part, -1)
	}
	if !b.Done() || left != 0 || r.HaircutBP > 10_000 {
		return nil, fmt.Errorf("receipt %d: stored value %x is damaged", r.Number, value)
	}
	return r, nil
}

// EncodeNumber is the value under KeyNextReceipt and KeyLot: a u64.
func EncodeNumber(number uint64) []byte { return binary.LittleEndian.AppendUint64(nil, number) }

// DecodeNumber reads what EncodeNumber wrote; nil is 0.
func DecodeNumber(value []byte) (uint64, error) {
	if value == nil {
		return 0, nil
	}
	if len(value) != 8 {
		return 0, fmt.Errorf("stored number %x is damaged", value)
	}
	return binary.LittleEndian.Uint64(value), nil
}

// Attestation is one auditor's word for one proposal. It counts in the blocks
// after Height, up to and with Until.
type Attestation struct{ Height, Until int32 }

// Encode gives the canonical value under KeyAttestation: two u32.
func (a Attestation) Encode() []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(a.Height))
	return binary.LittleEndian.AppendUint32(b, uint32(a.Until))
}

// DecodeAttestation reads what Encode wrote.
func DecodeAttestation(value []byte) (Attestation, error) {
	b := NewByteReader(value)
	a := Attestation{b.Height(), b.Height()}
	if !b.Done() || a.Until < a.Height {
		return a, fmt.Errorf("stored attestation %x is damaged", value)
	}
	return a, nil
}

// EncodeHeight is the value under KeyUsed: the last height at which the body
// could be valid, u32.
func EncodeHeight(height int32) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(height)) }

// DecodeHeight reads what EncodeHeight wrote.
func DecodeHeight(value []byte) (int32, error) {
	b := NewByteReader(value)
	height := b.Height()
	if !b.Done() {
		return 0, fmt.Errorf("stored height %x is damaged", value)
	}
	return height, nil
}
