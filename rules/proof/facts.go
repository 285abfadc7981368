package proof

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

// Facts are what a proof says, every one of them proved by its block. They
// hold after the block's parent: Block.StateHeight.
type Facts struct {
	CharterID params.CharterID
	Charter   *params.Charter // nil where Verify was not given it
	Block     *Block

	Parameters params.Parameters
	Totals     state.Totals  // circulating is L of the goods rules
	Reserve    state.Reserve // R and D
	Amendment  *state.Pending
	Receipt    *ReceiptFacts // nil where the proof is about none
	Claims     []*state.Claim
}

// ReceiptFacts are what a proof says of one receipt.
type ReceiptFacts struct {
	*state.Receipt
	Good      *goods.Good     // in force, and as a pending amendment will make it
	Custodian state.Seat      // name, outpoint and script of the custodian's seat
	Standing  *state.Standing // of the custodian
	Holding   state.Holding   // of the custodian in this good
}

// Counts reports whether the receipt's free measures are part of R at height.
func (r *ReceiptFacts) Counts(height int32) bool { return r.Fresh(height) && r.Standing.Counts() }

// Verify proves everything: anchor, entries, and that the entries are exactly
// those that the facts need. charter is the verifier's own; with nil, three
// things are not checked: that the target of the header is within the limit of
// the charter's network, the solution of a signet (which is the caller's), and
// that the registry of the receipt is one of the charter's.
func (p *Proof) Verify(charter *params.Charter) (*Facts, error) {
	if charter != nil {
		if err := p.CheckCharter(charter); err != nil {
			return nil, err
		}
	}
	block, values, err := p.Check()
	if err != nil {
		return nil, err
	}
	subject, err := p.subject()
	if err != nil {
		return nil, err
	}
	view := &provedView{values: values, used: map[string]bool{}}
	facts, err := readFacts(charter, view, subject)
	if err != nil {
		return nil, err
	}
	if len(view.used) != len(values) {
		return nil, errors.New("the proof holds more than belongs to its receipt")
	}
	facts.CharterID, facts.Block = p.CharterID, block
	return facts, nil
}

// Subject says what a proof is about.
type Subject struct {
	Receipt *uint64  // nil: the reserve alone
	Claims  []uint64 // of the receipt, ascending
}

// subject finds out what a proof is about.
func (p *Proof) subject() (s Subject, err error) {
	for i := range p.Entries {
		key := p.Entries[i].Key
		switch {
		case key[0] == kindReceipt && s.Receipt != nil:
			return s, errors.New("the proof is about two receipts")
		case key[0] == kindReceipt:
			number := binary.BigEndian.Uint64(key[1:])
			s.Receipt = &number
		case key[0] == kindClaim:
			s.Claims = append(s.Claims, binary.BigEndian.Uint64(key[1:]))
		}
	}
	return s, nil
}

// ErrUnknown is what errors wrap where a receipt or claim is not in the state.
var ErrUnknown = errors.New("not in the goods state")

// Keys lists the keys that a proof about subject needs, given the state it is
// made from. It fails, wrapping ErrUnknown, where there is no such receipt or
// claim.
func Keys(charter *params.Charter, view state.GoodsView, subject Subject) ([][]byte, error) {
	slices.Sort(subject.Claims)
	subject.Claims = slices.Compact(subject.Claims)
	recorder := &recordingView{view: view}
	if _, err := readFacts(charter, recorder, subject); err != nil {
		return nil, err
	}
	return recorder.keys, nil
}

// readFacts reads them from a state: the one road both for making a proof and
// for checking it, so that the two agree on what belongs to it.
func readFacts(charter *params.Charter, view state.GoodsView, subject Subject) (*Facts, error) {
	f := &Facts{Charter: charter}
	var err error
	if f.Totals, err = goods.ReadTotals(view); err != nil {
		return nil, err
	}
	if f.Parameters, err = goods.ReadParameters(view); err != nil {
		return nil, err
	}
	if f.Reserve, err = goods.ReadReserve(view); err != nil {
		return nil, err
	}
	if f.Amendment, err = goods.ReadPending(view, state.SlotAmend); err != nil {
		return nil, err
	}
	if subject.Receipt == nil {
		if len(subject.Claims) > 0 {
			return nil, errors.New("a claim is proved with its receipt")
		}
		return f, nil
	}
	if f.Receipt, err = readReceipt(charter, view, *subject.Receipt); err != nil {
		return nil, err
	}
	for _, number := range subject.Claims {
		claim, err := goods.ReadClaim(view, number)
		switch {
		case err != nil:
			return nil, err
		case claim == nil:
			return nil, fmt.Errorf("claim %d is %w", number, ErrUnknown)
		case claim.Receipt != *subject.Receipt:
			return nil, fmt.Errorf("claim %d is one of receipt %d, not %d", number, claim.Receipt, *subject.Receipt)
		}
		f.Claims = append(f.Claims, claim)
	}
	return f, nil
}

// readReceipt reads a receipt and what it depends on; charter may be nil.
func readReceipt(charter *params.Charter, view state.GoodsView, number uint64) (*ReceiptFacts, error) {
	receipt, err := goods.ReadReceipt(view, number)
	if err != nil {
		return nil, err
	}
	if receipt == nil {
		return nil, fmt.Errorf("receipt %d is %w: it never was, or it is closed", number, ErrUnknown)
	}
	if charter != nil && int(receipt.Registry) >= len(charter.Registries) {
		return nil, fmt.Errorf("receipt %d names registry %d, which the charter does not have", number, receipt.Registry)
	}
	r := &ReceiptFacts{Receipt: receipt}
	if r.Good, err = goods.ReadGood(view, receipt.Good); err != nil {
		return nil, err
	}
	if r.Standing, err = goods.ReadStanding(view, receipt.Custodian); err != nil {
		return nil, err
	}
	if r.Holding, err = goods.ReadHolding(view, receipt.Custodian, receipt.Good); err != nil {
		return nil, err
	}
	key := state.KeySeat(state.RoleCustodian, receipt.Custodian)
	value, err := view.Goods(key)
	if err != nil {
		return nil, err
	}
	if r.Good == nil || r.Standing == nil || value == nil {
		return nil, fmt.Errorf("the state holds receipt %d without its good or custodian", number)
	}
	seat, err := state.DecodeSeat(key, value)
	if err != nil {
		return nil, err
	}
	r.Custodian = *seat
	return r, nil
}

// provedView is a state of which only some keys are known.
type provedView struct {
	values map[string][]byte
	used   map[string]bool
}

// Goods implements state.GoodsView.
func (v *provedView) Goods(key []byte) ([]byte, error) {
	value, ok := v.values[string(key)]
	if !ok {
		return nil, fmt.Errorf("the proof says nothing of key %x, which belongs to it", key)
	}
	v.used[string(key)] = true
	return value, nil
}

// GoodsRange implements state.GoodsView; a proof of single keys has no ranges.
func (v *provedView) GoodsRange(_, _ []byte, _ func(_, _ []byte) bool) error { return errNoRange }

var errNoRange = errors.New("a proof of single keys has no ranges")

// recordingView notes which keys are read.
type recordingView struct {
	view state.GoodsView
	keys [][]byte
}

// Goods implements state.GoodsView.
func (v *recordingView) Goods(key []byte) ([]byte, error) {
	v.keys = append(v.keys, slices.Clone(key))
	return v.view.Goods(key)
}

// GoodsRange implements state.GoodsView; a proof of single keys has no ranges.
func (v *recordingView) GoodsRange(_, _ []byte, _ func(_, _ []byte) bool) error { return errNoRange }

// CreditUnits is what the receipt may still release.
func (r *ReceiptFacts) CreditUnits() int64 {
	return goods.CreditUnits(r.Receipt, r.Good, r.Undrawn)
}

// CoverageBP is the reserve R in basis points of what circulates, rounded down
// and held at 2^63-1; ok is false where nothing circulates.
func CoverageBP(totals *state.Totals, reserve *state.Reserve) (bp int64, ok bool) {
	if totals.CirculatingUnits <= 0 {
		return 0, false
	}
	l := uint64(totals.CirculatingUnits)
	hi, lo := bits.Mul64(uint64(reserve.Counted.Units()), 10_000)
	if hi >= l {
		return math.MaxInt64, true
	}
	quotient, _ := bits.Div64(hi, lo, l)
	return int64(min(quotient, math.MaxInt64)), true
}
