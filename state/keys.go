package state

import (
	"encoding/binary"
	"fmt"

	"github.com/btcsuite/btcd/wire/v2"
)

// The goods state is one sorted map. The first byte of a key is its kind and
// the kind fixes the length, so that no key is the beginning of another: what
// the commitment tree relies on. Numbers in keys are big-endian, so that
// ascending keys are ascending numbers. docs/goods-rules.md fixes the bytes.
const (
	// nodeKind starts the keys of the commitment tree's own nodes; they
	// follow from the rest and are not committed to.
	nodeKind = 0x00

	kindAllowance   = 'A' // custodian u16, good u16 -> limit
	kindStanding    = 'C' // custodian u16 -> Standing
	kindDefault     = 'D' // height u32, custodian u16 -> 01
	kindExpiry      = 'E' // height u32, hash, auditor u16 -> 01
	kindFresh       = 'F' // valid_until u32, custodian u16, good u16 -> free
	kindGood        = 'G' // good u16 -> GoodInForce
	kindHolding     = 'H' // custodian u16, good u16 -> Holding
	kindPending     = 'I' // slot u8 -> Pending
	kindClaim       = 'K' // number u64 -> Claim
	kindLot         = 'L' // lot commitment -> number of its receipt
	kindNextClaim   = 'M' // -> number that the next claim gets
	kindNextReceipt = 'N' // -> number that the next receipt gets
	kindOutpoint    = 'O' // txid, vout u32 -> what the outpoint is
	kindParameters  = 'P' // -> params.Parameters in force
	kindUntendered  = 'Q' // custodian u16, deadline u32 -> how many claims
	kindReceipt     = 'R' // number u64 -> Receipt
	kindSeat        = 'S' // role u8, index u16 -> Seat
	kindTotals      = 'T' // -> Totals
	kindUsed        = 'U' // proposal hash -> expiry u32 of what used it
	kindAttestation = 'V' // proposal hash, auditor u16 -> Attestation
	kindReserve     = 'W' // -> Reserve
	kindCounts      = 'Y' // -> Counts
)

// IsNodeKey tells a node of the commitment tree from a key of the state.
func IsNodeKey(key []byte) bool { return len(key) > 0 && key[0] == nodeKind }

// NodeKeyPrefix is the first byte of every key for which IsNodeKey holds.
func NodeKeyPrefix() []byte { return []byte{nodeKind} }

// FirstStateKey is where the keys of the state begin: GoodsRange from it to
// nil gives the whole committed state without the tree's nodes.
func FirstStateKey() []byte { return []byte{nodeKind + 1} }

// KeyTotals is the key of the Totals.
func KeyTotals() []byte { return []byte{kindTotals} }

// KeyParameters is the key of the parameters in force.
func KeyParameters() []byte { return []byte{kindParameters} }

// KeyGood is the key of good number index, as in force.
func KeyGood(index uint16) []byte {
	return binary.BigEndian.AppendUint16([]byte{kindGood}, index)
}

// KeyAllowance is the key of what a custodian may hold of a good.
func KeyAllowance(custodian, good uint16) []byte {
	key := binary.BigEndian.AppendUint16([]byte{kindAllowance}, custodian)
	return binary.BigEndian.AppendUint16(key, good)
}

// KeySeat is the key of a seat.
func KeySeat(role Role, index uint16) []byte {
	return binary.BigEndian.AppendUint16([]byte{kindSeat, byte(role)}, index)
}

// SeatKeys gives the range [from, to) that holds every seat, in charter order.
func SeatKeys() (from, to []byte) { return []byte{kindSeat}, []byte{kindSeat + 1} }

// OutpointKeys gives the range [from, to) of every outpoint with a meaning.
func OutpointKeys() (from, to []byte) { return []byte{kindOutpoint}, []byte{kindOutpoint + 1} }

// KeyOutpoint is the key of an outpoint that means something to the goods
// rules (Meaning). A treasury output without a key is pool. The txid is in the
// order of its bytes on the wire.
func KeyOutpoint(op wire.OutPoint) []byte {
	key := append(make([]byte, 0, 37), kindOutpoint)
	key = append(key, op.Hash[:]...)
	return binary.BigEndian.AppendUint32(key, op.Index)
}

// OutpointOfKey is the reverse of KeyOutpoint.
func OutpointOfKey(key []byte) (wire.OutPoint, error) {
	var op wire.OutPoint
	if len(key) != 37 || key[0] != kindOutpoint {
		return op, fmt.Errorf("goods key %x is not an outpoint's", key)
	}
	copy(op.Hash[:], key[1:33])
	op.Index = binary.BigEndian.Uint32(key[33:])
	return op, nil
}

// keyLengths is the length of each kind of state key.
var keyLengths = map[byte]int{
	kindAllowance: 5, kindExpiry: 39, kindFresh: 9, kindGood: 3, kindHolding: 5, kindLot: 33, kindNextReceipt: 1,
	kindOutpoint: 37, kindParameters: 1, kindReceipt: 9, kindSeat: 4, kindTotals: 1, kindUsed: 33,
	kindAttestation: 35, kindReserve: 1,
	kindStanding: 3, kindDefault: 7, kindPending: 2, kindClaim: 9, kindNextClaim: 1, kindUntendered: 7, kindCounts: 1,
}

// CheckKey reports a state key whose kind or length is unknown.
func CheckKey(key []byte) error {
	if len(key) == 0 || keyLengths[key[0]] != len(key) {
		return fmt.Errorf("goods key %x is of no known kind", key)
	}
	return nil
}
