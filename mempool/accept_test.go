package mempool

import (
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/mempool/policy"
	"granary/rules/script"
	"granary/state"
)

func TestAccept(t *testing.T) {
	w := newWorld(t, 3, nil)
	tx := w.spend(1000, 2, w.ripe[0])
	e := w.accept(tx)
	if e.FeeUnits != 1000 || e.Weight != tx.Weight() || e.VBytes != tx.VBytes() || e.Height != w.tip.Height ||
		!e.Added.Equal(w.clock.Now()) || e.Seat || e.Record {
		t.Errorf("unexpected entry %+v", e)
	}
	child := w.accept(w.spend(500, 1, out(tx, 0), w.ripe[1]))
	if w.pool.Spender(out(tx, 0)) != child || w.pool.Spender(out(tx, 1)) != nil || w.pool.Get(tx.Txid) != e {
		t.Error("the pool does not find what it holds")
	}
	info := w.pool.Info()
	if info.Count != 2 || info.TotalFeeUnits != 1500 || info.VBytes != e.VBytes+child.VBytes ||
		info.MinUnitsPerKVB != 1000 || info.UsageBytes <= 0 {
		t.Errorf("unexpected info %+v", info)
	}
	w.want(tx, child.Tx)
}

func TestAcceptCopies(t *testing.T) {
	w := newWorld(t, 1, nil)
	block := append(make([]byte, 0, 1<<20), w.spend(1000, 1, w.ripe[0]).Raw...)
	tx, err := state.DecodeTx(block)
	if err != nil {
		t.Fatal(err)
	}
	e := w.accept(tx)
	before := e.Tx.Msg.TxOut[0].PkScript[0]
	clear(block)
	if cap(e.Tx.Raw) > len(e.Tx.Raw)+64 || e.Tx.Msg.TxOut[0].PkScript[0] != before || e.Tx.Raw[0] == 0 {
		t.Error("the entry shares memory with what was handed in")
	}
}

// TestRefusals has one transaction for each reason.
func TestRefusals(t *testing.T) {
	cases := []struct {
		want string
		make func(w *world) *state.Tx
	}{
		{"bad-txns-vout-empty", func(w *world) *state.Tx {
			msg := w.spendMsg(1000, 1, w.ripe[0])
			msg.TxOut = nil
			return state.NewTx(msg)
		}},
		{"coinbase", func(w *world) *state.Tx {
			tx := w.blocks[w.tip].Tx(0)
			return tx
		}},
		{"version", func(w *world) *state.Tx {
			msg := w.spendMsg(1000, 1, w.ripe[0])
			msg.Version = 4
			return state.NewTx(msg)
		}},
		{"tx-size-small", func(w *world) *state.Tx {
			msg := w.spendMsg(1000, 1, w.ripe[0])
			msg.TxOut[0] = wire.NewTxOut(0, []byte{txscript.OP_RETURN})
			return state.NewTx(msg)
		}},
		{"non-final", func(w *world) *state.Tx {
			msg := w.spendMsg(1000, 1, w.ripe[0])
			msg.LockTime, msg.TxIn[0].Sequence = uint32(w.tip.Height)+1, 0
			return state.NewTx(msg)
		}},
		{"non-final", func(w *world) *state.Tx {
			msg := w.spendMsg(1000, 1, w.ripe[0])
			msg.LockTime, msg.TxIn[0].Sequence = uint32(w.tip.MedianTimePast()), 0
			return state.NewTx(msg)
		}},
		{"txn-already-in-mempool", func(w *world) *state.Tx { return w.accept(w.spend(1000, 1, w.ripe[0])).Tx }},
		{"txn-same-nonwitness-data-in-mempool", func(w *world) *state.Tx {
			msg := w.accept(w.spend(1000, 1, w.ripe[0])).Tx.Msg.Copy()
			msg.TxIn[0].Witness = wire.TxWitness{{1}}
			return state.NewTx(msg)
		}},
		{"insufficient fee", func(w *world) *state.Tx {
			w.accept(w.spend(2000, 1, w.ripe[0]))
			return w.spend(1000, 1, w.ripe[0])
		}},
		{"bad-txns-inputs-missingorspent", func(w *world) *state.Tx {
			msg := w.spendMsg(1000, 1, w.ripe[0])
			msg.TxIn[0].PreviousOutPoint.Index = 99
			return state.NewTx(msg)
		}},
		{"bad-txns-inputs-missingorspent", func(w *world) *state.Tx {
			parent := w.accept(w.spend(1000, 1, w.ripe[0])).Tx
			msg := w.spendMsg(1000, 1, out(parent, 0))
			msg.TxIn[0].PreviousOutPoint.Index = 1
			return state.NewTx(msg)
		}},
		{"txn-already-known", func(w *world) *state.Tx {
			tx := w.spend(1000, 1, w.ripe[0])
			w.mine(tx)
			return tx
		}},
		{"non-BIP68-final", func(w *world) *state.Tx {
			parent := w.accept(w.spend(1000, 1, w.ripe[0])).Tx
			msg := w.spendMsg(1000, 1, out(parent, 0))
			msg.TxIn[0].Sequence = 1
			return state.NewTx(msg)
		}},
		{"bad-txns-premature-spend-of-coinbase", func(w *world) *state.Tx {
			return w.spend(1000, 1, wire.OutPoint{Hash: w.blocks[w.tip].Txids[0]})
		}},
		{"bad-txns-in-belowout", func(w *world) *state.Tx { return w.spend(-1, 1, w.ripe[0]) }},
		{"bad-txns-nonstandard-inputs", func(w *world) *state.Tx {
			w.coins[w.ripe[0]].Script = []byte{txscript.OP_TRUE}
			return w.spend(1000, 1, w.ripe[0])
		}},
		{"bad-witness-nonstandard", func(w *world) *state.Tx {
			w.coins[w.ripe[0]].Script = policy0Anchor
			msg := w.spendMsg(1000, 1, w.ripe[0])
			msg.TxIn[0].Witness = wire.TxWitness{{1}}
			return state.NewTx(msg)
		}},
		{"min relay fee not met", func(w *world) *state.Tx { return w.spend(50, 1, w.ripe[0]) }},
		{"dust", func(w *world) *state.Tx { return w.spend(coinUnits-293, 1, w.ripe[0]) }},
		{"TRUC-violation", func(w *world) *state.Tx {
			msg := w.spendMsg(1000, 2, w.ripe[0])
			msg.Version = 3
			parent := w.accept(state.NewTx(msg)).Tx
			return w.spend(1000, 1, out(parent, 0))
		}},
	}
	for _, c := range cases {
		t.Run(c.want, func(t *testing.T) {
			w := newWorld(t, 1, nil)
			tx := c.make(w)
			w.refused(tx, c.want)
			checkPool(t, w.pool)
		})
	}
}

// policy0Anchor is a pay-to-anchor script.
var policy0Anchor = []byte{txscript.OP_1, 2, 0x4e, 0x73}

func TestNonStandardByOption(t *testing.T) {
	w := newWorld(t, 2, func(o *Options) { o.Standard = false })
	w.coins[w.ripe[0]].Script = []byte{txscript.OP_TRUE}
	msg := w.spendMsg(1000, 1, w.ripe[0])
	msg.Version = 9
	msg.TxOut[0].PkScript = []byte{txscript.OP_TRUE, txscript.OP_NOP, txscript.OP_NOP, txscript.OP_NOP, txscript.OP_NOP}
	w.accept(state.NewTx(msg))

	msg = w.spendMsg(1000, 1, w.ripe[1])
	msg.TxIn[0].Witness = wire.TxWitness{make([]byte, 3_996_000)}
	w.refused(state.NewTx(msg), "tx-size")
}

// TestScripts runs real scripts: one that holds, one that only the mempool
// refuses, one that a block refuses, too.
func TestScripts(t *testing.T) {
	checker := script.NewChecker(script.Options{Workers: 1, CacheBytes: 1 << 20})
	defer checker.Close()
	w := newWorld(t, 3, func(o *Options) { o.Standard, o.Scripts = false, checker })
	w.coins[w.ripe[0]].Script = []byte{txscript.OP_TRUE}
	w.coins[w.ripe[1]].Script = []byte{txscript.OP_NOP10, txscript.OP_TRUE}
	w.coins[w.ripe[2]].Script = []byte{txscript.OP_FALSE}
	w.accept(w.spend(1000, 1, w.ripe[0]))
	w.refused(w.spend(1000, 1, w.ripe[1]), "non-mandatory-script-verify-flag")
	w.refused(w.spend(1000, 1, w.ripe[2]), "mandatory-script-verify-flag-failed")
}

func TestChainLimits(t *testing.T) {
	w := newWorld(t, 3, nil)
	tx := w.spend(1000, 2, w.ripe[0])
	root := tx
	for range policy.MaxAncestors - 1 {
		w.accept(tx)
		tx = w.spend(1000, 1, out(tx, 0))
	}
	w.accept(tx) // the 25th
	w.refused(w.spend(1000, 1, out(tx, 0)), "too-long-mempool-chain")
	// The reason is the one that Core meets first on its way up.
	if _, err := w.pool.Accept(w.spend(1000, 1, out(tx, 0))); err == nil || !strings.Contains(err.Error(), "too many unconfirmed ancestors [limit: 25]") {
		t.Errorf("behind 25: %v", err)
	}
	// The carve-out: one more small child whose only ancestor is the root.
	msg := w.spendMsg(2000, 1, out(root, 1), w.ripe[1])
	child := state.NewTx(msg)
	w.accept(child)
	w.refused(w.spend(1000, 1, out(child, 0)), "too-long-mempool-chain")
	checkPool(t, w.pool)
	if got := len(w.pool.Descendants(root.Txid)); got != policy.MaxDescendants {
		t.Errorf("the root has %d descendants, want %d", got, policy.MaxDescendants)
	}
	if got := len(w.pool.Ancestors(tx.Txid)); got != policy.MaxAncestors-1 {
		t.Errorf("the last has %d ancestors, want %d", got, policy.MaxAncestors-1)
	}
	family, ok := w.pool.Family(root.Txid)
	if !ok || family.AncestorCount != 1 || family.DescendantCount != 26 || len(family.SpentBy) != 2 || len(family.Depends) != 0 {
		t.Errorf("unexpected family %+v", family)
	}
}

func TestChainSizeLimits(t *testing.T) {
	w := newWorld(t, 2, nil)
	big := w.spend(300_000, 1500, w.ripe[0]) // 46.5 kvB
	w.accept(big)
	second := w.spendMsg(100_000, 1, out(big, 0), w.ripe[1])
	for i := range 1400 {
		second.AddTxIn(&wire.TxIn{PreviousOutPoint: out(big, i+1), Sequence: wire.MaxTxInSequenceNum})
	}
	w.refused(state.NewTx(second), "too-long-mempool-chain")
	second.TxIn = second.TxIn[:1200]
	second.TxOut[0].Value = 300_000
	w.accept(state.NewTx(second))
	checkPool(t, w.pool)
}

func TestTestAccept(t *testing.T) {
	w := newWorld(t, 3, nil)
	var heard int
	w.pool.Watch(func(Change) { heard++ })
	parent := w.spend(1000, 2, w.ripe[0])
	child := state.NewTx(&wire.MsgTx{
		Version: 2, TxIn: []*wire.TxIn{{PreviousOutPoint: out(parent, 0), Sequence: wire.MaxTxInSequenceNum}},
		TxOut: []*wire.TxOut{wire.NewTxOut(1000, anyone)},
	})
	cheap := w.spend(1, 1, w.ripe[1])
	other := w.spend(1000, 1, w.ripe[2])
	check1 := func(name string, r Result, evaluated bool, reason, pkg string) {
		t.Helper()
		if r.Evaluated != evaluated || r.RejectReason() != reason || r.PackageError != pkg ||
			(r.Entry != nil) != (evaluated && reason == "") {
			t.Errorf("%s: got %+v (%q)", name, r, r.RejectReason())
		}
	}
	check1("parent", w.pool.TestAccept([]*state.Tx{parent})[0], true, "", "")
	check1("orphan", w.pool.TestAccept([]*state.Tx{child})[0], true, "missing-inputs", "")
	r := w.pool.TestAccept([]*state.Tx{parent, child})
	check1("parent of two", r[0], true, "", "")
	check1("child of two", r[1], true, "", "")
	if r[1].Entry.FeeUnits != w.valueIn(parent, 0)-1000 {
		t.Errorf("child's fee is %d", r[1].Entry.FeeUnits)
	}
	r = w.pool.TestAccept([]*state.Tx{parent, cheap, other})
	check1("before the refused", r[0], false, "", "")
	check1("the refused", r[1], true, "min relay fee not met", "")
	check1("after the refused", r[2], false, "", "")
	r = w.pool.TestAccept([]*state.Tx{child, parent})
	check1("out of order", r[0], false, "", "package-not-sorted")
	r = w.pool.TestAccept([]*state.Tx{other, w.spend(2000, 1, w.ripe[2])})
	check1("conflict", r[1], false, "", "conflict-in-package")
	r = w.pool.TestAccept([]*state.Tx{other, other})
	check1("twice", r[1], false, "", "package-contains-duplicates")
	check1("many", w.pool.TestAccept(make26(other))[0], false, "", "package-too-many-transactions")
	w.want()
	if heard != 0 || w.pool.Info().Sequence != 0 {
		t.Error("a trial was heard of")
	}
	w.accept(parent)
	check1("known", w.pool.TestAccept([]*state.Tx{parent})[0], true, "txn-already-in-mempool", "")
}

func make26(tx *state.Tx) []*state.Tx {
	list := make([]*state.Tx, policy.MaxPackageTxs+1)
	for i := range list {
		list[i] = tx
	}
	return list
}

func (w *world) valueIn(tx *state.Tx, i int) int64 { return tx.Msg.TxOut[i].Value }

func TestWatch(t *testing.T) {
	w := newWorld(t, 2, nil)
	var got []Change
	cancel := w.pool.Watch(func(c Change) { got = append(got, c) })
	a := w.spend(1000, 1, w.ripe[0])
	w.accept(a)
	w.mine(a)
	cancel()
	w.accept(w.spend(1000, 1, w.ripe[1]))
	if len(got) != 2 || !got[0].Added || got[0].Entry.Tx.Txid != a.Txid || got[1].Added || got[1].Why != Confirmed {
		t.Errorf("heard %+v", got)
	}
	if Confirmed.String() != "confirmed" || Reason(99).String() != "unknown" {
		t.Error("reasons have no names")
	}
}

func TestView(t *testing.T) {
	w := newWorld(t, 2, nil)
	tx := w.spend(1000, 2, w.ripe[0])
	w.accept(tx)
	w.accept(w.spend(1000, 1, out(tx, 1)))
	err := w.pool.View(func(tip *state.Header, coins state.CoinView) error {
		want := map[wire.OutPoint]int32{ // height, 0 for none
			w.ripe[0]: 0, w.ripe[1]: 1, out(tx, 0): UnconfirmedHeight, out(tx, 1): 0, out(tx, 2): 0,
		}
		for op, height := range want {
			coin, err := coins.Coin(op)
			if err != nil || (coin != nil) != (height != 0) || coin != nil && coin.Height != height {
				t.Errorf("%v: got %+v, %v, want height %d", op, coin, err, height)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestExpiry(t *testing.T) {
	w := newWorld(t, 2, nil)
	old := w.spend(1000, 1, w.ripe[0])
	w.accept(old)
	w.accept(w.spend(500, 1, out(old, 0)))
	w.clock.Set(w.clock.Now().Add(defaultExpiry))
	young := w.spend(1000, 1, w.ripe[1])
	w.accept(young)
	w.mine()
	w.clock.Set(w.clock.Now().Add(time.Second))
	w.mine()
	w.want(young)
}

// TestRefusalsAreRules: no refusal blames the world.
func TestRefusalsAreRules(t *testing.T) {
	w := newWorld(t, 1, nil)
	_, err := w.pool.Accept(w.spend(1, 1, w.ripe[0]))
	if rule := check.AsRule(err); rule == nil || rule.Kind != check.Policy {
		t.Errorf("got %v", err)
	}
}

func wantKind(t *testing.T, name string, err error, mutated bool) {
	t.Helper()
	rule := check.AsRule(err)
	if rule == nil || (rule.Kind == check.Mutated) != mutated {
		t.Errorf("%s: got %v", name, err)
	}
}
