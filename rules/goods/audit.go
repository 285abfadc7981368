package goods

import (
	"encoding/binary"

	"granary/base/check"
	"granary/params"
	"granary/state"
)

// Audit is a recount: a quorum of auditors saw the goods of receipts anew, so
// that they count for another age, or saw less of them than there should be.
type Audit struct {
	Auditor  uint16 // who acts
	Expiry   int32  // the last height at which this is valid
	Observed Observed
	Audited  []AuditedReceipt // 1 to 248, ascending by receipt
}

// AuditedReceipt is what auditors say of one receipt.
type AuditedReceipt struct {
	Receipt uint64
	ID      state.ObjectID
	// Lost is what the receipt had lost when its goods were seen: a loss that
	// was written off since, here or by a settlement, is not counted twice.
	Lost int64
	Loss int64 // measures that are missing of all others, mostly 0
}

// Type implements Record.
func (Audit) Type() RecordType { return TypeAudit }

// Body implements Record; docs/goods-rules.md lists it.
func (r Audit) Body() []byte {
	b := binary.LittleEndian.AppendUint16(nil, r.Auditor)
	b = binary.LittleEndian.AppendUint32(b, uint32(r.Expiry))
	b = binary.LittleEndian.AppendUint32(b, uint32(r.Observed.Height))
	b = append(b, r.Observed.Hash[:]...)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(r.Audited)))
	for i := range r.Audited {
		b = binary.LittleEndian.AppendUint64(b, r.Audited[i].Receipt)
		b = append(b, r.Audited[i].ID[:]...)
		b = binary.LittleEndian.AppendUint64(b, uint64(r.Audited[i].Lost))
		b = binary.LittleEndian.AppendUint64(b, uint64(r.Audited[i].Loss))
	}
	return b
}

func parseAudit(body []byte) (Record, error) {
	b := state.NewByteReader(body)
	r := Audit{Auditor: b.U16(), Expiry: b.Height(), Observed: Observed{b.Height(), b.Hash()}}
	n := int(b.U16())
	if n < 1 || n > params.MaxAudited {
		return nil, check.Rule(CodeRecordMalformed, "audit names %d receipts, 1 to %d are allowed", n, params.MaxAudited)
	}
	r.Audited = make([]AuditedReceipt, n)
	for i := range r.Audited {
		seen := &r.Audited[i]
		seen.Receipt = b.U64()
		copy(seen.ID[:], b.Bytes(len(seen.ID)))
		seen.Lost, seen.Loss = b.Int64(), b.Int64()
		if i > 0 && r.Audited[i-1].Receipt >= seen.Receipt {
			return nil, check.Rule(CodeRecordMalformed, "receipt %d of the audit is not above the one before it: sort them, each once", i)
		}
	}
	if !b.Done() {
		return nil, check.Rule(CodeRecordMalformed, "audit has %d bytes, which are too few, too many, or hold a number beyond its bounds", len(body))
	}
	return r, nil
}

func (r Audit) proposal(g *Block) proposal {
	return proposal{hash: ProposalHash(g.charter.ID(), r), expiry: r.Expiry}
}

func (r Audit) check(a *action) error {
	if err := a.checkAttested(state.RoleAuditor, r.Auditor, r.proposal(a.g)); err != nil {
		return err
	}
	if err := a.g.checkObserved(r.Observed); err != nil {
		return err
	}
	found := 0
	for i := range r.Audited {
		receipt, err := r.checkReceipt(a.g, &r.Audited[i])
		if err != nil {
			return err
		}
		if receipt != nil {
			found++
		}
	}
	if found == 0 {
		return check.Rule(CodeReceiptUnknown, "none of the %d receipts of the audit is there, seen before it, and with as much lost as it says", len(r.Audited))
	}
	return nil
}

// checkAttested: the seat that the record names acts, and enough auditors
// stand behind the record.
func (a *action) checkAttested(role state.Role, index uint16, p proposal) error {
	seat, err := a.actingSeat()
	if err != nil {
		return err
	}
	if err := a.checkActor(seat, role, index); err != nil {
		return err
	}
	return a.checkProposal(p)
}

// checkReceipt: seen not too long ago to count. It gives the receipt, nil where
// the audit passes over it.
func (r Audit) checkReceipt(g *Block, seen *AuditedReceipt) (*state.Receipt, error) {
	receipt, err := r.find(g, seen)
	if err != nil || receipt == nil {
		return nil, err
	}
	good, err := g.good(receipt.Good)
	if err != nil {
		return nil, err
	}
	if until := later(r.Observed.Height, good.MaxAgeBlocks); until < g.height {
		return nil, check.Rule(CodeStale, "receipt %d would count to height %d only, which is over", seen.Receipt, until)
	}
	return receipt, nil
}

// find gives the receipt that was seen, nil where it was closed, was seen as
// late by another audit, or lost something in between: one holder who takes his
// goods, or one audit more, must not void the word for all the others.
func (r Audit) find(g *Block, seen *AuditedReceipt) (*state.Receipt, error) {
	receipt, err := g.findReceipt(seen.Receipt, seen.ID)
	if err != nil || receipt == nil || receipt.Observed >= r.Observed.Height || receipt.Lost != seen.Lost {
		return nil, err
	}
	return receipt, nil
}

func (r Audit) apply(a *action) error {
	for i := range r.Audited {
		if err := r.recount(a.g, &r.Audited[i]); err != nil {
			return err
		}
	}
	if err := a.g.useProposal(r.proposal(a.g)); err != nil {
		return err
	}
	return a.moveSeat()
}

// recount lets a receipt be as it was seen: what is missing is taken from
// undrawn, then from free, and becomes the custodian's debt. What is owed
// stays, for its claims; a custodian that cannot have it is suspended.
func (r Audit) recount(g *Block, seen *AuditedReceipt) error {
	before, err := r.find(g, seen)
	if err != nil || before == nil {
		return err
	}
	good, err := g.good(before.Good)
	if err != nil {
		return err
	}
	after := *before
	after.Observed = r.Observed.Height
	after.ValidUntil = later(r.Observed.Height, good.MaxAgeBlocks)
	fromUndrawn := min(seen.Loss, before.Undrawn)
	fromFree := min(seen.Loss-fromUndrawn, before.Free)
	removed := fromUndrawn + fromFree
	after.Undrawn -= fromUndrawn
	after.Free -= fromFree
	after.Lost += removed
	debt := good.HighUpUnits(removed)
	g.events = append(g.events, Audited{
		Receipt: after, Auditor: r.Auditor, Loss: seen.Loss, RemovedUndrawn: fromUndrawn, RemovedFree: fromFree, DebtUnits: debt,
	})
	if err := g.changeReceipt(before, &after); err != nil || seen.Loss == 0 {
		return err
	}
	return g.changeStanding(before.Custodian, func(s *state.Standing) {
		addDebt(s, debt)
		if seen.Loss > removed {
			s.Suspend(g.height)
		}
	})
}

var _ Record = Audit{}
