package goods

import (
	"bytes"
	"encoding/binary"

	"granary/base/check"
	"granary/state"
)

// UnbondStep is what an unbond does.
type UnbondStep uint8

// The steps of an unbond. Their numbers stand in bodies.
const (
	UnbondAnnounce UnbondStep = 0
	UnbondWithdraw UnbondStep = 1
	UnbondCancel   UnbondStep = 2
)

// Unbond takes bonds back in two steps: what is announced counts for nothing
// but debts any more, and is paid to the return script after the delivery and
// the grace window, so that claims that are open now come due before.
type Unbond struct {
	Step      UnbondStep
	Custodian uint16 // who acts
	Units     int64  // of an announcement, 1 at least; otherwise 0
}

// Type implements Record.
func (Unbond) Type() RecordType { return TypeUnbond }

// Body implements Record: step u8, custodian u16, and units u64 of an
// announcement.
func (r Unbond) Body() []byte {
	b := binary.LittleEndian.AppendUint16([]byte{byte(r.Step)}, r.Custodian)
	if r.Step == UnbondAnnounce {
		b = binary.LittleEndian.AppendUint64(b, uint64(r.Units))
	}
	return b
}

func parseUnbond(body []byte) (Record, error) {
	b := state.NewByteReader(body)
	r := Unbond{Step: UnbondStep(b.U8()), Custodian: b.U16()}
	if r.Step == UnbondAnnounce {
		r.Units = b.Int64()
	}
	if !b.Done() || r.Step > UnbondCancel || (r.Units > 0) != (r.Step == UnbondAnnounce) {
		return nil, check.Rule(CodeRecordMalformed, "unbond has %d bytes, which are not a step, a custodian and, to announce, units above zero", len(body))
	}
	return r, nil
}

func (r Unbond) check(a *action) error {
	standing, err := a.actingCustodian(r.Custodian)
	if err != nil {
		return err
	}
	if r.Step != UnbondCancel {
		if err := checkCounts(r.Custodian, standing); err != nil {
			return err
		}
	}
	announced := standing.AnnouncedUnits > 0
	switch {
	case r.Step == UnbondAnnounce && announced:
		return check.Rule(CodeUnbondAnnounced, "custodian %d has announced to take back %d units already: withdraw or cancel that first", r.Custodian, standing.AnnouncedUnits)
	case r.Step != UnbondAnnounce && !announced:
		return check.Rule(CodeUnbondAnnounced, "custodian %d has announced no unbond", r.Custodian)
	case r.Step == UnbondCancel:
		return nil
	}
	if err := a.g.checkNothingOwed(r.Custodian, standing); err != nil {
		return err
	}
	if r.Step == UnbondAnnounce {
		return r.checkAnnounce(a, standing)
	}
	return r.checkWithdraw(a, standing)
}

// checkNothingOwed: the custodian has neither debt nor an overdue claim.
func (g *Block) checkNothingOwed(custodian uint16, standing *state.Standing) error {
	if standing.DebtUnits > 0 {
		return check.Rule(CodeCustodianDebt, "custodian %d owes %d units", custodian, standing.DebtUnits)
	}
	overdue, err := g.overdue(custodian)
	if err == nil && overdue {
		err = check.Rule(CodeCustodianOverdue, "custodian %d has a claim that it did not tender before its deadline", custodian)
	}
	return err
}

func (r Unbond) checkAnnounce(a *action, standing *state.Standing) error {
	if r.Units > standing.BondUnits() {
		return check.Rule(CodeUnbondUnits, "custodian %d would take back %d units, its bonds hold %d", r.Custodian, r.Units, standing.BondUnits())
	}
	after := *standing
	after.AnnouncedUnits = r.Units
	return r.checkSuffice(a, &after)
}

// checkSuffice: what stays of the bonds covers what the custodian holds.
func (r Unbond) checkSuffice(a *action, s *state.Standing) error {
	g := a.g
	if g.bondsSuffice(s) {
		return nil
	}
	return check.Rule(CodeBond, "custodian %d holds goods worth %d units: above %d its bonds must cover %d basis points of them, and %d units would stay", r.Custodian, s.Whole.Units(), g.params.UnbondedAllowanceUnits, g.params.BondRatioBP, s.BondUnits()-s.AnnouncedUnits)
}

func (r Unbond) checkWithdraw(a *action, standing *state.Standing) error {
	if a.g.height < standing.ReadyAt {
		return check.Rule(CodeUnbondEarly, "the unbond of custodian %d is ready at height %d, this is %d", r.Custodian, standing.ReadyAt, a.g.height)
	}
	if err := r.checkSuffice(a, standing); err != nil {
		return err
	}
	units, count := standing.AnnouncedUnits, a.bondsFrom(1, r.Custodian)
	if held := sumOfBonds(standing.Bonds[:min(count, len(standing.Bonds))]); held < units {
		return check.Rule(CodeBondInput, "the inputs from 1 on are %d bonds of custodian %d that hold %d units, %d are announced", count, r.Custodian, held, units)
	}
	if err := a.takeBonds(1, count, standing, units); err != nil {
		return err
	}
	change := sumOfBonds(standing.Bonds[:count]) - units
	if out := a.output(1); out == nil || out.Value != units || !bytes.Equal(out.PkScript, standing.ReturnScript) {
		return check.Rule(CodeUnbondOutput, "output 1 of the unbond must pay %d units to the return script %x", units, standing.ReturnScript)
	}
	if change > 0 {
		if !a.paysTreasury(2, change) {
			return check.Rule(CodeUnbondOutput, "output 2 of the unbond must pay %d units to the treasury, what is left of the bonds", change)
		}
		a.name(2, state.MeansBond)
	}
	return nil
}

func (r Unbond) apply(a *action) error {
	var err error
	switch r.Step {
	case UnbondAnnounce:
		err = a.g.changeStanding(r.Custodian, func(s *state.Standing) {
			s.AnnouncedUnits = r.Units
			s.ReadyAt = later(a.g.height, a.g.params.DeliveryWindowBlocks+a.g.params.GraceWindowBlocks)
		})
	case UnbondCancel:
		err = a.g.changeStanding(r.Custodian, func(s *state.Standing) { s.AnnouncedUnits, s.ReadyAt = 0, 0 })
	case UnbondWithdraw:
		err = r.withdraw(a)
	}
	if err != nil {
		return err
	}
	return a.moveSeat()
}

func (r Unbond) withdraw(a *action) error {
	standing, err := a.g.standing(r.Custodian)
	if err != nil {
		return err
	}
	units, count := standing.AnnouncedUnits, a.bondsFrom(1, r.Custodian)
	spent := standing.Bonds[:count]
	change := sumOfBonds(spent) - units
	if err := a.spendBonds(r.Custodian, spent, 2, change); err != nil {
		return err
	}
	a.g.events = append(a.g.events, BondReturned{Custodian: r.Custodian, Out: outpoint(a.tx, 1), Units: units})
	return a.g.changeStanding(r.Custodian, func(s *state.Standing) {
		s.AnnouncedUnits, s.ReadyAt = 0, 0
		dropBonds(s, count, outpoint(a.tx, 2), change)
	})
}

var _ Record = Unbond{}
