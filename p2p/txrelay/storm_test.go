package txrelay

import (
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/p2p/message"
	"granary/p2p/peer"
	"granary/state"
)

// TestOrphanAnnouncedAgain: two peers hold large orphans with thousands of
// known parents, and a third, whose share has room for one, announces both in
// turns. Only the first announcement of each is looked at: one message of 1.8 MB
// took 43 seconds.
func TestOrphanAnnouncedAgain(t *testing.T) {
	w := newWorld(t, nil)
	a, b, c := w.connect(peer.Inbound, nil), w.connect(peer.Inbound, nil), w.connect(peer.Inbound, nil)
	large := func(salt byte) *state.Tx {
		ops := make([]wire.OutPoint, 2_000)
		for i := range ops {
			ops[i] = w.coin()
			w.relay.confirmed.add(ops[i].Hash)
		}
		ops[1999].Hash[31] = salt // and one that nobody knows
		return makeTx("", ops...)
	}
	first, second := large(1), large(2)
	w.send(a, first)
	w.send(b, second)
	if len(w.relay.Orphans()) != 2 {
		t.Fatalf("%d orphans", len(w.relay.Orphans()))
	}
	m := &message.Inv{}
	for i := range message.MaxItems - 1 { // the last names the first
		tx := [2]*state.Tx{first, second}[i%2]
		m.Items = append(m.Items, message.Item{Type: message.ItemWTx, Hash: tx.Wtxid})
	}
	began := time.Now()
	w.receive(c, m)
	t.Logf("%v", time.Since(began))
	share := w.relay.orphans.shares[c.id]
	if share == nil || len(share.list) != 1 || share.list[0].tx != second {
		t.Fatal("an orphan was looked at again for one who had announced it")
	}
	if c.closed != "" {
		t.Fatal(c.closed)
	}
}

// TestOrphanBeforeItsAnnouncer: somebody sends a child without being asked, and
// withholds its parent. Who has announced the child before is asked for the
// parent too (CVE-2024-52913).
func TestOrphanBeforeItsAnnouncer(t *testing.T) {
	for _, byWtxid := range []bool{true, false} {
		w := newWorld(t, nil)
		honest := w.connect(peer.Inbound, func(f *peer.Facts) { f.WTxIDRelay = byWtxid })
		thief := w.connect(peer.Inbound, nil)
		parent := makeTx("parent", w.coin())
		child := makeTx("child", out(parent, 0))
		w.pool.feeUnits[parent.Wtxid] = 0 // nobody announces it by itself
		if byWtxid {
			w.inv(honest, child)
		} else {
			w.receive(honest, &message.Inv{Items: []message.Item{{Type: message.ItemTx, Hash: child.Txid}}})
		}
		w.send(thief, child)
		var wanted bool
		for range 80 {
			w.pass(time.Second)
			for _, item := range itemsIn[*message.GetData](honest.take()) {
				wanted = wanted || item.Hash == parent.Txid
			}
		}
		if !wanted {
			t.Errorf("by wtxid %v: only the thief was asked for the parent", byWtxid)
		}
	}
}
