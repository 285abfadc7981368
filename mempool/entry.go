package mempool

import (
	"time"
	"unsafe"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/mempool/policy"
	"granary/state"
)

// Entry is a transaction in the pool. Its exported fields never change; the
// rest belongs to the pool and its lock.
type Entry struct {
	Tx        *state.Tx // owns its memory
	FeeUnits  int64
	Weight    int64
	SigOpCost int64
	VBytes    int64 // what fees are counted on, sigops priced in
	Added     time.Time
	Height    int32  // of the tip when it came
	Sequence  uint64 // order of arrival in this pool
	// Seat says that it travels in the seat lane, Due in that of what is due.
	Seat, Due bool
	// Record says that it carries a goods record.
	Record bool

	parents, children []*Entry // in the pool, in order of linking
	ancestors         sums     // with itself
	descendants       sums     // with itself
	lane              int      // free entries among the descendants
	delta             int64    // of the fee, by a person's wish
	dust              []uint32 // outputs that a child must spend
	object            policy.Object

	usageBytes     int64
	heapIndex      int
	inputHeight    int32 // of the youngest confirmed coin it spends
	coinbaseHeight int32 // of the youngest coinbase it spends, -1 for none
	timed          bool  // has a lock time or a relative lock
	empties        bool  // spends a coin of no value, which the goods rules may know
	mark           uint64
}

// free reports whether the entry needs no fee and is never thrown out for room.
func (e *Entry) free() bool { return e.Seat || e.Due }

// modified is the fee with what a person added to it or took away.
func (e *Entry) modified() int64 { return e.FeeUnits + e.delta }

// dueWeight is what the entry takes of the lane of what is due.
func (e *Entry) dueWeight() int64 {
	if e.Due {
		return e.Weight
	}
	return 0
}

// sums are what a set of transactions adds up to, with modified fees.
type sums struct {
	count    int
	vbytes   int64
	feeUnits int64
}

func (s *sums) add(e *Entry) {
	s.count++
	s.vbytes += e.VBytes
	s.feeUnits += e.modified()
}

func (s *sums) sub(e *Entry) {
	s.count--
	s.vbytes -= e.VBytes
	s.feeUnits -= e.modified()
}

// score is the fee and size by which an entry is kept: its own or its
// package's, whichever pays better.
func (e *Entry) score() (feeUnits, vbytes int64) {
	own := policy.CompareRates(e.modified(), e.VBytes, e.descendants.feeUnits, e.descendants.vbytes)
	if own > 0 {
		return e.modified(), e.VBytes
	}
	return e.descendants.feeUnits, e.descendants.vbytes
}

// Costs of book-keeping in bytes, by entry, input and output, as the Go
// runtime allocates them (see TestUsageIsHonest).
const (
	entryOverheadBytes = int64(unsafe.Sizeof(Entry{})+unsafe.Sizeof(state.Tx{})+unsafe.Sizeof(wire.MsgTx{})) +
		120 + // map from txid, heap slot
		64 // slack of size classes
	inputOverheadBytes   = int64(unsafe.Sizeof(wire.TxIn{})) + 8 + 100 // map from outpoint
	outputOverheadBytes  = int64(unsafe.Sizeof(wire.TxOut{})) + 8
	witnessOverheadBytes = 24
	linkOverheadBytes    = 32 // a parent's and a child's slot, twice for growth
	objectOverheadBytes  = 80 // map from object
)

// allocBytes is what the runtime takes for one piece of n bytes: size classes
// waste a little, large pieces are rounded up to pages.
func allocBytes(n int64) int64 {
	const page, large = 8 << 10, 32 << 10
	if n > large {
		return (n + page - 1) / page * page
	}
	return n + n/16
}

// usageOf is the memory that a transaction takes in the pool, without that of
// its object.
func usageOf(tx *state.Tx) int64 {
	items := 0
	for _, in := range tx.Msg.TxIn {
		items += len(in.Witness)
	}
	return entryOverheadBytes + allocBytes(int64(len(tx.Raw))) +
		int64(len(tx.Msg.TxIn))*(inputOverheadBytes+linkOverheadBytes) +
		int64(len(tx.Msg.TxOut))*outputOverheadBytes +
		int64(items)*witnessOverheadBytes
}

// objectUsage is the memory that its object takes.
func objectUsage(object policy.Object) int64 {
	if object.Kind == policy.NoObject {
		return 0
	}
	return objectOverheadBytes
}

// clone gives a transaction that shares no memory with tx.
func clone(tx *state.Tx) (*state.Tx, error) {
	return state.DecodeTx(append(make([]byte, 0, len(tx.Raw)), tx.Raw...))
}

// isTimed reports whether a later state could make the transaction wait.
func isTimed(msg *wire.MsgTx) bool {
	if msg.LockTime != 0 {
		return true
	}
	if uint32(msg.Version) < 2 {
		return false
	}
	for _, in := range msg.TxIn {
		if in.Sequence&wire.SequenceLockTimeDisabled == 0 {
			return true
		}
	}
	return false
}
