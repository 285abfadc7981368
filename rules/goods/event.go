package goods

import (
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/state"
)

// Event is something that a block did to the goods state, so that followers
// need no rules. Switch on the type.
type Event interface{ isEvent() }

// SeatCreated: block 1 made a seat, or a change that is effective did.
type SeatCreated struct{ Seat state.Seat }

// SeatMoved: a seat acted and goes on at Seat.Out.
type SeatMoved struct {
	Seat   state.Seat // as it is now
	From   wire.OutPoint
	Record RecordType // what it did
}

// TreasuryPaid: a treasury output that is pool from now on: paid in, or an
// escrow whose goods were delivered.
type TreasuryPaid struct {
	Out      wire.OutPoint
	Units    int64
	Coinbase bool
}

// TreasurySpent: a draw spent a pool output.
type TreasurySpent struct {
	Out   wire.OutPoint
	Units int64
}

// Attested: an auditor stands behind a proposal in the blocks after this one,
// up to and with Until.
type Attested struct {
	Auditor  uint16
	Proposal chainhash.Hash
	Until    int32
}

// ReceiptOpened: goods came in.
type ReceiptOpened struct{ Receipt state.Receipt }

// Released: a draw took Units from the pool for Receipt, of which FeeUnits
// went to the miner, and Quantity measures of it became free.
type Released struct {
	Receipt         state.Receipt // as it is now
	Quantity        int64
	Units, FeeUnits int64
}

// ReceiptClosed: nothing of a receipt is left.
type ReceiptClosed struct{ Receipt state.Receipt }

// StandingChanged: a custodian was suspended (anew), lifted, is in default, or its
// debt, bonds or announced unbond are others.
type StandingChanged struct {
	Custodian     uint16
	Before, After state.Standing
}

// Expired: from this block on free measures of a custodian's good count no
// more, because ValidUntil is over.
type Expired struct {
	ValidUntil      int32
	Custodian, Good uint16
	Free            int64
}

// Audited: auditors saw the goods of a receipt anew. Of Loss measures that
// they missed what was there was removed, and the custodian owes DebtUnits more
// for it.
type Audited struct {
	Receipt                           state.Receipt // as it is now
	Auditor                           uint16        // who acted
	Loss, RemovedUndrawn, RemovedFree int64         // measures
	DebtUnits                         int64
}

// Slashed: Units of a custodian's debt were paid, from its bonds or from
// other coins. The pool gets them (TreasuryPaid follows) but for FeeUnits, the
// miner's share of what comes from bonds.
type Slashed struct {
	Custodian       uint16
	Units, FeeUnits int64
	FromBonds       bool
}

// BondMade: a treasury output is the newest bond of a custodian from now on
// (Record bond), or its oldest, as what a slash or an unbond left of bonds.
type BondMade struct {
	Custodian uint16
	Bond      state.Bond
	Record    RecordType
}

// BondSpent: a slash or an unbond spent a bond; what is left of it is made a
// bond in the same transaction.
type BondSpent struct {
	Custodian uint16
	Bond      state.Bond
	Record    RecordType
}

// BondReturned: a custodian took Units of its bonds back, at Out.
type BondReturned struct {
	Custodian uint16
	Out       wire.OutPoint
	Units     int64
}

// ChangeAnnounced: a change waits in a slot until Pending.Effective;
// DecodeChange tells what it will do.
type ChangeAnnounced struct {
	Slot    state.Slot
	Pending state.Pending
}

// ChangeWithdrawn: a change that waited will not be.
type ChangeWithdrawn struct {
	Slot    state.Slot
	Pending state.Pending
}

// ChangeEffective: a change that waited holds from this block on. What it does
// to seats follows as SeatCreated and SeatReplaced.
type ChangeEffective struct {
	Slot    state.Slot
	Pending state.Pending
}

// SeatReplaced: a change gave a seat to another holder, who came at Seat.Since.
// Where it was, Before.Out, is an ordinary output now.
type SeatReplaced struct{ Seat, Before state.Seat }

func (ChangeAnnounced) isEvent() {}
func (ChangeWithdrawn) isEvent() {}
func (ChangeEffective) isEvent() {}
func (SeatReplaced) isEvent()    {}

// ClaimOpened: goods of a receipt are owed to the holder of a token.
type ClaimOpened struct{ Claim state.Claim }

// ClaimTendered: the custodian has the goods ready; the pickup window began.
type ClaimTendered struct{ Claim state.Claim } // as it is now

// ClaimDelivered: the goods were handed out, as the holder's token says or as
// the custodian does, with Document. The escrow became pool (TreasuryPaid
// follows).
type ClaimDelivered struct {
	Claim    state.Claim // as it was
	ByHolder bool
	Document chainhash.Hash // of the delivery note; zero if the holder says it
}

// ClaimLapsed: the goods were not collected and are the receipt's again;
// PaidUnits of the escrow went to the token's script, RestUnits to the pool.
type ClaimLapsed struct {
	Claim                state.Claim // as it was
	PaidUnits, RestUnits int64
	ByHolder             bool // by the token
}

// ClaimSettled: the custodian never tendered; the escrow went back, the goods
// are written off, and the custodian is suspended and owes DebtUnits more.
type ClaimSettled struct {
	Claim                state.Claim // as it was
	PaidUnits, DebtUnits int64
}

// ClaimAssigned: the claim has another token.
type ClaimAssigned struct {
	Claim      state.Claim // as it is now
	From       wire.OutPoint
	FromScript []byte
}

func (SeatCreated) isEvent()     {}
func (SeatMoved) isEvent()       {}
func (ClaimOpened) isEvent()     {}
func (ClaimTendered) isEvent()   {}
func (ClaimDelivered) isEvent()  {}
func (ClaimLapsed) isEvent()     {}
func (ClaimSettled) isEvent()    {}
func (ClaimAssigned) isEvent()   {}
func (TreasuryPaid) isEvent()    {}
func (TreasurySpent) isEvent()   {}
func (Attested) isEvent()        {}
func (ReceiptOpened) isEvent()   {}
func (Released) isEvent()        {}
func (ReceiptClosed) isEvent()   {}
func (StandingChanged) isEvent() {}
func (Expired) isEvent()         {}
func (Audited) isEvent()         {}
func (Slashed) isEvent()         {}
func (BondMade) isEvent()        {}
func (BondSpent) isEvent()       {}
func (BondReturned) isEvent()    {}

func outpoint(tx *state.Tx, index int) wire.OutPoint {
	return wire.OutPoint{Hash: tx.Txid, Index: uint32(index)}
}
