package mempool

import (
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/mempool/fees"
	"granary/mempool/policy"
	"granary/state"
)

// truc makes a version 3 transaction.
func (w *world) truc(feeUnits int64, n int, ops ...wire.OutPoint) *state.Tx {
	msg := w.spendMsg(feeUnits, n, ops...)
	msg.Version = policy.TRUCVersion
	return state.NewTx(msg)
}

// below spends the first output of a transaction that is in no pool.
func below(parent *state.Tx, feeUnits int64, more ...*state.Tx) *state.Tx {
	msg := wire.NewMsgTx(parent.Msg.Version)
	var value int64
	for _, p := range append([]*state.Tx{parent}, more...) {
		msg.AddTxIn(&wire.TxIn{PreviousOutPoint: out(p, 0), Sequence: wire.MaxTxInSequenceNum})
		value += p.Msg.TxOut[0].Value
	}
	msg.AddTxOut(wire.NewTxOut(value-feeUnits, anyone))
	return state.NewTx(msg)
}

func (w *world) submit(want string, txs ...*state.Tx) *PackageResult {
	w.t.Helper()
	r, err := w.pool.SubmitPackage(txs, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	if !strings.HasPrefix(r.Message, want) {
		w.t.Errorf("got %q, want %q (%+v)", r.Message, want, r.Results)
	}
	checkPool(w.t, w.pool)
	return r
}

func TestPackageHelpsParent(t *testing.T) {
	w := newWorld(t, 4, nil)
	parent := w.truc(0, 1, w.ripe[0])
	child := below(parent, 1000)
	w.refused(parent, "min relay fee not met")
	r := w.submit(succeeded, parent, child)
	w.want(parent, child)
	for _, result := range r.Results {
		if result.Entry == nil || result.EffectiveFeeUnits != 1000 || len(result.Includes) != 2 ||
			result.EffectiveVBytes != parent.VBytes()+child.VBytes() {
			t.Errorf("unexpected %+v", result)
		}
	}
	if r = w.submit(succeeded, parent, child); !r.Results[0].Already || !r.Results[1].Already {
		t.Errorf("again: %+v", r.Results)
	}
	// Version 2 must pay for its relay itself.
	poor := w.spend(50, 1, w.ripe[1])
	r = w.submit(failedOne, poor, below(poor, 5000))
	if r.Results[0].RejectReason() != "min relay fee not met" || r.Results[1].RejectReason() != "missing-inputs" {
		t.Errorf("unexpected %+v", r.Results)
	}
	// One that pays enough by itself comes in, whatever its child does.
	good := w.spend(1000, 1, w.ripe[2])
	w.submit(failedOne, good, below(good, 1))
	w.want(parent, child, good)
	refusals, err := w.pool.AcceptPackage([]*state.Tx{good, below(good, 1)})
	if err != nil || refusals[0] != nil || string(check.CodeOf(refusals[1])) != "min relay fee not met" {
		t.Errorf("for relay: %v %v", refusals, err)
	}
}

func TestPackageUnderFloor(t *testing.T) {
	w := newWorld(t, 8, nil)
	w.pool.floor.raise(5000, w.clock.Now())
	parent := w.spend(200, 1, w.ripe[0])
	w.refused(parent, "mempool min fee not met")
	w.submit(failedOne, parent, below(parent, 300))
	w.want()
	child := below(parent, 2000)
	w.submit(succeeded, parent, child)
	w.want(parent, child)
	dear := w.spend(200, 1, w.ripe[1])
	r, err := w.pool.SubmitPackage([]*state.Tx{dear, below(dear, 5000)}, 20_000)
	if err != nil || r.Message != failedOne || r.Results[1].RejectReason() != "max feerate exceeded" {
		t.Errorf("too dear: %+v %v", r, err)
	}
	w.want(parent, child)
}

func TestPackageShapes(t *testing.T) {
	w := newWorld(t, 6, nil)
	a, b := w.spend(1000, 1, w.ripe[0]), w.spend(1000, 1, w.ripe[1])
	child := below(a, 1000, b)
	w.submit("package-not-child-with-parents", a, b)
	w.submit("package-not-child-with-unconfirmed-parents", a, child)
	w.submit("package-not-sorted", child, a)
	w.submit("package-contains-duplicates", a, a)
	w.submit("package-too-many-transactions", make26(a)...)
	w.want()
	w.submit(succeeded, a, b, child)
	w.want(a, b, child)
	w.submit(succeeded, w.spend(1000, 1, w.ripe[2]))
}

// TestPackageReplacement: a parent that pays too little takes a place with its
// child's help.
func TestPackageReplacement(t *testing.T) {
	w := newWorld(t, 8, nil)
	oldParent := w.truc(0, 1, w.ripe[0])
	oldChild := below(oldParent, 1000)
	w.submit(succeeded, oldParent, oldChild)

	parent := w.truc(100, 1, w.ripe[0])
	w.refused(parent, "insufficient fee")
	w.submit("package RBF failed: insufficient anti-DoS fees", parent, below(parent, 850))
	w.submit("package RBF failed: insufficient anti-DoS fees", parent, below(parent, 1000))
	w.want(oldParent, oldChild)
	child := below(parent, 2000)
	r := w.submit(succeeded, parent, child)
	w.want(parent, child)
	if len(r.Replaced) != 2 || r.Replaced[0] != oldParent.Txid || r.Replaced[1] != oldChild.Txid {
		t.Errorf("replaced %v", r.Replaced)
	}

	// It pays more, but from more bytes: a miner would lose at small sizes.
	good := w.spend(900, 1, w.ripe[1])
	w.accept(good)
	rich := w.spend(2000, 1, w.ripe[2]) // a small one with a high rate
	w.accept(rich)
	big := w.truc(0, 60, w.ripe[2])
	w.submit("package RBF failed: insufficient feerate", big, below(big, 5000))
	// Neither may what it replaces stand among more than one other.
	c := w.spend(150, 2, w.ripe[3])
	w.accept(c)
	w.accept(w.spend(150, 1, out(c, 0)))
	w.accept(w.spend(150, 1, out(c, 1)))
	p := w.truc(0, 1, w.ripe[3])
	w.submit("package RBF failed: "+c.Txid.String()+" has 2 descendants", p, below(p, 9000))
	// And the parent must gain by its child.
	q := w.truc(1500, 1, w.ripe[1])
	w.accept(q)
	if w.pool.Get(good.Txid) != nil {
		t.Error("the better one did not replace")
	}
}

func TestSiblingEviction(t *testing.T) {
	w := newWorld(t, 4, nil)
	parent := w.truc(1000, 2, w.ripe[0])
	w.accept(parent)
	first := w.truc(1000, 1, out(parent, 0))
	w.accept(first)
	w.refused(w.truc(1000, 1, out(parent, 1)), "insufficient fee (including sibling eviction)")
	second := w.truc(3000, 1, out(parent, 1))
	w.accept(second)
	w.want(parent, second)
	// Its own replacement needs no eviction.
	third := w.truc(6000, 1, out(parent, 1))
	w.accept(third)
	w.want(parent, third)
	w.refused(w.truc(9000, 1, out(third, 0)), "TRUC-violation")
	w.refused(w.spend(9000, 1, out(third, 0)), "TRUC-violation")
	plain := w.spend(1000, 1, w.ripe[1])
	w.accept(plain)
	w.refused(w.truc(1000, 1, out(plain, 0)), "TRUC-violation")
	grand := w.truc(0, 1, w.ripe[2])
	child := below(grand, 0)
	w.submit("package-not-child-with-parents", grand, child, below(child, 9000))
	mixed := below(grand, 9000)
	mixed.Msg.Version = 2
	w.submit("TRUC-violation", grand, state.NewTx(mixed.Msg))
}

// TestEphemeralDust: dust comes with the child that spends it, or not at all.
func TestEphemeralDust(t *testing.T) {
	w := newWorld(t, 4, nil)
	make := func(op wire.OutPoint, feeUnits int64) *state.Tx {
		msg := w.spendMsg(feeUnits, 1, op)
		msg.Version = policy.TRUCVersion
		msg.AddTxOut(wire.NewTxOut(0, policy0Anchor))
		return state.NewTx(msg)
	}
	w.refused(make(w.ripe[0], 1000), "dust")
	parent := make(w.ripe[0], 0)
	w.refused(parent, "min relay fee not met")
	w.submit(failedOne, parent, below(parent, 2000))
	w.want()
	sweep := below(parent, 2000)
	sweep.Msg.AddTxIn(&wire.TxIn{PreviousOutPoint: out(parent, 1)})
	child := state.NewTx(sweep.Msg)
	w.submit(succeeded, parent, child)
	w.want(parent, child)
	// A child that leaves the dust does not take the first one's place.
	w.refused(below(parent, 9000), "missing-ephemeral-spends")
	w.want(parent, child)
}

func TestReplacement(t *testing.T) {
	w := newWorld(t, 200, nil)
	first := w.spend(1000, 3, w.ripe[0])
	w.accept(first)
	w.refused(w.spend(1000, 1, w.ripe[0]), "insufficient fee")
	w.refused(w.spend(1050, 1, w.ripe[0]), "insufficient fee") // does not pay for its relay
	child := w.spend(5000, 1, out(first, 0))
	w.accept(child)
	w.refused(w.spend(5500, 1, w.ripe[0]), "insufficient fee")
	other := w.spend(1000, 1, w.ripe[1])
	w.accept(other)
	msg := w.spendMsg(50_000, 1, w.ripe[0])
	msg.AddTxIn(&wire.TxIn{PreviousOutPoint: out(other, 0)})
	w.refused(state.NewTx(msg), "replacement-adds-unconfirmed")
	msg = w.spendMsg(50_000, 1, w.ripe[0])
	msg.AddTxIn(&wire.TxIn{PreviousOutPoint: out(child, 0)})
	w.refused(state.NewTx(msg), "bad-txns-spends-conflicting-tx")
	better := w.spend(7000, 1, w.ripe[0])
	w.accept(better)
	w.want(better, other)

	// 101 may not leave at once.
	ops := w.ripe[10:111]
	for _, op := range ops {
		w.accept(w.spend(200, 1, op))
	}
	w.refused(w.spend(900_000, 1, ops...), "too many potential replacements")
	w.accept(w.spend(900_000, 1, ops[1:]...))

	w.pool.optIn = true
	w.refused(w.spend(100_000, 1, w.ripe[0]), "txn-mempool-conflict")
}

func TestPriorities(t *testing.T) {
	w := newWorld(t, 8, nil)
	poor := w.spend(10, 1, w.ripe[0])
	w.refused(poor, "min relay fee not met")
	w.pool.Prioritise(poor.Txid, 1000)
	e := w.accept(poor)
	child := w.accept(w.spend(500, 1, out(poor, 0)))
	w.pool.Prioritise(poor.Txid, 500)
	w.pool.Prioritise(child.Tx.Txid, -300)
	checkPool(t, w.pool)
	f, _ := w.pool.Family(poor.Txid)
	if f.ModifiedFeeUnits != 1510 || f.DescendantFeeUnits != 1710 || f.AncestorFeeUnits != 1510 || e.FeeUnits != 10 {
		t.Errorf("unexpected %+v", f)
	}
	if f, _ = w.pool.Family(child.Tx.Txid); f.AncestorFeeUnits != 1710 {
		t.Errorf("unexpected %+v", f)
	}
	if list := w.pool.Priorities(); len(list) != 2 || w.pool.Info().TotalFeeUnits != 510 {
		t.Errorf("unexpected %v", list)
	}
	for _, c := range w.pool.Candidates() {
		if c.Entry == e && c.ScoreUnits != 1510 {
			t.Errorf("scored at %d", c.ScoreUnits)
		}
	}
	w.pool.Prioritise(child.Tx.Txid, 300)
	w.mine(poor)
	if list := w.pool.Priorities(); len(list) != 0 {
		t.Errorf("after the block: %v", list)
	}
	w.pool.Prioritise(poor.Txid, 1<<62)
	w.pool.Prioritise(poor.Txid, 1<<62)
	w.pool.Prioritise(child.Tx.Txid, -1<<63)
	checkPool(t, w.pool)
}

func TestUnbroadcast(t *testing.T) {
	w := newWorld(t, 4, nil)
	a, b, c := w.spend(1000, 1, w.ripe[0]), w.spend(1000, 1, w.ripe[1]), w.spend(1000, 1, w.ripe[2])
	for _, tx := range []*state.Tx{a, b} {
		w.accept(tx)
		w.pool.AddUnbroadcast(tx.Txid)
	}
	w.pool.AddUnbroadcast(c.Txid)
	if got := w.pool.Unbroadcast(); len(got) != 2 || got[0] != a.Txid || w.pool.Info().Unbroadcast != 2 {
		t.Errorf("got %v", got)
	}
	w.mine(a)
	w.pool.RemoveUnbroadcast(b.Txid)
	if got := w.pool.Unbroadcast(); len(got) != 0 {
		t.Errorf("got %v", got)
	}
	checkPool(t, w.pool)
}

// TestFeesAreLearned: what came by itself counts once a block takes it.
func TestFeesAreLearned(t *testing.T) {
	estimator := fees.New()
	w := newWorld(t, 400, func(o *Options) { o.Fees = estimator })
	w.mine() // the estimator hears of a first height
	for i := range 40 {
		w.clock.Set(w.now())
		var txs []*state.Tx
		for j := range 5 {
			tx := w.accept(w.spend(2000, 1, w.ripe[5*i+j])).Tx
			txs = append(txs, tx)
		}
		w.accept(w.spend(9000, 1, out(txs[0], 0))) // not by itself
		w.mine(txs...)
	}
	rate := policy.RateOf(2000, w.spend(2000, 1, w.ripe[399]).VBytes())
	if units, used := estimator.Smart(2, false); units != rate || used != 2 {
		t.Errorf("%d units for %d blocks, want %d", units, used, rate)
	}
}
