package goods

import (
	"encoding/binary"

	"granary/base/check"
	"granary/state"
)

// Lift ends a suspension: the custodian owes nothing and has no overdue claim,
// and a quorum of auditors stands behind it.
type Lift struct {
	Auditor   uint16 // who acts
	Expiry    int32  // the last height at which this is valid
	Custodian uint16
	// SuspendedAt is the height of the suspension that it ends: another that
	// came since needs another word.
	SuspendedAt int32
}

// Type implements Record.
func (Lift) Type() RecordType { return TypeLift }

// Body implements Record: auditor u16, expiry u32, custodian u16,
// suspended at u32.
func (r Lift) Body() []byte {
	b := binary.LittleEndian.AppendUint16(nil, r.Auditor)
	b = binary.LittleEndian.AppendUint32(b, uint32(r.Expiry))
	b = binary.LittleEndian.AppendUint16(b, r.Custodian)
	return binary.LittleEndian.AppendUint32(b, uint32(r.SuspendedAt))
}

func parseLift(body []byte) (Record, error) {
	b := state.NewByteReader(body)
	r := Lift{Auditor: b.U16(), Expiry: b.Height(), Custodian: b.U16(), SuspendedAt: b.Height()}
	if !b.Done() {
		return nil, check.Rule(CodeRecordMalformed, "lift has %d bytes, which are not an auditor, an expiry, a custodian and a height", len(body))
	}
	return r, nil
}

func (r Lift) proposal(g *Block) proposal {
	return proposal{hash: ProposalHash(g.charter.ID(), r), expiry: r.Expiry}
}

func (r Lift) check(a *action) error {
	if err := a.checkAttested(state.RoleAuditor, r.Auditor, r.proposal(a.g)); err != nil {
		return err
	}
	standing, err := a.g.knownCustodian(r.Custodian)
	if err != nil {
		return err
	}
	switch {
	case standing.Defaulted:
		return check.Rule(CodeLiftStanding, "custodian %d is in default, for good", r.Custodian)
	case !standing.Suspended:
		return check.Rule(CodeLiftStanding, "custodian %d is not suspended", r.Custodian)
	case standing.SuspendedAt != r.SuspendedAt:
		return check.Rule(CodeLiftStanding, "custodian %d was suspended at height %d, the lift is of %d", r.Custodian, standing.SuspendedAt, r.SuspendedAt)
	}
	return a.g.checkNothingOwed(r.Custodian, standing)
}

func (r Lift) apply(a *action) error {
	if err := a.g.changeStanding(r.Custodian, func(s *state.Standing) { s.Lift() }); err != nil {
		return err
	}
	if err := a.g.useProposal(r.proposal(a.g)); err != nil {
		return err
	}
	return a.moveSeat()
}

var _ Record = Lift{}
