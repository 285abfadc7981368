package goods_test

import (
	"fmt"
	"math/big"

	"github.com/btcsuite/btcd/wire/v2"
)

// wrong says which promise of the rules the model's own state breaks after a
// block, "" if none.
func (m *model) wrong() string {
	for _, broken := range []string{m.supplyWrong(), m.receiptsWrong(), m.claimsWrong(), m.seatsWrong(), m.custodyWrong()} {
		if broken != "" {
			return broken
		}
	}
	return ""
}

func (m *model) supplyWrong() string {
	all, pool, escrow := m.supply()
	left := minus(m.minted, m.burnt)
	owned := new(big.Int)
	for _, c := range m.claims {
		owned = plus(owned, c.units)
	}
	switch l := minus(minus(all, pool), escrow); {
	case l.Cmp(m.moved) != 0 || l.Sign() < 0:
		return fmt.Sprintf("L is %v by its formula and %v by the coins", m.moved, l)
	case all.Cmp(left) != 0:
		return fmt.Sprintf("%v units exist, %v were made and not burnt", all, left)
	case owned.Cmp(escrow) != 0:
		return fmt.Sprintf("escrows hold %v, the claims %v", escrow, owned)
	}
	return ""
}

func (m *model) receiptsWrong() string {
	owed := map[int64]*big.Int{}
	for _, c := range m.claims {
		if owed[c.receipt] == nil {
			owed[c.receipt] = new(big.Int)
		}
		owed[c.receipt].Add(owed[c.receipt], c.quantity)
	}
	lots := map[string]bool{}
	for lot := range m.lots {
		lots[lot] = true
	}
	for _, r := range m.receipts {
		all := plus(plus(r.quantity(), r.delivered), r.lost)
		best := modelGood{num: r.bestNum, den: r.bestDen}
		credit := basis(valueAt(&best, r.openedWith, false), 10_000-r.haircut)
		claimed := owed[r.number]
		if claimed == nil {
			claimed = new(big.Int)
		}
		lot := lotOf(r.registry, r.serial)
		switch {
		case r.undrawn.Sign() < 0 || r.free.Sign() < 0 || r.owed.Sign() < 0 || r.quantity().Sign() == 0:
			return fmt.Sprintf("receipt %d holds %v undrawn, %v free, %v owed", r.number, r.undrawn, r.free, r.owed)
		case all.Cmp(r.openedWith) != 0:
			return fmt.Sprintf("receipt %d opened with %v, now there are %v", r.number, r.openedWith, all)
		case claimed.Cmp(r.owed) != 0:
			return fmt.Sprintf("receipt %d owes %v, its claims say %v", r.number, r.owed, claimed)
		case r.units.Cmp(credit) > 0:
			return fmt.Sprintf("receipt %d released %v, its credit is %v", r.number, r.units, credit)
		case lots[lot]:
			return fmt.Sprintf("lot of receipt %d has two receipts", r.number)
		}
		lots[lot] = true
		delete(owed, r.number)
	}
	if len(owed) > 0 {
		return fmt.Sprintf("claims without a receipt: %v", owed)
	}
	return ""
}

// alone notes an outpoint that must be of one thing only, and what it holds.
type alone map[wire.OutPoint]bool

func (a alone) wrong(m *model, what string, op wire.OutPoint, units *big.Int, script string) string {
	c := m.coin(op)
	switch {
	case a[op]:
		return what + ": its outpoint is something else too"
	case c == nil:
		return what + ": its outpoint is spent"
	case c.units.Cmp(units) != 0 || c.script != script:
		return fmt.Sprintf("%s: its outpoint holds %v for %s", what, c.units, c.script)
	}
	a[op] = true
	return ""
}

func (m *model) claimsWrong() string {
	a := alone{}
	zero := new(big.Int)
	for _, c := range m.claims {
		what := fmt.Sprintf("claim %d", c.number)
		if broken := a.wrong(m, what+"'s token", c.token, zero, c.tokenScript); broken != "" {
			return broken
		}
		if c.kind == 1 {
			if c.units.Sign() > 0 || c.escrow != (wire.OutPoint{}) {
				return what + " is a reclaim with an escrow"
			}
			continue
		}
		if broken := a.wrong(m, what+"'s escrow", c.escrow, c.units, m.treasury()); broken != "" || c.units.Sign() == 0 {
			return what + " has no escrow: " + broken
		}
	}
	return ""
}

func (m *model) seatsWrong() string {
	a := alone{}
	zero := new(big.Int)
	for _, s := range m.seats {
		if broken := a.wrong(m, fmt.Sprintf("seat %d %d", s.role, s.index), s.out, zero, s.script); broken != "" {
			return broken
		}
	}
	for slot, c := range m.pending {
		if c == nil {
			continue
		}
		if c.effective <= m.height || c.announced > m.height {
			return fmt.Sprintf("change %d of %d is still waiting for %d", slot, c.announced, c.effective)
		}
		for i, script := range c.scripts {
			op := wire.OutPoint{Hash: c.txid, Index: uint32(1 + i)}
			if broken := a.wrong(m, fmt.Sprintf("change %d, output %d", slot, i), op, zero, script); broken != "" {
				return broken
			}
		}
	}
	return ""
}

func (m *model) custodyWrong() string {
	a := alone{}
	for i, c := range m.custody {
		what := fmt.Sprintf("custodian %d", i)
		for _, b := range c.bonds {
			if broken := a.wrong(m, what+"'s bond", b.out, b.units, m.treasury()); broken != "" {
				return broken
			}
		}
		switch {
		case len(c.bonds) > 8 || (len(c.bonds) > 0) != (c.script != ""):
			return fmt.Sprintf("%s has %d bonds for script %q", what, len(c.bonds), c.script)
		case c.announced.Cmp(c.bonded()) > 0 || (c.announced.Sign() > 0) != (c.ready > 0):
			return fmt.Sprintf("%s announced %v of %v, ready at %d", what, c.announced, c.bonded(), c.ready)
		case !c.defaulted && (c.debt.Cmp(c.bonded()) > 0) != (c.defaultAt > m.height), c.defaulted && c.defaultAt != 0:
			return fmt.Sprintf("%s owes %v of %v, default at %d", what, c.debt, c.bonded(), c.defaultAt)
		}
	}
	return ""
}
