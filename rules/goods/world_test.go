package goods_test

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/params"
	"granary/rules/goods"
	"granary/state"
	"granary/state/tree"
)

// world is a chain in maps: the state, and what takes each block back.
type world struct {
	// sorted, if set, are the keys of goods, which then stay as they are: for
	// benchmarks, where sorting them for every range would be measured.
	sorted []string
	// lean keeps sorted up to date, and of what was there before a block only
	// what the block touches: for many histories.
	lean    bool
	t       testing.TB
	charter *params.Charter
	net     *params.Network
	coins   map[wire.OutPoint]*state.Coin
	goods   map[string][]byte
	height  int32
	tip     *state.Header
	nonce   uint32 // every header is another
	undo    []undo
	granted uint32
	// proposals of the vectors, by name
	proposals map[string]goods.Record
}

type undo struct {
	delta *state.Delta
	goods map[string][]byte // the whole state before, to compare with, or what was touched of it
}

func keyScript(n byte) []byte { return append([]byte{0x00, 20}, bytes.Repeat([]byte{n}, 20)...) }

func newWorld(t testing.TB) *world {
	t.Helper()
	charter, err := params.DemoCharter(params.DemoScripts{
		Custodians: [2][]byte{keyScript(1), keyScript(2)},
		Auditors:   [3][]byte{keyScript(3), keyScript(4), keyScript(5)},
		Council:    keyScript(6),
	})
	if err != nil {
		t.Fatal(err)
	}
	return worldOf(t, charter)
}

// oddWorld is a chain whose numbers meet other edges: short lives and ages, a
// measure worth less than a unit, one worth thousands of coins, no bonds asked
// for.
func oddWorld(t testing.TB) *world { return oddWorldWithCap(t, 400) }

func oddWorldWithCap(t testing.TB, capUnits int64) *world {
	t.Helper()
	c := *newWorld(t).charter
	c.Parameters.AttestationLifeBlocks = 20
	c.Parameters.MinDrawUnits = 10
	c.Parameters.BlockReleaseCapUnits = capUnits
	c.Parameters.BondRatioBP, c.Parameters.UnbondedAllowanceUnits = 0, 0
	c.Low, c.High = c.Parameters, c.Parameters
	c.Goods = slices.Clone(c.Goods)
	c.Goods[0].MaxAgeBlocks = 10
	c.Goods[1].ParNum = 1 << 40
	c.Goods[2].ParNum, c.Goods[2].ParDen = 1, 3
	charter, err := params.NewCharter(c)
	if err != nil {
		t.Fatal(err)
	}
	return worldOf(t, charter)
}

func worldOf(t testing.TB, charter *params.Charter) *world {
	t.Helper()
	net, err := charter.Network()
	if err != nil {
		t.Fatal(err)
	}
	return &world{
		t: t, charter: charter, net: net, coins: map[wire.OutPoint]*state.Coin{}, goods: map[string][]byte{},
		tip: state.NewHeader(&wire.BlockHeader{}, nil),
	}
}

func (w *world) Coin(op wire.OutPoint) (*state.Coin, error) { return w.coins[op], nil }
func (w *world) Goods(key []byte) ([]byte, error)           { return w.goods[string(key)], nil }

func (w *world) GoodsRange(from, to []byte, f func(key, value []byte) bool) error {
	keys := w.sorted
	if keys == nil {
		keys = slices.Sorted(maps.Keys(w.goods))
	}
	at, _ := slices.BinarySearch(keys, string(from))
	for _, key := range keys[at:] {
		if to != nil && key >= string(to) || !f([]byte(key), w.goods[key]) {
			return nil
		}
	}
	return nil
}

func (w *world) rangeCoins(f func(op wire.OutPoint, c *state.Coin) bool) error {
	for op, coin := range w.coins {
		if !f(op, coin) {
			return nil
		}
	}
	return nil
}

func txOf(msg *wire.MsgTx) *state.Tx {
	tx := state.NewTx(msg)
	return tx
}

// subsidy is that of the next block.
func (w *world) subsidy() int64 { return w.net.SubsidyUnits(w.height + 1) }

// attempt is one block under judgement on top of the world.
type attempt struct {
	w    *world
	over *state.Overlay
	g    *goods.Block
	fees int64
}

func (w *world) begin() *attempt {
	w.t.Helper()
	over := state.NewOverlay(w, 0)
	g, err := goods.Begin(w.charter, w.tip, over)
	if err != nil {
		w.t.Fatal(err)
	}
	return &attempt{w: w, over: over, g: g}
}

// spentBy gives the coins a transaction spends, nil where one is missing.
func (a *attempt) spentBy(msg *wire.MsgTx) []*state.Coin {
	spent := make([]*state.Coin, len(msg.TxIn))
	for i, in := range msg.TxIn {
		spent[i], _ = a.over.Coin(in.PreviousOutPoint)
		if spent[i] == nil {
			a.w.t.Fatalf("input %d: no coin at %v", i, in.PreviousOutPoint)
		}
	}
	return spent
}

// tx judges a transaction and, if it is valid, moves the coins.
func (a *attempt) tx(msg *wire.MsgTx) error {
	spent := a.spentBy(msg)
	if err := a.g.Tx(txOf(msg), spent); err != nil {
		return err
	}
	for i, in := range msg.TxIn {
		a.fees += spent[i].ValueUnits
		if _, err := a.over.Spend(in.PreviousOutPoint); err != nil {
			return err
		}
	}
	for _, out := range msg.TxOut {
		a.fees -= out.Value
	}
	return a.create(msg, false)
}

func (a *attempt) create(msg *wire.MsgTx, coinbase bool) error {
	for i, out := range msg.TxOut {
		if state.Unspendable(out.PkScript) {
			continue
		}
		op := wire.OutPoint{Hash: msg.TxHash(), Index: uint32(i)}
		coin := &state.Coin{ValueUnits: out.Value, Script: out.PkScript, Height: a.w.height + 1, Coinbase: coinbase}
		if err := a.over.Create(op, coin, true); err != nil {
			return err
		}
	}
	return nil
}

var minerScript = keyScript(0x77)

// coinbase is a valid one for what was judged so far.
func (a *attempt) coinbase() *wire.MsgTx {
	a.w.t.Helper()
	msg := wire.NewMsgTx(2)
	height := binary.LittleEndian.AppendUint32([]byte{4}, uint32(a.w.height+1))
	msg.AddTxIn(wire.NewTxIn(wire.NewOutPoint(&chainhash.Hash{}, wire.MaxPrevOutIndex), height, nil))
	outs, err := goods.CoinbaseOutputs(a.w.charter, a.w.height+1, a.w, a.w.subsidy(), a.fees, minerScript)
	if err != nil {
		a.w.t.Fatal(err)
	}
	msg.TxOut = outs
	return msg
}

// finish closes the block and moves the world.
func (a *attempt) finish(coinbase *wire.MsgTx) ([]goods.Event, error) {
	w := a.w
	if err := a.g.Coinbase(txOf(coinbase), w.subsidy(), a.fees); err != nil {
		return nil, err
	}
	if err := a.create(coinbase, true); err != nil {
		return nil, err
	}
	events, err := a.g.Finish()
	if err != nil {
		return nil, err
	}
	delta := a.over.Changes(state.IsNodeKey)
	w.undo = append(w.undo, undo{delta, w.before(delta)})
	w.apply(delta)
	w.height++
	w.nonce++
	w.tip = state.NewHeader(&wire.BlockHeader{Nonce: w.nonce, PrevBlock: w.tip.Hash}, w.tip)
	return events, nil
}

// before is the whole state, or what a block is about to touch of it.
func (w *world) before(d *state.Delta) map[string][]byte {
	if !w.lean {
		return maps.Clone(w.goods)
	}
	touched := make(map[string][]byte, len(d.Goods)+len(d.Nodes))
	for _, list := range [][]state.GoodsChange{d.Goods, d.Nodes} {
		for _, c := range list {
			touched[string(c.Key)] = w.goods[string(c.Key)]
		}
	}
	return touched
}

func (w *world) apply(d *state.Delta) {
	if w.lean {
		w.sorted = w.sortedAfter(w.sortedAfter(w.sorted, d.Goods), d.Nodes)
	}
	for _, c := range d.Spent {
		delete(w.coins, c.Out)
	}
	for _, c := range d.Created {
		w.coins[c.Out] = c.Coin
	}
	for _, c := range slices.Concat(d.Goods, d.Nodes) {
		if c.New == nil {
			delete(w.goods, string(c.Key))
		} else {
			w.goods[string(c.Key)] = c.New
		}
	}
}

// sortedAfter is the sorted keys after changes, which come in order too.
func (w *world) sortedAfter(keys []string, changes []state.GoodsChange) []string {
	after := make([]string, 0, len(keys)+len(changes))
	for _, c := range changes {
		key := string(c.Key)
		_, was := w.goods[key]
		if was == (c.New != nil) {
			continue
		}
		at, _ := slices.BinarySearch(keys, key)
		after = append(after, keys[:at]...)
		if keys = keys[at:]; was {
			keys = keys[1:]
		} else {
			after = append(after, key)
		}
	}
	return append(after, keys...)
}

// disconnect takes the last block back through Revert and compares every
// byte, nodes included, with what was there before.
func (w *world) disconnect() {
	w.t.Helper()
	last := w.undo[len(w.undo)-1]
	w.undo = w.undo[:len(w.undo)-1]
	over := state.NewOverlay(w, 0)
	if err := goods.Revert(over, last.delta.Goods); err != nil {
		w.t.Fatal(err)
	}
	back := over.Changes(state.IsNodeKey)
	if w.lean { // what neither the block nor Revert touches is as it was
		for key, now := range w.before(back) {
			if _, touched := last.goods[key]; !touched {
				last.goods[key] = now
			}
		}
	}
	w.apply(back)
	if !w.asBefore(last.goods) {
		w.t.Fatalf("height %d: taking the block back left other goods bytes", w.height)
	}
	for _, c := range last.delta.Created {
		delete(w.coins, c.Out)
	}
	for _, c := range last.delta.Spent {
		w.coins[c.Out] = c.Coin
	}
	w.height--
	w.tip = w.tip.Parent
}

// asBefore compares the state with what was there.
func (w *world) asBefore(goods map[string][]byte) bool {
	if !w.lean {
		return maps.EqualFunc(w.goods, goods, bytes.Equal)
	}
	for key, was := range goods {
		now, ok := w.goods[key]
		if ok != (was != nil) || !bytes.Equal(now, was) {
			return false
		}
	}
	return true
}

// mine adds n blocks without transactions.
func (w *world) mine(n int) {
	w.t.Helper()
	for range n {
		a := w.begin()
		if _, err := a.finish(a.coinbase()); err != nil {
			w.t.Fatal(err)
		}
	}
}

// grant puts an ordinary coin into circulation that no draw released, for
// tests that need one before there are goods.
func (w *world) grant(units int64) wire.OutPoint {
	w.t.Helper()
	w.granted++
	op := wire.OutPoint{Hash: chainhash.HashH([]byte("grant")), Index: w.granted}
	w.coins[op] = &state.Coin{ValueUnits: units, Script: keyScript(0x99), Height: w.height}
	totals, err := goods.ReadTotals(w)
	if err != nil {
		w.t.Fatal(err)
	}
	totals.CirculatingUnits += units
	totals.UTXOUnits += units
	over := state.NewOverlay(w, 0)
	if err := over.SetGoods(state.KeyTotals(), totals.Encode()); err != nil {
		w.t.Fatal(err)
	}
	if _, err := tree.Update(over, []state.GoodsChange{{Key: state.KeyTotals(), New: totals.Encode()}}); err != nil {
		w.t.Fatal(err)
	}
	w.apply(over.Changes(state.IsNodeKey))
	w.undo = nil // blocks below a grant cannot be taken back
	return op
}

func (w *world) check() {
	w.t.Helper()
	if err := goods.CheckState(w.charter, w.height, w, w.rangeCoins); err != nil {
		w.t.Fatalf("height %d: %v", w.height, err)
	}
}

func (w *world) seat(role state.Role, index uint16) state.Seat {
	w.t.Helper()
	seats, err := goods.ReadSeats(w)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, s := range seats {
		if s.Role == role && s.Index == index {
			return s
		}
	}
	w.t.Fatalf("no seat %v %d", role, index)
	return state.Seat{}
}
