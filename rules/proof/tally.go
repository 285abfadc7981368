package proof

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/holiman/uint256"

	"granary/state"
)

// tally compares two lists of keys with counts, in any order and without
// keeping them: the sum of hash x count, modulo 2^256. It finds faults of a
// state that a chain commits to; it is no proof against someone who could
// make such a state at will.
type tally struct{ sum uint256.Int }

func (t *tally) add(key []byte, count int64) { t.move(sha256.Sum256(key), count, false) }
func (t *tally) sub(key []byte, count int64) { t.move(sha256.Sum256(key), count, true) }

// addValue and subValue compare keys with their values.
func (t *tally) addValue(key, value []byte) { t.add(join(key, value), 1) }
func (t *tally) subValue(key, value []byte) { t.sub(join(key, value), 1) }

func join(key, value []byte) []byte {
	return append(append([]byte{byte(len(key))}, key...), value...)
}

func (t *tally) move(hash [32]byte, count int64, down bool) {
	if count == 0 {
		return
	}
	var h uint256.Int
	h.SetBytes32(hash[:])
	h.Mul(&h, uint256.NewInt(uint64(count)))
	if down {
		t.sum.Sub(&t.sum, &h)
	} else {
		t.sum.Add(&t.sum, &h)
	}
}

func (t *tally) isZero() bool { return t.sum.IsZero() }

// lots matches the lots of a state, which come by commitment, with its
// receipts, which come by number after them. It keeps 16 bytes of each lot.
type lots struct {
	list   []lot
	at     int // those before were matched or are reserved
	sorted bool
	open   int64
}

type lot struct {
	number uint64
	head   uint64 // of the commitment
}

func headOf(commitment []byte) uint64 { return binary.LittleEndian.Uint64(commitment) }

func (l *lots) add(key, value []byte) error {
	if l.sorted {
		return errors.New("a lot stands behind the receipts")
	}
	number, err := state.DecodeNumber(value)
	l.list = append(l.list, lot{number, headOf(key[1:])})
	return err
}

// match finds the lot of a receipt; receipts come by ascending number.
func (l *lots) match(commitment chainhash.Hash, number uint64) error {
	if !l.sorted {
		slices.SortFunc(l.list, func(a, b lot) int { return cmp.Compare(a.number, b.number) })
		l.sorted = true
	}
	for l.at < len(l.list) && l.list[l.at].number < number {
		l.at++
	}
	if l.at == len(l.list) || l.list[l.at] != (lot{number, headOf(commitment[:])}) {
		return fmt.Errorf("the lot of receipt %d is not kept for it", number)
	}
	l.at++
	if l.at < len(l.list) && l.list[l.at].number == number {
		return fmt.Errorf("receipt %d has two lots", number)
	}
	l.open++
	return nil
}

// reserved is how many lots belong to receipts that are closed.
func (l *lots) reserved() int64 { return int64(len(l.list)) - l.open }
