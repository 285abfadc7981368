package goods

import (
	"encoding/binary"

	"granary/base/check"
	"granary/state"
)

// Slash pays what a custodian owes into the pool: from its bonds, oldest
// first, or from the coins of whoever makes it. Anyone may make it; from bonds
// it needs no signature.
type Slash struct {
	Custodian uint16
}

// Type implements Record.
func (Slash) Type() RecordType { return TypeSlash }

// Body implements Record: custodian u16.
func (r Slash) Body() []byte { return binary.LittleEndian.AppendUint16(nil, r.Custodian) }

func parseSlash(body []byte) (Record, error) {
	b := state.NewByteReader(body)
	r := Slash{Custodian: b.U16()}
	if !b.Done() {
		return nil, check.Rule(CodeRecordMalformed, "slash has %d bytes, it must have two for a custodian", len(body))
	}
	return r, nil
}

func (r Slash) check(a *action) error {
	standing, err := a.g.knownCustodian(r.Custodian)
	if err != nil {
		return err
	}
	if standing.DebtUnits == 0 {
		return check.Rule(CodeSlashDebt, "custodian %d owes nothing", r.Custodian)
	}
	count := a.bondsFrom(0, r.Custodian)
	if count == 0 {
		return r.checkPaid(a, standing)
	}
	if err := a.takeBonds(0, count, standing, standing.DebtUnits); err != nil {
		return err
	}
	return r.checkSlashed(a, slashOf(standing, count, a.g.params.MinerShareBP))
}

// checkPaid: anyone's coins pay the debt or a part of it into the pool.
func (r Slash) checkPaid(a *action, standing *state.Standing) error {
	paid := a.output(0)
	if paid == nil || !a.g.isTreasury(paid.PkScript) || paid.Value < 1 || paid.Value > standing.DebtUnits {
		return check.Rule(CodeSlashOutput, "output 0 of the slash must pay 1 to %d units to the treasury, what custodian %d owes", standing.DebtUnits, r.Custodian)
	}
	return nil
}

// checkSlashed: the bonds pay the debt into the pool but for the miner's
// share, and what is left of them stays a bond.
func (r Slash) checkSlashed(a *action, s slashing) error {
	if !a.paysTreasury(0, s.amountUnits-s.feeUnits) {
		return check.Rule(CodeSlashOutput, "output 0 of the slash must pay %d units to the treasury: %d less the miner's %d", s.amountUnits-s.feeUnits, s.amountUnits, s.feeUnits)
	}
	if s.changeUnits > 0 && !a.paysTreasury(1, s.changeUnits) {
		return check.Rule(CodeSlashOutput, "output 1 of the slash must pay %d units to the treasury, what is left of the bonds", s.changeUnits)
	}
	if left := a.flow.in - a.flow.out; left < s.feeUnits {
		return check.Rule(CodeSlashFee, "the slash leaves %d units to the miner, %d at least are due", left, s.feeUnits)
	}
	if s.changeUnits > 0 {
		a.name(1, state.MeansBond)
	}
	return nil
}

// slashing is what a slash from bonds moves.
type slashing struct {
	amountUnits int64 // of the debt
	feeUnits    int64 // of it, the miner's
	changeUnits int64 // of the bonds, that stay
}

// slashOf gives the slash of a custodian's count oldest bonds.
func slashOf(standing *state.Standing, count int, minerShareBP int64) slashing {
	held := sumOfBonds(standing.Bonds[:count])
	amount := min(standing.DebtUnits, held)
	return slashing{amountUnits: amount, feeUnits: DrawFeeUnits(amount, minerShareBP), changeUnits: held - amount}
}

func (r Slash) apply(a *action) error {
	g := a.g
	standing, err := g.standing(r.Custodian)
	if err != nil {
		return err
	}
	count := a.bondsFrom(0, r.Custodian)
	moved := slashing{amountUnits: a.tx.Msg.TxOut[0].Value}
	if count > 0 {
		moved = slashOf(standing, count, g.params.MinerShareBP)
		if err := a.spendBonds(r.Custodian, standing.Bonds[:count], 1, moved.changeUnits); err != nil {
			return err
		}
	}
	err = g.changeStanding(r.Custodian, func(s *state.Standing) {
		s.DebtUnits -= moved.amountUnits
		if count > 0 {
			dropBonds(s, count, outpoint(a.tx, 1), moved.changeUnits)
		}
	})
	g.events = append(g.events, Slashed{Custodian: r.Custodian, Units: moved.amountUnits, FeeUnits: moved.feeUnits, FromBonds: count > 0})
	return err
}

// paysTreasury reports whether output i pays exactly units to the treasury.
func (a *action) paysTreasury(i int, units int64) bool {
	out := a.output(i)
	return out != nil && out.Value == units && a.g.isTreasury(out.PkScript)
}

var _ Record = Slash{}
