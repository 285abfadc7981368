package goods

import (
	"encoding/binary"
	"errors"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/state"
)

// Kind says what happened.
type Kind uint8

// The kinds. Their numbers stand in the database.
const (
	KindRotated         Kind = 1  // a seat moved and did nothing else
	KindAttested        Kind = 2  // Auditor stands behind Proposal; Until
	KindOpened          Kind = 3  // Receipt; Quantity, Backers
	KindDrawn           Kind = 4  // Receipt; Quantity became free for Units, of which FeeUnits to the miner
	KindReclaimed       Kind = 5  // Claim on Receipt for Quantity of its undrawn goods
	KindRedeemed        Kind = 6  // Claim on Receipt for Quantity, paid with an escrow of Units
	KindTendered        Kind = 7  // Claim; Until is its deadline, Stated the height at which it opened
	KindDelivered       Kind = 8  // Claim; Units of escrow became pool; Document, zero where the token delivered; Stated is the height at which it opened
	KindLapsed          Kind = 9  // Claim; Units went back to its holder, FeeUnits to the pool
	KindSettled         Kind = 10 // Claim; Units went back to its holder, Quantity is lost
	KindAssigned        Kind = 11 // Claim has another token
	KindClosed          Kind = 12 // nothing of Receipt is left
	KindAudited         Kind = 13 // Auditor recounted Receipt: Quantity was taken from it, Stated is missing; ValueUnits of it, Until the height it was seen at, Backers
	KindExpired         Kind = 14 // Quantity of Custodian's Good counts no more
	KindSuspended       Kind = 15 // Custodian
	KindLifted          Kind = 16 // Custodian
	KindDefaulted       Kind = 17 // Custodian
	KindBonded          Kind = 18 // Custodian; Units
	KindUnbondAnnounced Kind = 19 // Custodian; Units
	KindUnbondWithdrawn Kind = 20 // Custodian; Units
	KindUnbondCancelled Kind = 21 // Custodian
	KindSlashed         Kind = 22 // Custodian; Units of its debt were paid into the pool
	KindDebt            Kind = 23 // Custodian's debt is Units after this block, was Stated
	KindChangeAnnounced Kind = 24 // Slot, effective at Until
	KindChangeWithdrawn Kind = 25 // Slot
	KindChangeEffective Kind = 26 // Slot
)

var kindNames = [...]string{
	"unknown", "rotated", "attested", "receipt opened", "drawn", "reclaimed", "redeemed", "tendered", "delivered", "lapsed",
	"settled", "assigned", "receipt closed", "audited", "expired", "suspended", "lifted", "defaulted", "bonded",
	"unbond announced", "unbond withdrawn", "unbond cancelled", "slashed", "debt", "change announced", "change withdrawn",
	"change effective",
}

// String is the word for a person.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return kindNames[0]
}

// None stands for an index that an event has not: no such custodian, good,
// auditor or slot can be.
const None = 0xffff

// NoNumber stands for the receipt or claim that an event has not.
const NoNumber = 1<<64 - 1

// Backer is an auditor that stood behind what a record said, with the height
// at which it attested that; one that acted itself did at the record's height.
type Backer struct {
	Auditor uint16
	Height  int32
}

// Event is one line of history. Which fields are set depends on Kind; those
// that are not hold None, NoNumber or zero.
type Event struct {
	Height int32
	Seq    uint32 // within the block
	Kind   Kind
	Txid   chainhash.Hash // zero where no transaction did it

	Receipt, Claim                 uint64
	Custodian, Good, Auditor, Slot uint16
	Quantity                       int64 // measures of Good
	Stated                         int64 // see Kind
	Units, FeeUnits, ValueUnits    int64
	Until                          int32
	Proposal                       chainhash.Hash // that was attested or used, zero where there is none
	Document                       chainhash.Hash
	Role                           state.Role // of the seat that acted, 0 where none did
	Seat                           uint16     // its index
	Backers                        []Backer   // by auditor
}

// newEvent is an event of nothing yet.
func newEvent(kind Kind) Event {
	return Event{Kind: kind, Receipt: NoNumber, Claim: NoNumber, Custodian: None, Good: None, Auditor: None, Slot: None, Seat: None}
}

var errEvent = errors.New("a damaged line of the goods history: delete the index to build it anew")

// encode is the row's value; height and seq are its key.
func (e *Event) encode(dst []byte) []byte {
	dst = append(dst, byte(e.Kind), byte(e.Role))
	for _, v := range [...]uint16{e.Custodian, e.Good, e.Auditor, e.Slot, e.Seat} {
		dst = binary.AppendUvarint(dst, uint64(v+1)) // None is 0
	}
	dst = binary.AppendUvarint(dst, e.Receipt+1)
	dst = binary.AppendUvarint(dst, e.Claim+1)
	for _, v := range [...]int64{e.Quantity, e.Stated, e.Units, e.FeeUnits, e.ValueUnits, int64(e.Until)} {
		dst = binary.AppendUvarint(dst, uint64(v))
	}
	for _, h := range [...]*chainhash.Hash{&e.Txid, &e.Proposal, &e.Document} {
		dst = appendHash(dst, h)
	}
	dst = binary.AppendUvarint(dst, uint64(len(e.Backers)))
	for _, b := range e.Backers {
		dst = binary.AppendUvarint(dst, uint64(b.Auditor))
		dst = binary.AppendUvarint(dst, uint64(b.Height))
	}
	return dst
}

// appendHash writes a hash that is often zero.
func appendHash(dst []byte, h *chainhash.Hash) []byte {
	if *h == (chainhash.Hash{}) {
		return append(dst, 0)
	}
	return append(append(dst, 1), h[:]...)
}

// decodeEvent reads what encode wrote.
func decodeEvent(height int32, seq uint32, raw []byte) (Event, error) {
	r := row{raw: raw}
	e := Event{Height: height, Seq: seq, Kind: Kind(r.byte()), Role: state.Role(r.byte())}
	for _, v := range [...]*uint16{&e.Custodian, &e.Good, &e.Auditor, &e.Slot, &e.Seat} {
		*v = uint16(r.uvarint()) - 1
	}
	e.Receipt, e.Claim = r.uvarint()-1, r.uvarint()-1
	for _, v := range [...]*int64{&e.Quantity, &e.Stated, &e.Units, &e.FeeUnits, &e.ValueUnits} {
		*v = int64(r.uvarint())
	}
	e.Until = int32(r.uvarint())
	for _, h := range [...]*chainhash.Hash{&e.Txid, &e.Proposal, &e.Document} {
		if r.byte() != 0 {
			copy(h[:], r.bytes(chainhash.HashSize))
		}
	}
	if n := r.uvarint(); n <= uint64(len(r.raw)) {
		for range n {
			e.Backers = append(e.Backers, Backer{uint16(r.uvarint()), int32(r.uvarint())})
		}
	} else {
		r.bad = true
	}
	if !r.done() {
		return Event{}, errEvent
	}
	return e, nil
}

// row reads the fields of a stored value; done tells whether all was well.
type row struct {
	raw []byte
	bad bool
}

func (r *row) bytes(n int) []byte {
	if n > len(r.raw) {
		r.raw, r.bad = nil, true
		return nil
	}
	head := r.raw[:n]
	r.raw = r.raw[n:]
	return head
}

func (r *row) byte() byte {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *row) uvarint() uint64 {
	v, n := binary.Uvarint(r.raw)
	if n <= 0 {
		r.raw, r.bad = nil, true
		return 0
	}
	r.raw = r.raw[n:]
	return v
}

func (r *row) done() bool { return !r.bad && len(r.raw) == 0 }
