package goods

import (
	"bytes"
	"encoding/binary"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/params"
	"granary/state"
)

// Bond makes output 1 of the transaction a bond of the custodian: coins that
// only a slash or an announced unbond moves. They go on circulating.
type Bond struct {
	Custodian uint16 // who acts
	// ReturnScript is where unbonds pay. All bonds of a custodian have the
	// same, so that a stolen seat cannot send them elsewhere.
	ReturnScript []byte
}

// Type implements Record.
func (Bond) Type() RecordType { return TypeBond }

// Body implements Record: custodian u16, return script with a u8 length.
func (r Bond) Body() []byte {
	b := binary.LittleEndian.AppendUint16(nil, r.Custodian)
	return append(append(b, byte(len(r.ReturnScript))), r.ReturnScript...)
}

func parseBond(body []byte) (Record, error) {
	b := state.NewByteReader(body)
	r := Bond{Custodian: b.U16(), ReturnScript: bytes.Clone(b.Short())}
	if !b.Done() {
		return nil, check.Rule(CodeRecordMalformed, "bond has %d bytes, which are not a custodian and a script", len(body))
	}
	return r, nil
}

func (r Bond) check(a *action) error {
	standing, err := a.actingCustodian(r.Custodian)
	if err != nil {
		return err
	}
	if len(standing.Bonds) >= params.MaxBonds {
		return check.Rule(CodeBondMany, "custodian %d has %d bonds, no more are allowed: unbond first", r.Custodian, len(standing.Bonds))
	}
	if out := a.output(1); out == nil || out.Value < 1 || !a.g.isTreasury(out.PkScript) {
		return check.Rule(CodeBondOutput, "output 1 of a bond must pay at least 1 unit to the treasury's script")
	}
	if problem := a.g.scriptProblem(r.ReturnScript); problem != "" {
		return check.Rule(CodeBondScript, "the bond would return to a script that %s", problem)
	}
	if len(standing.Bonds) > 0 && !bytes.Equal(r.ReturnScript, standing.ReturnScript) {
		return check.Rule(CodeBondScript, "the bond would return to %x, the bonds of custodian %d return to %x", r.ReturnScript, r.Custodian, standing.ReturnScript)
	}
	a.name(1, state.MeansBond)
	return nil
}

// actingCustodian gives the standing of the custodian that a record names and
// whose seat acts.
func (a *action) actingCustodian(custodian uint16) (*state.Standing, error) {
	seat, err := a.actingSeat()
	if err != nil {
		return nil, err
	}
	if err := a.checkActor(seat, state.RoleCustodian, custodian); err != nil {
		return nil, err
	}
	return a.g.standing(custodian)
}

func (r Bond) apply(a *action) error {
	bond := state.Bond{Out: outpoint(a.tx, 1), Units: a.tx.Msg.TxOut[1].Value}
	if err := a.makeBond(r.Custodian, bond); err != nil {
		return err
	}
	err := a.g.changeStanding(r.Custodian, func(s *state.Standing) {
		s.Bonds = append(s.Bonds, bond)
		s.ReturnScript = r.ReturnScript
	})
	if err != nil {
		return err
	}
	return a.moveSeat()
}

// bondsFrom counts the inputs from first on, without a gap, that are bonds of
// a custodian.
func (a *action) bondsFrom(first int, custodian uint16) int {
	count := 0
	for i := first; i < len(a.spent); i++ {
		if m := meaningOf(a.inputs, i); m.Kind != state.MeansBond || m.Index != custodian {
			break
		}
		count++
	}
	return count
}

// takeBonds takes the count inputs from first on: the custodian's oldest bonds
// in their order, no more of them than neededUnits asks for.
func (a *action) takeBonds(first, count int, standing *state.Standing, neededUnits int64) error {
	if count > len(standing.Bonds) || count > 0 && sumOfBonds(standing.Bonds[:count-1]) >= neededUnits {
		return check.Rule(CodeBondInput, "%d bonds are spent, fewer hold the %d units that are needed", count, neededUnits)
	}
	for i := range count {
		if op := a.tx.Msg.TxIn[first+i].PreviousOutPoint; op != standing.Bonds[i].Out {
			return check.Rule(CodeBondInput, "input %d is the bond %v, it must be the oldest that is left, %v", first+i, op, standing.Bonds[i].Out)
		}
	}
	for i := range count {
		if err := a.takeTreasury(first + i); err != nil {
			return err
		}
	}
	return nil
}

func sumOfBonds(bonds []state.Bond) int64 {
	return (&state.Standing{Bonds: bonds}).BondUnits()
}

// spendBonds takes the meaning from bonds that a transaction spends, and gives
// it to its output change if that holds units.
func (a *action) spendBonds(custodian uint16, bonds []state.Bond, change int, units int64) error {
	for i := range bonds {
		if err := a.g.setMeaning(bonds[i].Out, state.Meaning{}); err != nil {
			return err
		}
		a.g.events = append(a.g.events, BondSpent{Custodian: custodian, Bond: bonds[i], Record: a.record.Type()})
	}
	if units == 0 {
		return nil
	}
	return a.makeBond(custodian, state.Bond{Out: outpoint(a.tx, change), Units: units})
}

func (a *action) makeBond(custodian uint16, bond state.Bond) error {
	a.g.events = append(a.g.events, BondMade{Custodian: custodian, Bond: bond, Record: a.record.Type()})
	return a.g.setMeaning(bond.Out, state.Meaning{Kind: state.MeansBond, Index: custodian})
}

// dropBonds takes the count oldest bonds from a standing; what changeUnits is
// left of them is the oldest then. An announced unbond is at most what stays,
// and without a bond there is no return script.
func dropBonds(s *state.Standing, count int, change wire.OutPoint, changeUnits int64) {
	var bonds []state.Bond
	if changeUnits > 0 {
		bonds = append(bonds, state.Bond{Out: change, Units: changeUnits})
	}
	s.Bonds = append(bonds, s.Bonds[count:]...)
	if s.AnnouncedUnits = min(s.AnnouncedUnits, s.BondUnits()); s.AnnouncedUnits == 0 {
		s.ReadyAt = 0
	}
	if len(s.Bonds) == 0 {
		s.ReturnScript = nil
	}
}

var _ Record = Bond{}
