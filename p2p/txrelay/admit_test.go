package txrelay

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/mempool"
	"granary/p2p/message"
	"granary/p2p/peer"
	"granary/state"
)

// TestRefusals: a refusal is remembered until the next block, and only broken
// Bitcoin rules are anybody's fault.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name       string
		witness    string
		err        error
		remembered bool
		blamed     bool
	}{
		{"policy", "w", check.RuleKind(check.Policy, "dust", ""), true, false},
		{"fee", "w", check.RuleKind(check.Policy, "min relay fee not met", ""), true, false},
		{"consensus", "w", check.Rule("bad-txns-in-belowout", ""), true, true},
		{"scripts", "w", check.Rule("mandatory-script-verify-flag-failed", ""), true, true},
		{"scripts without a witness", "", check.Rule("mandatory-script-verify-flag-failed", ""), true, true},
		{"stripped", "", check.RuleKind(check.Mutated, "mandatory-script-verify-flag-failed", ""), false, false},
		{"young coinbase", "w", check.Rule("bad-txns-premature-spend-of-coinbase", ""), true, false},
		{"BIP54, 64 bytes", "w", check.Rule("bad-txns-size", ""), true, false},
		{"BIP54, 2501 signature checks", "w", check.Rule("bad-txns-legacy-sigops", ""), true, false},
		{"goods", "w", check.Rule("goods-seat-twice", ""), true, false},
		{"goods policy", "w", check.RuleKind(check.Policy, "goods-cap", ""), true, false},
		{"the world's", "w", fmt.Errorf("the disk is gone"), false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, nil)
			p := w.connect(peer.OutboundFull, nil)
			tx := makeTx(c.witness, w.coin())
			w.pool.refuse[tx.Wtxid] = c.err
			w.send(p, tx)
			if (p.blamed != "") != c.blamed {
				t.Errorf("blamed: %q", p.blamed)
			}
			again := w.connect(peer.OutboundFull, nil)
			w.inv(again, tx)
			if asked := len(itemsIn[*message.GetData](again.take())) == 1; asked == c.remembered {
				t.Errorf("asked for again: %v", asked)
			}
			w.mine()
			third := w.connect(peer.OutboundFull, nil)
			w.relay.Disconnected(again)
			w.inv(third, tx)
			w.wantAsked(third, tx.Wtxid)
		})
	}
}

// TestOrphans: parents are asked from whoever sent the child, by txid, and the
// children follow one by one.
func TestOrphans(t *testing.T) {
	w := newWorld(t, nil)
	p := w.connect(peer.OutboundFull, nil)
	grandparent := w.tx(w.coin())
	parent := w.tx(out(grandparent, 0))
	child := w.tx(out(parent, 0), out(grandparent, 1))
	w.send(p, child)
	w.pass(2 * time.Second) // a peer by wtxid is there: txids wait
	w.wantAsked(p, parent.Txid, grandparent.Txid)
	w.send(p, parent)
	w.wantPool()
	if got := w.relay.Orphans(); len(got) != 2 || got[0] != child || got[1] != parent {
		t.Fatalf("%d orphans", len(got))
	}
	w.send(p, grandparent)
	w.pass(time.Second)
	w.wantPool(grandparent, parent, child)
	if len(w.relay.orphans.byWtxid) != 0 || w.relay.orphans.bytes != 0 || len(w.relay.orphans.spenders) != 0 || len(w.relay.orphans.shares) != 0 {
		t.Errorf("orphans are left: %+v", w.relay.orphans)
	}
	if len(w.relay.Extra()) < 2 {
		t.Error("orphans are not offered to compact blocks")
	}
}

// TestOrphanShared: a second peer that announces an orphan is asked for its
// parents when the first one fails.
func TestOrphanShared(t *testing.T) {
	w := newWorld(t, nil)
	first, second := w.connect(peer.OutboundFull, nil), w.connect(peer.OutboundFull, nil)
	parent := w.tx(w.coin())
	child := w.tx(out(parent, 0))
	w.send(first, child)
	w.inv(second, child)
	w.pass(2 * time.Second)
	w.relay.Disconnected(first)
	w.pass(2 * time.Second)
	w.wantAsked(second, parent.Txid)
	w.send(second, parent)
	w.pass(time.Second)
	w.wantPool(parent, child)
}

// TestHopeless: with a parent refused for good an orphan is not kept.
func TestHopeless(t *testing.T) {
	w := newWorld(t, nil)
	p := w.connect(peer.OutboundFull, nil)
	parent := makeTx("", w.coin()) // its txid is its wtxid
	w.pool.refuse[parent.Wtxid] = check.RuleKind(check.Policy, "dust", "")
	child := w.tx(out(parent, 0))
	w.send(p, parent)
	w.send(p, child)
	if len(w.relay.Orphans()) != 0 {
		t.Error("the child of a refused parent waits")
	}
	accepts := w.pool.accepts
	w.send(p, child)
	if w.pool.accepts != accepts {
		t.Error("the child of a refused parent is judged twice")
	}
}

// TestParentAndChild: a parent that pays too little comes in with a child that
// pays for both, whichever comes first.
func TestParentAndChild(t *testing.T) {
	for _, childFirst := range []bool{true, false} {
		t.Run(fmt.Sprint(childFirst), func(t *testing.T) {
			w := newWorld(t, nil)
			p := w.connect(peer.OutboundFull, nil)
			parent := w.tx(w.coin())
			child := w.tx(out(parent, 0))
			w.pool.feeUnits[parent.Wtxid] = 0
			if childFirst {
				w.send(p, child)
				w.send(p, parent)
			} else {
				w.send(p, parent)
				w.wantPool()
				w.send(p, child)
				w.pass(2 * time.Second)
				w.wantAsked(p, parent.Txid) // though it was refused for its fee
				w.send(p, parent)
			}
			w.wantPool(parent, child)
			if len(w.relay.Orphans()) != 0 || p.closed != "" {
				t.Error("an orphan is left, or the peer blamed")
			}
		})
	}
}

// TestPoorFamily: a package that does not pay is tried once; another child may
// help.
func TestPoorFamily(t *testing.T) {
	w := newWorld(t, nil)
	p, other := w.connect(peer.OutboundFull, nil), w.connect(peer.OutboundFull, nil)
	parent := w.tx(w.coin())
	poor, rich := w.tx(out(parent, 0)), w.tx(out(parent, 1))
	w.pool.feeUnits[parent.Wtxid], w.pool.feeUnits[poor.Wtxid] = 0, 0
	w.send(p, poor)
	w.send(p, parent)
	w.send(p, parent)
	w.send(p, poor)
	if w.pool.packages != 1 {
		t.Fatalf("a package that does not pay was tried %d times", w.pool.packages)
	}
	w.send(other, rich)
	w.send(p, parent)
	w.wantPool(parent, rich)
	if p.closed != "" || other.closed != "" {
		t.Error("paying too little is no crime")
	}
}

// TestTwoPoorParents: a package has one parent that pays too little.
func TestTwoPoorParents(t *testing.T) {
	w := newWorld(t, nil)
	p := w.connect(peer.OutboundFull, nil)
	one, two := makeTx("", w.coin()), makeTx("", w.coin())
	w.pool.feeUnits[one.Wtxid], w.pool.feeUnits[two.Wtxid] = 0, 0
	w.send(p, one)
	w.send(p, two)
	w.send(p, w.tx(out(one, 0), out(two, 0)))
	if len(w.relay.Orphans()) != 0 {
		t.Error("an orphan with two poor parents waits")
	}
}

// TestOrphanFlood: one peer's orphans drive out its own, never another's, and
// what they take is bounded.
func TestOrphanFlood(t *testing.T) {
	w := newWorld(t, nil)
	honest := w.connect(peer.Inbound, nil)
	parent := w.tx(w.coin())
	child := w.tx(out(parent, 0))
	w.send(honest, child)
	big := make([]byte, 390_000)
	n := byte(0)
	for i := range 40 {
		flood := w.connect(peer.Inbound, nil)
		for j := range 200 {
			n++
			op := out(w.tx(wire.OutPoint{Index: uint32(i*1000 + j)}), 0) // of nobody
			tx := w.tx(op)
			if j%50 == 0 { // a large one now and then
				tx = makeTx(string(append([]byte{n}, big...)), op)
			}
			w.relay.Receive(flood, &message.Tx{Tx: tx})
		}
		if s, _ := w.relay.PeerState(flood.id); s.Orphans > maxPeerOrphans {
			t.Fatalf("%d orphans of one peer", s.Orphans)
		}
		if w.relay.orphans.bytes > maxTotalOrphanBytes {
			t.Fatalf("%d bytes of orphans", w.relay.orphans.bytes)
		}
		checkOrphans(t, w.relay.orphans)
	}
	w.send(honest, parent)
	w.pass(time.Second)
	if w.pool.byTxid[child.Txid] == nil {
		t.Error("a flood of orphans drove an honest one out")
	}
	w.pass(orphanLife + time.Minute)
	if o := w.relay.orphans; len(o.byWtxid) != 0 || o.bytes != 0 || len(o.shares) != 0 {
		t.Error("orphans wait for ever")
	}
}

// checkOrphans counts the orphanage anew.
func checkOrphans(t *testing.T, o *orphanage) {
	t.Helper()
	bytes, accounts := 0, 0
	for wtxid, orphan := range o.byWtxid {
		bytes += orphan.cost
		accounts += len(orphan.from)
		if orphan.tx.Wtxid != wtxid || len(orphan.from) == 0 {
			t.Fatal("an orphan in the wrong place, or nobody's")
		}
		for _, in := range orphan.tx.Msg.TxIn {
			if !slices.Contains(o.spenders[in.PreviousOutPoint], orphan) {
				t.Fatal("an orphan cannot be found by what it spends")
			}
		}
	}
	for _, s := range o.shares {
		sum := 0
		accounts -= len(s.list)
		for _, orphan := range s.list {
			sum += orphan.cost + orphanAnnouncerBytes
		}
		if sum != s.bytes || sum > maxPeerOrphanBytes {
			t.Fatalf("a peer's account says %d, and holds %d", s.bytes, sum)
		}
	}
	if bytes != o.bytes || accounts != 0 {
		t.Fatalf("orphans of %d bytes, counted %d; %d more names than accounts", bytes, o.bytes, accounts)
	}
}

// TestOrphanTree: a parent with a hundred children costs one judgement a tick.
func TestOrphanTree(t *testing.T) {
	w := newWorld(t, nil)
	p := w.connect(peer.Inbound, nil)
	parent := w.tx(w.coin())
	for i := range 50 {
		w.relay.Receive(p, &message.Tx{Tx: makeTx(fmt.Sprint("child", i), out(parent, 0))})
	}
	w.relay.Receive(p, &message.Tx{Tx: parent})
	for _, e := range w.relay.Orphans() {
		w.pool.refuse[e.Wtxid] = check.RuleKind(check.Policy, "dust", "")
	}
	before := w.pool.accepts
	w.relay.Tick(w.clock.Now())
	if n := w.pool.accepts - before; n != 1 {
		t.Errorf("%d orphans judged in one tick", n)
	}
	w.relay.Disconnected(p)
	w.pass(time.Second)
	if n := w.pool.accepts - before; n != 1 || len(w.relay.Orphans()) != 0 {
		t.Errorf("%d orphans judged, %d left, of a peer that is gone", n, len(w.relay.Orphans()))
	}
}

// TestWorkMovesOn: orphans that two peers announced are judged though the
// first has gone.
func TestWorkMovesOn(t *testing.T) {
	w := newWorld(t, nil)
	one, two := w.connect(peer.Inbound, nil), w.connect(peer.Inbound, nil)
	parent := w.tx(w.coin())
	children := []*state.Tx{w.tx(out(parent, 0)), w.tx(out(parent, 1))}
	for _, child := range children {
		w.send(one, child)
		w.send(two, child)
	}
	w.relay.Receive(two, &message.Tx{Tx: parent})
	w.relay.Disconnected(one)
	w.pass(time.Second)
	w.wantPool(append(children, parent)...)
}

// TestBlockTakesOrphans: a block that spends an orphan's input takes it along,
// and what it confirms is not asked for.
func TestBlockTakesOrphans(t *testing.T) {
	w := newWorld(t, nil)
	p := w.connect(peer.OutboundFull, nil)
	parent := w.tx(w.coin())
	child, rival := w.tx(out(parent, 0)), makeTx("rival", out(parent, 0))
	w.send(p, child)
	p.take()
	w.mine(parent, rival)
	if len(w.relay.Orphans()) != 0 {
		t.Error("an orphan that can never be waits")
	}
	w.inv(p, parent, rival)
	w.pass(3 * time.Second)
	w.wantAsked(p)
	w.relay.BlockDisconnected(nil)
	w.inv(p, parent)
	w.wantAsked(p, parent.Wtxid)
}

// TestReplacedIsSpare: what was replaced may be in the next block all the same.
func TestReplacedIsSpare(t *testing.T) {
	w := newWorld(t, nil)
	p := w.connect(peer.OutboundFull, nil)
	tx := w.tx(w.coin())
	w.send(p, tx)
	w.pool.remove(tx, mempool.Replaced)
	w.pass(time.Second)
	if !slices.Contains(w.relay.Extra(), tx) {
		t.Error("a replaced transaction is not offered to compact blocks")
	}
}
