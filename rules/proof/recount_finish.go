package proof

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"granary/rules/goods"
	"granary/state"
)

// finish compares everything, once all keys are read.
func (c *recount) finish() (*AuditFacts, error) {
	for _, step := range []func() error{
		func() error { return c.fault },
		c.members, c.goodsInForce, c.holdings, c.standings, c.claimSums, c.tallies,
	} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("the state that the block commits to contradicts itself: %w", err)
		}
	}
	return c.facts, nil
}

// members: seats, standings and goods are as many as the counts say, without
// gaps.
func (c *recount) members() error {
	f := c.facts
	want := map[state.Role]int{state.RoleCustodian: int(f.Counts.Custodians), state.RoleAuditor: int(f.Counts.Auditors)}
	if f.Keys > 0 {
		want[state.RoleCouncil] = 1
	}
	for _, role := range []state.Role{state.RoleCustodian, state.RoleAuditor, state.RoleCouncil} {
		if len(c.seats[role]) != want[role] {
			return fmt.Errorf("%d seats of a %s, the state counts %d", len(c.seats[role]), role, want[role])
		}
		for index := range want[role] {
			if _, ok := c.seats[role][uint16(index)]; !ok {
				return fmt.Errorf("there is no seat of %s %d", role, index)
			}
		}
	}
	if len(c.standing) != int(f.Counts.Custodians) || len(c.goods) != int(f.Counts.Goods) {
		return fmt.Errorf("%d standings and %d goods, the state counts %d and %d", len(c.standing), len(c.goods), f.Counts.Custodians, f.Counts.Goods)
	}
	for index := range f.Counts.Custodians {
		s := c.standing[index]
		if s == nil {
			return fmt.Errorf("custodian %d has no standing", index)
		}
		one := &CustodianFacts{Standing: *s, Seat: c.seats[state.RoleCustodian][index], Receipts: c.receipts[index]}
		if of := c.claims[index]; of != nil {
			one.Claims = of[0]
		}
		f.Custodians = append(f.Custodians, one)
	}
	return nil
}

// goodsInForce gives each good its sums and what a pending amendment makes of
// it.
func (c *recount) goodsInForce() error {
	pending := pendingOnly{}
	if p := c.facts.Pending[state.SlotAmend]; p != nil {
		pending[string(state.KeyPending(state.SlotAmend))] = p.Encode()
	}
	for index := range c.facts.Counts.Goods {
		inForce := c.goods[index]
		if inForce == nil {
			return fmt.Errorf("there is no good %d", index)
		}
		pending[string(state.KeyGood(index))] = inForce.Encode()
		good, err := goods.ReadGood(pending, index)
		if err != nil {
			return err
		}
		sums := c.perGood[index]
		if sums == nil {
			sums = &GoodFacts{}
		}
		sums.Good = *good
		c.facts.Goods = append(c.facts.Goods, sums)
		delete(c.perGood, index)
	}
	if len(c.perGood) > 0 {
		return fmt.Errorf("receipts are of %d goods that are not there", len(c.perGood))
	}
	return nil
}

// pendingOnly is a state of goods and pending changes.
type pendingOnly map[string][]byte

// Goods implements state.GoodsView.
func (v pendingOnly) Goods(key []byte) ([]byte, error) { return v[string(key)], nil }

// GoodsRange implements state.GoodsView; no good is found by a range.
func (v pendingOnly) GoodsRange(_, _ []byte, _ func(_, _ []byte) bool) error { return errNoRange }

// holdings: what a custodian holds of a good is what its receipts add up to;
// allowances, holdings, receipts and claims are of goods and custodians that
// are there.
func (c *recount) holdings() error {
	known := func(at pair) error {
		if at.custodian >= c.facts.Counts.Custodians || at.good >= c.facts.Counts.Goods {
			return fmt.Errorf("there is no custodian %d or no good %d", at.custodian, at.good)
		}
		return nil
	}
	for _, at := range pairs(c.limits) {
		if err := known(at); err != nil {
			return err
		}
	}
	all := maps.Clone(c.stored)
	maps.Copy(all, c.counted)
	for _, at := range pairs(all) {
		if err := known(at); err != nil {
			return err
		}
		if c.stored[at] != c.counted[at] {
			return fmt.Errorf("custodian %d holds %+v of good %d, its receipts are %+v", at.custodian, c.stored[at], at.good, c.counted[at])
		}
	}
	for _, custodian := range slices.Sorted(maps.Keys(c.claims)) {
		if err := known(pair{custodian: custodian}); err != nil {
			return err
		}
	}
	return nil
}

func pairs[V any](m map[pair]V) []pair {
	return slices.SortedFunc(maps.Keys(m), func(a, b pair) int {
		return cmp.Or(cmp.Compare(a.custodian, b.custodian), cmp.Compare(a.good, b.good))
	})
}

// standings: the values of each custodian follow from what it holds, and R
// and D from the custodians.
func (c *recount) standings() error {
	f := c.facts
	var reserve state.Reserve
	for custodian, one := range f.Custodians {
		var counted, all, claimed, whole state.Sum
		for index, good := range f.Goods {
			h := c.stored[pair{uint16(custodian), uint16(index)}]
			units := good.LowUnits(h.Counted)
			counted = counted.Add(units)
			all = all.Add(good.HighUnits(h.Free))
			claimed = claimed.Add(good.HighUnits(h.Claimed))
			whole = whole.Add(good.HighUnits(h.Whole))
			if one.Counts() {
				good.Counted = good.Counted.Add(h.Counted)
				good.CountedUnits = good.CountedUnits.Add(units)
			}
		}
		if one.Counted != counted || one.All != all || one.Claimed != claimed || one.Whole != whole {
			return fmt.Errorf("the values of custodian %d are not those of its receipts", custodian)
		}
		if one.Counts() {
			reserve.Counted = reserve.Counted.Plus(counted)
		}
		if !one.Defaulted {
			reserve.All = reserve.All.Plus(all)
			reserve.Claimed = reserve.Claimed.Plus(claimed)
		}
		if claims := c.claims[uint16(custodian)]; claims != nil && uint64(claims[1]) != one.Untendered || claims == nil && one.Untendered != 0 {
			return fmt.Errorf("custodian %d has not the %d untendered claims that its standing says", custodian, one.Untendered)
		}
	}
	if reserve != f.Reserve {
		return fmt.Errorf("the reserve R is %d and D %d, the receipts add up to %d and %d",
			f.Reserve.Counted.Units(), f.Reserve.All.Units(), reserve.Counted.Units(), reserve.All.Units())
	}
	return nil
}

// claimSums: escrows add up to the total, and numbers are below the next.
func (c *recount) claimSums() error {
	f := c.facts
	if c.escrows.Hi != 0 || c.escrows.Units() != f.Totals.EscrowUnits {
		return fmt.Errorf("the escrows of all claims are %d units, the total says %d", c.escrows.Units(), f.Totals.EscrowUnits)
	}
	if c.lastReceipt >= f.NextReceipt && f.Receipts > 0 || c.lastClaim >= f.NextClaim && f.Claims > 0 {
		return fmt.Errorf("receipt %d or claim %d is not below the next number", c.lastReceipt, c.lastClaim)
	}
	f.ReservedLots = c.lots.reserved()
	return nil
}

// tallies: what is said in two places is the same in both.
func (c *recount) tallies() error {
	for _, one := range []struct {
		tally *tally
		what  string
	}{
		{&c.owed, "what receipts owe is not what their claims are for"},
		{&c.fresh, "what stops counting at a height is not what the receipts say"},
		{&c.untendered, "the deadlines of untendered claims are not those of the claims"},
		{&c.outpoints, "the outpoints are not those of seats, tokens, escrows, bonds and changes"},
		{&c.expiries, "what expires is not the attestations and used proposals"},
		{&c.defaults, "the defaults to come are not those of the standings"},
	} {
		if !one.tally.isZero() {
			return errors.New(one.what)
		}
	}
	return nil
}
