package state

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/btcsuite/btcd/wire/v2"
)

// ClaimKind says how a claim came to be.
type ClaimKind uint8

// The kinds of claims.
const (
	ClaimRedemption ClaimKind = 0 // paid for: it has an escrow
	ClaimReclaim    ClaimKind = 1 // of undrawn goods: it has none
)

// String is the word for a person.
func (k ClaimKind) String() string {
	if k == ClaimReclaim {
		return "reclaim"
	}
	return "redemption"
}

// Claim is a holder's right to the delivery of goods of a receipt. It carries
// its own fee and windows, so that no amendment touches it.
type Claim struct {
	Number    uint64
	ID        ObjectID
	Receipt   uint64
	Kind      ClaimKind
	Custodian uint16
	Quantity  int64 // measures of the receipt's good

	Escrow      wire.OutPoint // zero for a reclaim
	EscrowUnits int64         // 0 for a reclaim
	FeeBP       uint32        // redemption fee of the charter when it opened

	Opened       int32 // height
	Deadline     int32 // the last height of the delivery window
	PickupBlocks uint32
	GraceBlocks  uint32
	Tendered     int32 // height of the tender, 0 before it

	Token       wire.OutPoint // who spends it holds the claim
	TokenHeight int32         // of the block that created Token
	TokenScript []byte        // where escrow is returned to
}

// Key is the claim's key in the goods state.
func (c *Claim) Key() []byte { return KeyClaim(c.Number) }

// GraceEnd is the last height at which an untendered claim may be tendered.
func (c *Claim) GraceEnd() int32 { return LaterHeight(c.Deadline, int64(c.GraceBlocks)) }

// PickupEnd is the last height of a tendered claim's pickup window.
func (c *Claim) PickupEnd() int32 { return LaterHeight(c.Tendered, int64(c.PickupBlocks)) }

// PickupGraceEnd is the last height at which the custodian of a tendered
// claim may deliver without its token.
func (c *Claim) PickupGraceEnd() int32 { return LaterHeight(c.PickupEnd(), int64(c.GraceBlocks)) }

// Encode gives the canonical value under Key; docs/goods-rules.md lists it.
func (c *Claim) Encode() []byte {
	b := make([]byte, 0, 160+len(c.TokenScript))
	b = append(b, c.ID[:]...)
	b = binary.LittleEndian.AppendUint64(b, c.Receipt)
	b = append(b, byte(c.Kind))
	b = binary.LittleEndian.AppendUint16(b, c.Custodian)
	b = binary.LittleEndian.AppendUint64(b, uint64(c.Quantity))
	b = appendOutPoint(b, c.Escrow)
	b = binary.LittleEndian.AppendUint64(b, uint64(c.EscrowUnits))
	for _, v := range []uint32{
		c.FeeBP, uint32(c.Opened), uint32(c.Deadline), c.PickupBlocks, c.GraceBlocks, uint32(c.Tendered),
	} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	b = appendOutPoint(b, c.Token)
	b = binary.LittleEndian.AppendUint32(b, uint32(c.TokenHeight))
	return appendShort(b, c.TokenScript)
}

// DecodeClaim reads a claim from its key and canonical value. The result
// shares no memory with them.
func DecodeClaim(key, value []byte) (*Claim, error) {
	if len(key) != 9 || key[0] != kindClaim {
		return nil, fmt.Errorf("goods key %x is not a claim's", key)
	}
	b := NewByteReader(value)
	c := &Claim{Number: binary.BigEndian.Uint64(key[1:])}
	copy(c.ID[:], b.Bytes(len(c.ID)))
	c.Receipt, c.Kind, c.Custodian, c.Quantity = b.U64(), ClaimKind(b.U8()), b.U16(), b.Int64()
	c.Escrow, c.EscrowUnits, c.FeeBP = b.OutPoint(), b.Int64(), b.U32()
	c.Opened, c.Deadline, c.PickupBlocks, c.GraceBlocks, c.Tendered = b.Height(), b.Height(), b.U32(), b.U32(), b.Height()
	c.Token, c.TokenHeight, c.TokenScript = b.OutPoint(), b.Height(), bytes.Clone(b.Short())
	escrow := c.EscrowUnits > 0
	if !b.Done() || c.Kind > ClaimReclaim || escrow != (c.Kind == ClaimRedemption) || c.Quantity == 0 {
		return nil, fmt.Errorf("claim %d: stored value %x is damaged", c.Number, value)
	}
	return c, nil
}

func appendOutPoint(b []byte, op wire.OutPoint) []byte {
	return binary.LittleEndian.AppendUint32(append(b, op.Hash[:]...), op.Index)
}
