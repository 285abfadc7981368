package tour

import (
	"github.com/btcsuite/btcd/wire/v2"

	"granary/node/stage"
	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

// refusedAct tries to cheat. Each attempt is a block that Bitcoin's rules
// would take and that every node with the charter refuses.
func (t *tour) refusedAct() error {
	t.act("What every node refuses")
	for _, attempt := range []func() error{t.takeFromTreasury, t.drawTwice, t.pledgeTwice, t.countTwice} {
		if err := attempt(); err != nil {
			return err
		}
	}
	return nil
}

// poolCoin gives an output of the pool that the next block may spend.
func (t *tour) poolCoin() (coin stage.Coin, err error) {
	treasury := string(goods.TreasuryScript(t.charter.ID()))
	height := t.house.Height() + 1
	err = t.house.Chain.RangeCoins(func(op wire.OutPoint, c *state.Coin) bool {
		if string(c.Script) != treasury || c.Coinbase && height-c.Height < params.CoinbaseMaturity {
			return true
		}
		coin = stage.Coin{Out: op, Coin: c}
		return false
	})
	return coin, err
}

func (t *tour) takeFromTreasury() error {
	from, err := t.poolCoin()
	if err != nil {
		return err
	}
	tx, err := t.house.Cast.Draft().Spend(from).Pay(from.ValueUnits, t.miner.Script).Sign()
	if err != nil {
		return err
	}
	return t.refused("A miner helps himself from the treasury: coins without goods.", tx)
}

func (t *tour) drawTwice() error {
	from, err := t.poolCoin()
	if err != nil {
		return err
	}
	receipt, err := t.house.Cast.Receipt(0)
	if err != nil {
		return err
	}
	draw := goods.Draw{Receipt: receipt.Number, ID: receipt.ID, Quantity: 1_000}
	tx, err := t.house.Cast.Draft().Spend(from).Pay(from.ValueUnits, receipt.Script).Record(draw).Sign()
	if err != nil {
		return err
	}
	return t.refused("The same wheat is to release coins a second time.", tx)
}

func (t *tour) pledgeTwice() error {
	receive, err := t.receive(silo, "WHEAT-2026-17", 3_000, t.farm.Script)
	if err != nil {
		return err
	}
	if err := t.attested(receive); err != nil {
		return err
	}
	tx, err := t.house.Cast.Act(state.RoleCustodian, silo, receive)
	if err != nil {
		return err
	}
	return t.refused("The same lot is pledged twice, with two careless auditors.", tx)
}

func (t *tour) countTwice() error {
	receive, err := t.receive(silo, "WHEAT-2026-18", 3_000, t.farm.Script)
	if err != nil {
		return err
	}
	for range 2 {
		if _, err := t.give(func() (*state.Tx, error) { return t.house.Cast.Attest(0, receive) }); err != nil {
			return err
		}
	}
	tx, err := t.house.Cast.Act(state.RoleCustodian, silo, receive)
	if err != nil {
		return err
	}
	return t.refused("One auditor attests twice and wants to be counted as two.", tx)
}
