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
}

// Type implements Record.
func (Lift) Type() RecordType { return TypeLift }

// Body implements Record: auditor u16, expiry u32, custodian u16.
func (r Lift) Body() []byte {
	b := binary.LittleEndian.AppendUint16(nil, r.Auditor)
	b = binary.LittleEndian.AppendUint32(b, uint32(r.Expiry))
	return binary.LittleEndian.AppendUint16(b, r.Custodian)
}

func parseLift(body []byte) (Record, error) {
	b := state.NewByteReader(body)
	r := Lift{Auditor: b.U16(), Expiry: b.Height(), Custodian: b.U16()}
	if !b.Done() {
		return nil, check.Rule(CodeRecordMalformed, "lift has %d bytes, which are not an auditor, an expiry and a custodian", len(body))
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
	}
	return a.g.checkNothingOwed(r.Custodian, standing)
}

func (r Lift) apply(a *action) error {
	if err := a.g.changeStanding(r.Custodian, func(s *state.Standing) { s.Suspended = false }); err != nil {
		return err
	}
	if err := a.g.useProposal(r.proposal(a.g)); err != nil {
		return err
	}
	return a.moveSeat()
}

var _ Record = Lift{}
