package goods

import (
	"encoding/binary"

	"granary/base/check"
	"granary/state"
)

// Suspend lets the receipts of a custodian count no more, and keeps it from
// receiving and unbonding, until it is lifted. Its claims go on.
type Suspend struct {
	Role      state.Role // who acts: an auditor or the council
	Index     uint16
	Expiry    int32 // the last height at which this is valid
	Custodian uint16
}

// Type implements Record.
func (Suspend) Type() RecordType { return TypeSuspend }

// Body implements Record: role u8, index u16, expiry u32, custodian u16.
func (r Suspend) Body() []byte {
	b := binary.LittleEndian.AppendUint16([]byte{byte(r.Role)}, r.Index)
	b = binary.LittleEndian.AppendUint32(b, uint32(r.Expiry))
	return binary.LittleEndian.AppendUint16(b, r.Custodian)
}

func parseSuspend(body []byte) (Record, error) {
	b := state.NewByteReader(body)
	r := Suspend{Role: state.Role(b.U8()), Index: b.U16(), Expiry: b.Height(), Custodian: b.U16()}
	if !b.Done() || r.Role != state.RoleAuditor && r.Role != state.RoleCouncil {
		return nil, check.Rule(CodeRecordMalformed, "suspend has %d bytes, which are not a seat of an auditor or the council, an expiry and a custodian", len(body))
	}
	return r, nil
}

func (r Suspend) proposal(g *Block) proposal {
	return proposal{hash: ProposalHash(g.charter.ID(), r), expiry: r.Expiry}
}

func (r Suspend) check(a *action) error {
	if err := a.checkAttested(r.Role, r.Index, r.proposal(a.g)); err != nil {
		return err
	}
	standing, err := a.g.knownCustodian(r.Custodian)
	if err != nil {
		return err
	}
	return checkCounts(r.Custodian, standing)
}

func (r Suspend) apply(a *action) error {
	if err := a.g.changeStanding(r.Custodian, func(s *state.Standing) { s.Suspend(a.g.height) }); err != nil {
		return err
	}
	if err := a.g.useProposal(r.proposal(a.g)); err != nil {
		return err
	}
	return a.moveSeat()
}

var _ Record = Suspend{}
