package block

import (
	"bytes"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/params"
	"granary/rules/goods"
	"granary/rules/script"
	"granary/state"
)

// memory is a state.View in maps.
type memory struct {
	coins map[wire.OutPoint]*state.Coin
	goods map[string][]byte
}

func newMemory() *memory {
	return &memory{coins: map[wire.OutPoint]*state.Coin{}, goods: map[string][]byte{}}
}

func (m *memory) Coin(op wire.OutPoint) (*state.Coin, error) { return m.coins[op], nil }
func (m *memory) Goods(key []byte) ([]byte, error)           { return m.goods[string(key)], nil }

func (m *memory) GoodsRange(from, to []byte, f func(key, value []byte) bool) error {
	for _, key := range slices.Sorted(maps.Keys(m.goods)) {
		if key >= string(from) && (to == nil || key < string(to)) && !f([]byte(key), m.goods[key]) {
			return nil
		}
	}
	return nil
}

func (m *memory) clone() *memory {
	return &memory{coins: maps.Clone(m.coins), goods: maps.Clone(m.goods)}
}

// apply moves the state by a delta, and fails where the delta does not fit.
func (m *memory) apply(t testing.TB, d *state.Delta) {
	t.Helper()
	for _, c := range d.Spent {
		if there := m.coins[c.Out]; there == nil || !there.Equal(c.Coin) {
			t.Fatalf("delta spends %v, which is not there", c.Out)
		}
		delete(m.coins, c.Out)
	}
	for _, c := range d.Created {
		if m.coins[c.Out] != nil {
			t.Fatalf("delta creates %v, which is there", c.Out)
		}
		m.coins[c.Out] = c.Coin
	}
	for _, c := range slices.Concat(d.Goods, d.Nodes) {
		if !bytes.Equal(m.goods[string(c.Key)], c.Old) {
			t.Fatalf("delta changes goods key %x from another value", c.Key)
		}
		if c.New == nil {
			delete(m.goods, string(c.Key))
		} else {
			m.goods[string(c.Key)] = c.New
		}
	}
}

func sameState(a, b *memory) bool {
	return maps.EqualFunc(a.coins, b.coins, (*state.Coin).Equal) && maps.EqualFunc(a.goods, b.goods, bytes.Equal)
}

// ledger is a small chain over a memory view.
type ledger struct {
	t              testing.TB
	rules          Rules
	scripts        *script.Checker
	tip            *state.Header
	view           *memory
	blocks         []*state.Block // by height, genesis first
	undos          []*state.Undo
	now            int64
	coinbaseScript []byte
}

func newLedger(t testing.TB, rules Rules) *ledger {
	genesis := state.NewBlock(rules.Net.Chain.GenesisBlock)
	l := &ledger{
		t: t, rules: rules, view: newMemory(), tip: state.NewHeader(&genesis.Msg.Header, nil),
		blocks: []*state.Block{genesis}, undos: []*state.Undo{nil}, now: 2_000_000_000,
		coinbaseScript: []byte{txscript.OP_TRUE},
	}
	return l
}

func regtest(t testing.TB) *ledger { return newLedger(t, Rules{Net: params.RegTest()}) }

// template makes a valid next block with the given transactions; the coinbase
// claims the subsidy and no fees.
func (l *ledger) template(txs ...*wire.MsgTx) *wire.MsgBlock {
	height := l.tip.Height + 1
	coinbase := wire.NewMsgTx(2)
	coinbase.LockTime = uint32(height - 1)
	coinbase.AddTxIn(&wire.TxIn{
		PreviousOutPoint: wire.OutPoint{Index: wire.MaxPrevOutIndex},
		SignatureScript:  append(HeightScript(height), txscript.OP_0),
		Sequence:         wire.MaxTxInSequenceNum - 1,
	})
	coinbase.AddTxOut(wire.NewTxOut(l.rules.Net.SubsidyUnits(height), l.coinbaseScript))
	when := max(l.tip.MedianTimePast()+1, l.tip.Raw.Timestamp.Unix())
	msg := &wire.MsgBlock{
		Header: wire.BlockHeader{
			Version: l.rules.ComputeVersion(l.tip), PrevBlock: l.tip.Hash,
			Timestamp: time.Unix(when, 0), Bits: l.rules.NextBits(l.tip, when),
		},
		Transactions: append([]*wire.MsgTx{coinbase}, txs...),
	}
	AddWitnessCommitment(msg)
	return msg
}

// solve finds a nonce.
func (l *ledger) solve(msg *wire.MsgBlock) *state.Block {
	target, _ := state.TargetOf(msg.Header.Bits)
	for {
		if hash := msg.Header.BlockHash(); state.HashMeets(&hash, &target) {
			return state.NewBlock(msg)
		}
		msg.Header.Nonce++
	}
}

// outcome is what the rules say of a block on the tip.
type outcome struct {
	head   *state.Header
	delta  *state.Delta
	undo   *state.Undo
	events []goods.Event
}

// judge takes a block through all the rules.
func (l *ledger) judge(b *state.Block) (outcome, error) {
	o := outcome{head: state.NewHeader(&b.Msg.Header, l.tip)}
	err := l.rules.CheckHeader(&b.Msg.Header, l.tip, l.now)
	if err == nil {
		err = l.rules.CheckBlock(b)
	}
	if err == nil {
		err = l.rules.CheckBlockContext(b, l.tip)
	}
	if err == nil {
		o.delta, o.undo, o.events, err = l.rules.Connect(b, o.head, l.view, l.scripts)
	}
	return o, err
}

// extend connects a block that must be valid.
func (l *ledger) extend(b *state.Block) {
	l.t.Helper()
	o, err := l.judge(b)
	if err != nil {
		l.t.Fatalf("block %d: %v", l.tip.Height+1, err)
	}
	l.view.apply(l.t, o.delta)
	l.tip = o.head
	l.blocks = append(l.blocks, b)
	l.undos = append(l.undos, o.undo)
}

// retreat takes the tip back.
func (l *ledger) retreat() {
	l.t.Helper()
	height := l.tip.Height
	delta, err := l.rules.Disconnect(l.blocks[height], l.tip, l.undos[height], l.view)
	if err != nil {
		l.t.Fatalf("disconnect %d: %v", height, err)
	}
	l.view.apply(l.t, delta)
	l.tip = l.tip.Parent
	l.blocks, l.undos = l.blocks[:height], l.undos[:height]
}

// grow adds n empty blocks.
func (l *ledger) grow(n int) *ledger {
	l.t.Helper()
	for range n {
		l.extend(l.solve(l.template()))
	}
	return l
}

// coinbaseOut is the first output of the block at height.
func (l *ledger) coinbaseOut(height int32) wire.OutPoint {
	return wire.OutPoint{Hash: l.blocks[height].Txids[0]}
}

// spend makes a transaction from outpoints to outputs of the given units, all
// of which anyone may spend.
func spend(ops []wire.OutPoint, units ...int64) *wire.MsgTx {
	tx := wire.NewMsgTx(2)
	for _, op := range ops {
		tx.AddTxIn(wire.NewTxIn(&op, nil, nil))
	}
	for _, u := range units {
		tx.AddTxOut(wire.NewTxOut(u, []byte{txscript.OP_TRUE}))
	}
	return tx
}

func one(op wire.OutPoint) []wire.OutPoint { return []wire.OutPoint{op} }

// want fails unless err is nil (code "") or a RuleError with code and kind.
func want(t testing.TB, name string, err error, code check.Code, kind check.Kind) {
	t.Helper()
	rule := check.AsRule(err)
	switch {
	case code == "" && err != nil:
		t.Errorf("%s: %v", name, err)
	case code != "" && (rule == nil || rule.Code != code || rule.Kind != kind):
		t.Errorf("%s: got %v, want %s of kind %d", name, err, code, kind)
	}
}

// hashOf is a hash that is not the id of anything.
func hashOf(b byte) chainhash.Hash { return chainhash.Hash{0: b, 31: 0xee} }
