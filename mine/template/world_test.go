package template

import (
	"bytes"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/clock"
	"granary/chain"
	"granary/mempool"
	"granary/params"
	"granary/rules/block"
	"granary/state"
)

// world is a chain in memory that holds every block to all rules but work and
// scripts, with a pool and a builder on it.
type world struct {
	t       testing.TB
	mu      sync.RWMutex
	rules   block.Rules
	tip     *state.Header
	coins   map[wire.OutPoint]*state.Coin
	goods   map[string][]byte
	blocks  map[*state.Header]*state.Block
	undo    map[*state.Header]*state.Undo
	clock   *clock.Mock
	pool    *mempool.Pool
	vault   *Vault // nil without charter
	builder *Builder
	extra   uint64
}

func newWorld(t testing.TB, rules block.Rules) *world {
	w := &world{
		t: t, rules: rules, tip: state.NewHeader(&rules.Net.Chain.GenesisBlock.Header, nil),
		coins: map[wire.OutPoint]*state.Coin{}, goods: map[string][]byte{},
		blocks: map[*state.Header]*state.Block{}, undo: map[*state.Header]*state.Undo{},
		clock: &clock.Mock{},
	}
	w.clock.Set(w.tip.Raw.Timestamp.Add(time.Hour))
	w.freshPool()
	if rules.Charter != nil {
		w.vault = NewVault(w, rules.Charter)
	}
	w.builder = NewBuilder(Options{Chain: w, Pool: w.pool, Vault: w.vault, Rules: rules, Clock: w.clock})
	return w
}

func (w *world) freshPool() {
	w.pool = mempool.New(mempool.Options{Chain: w, Rules: w.rules, Clock: w.clock, Standard: true})
}

func (w *world) View(f func(tip *state.Header, v state.View) error) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return f(w.tip, w)
}

func (w *world) RangeCoins(f func(op wire.OutPoint, c *state.Coin) bool) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	for op, coin := range w.coins {
		if !f(op, coin) {
			break
		}
	}
	return nil
}

func (w *world) Coin(op wire.OutPoint) (*state.Coin, error) { return w.coins[op], nil }

func (w *world) Goods(key []byte) ([]byte, error) { return w.goods[string(key)], nil }

func (w *world) GoodsRange(from, to []byte, f func(key, value []byte) bool) error {
	var keys []string
	for key := range w.goods {
		if key >= string(from) && (to == nil || key < string(to)) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		if !f([]byte(key), w.goods[key]) {
			break
		}
	}
	return nil
}

// connect puts a block on the tip if the rules let it.
func (w *world) connect(msg *wire.MsgBlock) error {
	w.mu.Lock()
	b := state.NewBlock(msg)
	h := state.NewHeader(&msg.Header, w.tip)
	err := w.rules.CheckBlock(b)
	if err == nil {
		err = w.rules.CheckBlockContext(b, w.tip)
	}
	var delta *state.Delta
	var undo *state.Undo
	if err == nil {
		delta, undo, _, err = w.rules.Connect(b, h, w, nil)
	}
	if err != nil {
		w.mu.Unlock()
		return err
	}
	w.apply(delta)
	w.blocks[h], w.undo[h], w.tip = b, undo, h
	w.mu.Unlock()
	return w.tell(&chain.Event{Connected: true, Header: h, Block: b, Undo: undo})
}

// tell lets the followers hear of a step.
func (w *world) tell(ev *chain.Event) error {
	followers := []chain.Follower{w.pool}
	if w.vault != nil {
		followers = append(followers, w.vault)
	}
	for _, f := range followers {
		step := f.Disconnect
		if ev.Connected {
			step = f.Connect
		}
		if err := step(ev); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) disconnect() {
	w.mu.Lock()
	h := w.tip
	delta, err := w.rules.Disconnect(w.blocks[h], h, w.undo[h], w)
	if err != nil {
		w.t.Fatal(err)
	}
	w.apply(delta)
	w.tip = h.Parent
	w.mu.Unlock()
	if err := w.tell(&chain.Event{Header: h, Block: w.blocks[h], Undo: w.undo[h]}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) apply(d *state.Delta) {
	for _, change := range d.Spent {
		delete(w.coins, change.Out)
	}
	for _, change := range d.Created {
		w.coins[change.Out] = change.Coin
	}
	for _, change := range append(slices.Clone(d.Goods), d.Nodes...) {
		if change.New == nil {
			delete(w.goods, string(change.Key))
		} else {
			w.goods[string(change.Key)] = bytes.Clone(change.New)
		}
	}
}

// build makes a template that pays anyone.
func (w *world) build() *Template {
	w.t.Helper()
	w.extra++
	t, err := w.builder.Build(anyone, w.extra)
	if err != nil {
		w.t.Fatal(err)
	}
	return t
}

// mine connects n templates, ten minutes apart.
func (w *world) mine(n int) {
	w.t.Helper()
	for range n {
		t := w.build()
		if err := w.connect(t.Block); err != nil {
			w.t.Fatalf("block %d: %v", t.Height, err)
		}
		w.clock.Set(w.tip.Raw.Timestamp.Add(10 * time.Minute))
	}
}

// coinbaseOut is the first output of the coinbase at height that has value
// and pays anyone.
func (w *world) coinbaseOut(height int32) wire.OutPoint {
	h := w.tip.Ancestor(height)
	b := w.blocks[h]
	for i, out := range b.Msg.Transactions[0].TxOut {
		if out.Value > 0 && bytes.Equal(out.PkScript, anyone) {
			return wire.OutPoint{Hash: b.Txids[0], Index: uint32(i)}
		}
	}
	w.t.Fatalf("block %d pays nobody", height)
	return wire.OutPoint{}
}

// spend makes a transaction into n equal outputs that leaves a fee.
func (w *world) spend(feeUnits int64, n int, ops ...wire.OutPoint) *state.Tx {
	w.t.Helper()
	msg := wire.NewMsgTx(2)
	var value int64
	for _, op := range ops {
		coin := w.coins[op]
		if e := w.pool.Get(op.Hash); e != nil {
			coin = &state.Coin{ValueUnits: e.Tx.Msg.TxOut[op.Index].Value}
		}
		if coin == nil {
			w.t.Fatalf("no coin at %v", op)
		}
		value += coin.ValueUnits
		msg.AddTxIn(&wire.TxIn{PreviousOutPoint: op, Sequence: wire.MaxTxInSequenceNum})
	}
	for range n {
		msg.AddTxOut(wire.NewTxOut((value-feeUnits)/int64(n), anyone))
	}
	msg.TxOut[0].Value += (value - feeUnits) % int64(n)
	return state.NewTx(msg)
}

func (w *world) accept(tx *state.Tx) *state.Tx {
	w.t.Helper()
	if _, err := w.pool.Accept(tx); err != nil {
		w.t.Fatal(err)
	}
	return tx
}

// fan turns the coinbase at height into n coins, confirmed.
func (w *world) fan(height int32, n int) []wire.OutPoint {
	tx := w.spend(1_000_000, n, w.coinbaseOut(height))
	t, err := w.builder.BuildWith(anyone, 0, []*state.Tx{tx})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.connect(t.Block); err != nil {
		w.t.Fatal(err)
	}
	w.clock.Set(w.tip.Raw.Timestamp.Add(10 * time.Minute))
	ops := make([]wire.OutPoint, n)
	for i := range ops {
		ops[i] = out(tx, i)
	}
	return ops
}

func out(tx *state.Tx, i int) wire.OutPoint { return wire.OutPoint{Hash: tx.Txid, Index: uint32(i)} }

// txids lists a template's transactions without the coinbase.
func txids(t *Template) []chainhash.Hash {
	var ids []chainhash.Hash
	for _, tx := range t.Block.Transactions[1:] {
		ids = append(ids, tx.TxHash())
	}
	return ids
}

func wantTxs(t testing.TB, got *Template, want ...*state.Tx) {
	t.Helper()
	var ids []chainhash.Hash
	for _, tx := range want {
		ids = append(ids, tx.Txid)
	}
	if !slices.Equal(txids(got), ids) {
		t.Errorf("the block holds %v, want %v", txids(got), ids)
	}
}

// anyone is a script whose kind the rules without scripts do not look at.
var anyone = append([]byte{txscript.OP_0, 20}, make([]byte, 20)...)

func plain() block.Rules { return block.Rules{Net: params.RegTest()} }
