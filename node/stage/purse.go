package stage

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/params"
	"granary/state"
)

// Coins gives what p can spend in the next block, the largest first: coins
// with a value that are mature and that no transaction of the cast spends.
func (c *Cast) Coins(p Person) ([]Coin, error) {
	height, err := c.nextHeight()
	if err != nil {
		return nil, err
	}
	for op, made := range c.spent {
		if height-made > patienceBlocks {
			delete(c.spent, op)
		}
	}
	var coins []Coin
	err = c.chain.RangeCoins(func(op wire.OutPoint, coin *state.Coin) bool {
		mature := !coin.Coinbase || height-coin.Height >= params.CoinbaseMaturity
		if _, spent := c.spent[op]; mature && coin.ValueUnits > 0 && !spent && bytes.Equal(coin.Script, p.Script) {
			coins = append(coins, Coin{op, coin})
		}
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("look for the coins of %s: %w", p.Name, err)
	}
	slices.SortFunc(coins, func(a, b Coin) int {
		return cmp.Or(cmp.Compare(b.ValueUnits, a.ValueUnits), bytes.Compare(a.Out.Hash[:], b.Out.Hash[:]), cmp.Compare(a.Out.Index, b.Out.Index))
	})
	return coins, nil
}

func (c *Cast) nextHeight() (height int32, err error) {
	err = c.chain.View(func(tip *state.Header, _ state.View) error { height = tip.Height + 1; return nil })
	return height, err
}

// Balance is the sum of Coins.
func (c *Cast) Balance(p Person) (units int64, err error) {
	coins, err := c.Coins(p)
	for _, coin := range coins {
		units += coin.ValueUnits
	}
	return units, err
}

// Coin gives the coin at op.
func (c *Cast) Coin(op wire.OutPoint) (coin Coin, err error) {
	err = c.chain.View(func(_ *state.Header, v state.View) error {
		found, err := v.Coin(op)
		if err == nil && found == nil {
			err = fmt.Errorf("there is no coin at %v", op)
		}
		coin = Coin{op, found}
		return err
	})
	return coin, err
}

// Pay lets from pay to.
func (c *Cast) Pay(from, to Person, units int64) (*state.Tx, error) {
	d := c.Draft().Pay(units, to.Script)
	if err := d.Fund(from, 0); err != nil {
		return nil, err
	}
	return d.Sign()
}
