package goods

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"granary/base/check"
	"granary/params"
	"granary/state"
	"granary/state/tree"
)

// Block judges the goods side of one block. It is made by Begin, used by one
// goroutine, and thrown away after Finish or an error of the world. A
// RuleError leaves it as it was, so that a template can go on without the
// transaction.
type Block struct {
	charter  *params.Charter
	parent   *state.Header
	height   int32
	over     *state.Overlay
	treasury []byte
	params   params.Parameters // in force
	counts   state.Counts

	pendingGoods map[uint16]*params.Good // that a pending amendment changes
	withdrawn    map[uint16]*params.Good // that an amendment withdrawn in this block would have changed
	start        startOfBlock
	baseAtStart  map[uint16]priceBase // of custodians whose part of D or C changed since

	totals        state.Totals
	releasedUnits int64           // by the draws of this block
	touched       map[string]bool // state keys written so far
	events        []Event
	coinbaseDone  bool
}

// Begin starts the block below which parent is, on the chain of charter, and
// does what its height brings: changes and defaults that are due, what expires. over is the block's overlay in the
// state after the parent, as far as goods go; coins are never read from it. Of
// parent only what never changes is read: height, hashes, ancestors. An error
// is the world's.
func Begin(charter *params.Charter, parent *state.Header, over *state.Overlay) (*Block, error) {
	g, err := open(charter, parent, over)
	if err != nil {
		return nil, err
	}
	return g, g.begin()
}

// begin is what happens before the first transaction, in this order.
func (g *Block) begin() error {
	for _, step := range []func() error{g.activate, g.startDefaults, g.expire, g.takeSnapshot} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// open reads what every transaction needs.
func open(charter *params.Charter, parent *state.Header, over *state.Overlay) (*Block, error) {
	check.Must(charter != nil && parent != nil, "goods rules begin with a charter and a parent")
	height := parent.Height + 1
	value, err := over.Goods(state.KeyTotals())
	if err != nil {
		return nil, fmt.Errorf("read goods totals: %w", err)
	}
	if (value == nil) != (height == 1) {
		return nil, fmt.Errorf("the goods state does not belong below block %d: rebuild it with --reindex", height)
	}
	totals, err := state.DecodeTotals(value)
	if err != nil {
		return nil, err
	}
	g := &Block{
		charter: charter, parent: parent, height: height, over: over, treasury: TreasuryScript(charter.ID()),
		totals: totals, touched: make(map[string]bool), baseAtStart: make(map[uint16]priceBase),
	}
	if height > 1 {
		err = g.readForce()
	}
	return g, err
}

// readForce reads what is in force, again after a change.
func (g *Block) readForce() (err error) {
	if g.params, err = ReadParameters(g.over); err != nil {
		return err
	}
	if g.counts, err = ReadCounts(g.over); err != nil {
		return err
	}
	g.pendingGoods, err = pendingGoods(g.over)
	return err
}

// Tx judges and applies the next transaction of the block, never the
// coinbase; spent[i] is the coin of input i. It may alias the block. An error
// is a RuleError or the world's.
func (g *Block) Tx(tx *state.Tx, spent []*state.Coin) error {
	check.Must(!g.coinbaseDone, "goods rules: a transaction after the coinbase was judged")
	a, err := g.judge(tx, spent)
	if err != nil {
		return err
	}
	if a.record != nil {
		if err := a.record.apply(a); err != nil {
			return err
		}
	}
	g.addFlow(&a.flow)
	g.notePaid(tx, a.named, false)
	return nil
}

// Next is the block after a state, as the mempool asks about it: each
// transaction is judged as the only one of that block. It is used by one
// goroutine, and no longer than the state stands still.
type Next struct{ block *Block }

// BeginNext does once what the height after parent brings, on top of view, the
// state after parent. Nothing of view is changed. An error is the world's.
func BeginNext(charter *params.Charter, parent *state.Header, view state.View) (*Next, error) {
	g, err := Begin(charter, parent, state.NewOverlay(view, 0))
	return &Next{g}, err
}

// CheckTx judges a transaction and changes nothing. spent[i] is the coin of
// input i and may be one that view does not have. What a transaction that is
// not in view makes a seat, token, escrow, bond or waiting output is not known
// for one: the mempool must not take its children that spend them. An error is
// a RuleError or the world's.
func (n *Next) CheckTx(tx *state.Tx, spent []*state.Coin) error {
	_, err := n.block.judge(tx, spent)
	return err
}

// CheckTx is Next's for one transaction.
func CheckTx(charter *params.Charter, parent *state.Header, view state.View, tx *state.Tx, spent []*state.Coin) error {
	n, err := BeginNext(charter, parent, view)
	if err != nil {
		return err
	}
	return n.CheckTx(tx, spent)
}

// action is one transaction on its way through the rules.
type action struct {
	g      *Block
	tx     *state.Tx
	spent  []*state.Coin
	flow   flow
	record Record // nil for most
	// inputs is what each input is to the rules; nil where all are nothing.
	inputs []state.Meaning
	seats  []spentSeat
	taken  map[int]bool              // inputs that the record spends
	named  map[int]state.MeaningKind // treasury outputs that it makes other than pool
}

// judge checks every rule of a transaction and changes nothing.
func (g *Block) judge(tx *state.Tx, spent []*state.Coin) (*action, error) {
	check.Must(len(spent) == len(tx.Msg.TxIn), "goods rules: %d coins for %d inputs", len(spent), len(tx.Msg.TxIn))
	a := &action{g: g, tx: tx, spent: spent}
	var err error
	if err = a.readInputs(); err != nil {
		return nil, err
	}
	if a.flow, err = g.flowOf(tx.Msg, spent, a.inputs); err != nil {
		return nil, err
	}
	if a.record, err = findRecord(tx.Msg, g.height); err != nil {
		return nil, err
	}
	switch {
	case a.record != nil:
		err = a.record.check(a)
	case len(a.seats) > 0:
		first := a.seats[0]
		err = check.Rule(CodeSeatRecord, "input %d spends the seat of %s without a record: add one, rotate at least", first.input, first.seat.ID())
	}
	if err != nil {
		return nil, err
	}
	if err := a.checkOtherInputs(); err != nil {
		return nil, err
	}
	a.nameFlow()
	return a, nil
}

// set writes a state key; nil removes it. The tree follows in Finish.
func (g *Block) set(key, value []byte) error {
	g.touched[string(key)] = true
	if err := g.over.SetGoods(key, value); err != nil {
		return fmt.Errorf("write goods state: %w", err)
	}
	return nil
}

// Finish closes the block after Coinbase: it compares L with the UTXO set,
// writes the totals and brings the commitment tree up to date. It gives what
// happened, in block order.
func (g *Block) Finish() ([]Event, error) {
	check.Must(g.coinbaseDone, "goods rules: Finish before Coinbase")
	err := g.totals.Check()
	check.Must(err == nil, "goods totals after block %d: %v", g.height, err)
	if err := g.set(state.KeyTotals(), g.totals.Encode()); err != nil {
		return nil, err
	}
	keys := make([]string, 0, len(g.touched))
	for key := range g.touched {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	changes := make([]state.GoodsChange, 0, len(keys))
	for _, key := range keys {
		now, err := g.over.Goods([]byte(key))
		if err != nil {
			return nil, fmt.Errorf("read goods state: %w", err)
		}
		changes = append(changes, state.GoodsChange{Key: []byte(key), New: now})
	}
	if _, err := tree.Update(g.over, changes); err != nil {
		return nil, fmt.Errorf("commitment tree: %w", err)
	}
	check.Invariant(func() error { _, err := tree.Check(g.over); return err })
	return g.events, nil
}

// ErrUnclean is what Revert's error wraps when undo and state do not belong
// together: the data on disk is damaged.
var ErrUnclean = errors.New("the goods undo does not fit the goods state")

// Revert takes a block's goods changes back (Delta.Goods of its connection,
// ascending by key) and brings the commitment tree with them, so that over
// holds every byte as it was below that block.
func Revert(over *state.Overlay, changes []state.GoodsChange) error {
	back := make([]state.GoodsChange, len(changes))
	for i, c := range changes {
		if state.IsNodeKey(c.Key) || i > 0 && bytes.Compare(changes[i-1].Key, c.Key) >= 0 || len(c.Key) == 0 {
			return fmt.Errorf("%w: key %x is out of place", ErrUnclean, c.Key)
		}
		now, err := over.Goods(c.Key)
		if err != nil {
			return fmt.Errorf("read goods state: %w", err)
		}
		if !bytes.Equal(now, c.New) || (now == nil) != (c.New == nil) {
			return fmt.Errorf("%w: key %x is not as the block left it", ErrUnclean, c.Key)
		}
		if err := over.SetGoods(c.Key, c.Old); err != nil {
			return fmt.Errorf("write goods state: %w", err)
		}
		back[i] = state.GoodsChange{Key: c.Key, New: c.Old}
	}
	_, err := tree.Update(over, back)
	return err
}
