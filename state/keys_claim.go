package state

import (
	"encoding/binary"
	"fmt"
)

// KeyClaim is the key of claim number.
func KeyClaim(number uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{kindClaim}, number)
}

// ClaimKeys gives the range [from, to) of all open claims, by number.
func ClaimKeys() (from, to []byte) { return []byte{kindClaim}, []byte{kindClaim + 1} }

// KeyNextClaim is the key of the number that the next claim gets; absent
// before the first.
func KeyNextClaim() []byte { return []byte{kindNextClaim} }

// KeyUntendered is the key of how many untendered claims of a custodian have
// a deadline.
func KeyUntendered(custodian uint16, deadline int32) []byte {
	key := binary.BigEndian.AppendUint16([]byte{kindUntendered}, custodian)
	return binary.BigEndian.AppendUint32(key, uint32(deadline))
}

// UntenderedKeys gives the range [from, to) of KeyUntendered of a custodian
// for deadlines before a height.
func UntenderedKeys(custodian uint16, before int32) (from, to []byte) {
	return KeyUntendered(custodian, 0), KeyUntendered(custodian, before)
}

// KeyStanding is the key of a custodian's standing.
func KeyStanding(custodian uint16) []byte {
	return binary.BigEndian.AppendUint16([]byte{kindStanding}, custodian)
}

// StandingKeys gives the range [from, to) of all standings, by custodian.
func StandingKeys() (from, to []byte) { return []byte{kindStanding}, []byte{kindStanding + 1} }

// StandingOfKey is the reverse of KeyStanding.
func StandingOfKey(key []byte) (custodian uint16, err error) {
	if len(key) != 3 || key[0] != kindStanding {
		return 0, fmt.Errorf("goods key %x is not a standing's", key)
	}
	return binary.BigEndian.Uint16(key[1:]), nil
}

// KeyDefault says that a custodian is in default from height on.
func KeyDefault(height int32, custodian uint16) []byte {
	key := binary.BigEndian.AppendUint32([]byte{kindDefault}, uint32(height))
	return binary.BigEndian.AppendUint16(key, custodian)
}

// DefaultKeys gives the range [from, to) of KeyDefault for heights to last.
func DefaultKeys(last int32) (from, to []byte) {
	return []byte{kindDefault}, binary.BigEndian.AppendUint32([]byte{kindDefault}, uint32(last)+1)
}

// DefaultOfKey is the reverse of KeyDefault.
func DefaultOfKey(key []byte) (height int32, custodian uint16, err error) {
	if len(key) != 7 || key[0] != kindDefault || key[1] >= 0x80 {
		return 0, 0, fmt.Errorf("goods key %x is not a default's", key)
	}
	return int32(binary.BigEndian.Uint32(key[1:])), binary.BigEndian.Uint16(key[5:]), nil
}

// KeyPending is the key of the pending change in a slot.
func KeyPending(slot Slot) []byte { return []byte{kindPending, byte(slot)} }

// KeyCounts is the key of the Counts.
func KeyCounts() []byte { return []byte{kindCounts} }

// AllUntenderedKeys gives the range [from, to) of every KeyUntendered.
func AllUntenderedKeys() (from, to []byte) { return []byte{kindUntendered}, []byte{kindUntendered + 1} }
