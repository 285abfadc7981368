package mempool

import (
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/mempool/policy"
	"granary/state"
)

func TestConnect(t *testing.T) {
	w := newWorld(t, 3, nil)
	parent := w.spend(1000, 2, w.ripe[0])
	child := w.spendAfter(parent, 0)
	lost := w.spend(1000, 1, w.ripe[1])
	grandchild := w.spendAfter(lost, 0)
	for _, tx := range []*state.Tx{parent, child, lost, grandchild} {
		w.accept(tx)
	}
	w.mine(parent, w.spend(2000, 1, w.ripe[1])) // the other side of a conflict
	w.want(child)
	if e := w.pool.Get(child.Txid); e.ancestors.count != 1 || e.inputHeight != w.tip.Height {
		t.Errorf("the child does not know that its parent is confirmed: %+v", e)
	}
}

// spendAfter spends one output of a transaction that may be anywhere.
func (w *world) spendAfter(tx *state.Tx, i int) *state.Tx {
	msg := wire.NewMsgTx(2)
	msg.AddTxIn(&wire.TxIn{PreviousOutPoint: out(tx, i), Sequence: wire.MaxTxInSequenceNum})
	msg.AddTxOut(wire.NewTxOut(tx.Msg.TxOut[i].Value-1000, anyone))
	return state.NewTx(msg)
}

func TestReorganisationBringsBack(t *testing.T) {
	for _, late := range []bool{false, true} {
		w := newWorld(t, 4, nil)
		a := w.spend(1000, 2, w.ripe[0])
		b := w.spendAfter(a, 0)
		free := w.spend(0, 1, w.ripe[1]) // a miner may take what pays nothing
		c := w.spendAfter(b, 0)
		w.mine(a, free)
		w.mine(b)
		w.accept(c)
		w.hold = late
		w.drop()
		w.drop()
		if late {
			w.release()
		}
		w.want(a, b, c, free)
		// The other branch takes a, and spends what free wanted.
		w.hold = late
		w.mine(a, w.spend(3000, 1, w.ripe[1]))
		if late {
			w.release()
		}
		w.want(b, c)
	}
}

func TestReorganisationLosesTheImmature(t *testing.T) {
	w := newWorld(t, 1, nil)
	young := w.mine()
	for range 98 {
		w.mine()
	}
	tx := w.spend(1000, 1, wire.OutPoint{Hash: young.Txids[0]})
	w.refused(tx, "bad-txns-premature-spend-of-coinbase")
	w.mine()
	w.accept(tx)
	child := w.spendAfter(tx, 0)
	w.accept(child)
	w.want(tx, child)
	w.drop()
	w.want()
}

func TestReorganisationClosesLocks(t *testing.T) {
	w := newWorld(t, 3, nil)
	absolute := w.spendMsg(1000, 1, w.ripe[0])
	absolute.LockTime, absolute.TxIn[0].Sequence = uint32(w.tip.Height)+1, 0xfffffffe
	parent := w.spend(1000, 1, w.ripe[1])
	w.mine(parent)
	relative := w.spendMsg(1000, 1, out(parent, 0))
	relative.TxIn[0].Sequence = 2
	w.refused(state.NewTx(relative), "non-BIP68-final")
	w.mine()
	w.accept(state.NewTx(absolute))
	w.accept(state.NewTx(relative))
	w.drop()
	w.want(state.NewTx(absolute))
	w.drop()
	w.want(parent)
}

// TestReorganisationKeepsChainsShort: transactions that come back below a
// long chain, or a broad one, do not stretch it over the bounds.
func TestReorganisationKeepsChainsShort(t *testing.T) {
	w := newWorld(t, 3, nil)
	root := w.spend(1000, 40, w.ripe[0])
	w.mine(root)
	for i := range 40 {
		w.accept(w.spendAfter(root, i))
	}
	tip := w.spend(1000, 1, w.ripe[1])
	w.mine(tip)
	for range policy.MaxAncestors {
		tip = w.spendAfter(tip, 0)
		w.accept(tip)
	}
	w.drop() // the beginning of the long chain
	checkPool(t, w.pool)
	if w.pool.Get(tip.Txid) != nil || w.pool.Info().Count != 40+policy.MaxAncestors {
		t.Errorf("%d transactions, want the last of the chain to go", w.pool.Info().Count)
	}
	w.drop() // the root of the broad one
	checkPool(t, w.pool)
	if got := w.pool.Info().Count; got != policy.MaxDescendants+policy.MaxAncestors {
		t.Errorf("%d transactions, want %d", got, policy.MaxDescendants+policy.MaxAncestors)
	}
}

// TestReorganisationOfLongChain: a block may hold a chain that the pool does
// not take.
func TestReorganisationOfLongChain(t *testing.T) {
	w := newWorld(t, 1, nil)
	txs := []*state.Tx{w.spend(1000, 1, w.ripe[0])}
	for range 40 {
		txs = append(txs, w.spendAfter(txs[len(txs)-1], 0))
	}
	w.mine(txs...)
	child := w.spendAfter(txs[40], 0)
	w.accept(child)
	w.drop()
	w.want(txs[:policy.MaxAncestors]...)
	w.mine(txs[:30]...)
	w.want()
}

// TestLostBlocksAreBounded lets the pool hear of lost blocks that hold more
// than it keeps, before it can put them in order.
func TestLostBlocksAreBounded(t *testing.T) {
	const blocks, bytes = 60, 390_000
	w := newWorld(t, blocks, func(o *Options) { o.Standard = false })
	for i := range blocks {
		msg := w.spendMsg(coinUnits/2, 1, w.ripe[i])
		msg.TxIn[0].Witness = wire.TxWitness{make([]byte, bytes)}
		w.mine(state.NewTx(msg))
	}
	w.hold = true
	for range blocks {
		w.drop()
	}
	w.mine()
	events := w.held
	for _, ev := range events[:blocks] {
		if err := w.pool.Disconnect(ev); err != nil {
			t.Fatal(err)
		}
		if w.pool.lost.bytes > maxLostBytes {
			t.Fatalf("%d bytes are kept of lost blocks", w.pool.lost.bytes)
		}
	}
	if err := w.pool.Connect(events[blocks]); err != nil {
		t.Fatal(err)
	}
	if got := w.pool.Info().Count; got != maxLostBytes/bytes || len(w.pool.lost.txs) != 0 {
		t.Errorf("%d transactions came back, want %d", got, maxLostBytes/bytes)
	}
	checkPool(t, w.pool)
}

// TestReorganisationFollowsCoins: a coin that a reorganisation confirmed anew,
// higher up, is looked at again when that block goes.
func TestReorganisationFollowsCoins(t *testing.T) {
	w := newWorld(t, 1, nil)
	parent := w.spend(1000, 1, w.ripe[0])
	w.mine(parent)
	child := w.spendAfter(parent, 0)
	w.accept(child)
	w.hold = true
	w.drop()
	w.mine()
	w.mine(parent)
	w.release()
	w.want(child)
	w.hold = true
	w.drop()
	w.mine(w.spend(2000, 1, w.ripe[0])) // instead of the parent
	w.release()
	w.want()
}

func TestPruneIsNothing(t *testing.T) {
	if err := newWorld(t, 1, nil).pool.Prune(5); err != nil {
		t.Error(err)
	}
}
