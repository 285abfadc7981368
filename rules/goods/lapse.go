package goods

import (
	"granary/base/check"
	"granary/state"
)

// Lapse ends a tendered claim whose goods were not collected: the escrow less
// the redemption fee goes to the token's script, the goods go back to the
// receipt. The token may say so from the block after the tender on, anyone
// when the custodian's time to deliver is over too.
type Lapse struct{ ClaimRef }

// Type implements Record.
func (Lapse) Type() RecordType { return TypeLapse }

// Body implements Record: claim u64, id 8 bytes.
func (r Lapse) Body() []byte { return r.append(nil) }

func parseLapse(body []byte) (Record, error) {
	ref, err := parseClaimRef(TypeLapse, body)
	if err != nil {
		return nil, err
	}
	return Lapse{ref}, nil
}

func (r Lapse) check(a *action) error {
	c, err := a.g.claim(r.ClaimRef)
	if err != nil {
		return err
	}
	if c.Tendered == 0 {
		return check.Rule(CodeClaimUntendered, "claim %d was not tendered: it cannot lapse, it may be settled after height %d", c.Number, c.GraceEnd())
	}
	next := 0 // the input after the token
	if a.spends(0, c.Token) {
		if err := a.takeToken(c); err != nil {
			return err
		}
		if a.g.height <= c.Tendered {
			return check.Rule(CodeClaimEarly, "claim %d was tendered in this block, it may lapse in the next", c.Number)
		}
		next = 1
	} else if a.g.height <= c.PickupGraceEnd() {
		return check.Rule(CodeClaimEarly, "claim %d may lapse without its token after height %d, this is %d", c.Number, c.PickupGraceEnd(), a.g.height)
	}
	if c.Kind == state.ClaimReclaim {
		return nil
	}
	if err := a.takeEscrow(next, c); err != nil {
		return err
	}
	paid, rest := LapseUnits(c)
	if err := a.checkPayment(0, paid, c.TokenScript); err != nil {
		return err
	}
	if rest > 0 {
		return a.checkPayment(1, rest, a.g.treasury)
	}
	return nil
}

// LapseUnits gives what a lapse returns to the token's script, floor(escrow x
// 10,000 / (10,000 + fee)), and the rest, which becomes pool.
func LapseUnits(c *state.Claim) (paidUnits, restUnits int64) {
	paidUnits = mulDiv(c.EscrowUnits, 10_000, 10_000+int64(c.FeeBP))
	return paidUnits, c.EscrowUnits - paidUnits
}

func (r Lapse) apply(a *action) error {
	g := a.g
	c, err := g.claim(r.ClaimRef)
	if err != nil {
		return err
	}
	before, err := g.receiptOf(c)
	if err != nil {
		return err
	}
	after := *before
	after.Owed -= c.Quantity
	if c.Kind == state.ClaimReclaim {
		after.Undrawn += c.Quantity
	} else {
		after.Free += c.Quantity
	}
	if err := g.closeClaim(c, before); err != nil {
		return err
	}
	if err := g.changeReceipt(before, &after); err != nil {
		return err
	}
	paid, rest := LapseUnits(c)
	g.events = append(g.events, ClaimLapsed{Claim: *c, PaidUnits: paid, RestUnits: rest, ByHolder: a.spends(0, c.Token)})
	return nil
}

var _ Record = Lapse{}
