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
	in, out             int64 // all inputs; all outputs
	poolIn, poolOut     int64 // treasury outputs of kind pool
	escrowIn, escrowOut int64 // treasury outputs of kind escrow
	unspendable         int64 // outputs that never enter the UTXO set
}

// flowOf adds a transaction up; spent is empty for a coinbase. Every treasury
// output counts as pool until the record says otherwise (nameFlow).
func (g *Block) flowOf(msg *wire.MsgTx, spent []*state.Coin, inputs []state.Meaning) (f flow, err error) {
	for i, coin := range spent {
		if err := addAmount(&f.in, coin.ValueUnits); err != nil {
			return f, err
		}
		if !g.isTreasury(coin.Script) {
			continue
		}
		switch meaningOf(inputs, i).Kind {
		case state.MeansNothing:
			f.poolIn += coin.ValueUnits
		case state.MeansEscrow:
			f.escrowIn += coin.ValueUnits
		}
	}
	for _, out := range msg.TxOut {
		if err := addAmount(&f.out, out.Value); err != nil {
			return f, err
		}
		switch {
		case g.isTreasury(out.PkScript):
			f.poolOut += out.Value
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

// nameFlow takes the treasury outputs that the record makes other than pool out
// of the pool.
func (a *action) nameFlow() {
	for i, kind := range a.named {
		units := a.tx.Msg.TxOut[i].Value
		a.flow.poolOut -= units
		if kind == state.MeansEscrow {
			a.flow.escrowOut += units
		}
	}
}

// addFlow moves the totals by an ordinary transaction: L += pool and escrow
// inputs - pool and escrow outputs - unspendable outputs; fees do not lower it,
// and bonds circulate.
func (g *Block) addFlow(f *flow) {
	t := &g.totals
	t.CirculatingUnits += f.poolIn + f.escrowIn - f.poolOut - f.escrowOut - f.unspendable
	t.PoolUnits += f.poolOut - f.poolIn
	t.EscrowUnits += f.escrowOut - f.escrowIn
	t.UTXOUnits += f.out - f.unspendable - f.in
}

// addCoinbase moves the totals by the coinbase: L falls by what the treasury
// gets above the subsidy.
func (g *Block) addCoinbase(f *flow, subsidyUnits int64) {
	t := &g.totals
	t.CirculatingUnits -= f.poolOut - subsidyUnits
	t.PoolUnits += f.poolOut
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
