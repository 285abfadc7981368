package chain

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"granary/base/check"
	"granary/state"
)

// branch builds n blocks on parent, each of which spends a coinbase of base
// and, where there is one, both outputs of the block before.
func (w *world) branch(name string, base []*state.Block, parent *state.Block, height int32, n int) []*state.Block {
	var blocks []*state.Block
	var last *wire.MsgTx
	for i := range n {
		d := draft{parent: parent, height: height + 1 + int32(i), name: fmt.Sprint(name, i), fees: 1000}
		first := spend(base[i].Msg.Transactions[0], 1000)
		d.txs = append(d.txs, first)
		if last != nil {
			d.txs = append(d.txs, spend(last, 0))
		}
		inBlock := spend(first, 0) // an output made and spent in one block
		d.txs = append(d.txs, inBlock)
		last = inBlock
		parent = w.make(d)
		blocks = append(blocks, parent)
	}
	return blocks
}

// TestReorgDepths goes to another branch and back; the state must be that of
// an engine that never saw the other one. Once with a commit for the whole
// walk, once with one for nearly every step of it.
func TestReorgDepths(t *testing.T) {
	t.Run("one commit", func(t *testing.T) { reorgDepths(t, 0) })
	t.Run("many commits", func(t *testing.T) { reorgDepths(t, 1) })
}

func reorgDepths(t *testing.T, batchBytes int64) {
	const deepest = 150
	w := bareWorld(t, vfs.NewMem(), "data")
	w.batchBytes = batchBytes
	w.open()
	base := w.run("base", w.genesis(), 0, deepest+102)
	w.accept(base...)
	top, height := base[len(base)-1], int32(len(base))
	for _, depth := range []int{1, 6, 100, deepest} {
		a := w.branch(fmt.Sprint("a", depth), base, top, height, depth)
		b := w.branch(fmt.Sprint("b", depth), base[1:], top, height, depth+1)
		w.accept(a...)
		atA := w.stateHash()
		w.accept(b...)
		w.mustTip(b[depth])
		atB := w.stateHash()
		back := w.run(fmt.Sprint("c", depth), a[depth-1], height+int32(depth), 2)
		w.accept(back...)
		w.mustTip(back[1])

		fresh := newWorld(t)
		fresh.accept(base...)
		fresh.accept(a...)
		if got := fresh.stateHash(); got != atA {
			t.Errorf("depth %d: state %s before, a fresh sync gives %s", depth, atA, got)
		}
		fresh.accept(back...)
		if got, want := w.stateHash(), fresh.stateHash(); got != want {
			t.Errorf("depth %d: state %s after, a fresh sync gives %s", depth, got, want)
		}
		other := newWorld(t)
		other.accept(base...)
		other.accept(b...)
		if got := other.stateHash(); got != atB {
			t.Errorf("depth %d: state %s on the other branch, a fresh sync gives %s", depth, atB, got)
		}
		// Back to the base for the next depth.
		if err := errors.Join(w.engine.Invalidate(a[0].Hash), w.engine.Invalidate(b[0].Hash)); err != nil {
			t.Fatal(err)
		}
		w.mustTip(top)
	}
	if err := w.engine.Check(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

// TestFailingFollower: the world's error of a follower stops the engine;
// nothing is acknowledged afterwards, and the chain goes on after a restart.
func TestFailingFollower(t *testing.T) {
	follower := &recorder{}
	w := newWorld(t, follower)
	blocks := w.run("a", w.genesis(), 0, 3)
	w.accept(blocks[0])
	follower.fail = errors.New("its disk is full")
	_, err := w.engine.AcceptBlock(blocks[1])
	if err == nil || check.AsRule(err) != nil || !strings.Contains(err.Error(), "its disk is full") ||
		!strings.Contains(err.Error(), "recorder could not follow block 2") {
		t.Fatalf("the follower's error came back as %v", err)
	}
	<-w.engine.Done()
	if _, err := w.engine.AcceptBlock(blocks[2]); err == nil || !strings.Contains(err.Error(), "its disk is full") {
		t.Errorf("after the failure: %v", err)
	}
	if err := w.engine.Err(); err == nil {
		t.Error("Err is nil")
	}
	w.close()
	follower.fail, follower.steps = nil, nil
	w.open()
	w.accept(blocks[2])
	w.mustTip(blocks[2])
	if len(follower.steps) != 1 {
		t.Errorf("told %v", follower.steps)
	}
}

// TestFollow lets a follower join late, from genesis and from a block that has
// left the chain.
func TestFollow(t *testing.T) {
	w := newWorld(t)
	a := w.run("a", w.genesis(), 0, 30)
	w.accept(a...)
	late := &recorder{}
	var heard int32
	err := w.engine.Follow(t.Context(), late, w.genesis().Hash, func(height, tip int32) {
		if tip != 30 || height != heard+1 {
			t.Errorf("progress %d of %d after %d", height, tip, heard)
		}
		heard = height
	})
	if err != nil || len(late.steps) != 30 || late.tip.Hash != a[29].Hash {
		t.Fatalf("%v, %d steps", err, len(late.steps))
	}
	b := w.run("b", a[9], 10, 25)
	w.accept(b...)
	if late.tip.Hash != b[24].Hash || len(late.steps) != 30+20+25 {
		t.Errorf("%d steps", len(late.steps))
	}
	stale := &recorder{}
	if err := w.engine.Follow(t.Context(), stale, a[19].Hash, nil); err != nil {
		t.Fatal(err)
	}
	if len(stale.steps) != 10+25 || stale.steps[0] != "disconnect "+a[19].Hash.String() {
		t.Errorf("told %d steps, the first %v", len(stale.steps), stale.steps[:1])
	}
	if err := w.engine.Follow(t.Context(), stale, [32]byte{1}, nil); !errors.Is(err, ErrUnknownBlock) {
		t.Errorf("an unknown place gives %v", err)
	}
}

// TestBurst submits the blocks of a branch from many goroutines at once, in
// any order.
func TestBurst(t *testing.T) {
	w := newWorld(t)
	blocks := w.run("a", w.genesis(), 0, 60)
	var raws []wire.BlockHeader
	for _, b := range blocks {
		raws = append(raws, b.Msg.Header)
	}
	if last, err := w.engine.AcceptHeaders(raws); err != nil || last.Height != 60 {
		t.Fatal(last, err)
	}
	errs := make(chan error)
	for _, b := range blocks {
		for range 2 {
			go func() {
				_, err := w.engine.AcceptBlock(b)
				errs <- err
			}()
		}
	}
	for range 2 * len(blocks) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	w.mustTip(blocks[59])
}

// TestClosed: a closed engine refuses, and says so.
func TestClosed(t *testing.T) {
	w := newWorld(t)
	if err := w.engine.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.engine.AcceptBlock(w.run("a", w.genesis(), 0, 1)[0]); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
	if err := w.engine.Invalidate(w.genesis().Hash); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
}
