package block

import (
	"fmt"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/params"
	"granary/rules/goods"
	"granary/rules/script"
	"granary/state"
)

// Connect judges block b, whose header is h, on top of the state after
// h.Parent and gives what it does to that state: the delta, the undo that
// takes it back, and the goods events. b has passed CheckBlock and
// CheckBlockContext below h.Parent; h is not genesis. Scripts are checked in
// parallel by scripts, after everything else; nil skips them. view is only
// read. Delta and undo own their memory and share coins with view and with
// each other, which nobody modifies.
//
// An error is a RuleError, or one of view's.
func (r Rules) Connect(b *state.Block, h *state.Header, view state.View, scripts *script.Checker) (*state.Delta, *state.Undo, []goods.Event, error) {
	search := r.bip30Search(h)
	if search == bip30First {
		if err := checkBIP30(b, view); err != nil {
			return nil, nil, nil, err
		}
	}
	delta, undo, events, err := r.connect(b, h, view, scripts)
	if check.AsRule(err) != nil && search == bip30Behind {
		if repeated := checkBIP30(b, view); repeated != nil {
			err = repeated
		}
	}
	return delta, undo, events, err
}

func (r Rules) connect(b *state.Block, h *state.Header, view state.View, scripts *script.Checker) (*state.Delta, *state.Undo, []goods.Event, error) {
	c, err := r.begin(b, h, view)
	if err != nil {
		return nil, nil, nil, err
	}
	for i := range c.txs {
		if err := c.transaction(i); err != nil {
			return nil, nil, nil, inTx(err, i, &b.Txids[i])
		}
	}
	events, err := c.finish()
	if err != nil {
		return nil, nil, nil, err
	}
	if scripts != nil {
		if err := scripts.Check(c.jobs); err != nil {
			return nil, nil, nil, err
		}
	}
	delta := c.over.Changes(state.IsNodeKey)
	c.undo.Goods = delta.Goods
	return delta, c.undo, events, nil
}

// connection is the work on one block.
type connection struct {
	rules Rules
	block *state.Block
	head  *state.Header
	over  *state.Overlay
	goods *goods.Block // nil without charter
	flags script.Flags

	txs   []state.Tx
	coins []*state.Coin // slab that the spent lists of undo and jobs are cut from
	jobs  []script.Job
	undo  *state.Undo

	feesUnits  int64
	sigOpsCost int64
}

func (r Rules) begin(b *state.Block, h *state.Header, view state.View) (*connection, error) {
	n := len(b.Msg.Transactions)
	if n == 0 || !IsCoinbase(b.Msg.Transactions[0]) {
		return nil, check.Rule("bad-cb-missing", "the first transaction is not a coinbase")
	}
	ins, outs := 0, 0
	for _, tx := range b.Msg.Transactions {
		ins += len(tx.TxIn)
		outs += len(tx.TxOut)
	}
	c := &connection{
		rules: r, block: b, head: h,
		over:  state.NewOverlay(view, ins+outs),
		flags: script.BlockFlags(r.Net, h.Height, &h.Hash),
		txs:   make([]state.Tx, n),
		coins: make([]*state.Coin, ins),
		jobs:  make([]script.Job, 0, n-1),
		undo:  &state.Undo{Spent: make([][]*state.Coin, 0, n-1)},
	}
	for i := range c.txs {
		c.txs[i] = txOf(b, i)
	}
	if r.Charter == nil {
		return c, nil
	}
	var err error
	c.goods, err = goods.Begin(r.Charter, h.Parent, c.over)
	return c, err
}

// transaction applies transaction i to the overlay, or says what is wrong.
func (c *connection) transaction(i int) error {
	tx := &c.txs[i]
	var spent []*state.Coin
	if i > 0 {
		var err error
		if spent, err = c.spend(tx.Msg); err != nil {
			return err
		}
		if err := c.checkSpending(tx, spent); err != nil {
			return err
		}
	}
	c.sigOpsCost += script.SigOpCost(tx.Msg, spent, c.flags)
	if c.sigOpsCost > params.MaxBlockSigOpsCost {
		return check.Rule("bad-blk-sigops", "signature checks cost more than %d", params.MaxBlockSigOpsCost)
	}
	if i > 0 && c.goods != nil {
		if err := c.goods.Tx(tx, spent); err != nil {
			return err
		}
	}
	if i > 0 {
		c.undo.Spent = append(c.undo.Spent, spent)
		c.jobs = append(c.jobs, script.Job{Tx: tx, Spent: spent, Flags: c.flags, TxIndex: i})
	}
	return c.create(tx, i == 0)
}

// spend takes the coins of the inputs out of the overlay; one that is not
// there is nil in the list.
func (c *connection) spend(tx *wire.MsgTx) ([]*state.Coin, error) {
	n := len(tx.TxIn)
	spent := c.coins[:n:n]
	c.coins = c.coins[n:]
	for i, in := range tx.TxIn {
		coin, err := c.over.Spend(in.PreviousOutPoint)
		if err != nil {
			return nil, fmt.Errorf("read coin %v: %w", in.PreviousOutPoint, err)
		}
		spent[i] = coin
	}
	return spent, nil
}

// checkSpending: amounts, maturity and relative locks; the fee is added up.
func (c *connection) checkSpending(tx *state.Tx, spent []*state.Coin) error {
	fee, err := c.rules.CheckTxInputs(tx, spent, c.head.Height)
	if err != nil {
		return err
	}
	c.feesUnits += fee
	if !moneyRange(c.feesUnits) {
		return check.Rule("bad-txns-accumulated-fee-outofrange", "fees are more than all coins")
	}
	return c.rules.CheckSequenceLocks(tx, spent, c.head.Parent)
}

// create puts the outputs into the overlay, with their own copy of the
// scripts. Only in the two blocks that BIP30 excepts can an older coin be in
// the way, and it is overwritten.
func (c *connection) create(tx *state.Tx, coinbase bool) error {
	fresh := !c.rules.Net.BIP30Exceptions[c.head.Hash]
	for n, out := range tx.Msg.TxOut {
		if state.Unspendable(out.PkScript) {
			continue
		}
		op := wire.OutPoint{Hash: tx.Txid, Index: uint32(n)}
		coin := state.NewCoin(out.Value, out.PkScript, c.head.Height, coinbase)
		if err := c.over.Create(op, coin, fresh); err != nil {
			return fmt.Errorf("read coin %v: %w", op, err)
		}
	}
	return nil
}

// finish judges the coinbase's amount and closes the goods rules.
func (c *connection) finish() ([]goods.Event, error) {
	subsidy := c.rules.Net.SubsidyUnits(c.head.Height)
	var claimed int64
	for _, out := range c.txs[0].Msg.TxOut {
		claimed += out.Value
	}
	if claimed > subsidy+c.feesUnits {
		return nil, check.Rule("bad-cb-amount", "the coinbase pays %d units, subsidy and fees are %d",
			claimed, subsidy+c.feesUnits)
	}
	if c.goods == nil {
		return nil, nil
	}
	if err := c.goods.Coinbase(&c.txs[0], subsidy, c.feesUnits); err != nil {
		return nil, inTx(err, 0, &c.txs[0].Txid)
	}
	return c.goods.Finish()
}
