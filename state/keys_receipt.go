package state

import (
	"encoding/binary"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// KeyReceipt is the key of receipt number.
func KeyReceipt(number uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{kindReceipt}, number)
}

// ReceiptKeys gives the range [from, to) of all open receipts, by number.
func ReceiptKeys() (from, to []byte) { return []byte{kindReceipt}, []byte{kindReceipt + 1} }

// KeyNextReceipt is the key of the number that the next receipt gets; absent
// before the first.
func KeyNextReceipt() []byte { return []byte{kindNextReceipt} }

// KeyLot is the key of a lot commitment.
func KeyLot(lot chainhash.Hash) []byte { return append([]byte{kindLot}, lot[:]...) }

// LotKeys gives the range [from, to) of all lots.
func LotKeys() (from, to []byte) { return []byte{kindLot}, []byte{kindLot + 1} }

// KeyHolding is the key of what a custodian holds of a good.
func KeyHolding(custodian, good uint16) []byte {
	key := binary.BigEndian.AppendUint16([]byte{kindHolding}, custodian)
	return binary.BigEndian.AppendUint16(key, good)
}

// HoldingKeys gives the range [from, to) of all holdings, by custodian.
func HoldingKeys() (from, to []byte) { return []byte{kindHolding}, []byte{kindHolding + 1} }

// KeyReserve is the key of the Reserve; absent while both sums are 0.
func KeyReserve() []byte { return []byte{kindReserve} }

// KeyFresh is the key of the free measures of a custodian's good that count
// until a height and not after it.
func KeyFresh(validUntil int32, custodian, good uint16) []byte {
	key := binary.BigEndian.AppendUint32([]byte{kindFresh}, uint32(validUntil))
	key = binary.BigEndian.AppendUint16(key, custodian)
	return binary.BigEndian.AppendUint16(key, good)
}

// FreshKeys gives the range [from, to) of KeyFresh for validUntil < before.
func FreshKeys(before int32) (from, to []byte) {
	return []byte{kindFresh}, binary.BigEndian.AppendUint32([]byte{kindFresh}, uint32(before))
}

// FreshOfKey is the reverse of KeyFresh.
func FreshOfKey(key []byte) (validUntil int32, custodian, good uint16, err error) {
	if len(key) != 9 || key[0] != kindFresh || key[1] >= 0x80 {
		return 0, 0, 0, fmt.Errorf("goods key %x is not of free measures", key)
	}
	return int32(binary.BigEndian.Uint32(key[1:])), binary.BigEndian.Uint16(key[5:]), binary.BigEndian.Uint16(key[7:]), nil
}

// KeyAttestation is the key of one auditor's attestation of a proposal.
func KeyAttestation(proposal chainhash.Hash, auditor uint16) []byte {
	return binary.BigEndian.AppendUint16(append([]byte{kindAttestation}, proposal[:]...), auditor)
}

// AttestationKeys gives the range [from, to) of all attestations, by proposal.
func AttestationKeys() (from, to []byte) { return []byte{kindAttestation}, []byte{kindAttestation + 1} }

// KeyUsed is the key of a proposal that a record has used.
func KeyUsed(proposal chainhash.Hash) []byte { return append([]byte{kindUsed}, proposal[:]...) }

// UsedKeys gives the range [from, to) of all used proposals.
func UsedKeys() (from, to []byte) { return []byte{kindUsed}, []byte{kindUsed + 1} }

// UsedAuditor stands in the place of the auditor in the expiry key of a used
// proposal.
const UsedAuditor = 0xffff

// KeyExpiry says that an attestation, or with UsedAuditor a used proposal, is
// forgotten in the block at height.
func KeyExpiry(height int32, proposal chainhash.Hash, auditor uint16) []byte {
	key := binary.BigEndian.AppendUint32([]byte{kindExpiry}, uint32(height))
	return binary.BigEndian.AppendUint16(append(key, proposal[:]...), auditor)
}

// ExpiryKeys gives the range [from, to) of KeyExpiry for heights to last.
func ExpiryKeys(last int32) (from, to []byte) {
	return []byte{kindExpiry}, binary.BigEndian.AppendUint32([]byte{kindExpiry}, uint32(last)+1)
}

// ExpiryOfKey is the reverse of KeyExpiry.
func ExpiryOfKey(key []byte) (height int32, proposal chainhash.Hash, auditor uint16, err error) {
	if len(key) != 39 || key[0] != kindExpiry || key[1] >= 0x80 {
		return 0, proposal, 0, fmt.Errorf("goods key %x is not an expiry", key)
	}
	copy(proposal[:], key[5:37])
	return int32(binary.BigEndian.Uint32(key[1:])), proposal, binary.BigEndian.Uint16(key[37:]), nil
}

// ExpiryMark is the value under every KeyExpiry.
func ExpiryMark() []byte { return []byte{1} }

// keyNumbers reads a two-part key of u16 numbers.
func keyNumbers(key []byte, kind byte) (first, second uint16, err error) {
	if len(key) != 5 || key[0] != kind {
		return 0, 0, fmt.Errorf("goods key %x is not of kind %c", key, kind)
	}
	return binary.BigEndian.Uint16(key[1:]), binary.BigEndian.Uint16(key[3:]), nil
}

// HoldingOfKey is the reverse of KeyHolding.
func HoldingOfKey(key []byte) (custodian, good uint16, err error) {
	return keyNumbers(key, kindHolding)
}
