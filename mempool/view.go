package mempool

import (
	"math"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/state"
)

// UnconfirmedHeight is the height of the pool's own coins in View.
const UnconfirmedHeight = math.MaxInt32

// View calls f with the tip and the coins that are left when everything in
// the pool is confirmed: coins that the pool spends are gone, coins that it
// creates have UnconfirmedHeight. Pool and chain stand still until f returns;
// f must not call either.
func (p *Pool) View(f func(tip *state.Header, coins state.CoinView) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.chain.View(func(tip *state.Header, v state.View) error {
		return f(tip, coinView{p, v})
	})
}

// coinView is the chain's coins under the pool's. The pool's lock is held.
type coinView struct {
	pool  *Pool
	below state.CoinView
}

// Coin implements state.CoinView.
func (c coinView) Coin(op wire.OutPoint) (*state.Coin, error) {
	if c.pool.spends[op] != nil {
		return nil, nil
	}
	if coin := c.pool.txs[op.Hash].coin(op.Index, UnconfirmedHeight); coin != nil {
		return coin, nil
	}
	return c.below.Coin(op)
}

// coin gives the output of an entry, spent or not; nil if it has none, or is nil.
func (e *Entry) coin(index uint32, height int32) *state.Coin {
	if e == nil || index >= uint32(len(e.Tx.Msg.TxOut)) {
		return nil
	}
	out := e.Tx.Msg.TxOut[index]
	if state.Unspendable(out.PkScript) {
		return nil
	}
	return &state.Coin{ValueUnits: out.Value, Script: out.PkScript, Height: height}
}

// coinsOf finds the coins that tx spends, the unconfirmed ones, of the pool or
// of mates, at the height of the block to come. The caller owns the chain's
// ones; the others alias entries.
func (p *Pool) coinsOf(tx *state.Tx, tip *state.Header, v state.CoinView, mates []*trial) ([]*state.Coin, error) {
	spent := make([]*state.Coin, len(tx.Msg.TxIn))
	for i, in := range tx.Msg.TxIn {
		op := in.PreviousOutPoint
		if spent[i] = p.find(&op.Hash, mates).coin(op.Index, tip.Height+1); spent[i] != nil {
			continue
		}
		coin, err := v.Coin(op)
		if err != nil {
			return nil, err
		}
		if coin == nil {
			return nil, missing(tx, op, v)
		}
		spent[i] = coin.Clone()
	}
	return spent, nil
}

// maxKnownOutputs bounds the search for a transaction's own outputs.
const maxKnownOutputs = 16

// missing says why an input is not there: the transaction is confirmed
// already, or its parents are not known.
func missing(tx *state.Tx, op wire.OutPoint, v state.CoinView) error {
	for i := range min(len(tx.Msg.TxOut), maxKnownOutputs) {
		coin, err := v.Coin(wire.OutPoint{Hash: tx.Txid, Index: uint32(i)})
		if err != nil {
			return err
		}
		if coin != nil {
			return refuse("txn-already-known", "it is in a block already")
		}
	}
	return check.RuleKind(check.Unconnected, "bad-txns-inputs-missingorspent", "%v is spent or not known", op)
}
