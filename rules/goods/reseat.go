package goods

import (
	"bytes"
	"encoding/binary"

	"granary/base/check"
	"granary/state"
)

// ReseatStep is what a reseat does.
type ReseatStep uint8

// The steps of a reseat. Their numbers stand in bodies.
const (
	ReseatAnnounce        ReseatStep = 0 // by the council: of a custodian or an auditor
	ReseatWithdraw        ReseatStep = 1 // by the council
	ReseatAnnounceCouncil ReseatStep = 2 // by all auditors: of the council
	ReseatWithdrawCouncil ReseatStep = 3 // by all auditors
)

// Reseat gives a seat to who holds output 1 of the announcement, from the
// amendment delay on (twice that for the council's), or takes that back.
type Reseat struct {
	Step ReseatStep

	Role  state.Role // ReseatAnnounce: custodian or auditor
	Index uint16     // ReseatAnnounce

	Auditor uint16 // the council's: the auditor that acts
	Expiry  int32  // the council's: the last height at which this is valid

	Script []byte         // of an announcement: what the seat will be under
	ID     state.ObjectID // otherwise: of the change to withdraw
}

// Type implements Record.
func (Reseat) Type() RecordType { return TypeReseat }

// Announces tells an announcement from a withdrawal.
func (r Reseat) Announces() bool {
	return r.Step == ReseatAnnounce || r.Step == ReseatAnnounceCouncil
}

// OfCouncil reports that the council's own seat is meant.
func (r Reseat) OfCouncil() bool { return r.Step >= ReseatAnnounceCouncil }

// Slot is the place of the change.
func (r Reseat) Slot() state.Slot {
	if r.OfCouncil() {
		return state.SlotReseatCouncil
	}
	return state.SlotReseat
}

// Seat names the seat that an announcement is about.
func (r Reseat) Seat() (role state.Role, index uint16) {
	if r.OfCouncil() {
		return state.RoleCouncil, 0
	}
	return r.Role, r.Index
}

// Body implements Record; docs/goods-rules.md lists it.
func (r Reseat) Body() []byte {
	b := []byte{byte(r.Step)}
	switch {
	case r.OfCouncil():
		b = binary.LittleEndian.AppendUint16(b, r.Auditor)
		b = binary.LittleEndian.AppendUint32(b, uint32(r.Expiry))
	case r.Announces():
		b = binary.LittleEndian.AppendUint16(append(b, byte(r.Role)), r.Index)
	}
	if r.Announces() {
		return append(append(b, byte(len(r.Script))), r.Script...)
	}
	return append(b, r.ID[:]...)
}

func parseReseat(body []byte) (Record, error) {
	b := state.NewByteReader(body)
	r := Reseat{Step: ReseatStep(b.U8())}
	seat := true
	switch {
	case r.OfCouncil():
		r.Auditor, r.Expiry = b.U16(), b.Height()
	case r.Announces():
		r.Role, r.Index = state.Role(b.U8()), b.U16()
		seat = r.Role == state.RoleCustodian || r.Role == state.RoleAuditor
	}
	if r.Announces() {
		r.Script = bytes.Clone(b.Short())
	} else {
		copy(r.ID[:], b.Bytes(len(r.ID)))
	}
	if !b.Done() || !seat || r.Step > ReseatWithdrawCouncil {
		return nil, check.Rule(CodeRecordMalformed, "reseat has %d bytes, which are not a step, a seat that it may be about, and a script or an id", len(body))
	}
	return r, nil
}

func (r Reseat) check(a *action) error {
	seat, err := a.actingSeat()
	if err != nil {
		return err
	}
	if r.OfCouncil() {
		if err := a.checkActor(seat, state.RoleAuditor, r.Auditor); err != nil {
			return err
		}
		if err := a.checkProposal(r.proposal(a.g)); err != nil {
			return err
		}
	} else if err := a.checkActor(seat, state.RoleCouncil, 0); err != nil {
		return err
	}
	if !r.Announces() {
		_, err := a.g.change(r.Slot(), r.ID)
		return err
	}
	return r.checkAnnounce(a)
}

// proposal is what every auditor must stand behind.
func (r Reseat) proposal(g *Block) proposal {
	return proposal{hash: ProposalHash(g.charter.ID(), r), expiry: r.Expiry, all: true}
}

func (r Reseat) checkAnnounce(a *action) error {
	if err := a.g.checkNoChange(r.Slot(), state.SlotReseatCouncil); err != nil {
		return err
	}
	role, index := r.Seat()
	seat, err := readSeat(a.g.over, role, index)
	if err != nil {
		return err
	}
	if seat == nil {
		return check.Rule(CodeReseatSeat, "there is no %s %d", role, index)
	}
	if err := a.checkWaitingOutput(1); err != nil {
		return err
	}
	if !bytes.Equal(a.tx.Msg.TxOut[1].PkScript, r.Script) {
		return check.Rule(CodeChangeOutput, "output 1 has not the script that the record names")
	}
	return nil
}

func (r Reseat) apply(a *action) error {
	g := a.g
	if r.OfCouncil() {
		if err := g.useProposal(r.proposal(g)); err != nil {
			return err
		}
	}
	var err error
	switch {
	case !r.Announces():
		err = g.withdrawChange(r.Slot())
	case r.OfCouncil():
		err = r.applyOfCouncil(a)
	default:
		err = a.announce(state.SlotReseat, 1, g.params.AmendmentDelayBlocks)
	}
	if err != nil {
		return err
	}
	return a.moveSeat()
}

// applyOfCouncil takes back what the council announced too: nothing that its
// present holder wants comes into force once all auditors replace it.
func (r Reseat) applyOfCouncil(a *action) error {
	for _, slot := range []state.Slot{state.SlotAmend, state.SlotReseat} {
		if err := a.g.withdrawChange(slot); err != nil {
			return err
		}
	}
	return a.announce(state.SlotReseatCouncil, 1, 2*a.g.params.AmendmentDelayBlocks)
}

// makeEffective moves the seat to the output that waited for it.
func (r Reseat) makeEffective(g *Block, p *state.Pending) error {
	role, index := r.Seat()
	before, err := g.seat(role, index)
	if err != nil {
		return err
	}
	if err := g.set(state.KeyOutpoint(before.Out), nil); err != nil {
		return err
	}
	after := *before
	after.Out, after.Script = p.Out(0), bytes.Clone(p.Scripts[0])
	after.Height, after.Since = p.Announced, g.height
	if err := g.putSeat(&after); err != nil {
		return err
	}
	g.events = append(g.events, SeatReplaced{Seat: after, Before: *before})
	return nil
}

var _ Record = Reseat{}
