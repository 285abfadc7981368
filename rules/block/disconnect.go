package block

import (
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/rules/goods"
	"granary/state"
)

// ErrUnclean is what Disconnect's error wraps when block, undo and state do
// not belong together: the data on disk is damaged.
var ErrUnclean = errors.New("undo does not fit the state")

// Disconnect takes block b, whose header is h, back out of the state after
// it, with the undo that Connect gave. The result is the exact inverse of
// Connect's delta. view is only read. Anything that does not fit (an output
// that is not there as the block made it, a spent coin that is there, a goods
// value that the block did not leave) is an error that wraps ErrUnclean;
// other errors are view's.
func (r Rules) Disconnect(b *state.Block, h *state.Header, undo *state.Undo, view state.View) (*state.Delta, error) {
	txs := b.Msg.Transactions
	if len(undo.Spent) != len(txs)-1 {
		return nil, unclean(h, "%d transactions, undo for %d", len(txs), len(undo.Spent)+1)
	}
	d := &disconnection{head: h, over: state.NewOverlay(view, 4*len(txs))}
	for i := len(txs) - 1; i >= 0; i-- {
		tx := txOf(b, i)
		if err := d.removeOutputs(&tx, i == 0); err != nil {
			return nil, err
		}
		if i == 0 {
			break
		}
		if err := d.restoreInputs(tx.Msg, undo.Spent[i-1]); err != nil {
			return nil, err
		}
	}
	if err := d.revertGoods(undo.Goods); err != nil {
		return nil, err
	}
	return d.over.Changes(state.IsNodeKey), nil
}

type disconnection struct {
	head *state.Header
	over *state.Overlay
}

func unclean(h *state.Header, format string, args ...any) error {
	return fmt.Errorf("take back block %v at height %d: %w (%s): start with --reindex",
		h.Hash, h.Height, ErrUnclean, fmt.Sprintf(format, args...))
}

func (d *disconnection) removeOutputs(tx *state.Tx, coinbase bool) error {
	for n, out := range tx.Msg.TxOut {
		if state.Unspendable(out.PkScript) {
			continue
		}
		op := wire.OutPoint{Hash: tx.Txid, Index: uint32(n)}
		coin, err := d.over.Spend(op)
		if err != nil {
			return fmt.Errorf("read coin %v: %w", op, err)
		}
		if coin == nil && coinbase && overwrittenCoinbases[d.head.Hash] {
			continue
		}
		want := state.Coin{ValueUnits: out.Value, Script: out.PkScript, Height: d.head.Height, Coinbase: coinbase}
		if coin == nil || !coin.Equal(&want) {
			return unclean(d.head, "output %v is not there as the block made it", op)
		}
	}
	return nil
}

func (d *disconnection) restoreInputs(tx *wire.MsgTx, spent []*state.Coin) error {
	if len(spent) != len(tx.TxIn) {
		return unclean(d.head, "%d inputs, undo for %d", len(tx.TxIn), len(spent))
	}
	for i := len(spent) - 1; i >= 0; i-- {
		op := tx.TxIn[i].PreviousOutPoint
		there, err := d.over.Coin(op)
		if err != nil {
			return fmt.Errorf("read coin %v: %w", op, err)
		}
		if there != nil || spent[i] == nil {
			return unclean(d.head, "coin %v was not spent", op)
		}
		if err := d.over.Create(op, spent[i], true); err != nil {
			return fmt.Errorf("read coin %v: %w", op, err)
		}
	}
	return nil
}

// revertGoods gives every goods value back that the block changed, and the
// commitment tree with them.
func (d *disconnection) revertGoods(changes []state.GoodsChange) error {
	if len(changes) == 0 {
		return nil
	}
	err := goods.Revert(d.over, changes)
	if errors.Is(err, goods.ErrUnclean) {
		return unclean(d.head, "%v", err)
	}
	return err
}
