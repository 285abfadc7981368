package goods

import (
	"bytes"
	"fmt"
	"math"
	"slices"

	"granary/base/check"
	"granary/state"
)

// ReadStanding gives how a custodian stands, nil if there is no such custodian.
func ReadStanding(view state.GoodsView, custodian uint16) (*state.Standing, error) {
	value, err := view.Goods(state.KeyStanding(custodian))
	if err != nil {
		return nil, fmt.Errorf("read the standing of custodian %d: %w", custodian, err)
	}
	if value == nil {
		return nil, nil
	}
	return state.DecodeStanding(value)
}

// standing gives the standing of a custodian that is there.
func (g *Block) standing(custodian uint16) (*state.Standing, error) {
	s, err := ReadStanding(g.over, custodian)
	if err == nil && s == nil {
		err = fmt.Errorf("goods state is damaged: custodian %d has no standing", custodian)
	}
	return s, err
}

// knownCustodian gives the standing of the custodian that a record names.
func (g *Block) knownCustodian(custodian uint16) (*state.Standing, error) {
	s, err := ReadStanding(g.over, custodian)
	if err == nil && s == nil {
		err = check.Rule(CodeCustodianUnknown, "there is no custodian %d", custodian)
	}
	return s, err
}

// checkCounts: the custodian is neither suspended nor in default.
func checkCounts(custodian uint16, s *state.Standing) error {
	switch {
	case s.Defaulted:
		return check.Rule(CodeCustodianSuspended, "custodian %d is in default", custodian)
	case s.Suspended:
		return check.Rule(CodeCustodianSuspended, "custodian %d is suspended", custodian)
	}
	return nil
}

// standingAfter gives how a custodian stands after a change, with the default
// that its debt and bonds bring, and the reserve then. Nothing is written.
func (g *Block) standingAfter(custodian uint16, change func(s *state.Standing)) (before, after *state.Standing, reserve state.Reserve, err error) {
	if before, err = g.standing(custodian); err != nil {
		return nil, nil, reserve, err
	}
	copied := *before
	copied.Bonds = slices.Clone(before.Bonds)
	after = &copied
	change(after)
	switch {
	case after.Defaulted || after.DebtUnits <= after.BondUnits():
		after.DefaultAt = 0
	case after.DefaultAt == 0:
		after.DefaultAt = later(later(g.height, g.params.GraceWindowBlocks), 1)
	}
	if reserve, err = ReadReserve(g.over); err != nil {
		return nil, nil, reserve, err
	}
	return before, after, contribute(withdraw(reserve, before), after), nil
}

// contribute adds what a custodian stands for to the reserve.
func contribute(r state.Reserve, s *state.Standing) state.Reserve {
	if s.Counts() {
		r.Counted = r.Counted.Plus(s.Counted)
	}
	if !s.Defaulted {
		r.All = r.All.Plus(s.All)
		r.Claimed = r.Claimed.Plus(s.Claimed)
	}
	return r
}

// withdraw takes it away again.
func withdraw(r state.Reserve, s *state.Standing) state.Reserve {
	if s.Counts() {
		r.Counted = r.Counted.Minus(s.Counted)
	}
	if !s.Defaulted {
		r.All = r.All.Minus(s.All)
		r.Claimed = r.Claimed.Minus(s.Claimed)
	}
	return r
}

// changeStanding is the one way in which a standing changes: reserve and the
// mark of a default that comes follow it.
func (g *Block) changeStanding(custodian uint16, change func(s *state.Standing)) error {
	before, after, reserve, err := g.standingAfter(custodian, change)
	if err != nil {
		return err
	}
	return g.writeStanding(custodian, before, after, reserve)
}

func (g *Block) writeStanding(custodian uint16, before, after *state.Standing, reserve state.Reserve) error {
	if _, seen := g.baseAtStart[custodian]; !seen && baseOf(before) != baseOf(after) {
		g.baseAtStart[custodian] = baseOf(before)
	}
	if before.DefaultAt != after.DefaultAt {
		if before.DefaultAt != 0 {
			if err := g.set(state.KeyDefault(before.DefaultAt, custodian), nil); err != nil {
				return err
			}
		}
		if after.DefaultAt != 0 {
			if err := g.set(state.KeyDefault(after.DefaultAt, custodian), state.ExpiryMark()); err != nil {
				return err
			}
		}
	}
	if !bytes.Equal(before.Encode(), after.Encode()) {
		if err := g.set(state.KeyStanding(custodian), after.Encode()); err != nil {
			return err
		}
		g.noteStanding(custodian, before, after)
	}
	return g.set(state.KeyReserve(), reserve.Encode())
}

// noteStanding tells followers what people want to know of a change; sums of
// goods are told by the receipts.
func (g *Block) noteStanding(custodian uint16, before, after *state.Standing) {
	if before.Suspended != after.Suspended || before.SuspendedAt != after.SuspendedAt || before.Defaulted != after.Defaulted || before.DebtUnits != after.DebtUnits ||
		before.BondUnits() != after.BondUnits() || before.AnnouncedUnits != after.AnnouncedUnits || before.DefaultAt != after.DefaultAt {
		g.events = append(g.events, StandingChanged{Custodian: custodian, Before: *before, After: *after})
	}
}

// addDebt lets a debt grow; it is held at the last number.
func addDebt(s *state.Standing, units int64) {
	if units > math.MaxInt64-s.DebtUnits {
		units = math.MaxInt64 - s.DebtUnits
	}
	s.DebtUnits += units
}

// startDefaults lets the custodians whose debt has been above their bonds for
// the grace window be in default.
func (g *Block) startDefaults() error {
	from, to := state.DefaultKeys(g.height)
	keys, _, err := g.collect(from, to)
	if err != nil {
		return err
	}
	for _, key := range keys {
		_, custodian, err := state.DefaultOfKey(key)
		if err != nil {
			return err
		}
		if err := g.changeStanding(custodian, func(s *state.Standing) { s.Defaulted = true }); err != nil {
			return err
		}
	}
	return nil
}

// overdue reports whether an untendered claim of a custodian is past its
// deadline.
func (g *Block) overdue(custodian uint16) (bool, error) {
	found := false
	from, to := state.UntenderedKeys(custodian, g.height)
	err := g.over.GoodsRange(from, to, func(_, _ []byte) bool { found = true; return false })
	if err != nil {
		return false, fmt.Errorf("read overdue claims: %w", err)
	}
	return found, nil
}

// bondsSuffice reports whether a custodian's bonds, less what it announced to
// take back and what it owes, cover the charter's share of what it holds
// above the unbonded allowance.
func (g *Block) bondsSuffice(s *state.Standing) bool {
	above := max(0, s.Whole.Units()-g.params.UnbondedAllowanceUnits)
	// Bonds and announcement are amounts; only the debt can be enormous.
	net := s.BondUnits() - s.AnnouncedUnits
	if net < s.DebtUnits {
		return false
	}
	// net' x 10,000 >= above x ratio says the same as net' >= the ceiling.
	return !lessProduct(net-s.DebtUnits, 10_000, above, g.params.BondRatioBP)
}
