package goods

import (
	"fmt"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/params"
	"granary/state"
)

// flow is what a transaction moves, in units.
type flow struct {
	in, out                 int64 // all inputs; all outputs
	treasuryIn, treasuryOut int64
	unspendable             int64 // outputs that never enter the UTXO set
}

// flowOf adds a transaction up; spent is empty for a coinbase.
func (g *Block) flowOf(msg *wire.MsgTx, spent []*state.Coin) (f flow, err error) {
	for i, coin := range spent {
		if err := addAmount(&f.in, coin.ValueUnits); err != nil {
			return f, err
		}
		if g.isTreasury(coin.Script) {
			f.treasuryIn += spent[i].ValueUnits
		}
	}
	for _, out := range msg.TxOut {
		if err := addAmount(&f.out, out.Value); err != nil {
			return f, err
		}
		switch {
		case g.isTreasury(out.PkScript):
			f.treasuryOut += out.Value
		case state.Unspendable(out.PkScript):
			f.unspendable += out.Value
		}
	}
	return f, nil
}

// addAmount keeps every amount and every sum within 21 million coins.
func addAmount(sum *int64, units int64) error {
	if units < 0 || units > params.MaxMoneyUnits || *sum+units > params.MaxMoneyUnits {
		return check.Rule(CodeAmount, "an amount of %d units on top of %d is outside 0 to %d", units, *sum, int64(params.MaxMoneyUnits))
	}
	*sum += units
	return nil
}

// addFlow moves the totals by an ordinary transaction: L += treasury inputs -
// treasury outputs - unspendable outputs; fees do not lower it. Every
// treasury output is pool: no record makes escrows here.
func (g *Block) addFlow(f *flow) {
	t := &g.totals
	t.CirculatingUnits += f.treasuryIn - f.treasuryOut - f.unspendable
	t.PoolUnits += f.treasuryOut - f.treasuryIn
	t.UTXOUnits += f.out - f.unspendable - f.in
}

// addCoinbase moves the totals by the coinbase: L falls by what the treasury
// gets above the subsidy.
func (g *Block) addCoinbase(f *flow, subsidyUnits int64) {
	t := &g.totals
	t.CirculatingUnits -= f.treasuryOut - subsidyUnits
	t.PoolUnits += f.treasuryOut
	t.UTXOUnits += f.out - f.unspendable
}

// ReadTotals gives the totals after the last block; all zero before block 1.
func ReadTotals(view state.GoodsView) (state.Totals, error) {
	value, err := view.Goods(state.KeyTotals())
	if err != nil {
		return state.Totals{}, fmt.Errorf("read goods totals: %w", err)
	}
	return state.DecodeTotals(value)
}

// ReadParameters gives the parameters in force; none before block 1.
func ReadParameters(view state.GoodsView) (params.Parameters, error) {
	value, err := view.Goods(state.KeyParameters())
	if err != nil {
		return params.Parameters{}, fmt.Errorf("read goods parameters: %w", err)
	}
	return params.DecodeParameters(value)
}
