package goods

import (
	"granary/base/check"
	"granary/state"
)

// Settle ends a claim that its custodian never tendered: the whole escrow goes
// back to the token's script, the goods are written off, and the custodian is
// suspended and owes their value and a penalty. What a depositor wanted back
// stays undrawn instead, and the custodian owes the penalty. Anyone may say so.
type Settle struct{ ClaimRef }

// Type implements Record.
func (Settle) Type() RecordType { return TypeSettle }

// Body implements Record: claim u64, id 8 bytes.
func (r Settle) Body() []byte { return r.append(nil) }

func parseSettle(body []byte) (Record, error) {
	ref, err := parseClaimRef(TypeSettle, body)
	if err != nil {
		return nil, err
	}
	return Settle{ref}, nil
}

func (r Settle) check(a *action) error {
	c, err := a.g.claim(r.ClaimRef)
	if err != nil {
		return err
	}
	switch {
	case c.Tendered != 0:
		return check.Rule(CodeClaimTendered, "claim %d was tendered at height %d: it is delivered or lapses", c.Number, c.Tendered)
	case a.g.height <= c.GraceEnd():
		return check.Rule(CodeClaimEarly, "claim %d may be settled after height %d, this is %d", c.Number, c.GraceEnd(), a.g.height)
	case c.Kind == state.ClaimReclaim:
		return nil
	}
	if err := a.takeEscrow(0, c); err != nil {
		return err
	}
	return a.checkPayment(0, c.EscrowUnits, c.TokenScript)
}

func (r Settle) apply(a *action) error {
	g := a.g
	c, err := g.claim(r.ClaimRef)
	if err != nil {
		return err
	}
	before, err := g.receiptOf(c)
	if err != nil {
		return err
	}
	good, err := g.good(before.Good)
	if err != nil {
		return err
	}
	after := *before
	after.Owed -= c.Quantity
	writtenOff := int64(0)
	if c.Kind == state.ClaimReclaim {
		after.Undrawn += c.Quantity // no coin stands for them: they stay the depositor's
	} else {
		after.Lost += c.Quantity
		writtenOff = 10_000
	}
	if err := g.closeClaim(c, before); err != nil {
		return err
	}
	if err := g.changeReceipt(before, &after); err != nil {
		return err
	}
	debt := shareUpUnits(good.HighUpUnits(c.Quantity), writtenOff+g.params.PenaltyBP)
	err = g.changeStanding(c.Custodian, func(s *state.Standing) {
		s.Suspend(g.height)
		addDebt(s, debt)
	})
	if err != nil {
		return err
	}
	g.events = append(g.events, ClaimSettled{Claim: *c, PaidUnits: c.EscrowUnits, DebtUnits: debt})
	return nil
}

var _ Record = Settle{}
