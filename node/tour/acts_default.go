package tour

import (
	"granary/state"
)

// defaultAct: the silo takes a bond and does not deliver.
func (t *tour) defaultAct() error {
	t.act("When a warehouse does not deliver")
	if _, err := t.give(func() (*state.Tx, error) { return t.house.Cast.Bond(t.siloInc, silo, 1*coin) }); err != nil {
		return err
	}
	claim, err := t.redeem(10_000)
	if err != nil {
		return err
	}
	t.say("   The silo has put up a bond of %s. The bakery claims %s more, with %s in escrow.", t.coins(1*coin), t.kg(claim.Quantity), t.coins(claim.EscrowUnits))
	if err := t.house.Mine(t.ctx, int(claim.GraceEnd()-t.house.Height())); err != nil {
		return err
	}
	t.say("   Nothing comes: deadline %d and the grace after it pass, up to block %d.", claim.Deadline, claim.GraceEnd())
	before, err := t.house.Cast.Balance(t.bakery)
	if err != nil {
		return err
	}
	if _, err := t.give(func() (*state.Tx, error) { return t.house.Cast.Settle(claim) }); err != nil {
		return err
	}
	after, err := t.house.Cast.Balance(t.bakery)
	if err != nil {
		return err
	}
	return t.afterSettle(after - before)
}

func (t *tour) afterSettle(paidUnits int64) error {
	t.say("   Anyone may settle now, without a signature. The bakery has its %s back, to the last unit.", t.coins(paidUnits))
	for _, change := range t.standing { // the miner slashes by itself
		owed := change.After.DebtUnits
		if owed > change.Before.DebtUnits {
			t.say("   [proved] the silo is suspended and owes %s: the wheat and a tenth more", t.coins(owed))
		} else {
			t.say("   [proved] the miner slashed its bond into the treasury by itself: %s of the debt are left", t.coins(owed))
		}
	}
	standing, err := t.house.Cast.Standing(silo)
	if err != nil {
		return err
	}
	if err := t.house.Mine(t.ctx, int(standing.DefaultAt-t.house.Height())); err != nil {
		return err
	}
	if standing, err = t.house.Cast.Standing(silo); err != nil {
		return err
	}
	if standing.Defaulted {
		t.say("   [proved] nobody paid the rest: from block %d the silo is in default, for good", t.house.Height())
	}
	if err := t.balance(); err != nil {
		return err
	}
	t.say("   No coin comes out until goods in other warehouses cover what circulates again.")
	return nil
}

func (t *tour) endAct() error {
	t.act("The books")
	if err := t.house.CheckState(); err != nil {
		return err
	}
	totals, _, err := t.figures()
	if err != nil {
		return err
	}
	t.say("   All of it counted again, every coin, receipt, claim and seat: the sums are right.")
	t.say("   treasury pool %s, in escrow %s, circulating %s: together every coin that was ever mined.",
		t.coins(totals.PoolUnits), t.coins(totals.EscrowUnits), t.coins(totals.CirculatingUnits))
	return nil
}
