package peers

import (
	"encoding/hex"
	"fmt"
	"os"
	"testing"
	"time"

	"granary/params"
	"granary/state"
)

// lockstep feeds btcd and one more node of ours the same blocks in the same
// order, and holds their tips against each other after each.
type lockstep struct {
	t        *testing.T
	peer     *btcd
	observer *world
	blocks   int
}

func (l *lockstep) feed(blocks ...*state.Block) {
	l.t.Helper()
	for _, b := range blocks {
		l.peer.mustTake(b)
		l.observer.clock.Set(b.Msg.Header.Timestamp)
		l.observer.take(b)
		l.blocks++
		if theirs, ours := l.peer.tip(), l.observer.tip(); theirs != ours {
			l.t.Fatalf("after block %d (%v): btcd stands at %v, we at %v", l.blocks, b.Hash, theirs, ours)
		}
	}
}

// mustMatch compares the states behind the tips: ours with ours, and each
// seat with the coin that btcd has for it.
func (l *lockstep) mustMatch(d *demo, source *world) {
	l.t.Helper()
	if theirs, ours := l.peer.tip(), source.tip(); theirs != ours {
		l.t.Fatalf("btcd stands at %v, we at %v", theirs, ours)
	}
	want, err := source.engine.StateHash()
	source.must(err)
	got, err := l.observer.engine.StateHash()
	source.must(err)
	if got != want {
		l.t.Errorf("two of our nodes at one tip: state %v and %v", got, want)
	}
	for _, seat := range d.seats(source) {
		var coin *struct {
			Value        float64
			ScriptPubKey struct{ Hex string }
		}
		l.peer.call(&coin, "gettxout", seat.Out.Hash.String(), seat.Out.Index, false)
		if coin == nil || coin.Value != 0 || coin.ScriptPubKey.Hex != hex.EncodeToString(seat.Script) {
			l.t.Errorf("btcd has %+v where the seat of %s is (%v)", coin, seat.Name, seat.Out)
		}
	}
}

// rotateIn puts rotations of some seats into the pool.
func rotateIn(d *demo, w *world, name string, seats ...int) {
	w.t.Helper()
	all := d.seats(w)
	for _, n := range seats {
		if _, err := w.pool.Accept(d.rotate(&all[n%len(all)], name)); err != nil {
			w.t.Fatalf("%s of seat %d: %v", name, n, err)
		}
	}
}

// TestBtcdFollowsCharterChain is the soft fork on regtest: a whole life of a
// chain with a charter, past a halving and through a reorganisation, is a
// chain of valid blocks to a node that knows no goods.
func TestBtcdFollowsCharterChain(t *testing.T) {
	l := &lockstep{t: t, peer: startBtcd(t, "--regtest")}
	d := newDemo(t, params.BaseRegtest)
	w := newWorld(t, d.rules)
	l.observer = newWorld(t, d.rules)

	l.feed(w.mine(100)...)
	for n := range 60 { // blocks 101 to 160: one seat each, all of them in every tenth
		name := fmt.Sprint("rotation ", n)
		if n%10 == 0 {
			rotateIn(d, w, name, 0, 1, 2, 3, 4, 5)
		} else {
			rotateIn(d, w, name, n)
		}
		mined := w.mine(1)
		if len(mined[0].Txids) < 2 {
			t.Fatalf("block %v holds no rotation", mined[0].Hash)
		}
		l.feed(mined...)
	}
	l.feed(w.mine(20)...)
	l.mustMatch(d, w)

	reorganise(l, d, w)
	l.mustMatch(d, w)

	rotateIn(d, w, "last", 0, 1, 2, 3, 4, 5)
	l.feed(w.mine(33)...)
	l.mustMatch(d, w)
	if height := w.engine.Tip().Height; height != 220 {
		t.Errorf("the chain ends at %d", height)
	}
	t.Logf("btcd took %d blocks", l.blocks)
}

// reorganise leads everybody onto six blocks full of rotations, and off them
// again onto seven others.
func reorganise(l *lockstep, d *demo, w *world) {
	w.t.Helper()
	fork := w.engine.Tip()
	var first []*state.Block
	for n := range 6 {
		rotateIn(d, w, fmt.Sprint("first branch ", n), n, n+1, n+2)
		first = append(first, w.mine(1)...)
	}
	l.feed(first...)
	l.mustMatch(d, w)
	w.must(w.engine.Invalidate(first[0].Hash))
	if w.engine.Tip() != fork {
		w.t.Fatalf("taking the branch back left the tip at %d", w.engine.Tip().Height)
	}
	for n := range 7 {
		seats := d.seats(w)
		name := fmt.Sprint("second branch ", n)
		l.feed(w.mineWith(d.rotate(&seats[n%6], name), d.rotate(&seats[(n+3)%6], name)))
		if onFirst := l.peer.tip() == first[5].Hash; onFirst != (n < 6) {
			w.t.Fatalf("with %d blocks on the second branch btcd stands at %v", n+1, l.peer.tip())
		}
	}
	w.must(w.engine.Reconsider(first[0].Hash))
}

// TestBtcdFollowsOpenSignet: the same on a signet of the charter's own, whose
// challenge anybody meets, at signet's lowest difficulty. The long form goes
// past height 101.
func TestBtcdFollowsOpenSignet(t *testing.T) {
	d := newDemo(t, params.BaseSignetOpen)
	challenge := d.rules.Charter.SignetChallenge()
	if len(challenge) != 35 {
		t.Fatalf("the challenge is %x", challenge)
	}
	l := &lockstep{t: t, peer: startBtcd(t, "--signet", "--signetchallenge="+hex.EncodeToString(challenge))}
	w := newWorld(t, d.rules)
	l.observer = newWorld(t, d.rules)
	start, blocks := time.Now(), 2
	if os.Getenv("GRANARY_LONG") != "" {
		blocks = 100
	}
	for range blocks {
		l.feed(w.mine(1)...)
	}
	if blocks == 100 {
		for n := range 5 {
			rotateIn(d, w, fmt.Sprint("rotation ", n), n, n+1)
			l.feed(w.mine(1)...)
		}
	}
	l.mustMatch(d, w)
	t.Logf("%d blocks at %08x in %.1f s", l.blocks, w.engine.Tip().Raw.Bits, time.Since(start).Seconds())
}
