package chain

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"granary/base/check"
	"granary/params"
	"granary/state"
	"granary/store"
)

// diskWorld is a world in a folder on the disk, with a chain and forks inside.
func diskWorld(t *testing.T) (w *world, blocks []*state.Block) {
	w = bareWorld(t, vfs.Default, t.TempDir())
	w.open()
	blocks, _ = importChain(w)
	path := write(t, "blk.dat", blockFile(w.net.Magic(), blocks...))
	if _, err := w.engine.Import(t.Context(), []string{path}, nil); err != nil {
		t.Fatal(err)
	}
	return w, blocks
}

// reindex opens the world's folder with --reindex.
func (w *world) reindex() {
	w.tb.Helper()
	w.close()
	var err error
	w.store, err = store.Open(store.Options{Dir: w.dir, FS: w.fs, Net: w.net, CacheBytes: 16 << 20, Reindex: true})
	if err != nil {
		w.tb.Fatal(err)
	}
	w.engine, err = Open(Options{Store: w.store, Rules: w.rules, Scripts: w.scripts, Clock: w.clock})
	if err != nil {
		w.tb.Fatal(err)
	}
}

func (w *world) file(name string) string { return filepath.Join(w.dir, "blocks", name) }

// TestReindex builds everything anew from the block files, in one go and in
// pieces, and with files whose blocks are out of order.
func TestReindex(t *testing.T) {
	w, blocks := diskWorld(t)
	want, tips := w.stateHash(), len(w.engine.Tips())
	w.reindex()
	if !w.engine.Reindexing() || w.engine.Tip().Height != 0 {
		t.Fatalf("reindexing %v at height %d", w.engine.Reindexing(), w.engine.Tip().Height)
	}
	var last Progress
	tip, err := w.engine.Reindex(t.Context(), func(p Progress) { last = p })
	if err != nil || tip.Height != 150 || w.stateHash() != want || len(w.engine.Tips()) != tips || w.engine.Reindexing() {
		t.Fatalf("tip %d, %v, tips %v", tip.Height, err, w.engine.Tips())
	}
	if last.Blocks != int64(len(blocks)) || last.Height != 150 {
		t.Errorf("progress %+v", last)
	}
	if err := w.engine.Check(t.Context(), nil); err != nil {
		t.Error(err)
	}

	// Stopped, it is still due, and goes on without a flag.
	w.reindex()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.engine.Reindex(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	w.close()
	w.open()
	ctx, cancel = context.WithCancel(t.Context())
	w.engine.moved = func(_ bool, h *state.Header) {
		if h.Height == 20 {
			cancel()
		}
	}
	if tip, err := w.engine.Reindex(ctx, nil); !errors.Is(err, context.Canceled) || tip.Height != 20 {
		t.Errorf("tip %d, %v", tip.Height, err)
	}
	w.close()
	interrupt := make(chan struct{})
	close(interrupt)
	w.store = w.openStore()
	early, err := Open(Options{Store: w.store, Rules: w.rules, Scripts: w.scripts, Clock: w.clock, Interrupt: interrupt})
	if err != nil && !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if early != nil { // it was faster
		early.Close()
	}
	w.close()
	w.open()
	if tip, err := w.engine.Reindex(t.Context(), nil); err != nil || tip.Height != 150 || w.stateHash() != want {
		t.Errorf("tip %d, %v", tip.Height, err)
	}

	// Where the files are in another order, with garbage between.
	w.close()
	var shuffled []*state.Block
	for i := len(blocks) - 1; i >= 0; i-- {
		shuffled = append(shuffled, blocks[i])
	}
	file := append([]byte("garbage"), blockFile(w.net.Magic(), append(shuffled, w.genesis())...)...)
	if err := os.WriteFile(w.file("blk00000.dat"), file, 0o600); err != nil {
		t.Fatal(err)
	}
	w.reindex()
	if tip, err := w.engine.Reindex(t.Context(), nil); err != nil || tip.Height != 150 || w.stateHash() != want {
		t.Errorf("tip %d, %v", tip.Height, err)
	}
	w.accept(w.run("after", blocks[len(blocks)-1], 150, 2)...)
	if err := w.engine.VerifyChain(4, 0); err != nil {
		t.Error(err)
	}
}

// TestReindexDamaged leaves out the block that is damaged and says so.
func TestReindexDamaged(t *testing.T) {
	w, _ := diskWorld(t)
	w.close()
	file, err := os.ReadFile(w.file("blk00000.dat"))
	if err != nil {
		t.Fatal(err)
	}
	file[len(file)/2] ^= 1
	if err := os.WriteFile(w.file("blk00000.dat"), file, 0o600); err != nil {
		t.Fatal(err)
	}
	w.reindex()
	tip, err := w.engine.Reindex(t.Context(), nil)
	var refused *RefusedError
	if !errors.As(err, &refused) || refused.Refused+refused.Unconnected == 0 || tip.Height < 50 || tip.Height >= 150 {
		t.Errorf("tip %d, %v", tip.Height, err)
	}
}

// TestVerifyFindsDamage flips a bit in the block and undo files: VerifyChain
// and Check must find it, and say it in one line.
func TestVerifyFindsDamage(t *testing.T) {
	w, _ := diskWorld(t)
	for level := range 5 {
		if err := w.engine.VerifyChain(level, 6); err != nil {
			t.Errorf("level %d: %v", level, err)
		}
	}
	for _, c := range []struct {
		file  string
		level int
		check bool
	}{{"blk00000.dat", 0, true}, {"rev00000.dat", 2, false}} {
		path := w.file(c.file)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		at := bytes.LastIndex(whole, []byte{0x51}) // in the last record
		if err := os.WriteFile(path, flip(whole, at), 0o600); err != nil {
			t.Fatal(err)
		}
		err = w.engine.VerifyChain(c.level, 0)
		if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "block ") {
			t.Errorf("%s: %v", c.file, err)
		}
		if err := w.engine.Check(t.Context(), nil); (err != nil) != c.check {
			t.Errorf("%s: check says %v", c.file, err)
		}
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.engine.Check(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

// TestCheckFindsDifference puts a coin into the state that no block made.
func TestCheckFindsDifference(t *testing.T) {
	w := newWorld(t)
	blocks := w.run("a", w.genesis(), 0, 5)
	w.accept(blocks...)
	w.close()

	var err error
	w.store, err = store.Open(store.Options{Dir: w.dir, FS: w.fs, Net: w.net})
	if err != nil {
		t.Fatal(err)
	}
	_, tip, err := w.store.LoadHeaders()
	if err != nil {
		t.Fatal(err)
	}
	op := wire.OutPoint{Hash: blocks[2].Txids[0]}
	coin, err := w.store.Coin(op)
	if err != nil {
		t.Fatal(err)
	}
	changed := coin.Clone()
	changed.ValueUnits++
	delta := &state.Delta{
		Spent:   []state.CoinChange{{Out: op, Coin: coin}},
		Created: []state.CoinChange{{Out: op, Coin: changed}},
	}
	undo, err := w.store.ReadUndo(tip)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.store.Disconnect(tip, &state.Delta{}), w.store.Connect(tip, delta, undo), w.store.Commit()); err != nil {
		t.Fatal(err)
	}
	w.close()
	w.open()
	err = w.engine.Check(t.Context(), nil)
	if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), op.String()) ||
		!strings.Contains(err.Error(), "5000000001") {
		t.Errorf("check says %v", err)
	}
}

// TestMissingFile: a block file that is gone is noticed at the start.
func TestMissingFile(t *testing.T) {
	w, _ := diskWorld(t)
	w.close()
	if err := os.Remove(w.file("blk00000.dat")); err != nil {
		t.Fatal(err)
	}
	err := w.tryOpen()
	if err == nil || !strings.Contains(err.Error(), "--reindex") || strings.Contains(err.Error(), "\n") {
		t.Errorf("opening says %v", err)
	}
}

// TestFullDisk: when the block files cannot grow, the engine stops, nothing is
// acknowledged, and everything acknowledged is there after a restart.
func TestFullDisk(t *testing.T) {
	var full atomic.Bool
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		writes := op.Kind == errorfs.OpFileWriteAt || op.Kind == errorfs.OpFileWrite || op.Kind == errorfs.OpFileSyncData
		if full.Load() && writes && strings.Contains(op.Path, "blocks") {
			return syscall.ENOSPC
		}
		return nil
	}))
	w := bareWorld(t, fs, "data")
	w.open()
	blocks := w.run("a", w.genesis(), 0, 5)
	w.accept(blocks[:3]...)
	full.Store(true)
	_, err := w.engine.AcceptBlock(blocks[3])
	if err == nil || !strings.Contains(err.Error(), "full") || strings.Contains(err.Error(), "\n") {
		t.Errorf("a full disk says %v", err)
	}
	<-w.engine.Done()
	full.Store(false)
	if _, err := w.engine.AcceptBlock(blocks[4]); err == nil {
		t.Error("acknowledged after a failed write")
	}
	w.close()
	w.open()
	w.mustTip(blocks[2])
	w.accept(blocks[3:]...)
	w.mustTip(blocks[4])
}

// TestFailInReorg: the world fails in the middle of a reorganisation. The
// disk still has the old tip with its state, and the walk succeeds later.
func TestFailInReorg(t *testing.T) {
	for _, kind := range []string{"rev", "blk"} {
		for nth := range int32(4) {
			var left atomic.Int32
			left.Store(1 << 30)
			fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
				if op.Kind == errorfs.OpOpen && strings.Contains(op.Path, kind) && left.Add(-1) < 0 {
					return syscall.EIO
				}
				return nil
			}))
			w := bareWorld(t, fs, "data")
			w.open()
			base := w.run("base", w.genesis(), 0, 4)
			a := w.run("a", base[3], 4, 5)
			b := w.run("b", base[3], 4, 6)
			w.accept(base...)
			w.accept(a...)
			w.accept(b[:5]...)
			before := w.stateHash()
			left.Store(nth)
			_, err := w.engine.AcceptBlock(b[5])
			if err == nil || check.AsRule(err) != nil || !strings.Contains(err.Error(), "cannot be read") {
				t.Fatalf("%s %d: %v", kind, nth, err)
			}
			w.close()
			left.Store(1 << 30)
			w.open()
			w.mustTip(a[4])
			if got := w.stateHash(); got != before {
				t.Errorf("%s %d: state %s, was %s", kind, nth, got, before)
			}
			w.accept(b[5])
			w.mustTip(b[5])
			if err := w.engine.Check(t.Context(), nil); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestPrune fills a block file and deletes it; the chain goes on, and a branch
// from below the pruned blocks is not followed.
func TestPrune(t *testing.T) {
	follower := &recorder{}
	w := newWorld(t, follower)
	parent, height := w.genesis(), int32(0)
	var heights []*state.Block
	grow := func(n, bytesEach int) {
		for range n {
			height++
			b := w.make(draft{parent: parent, height: height, name: "p", mess: func(msg *wire.MsgBlock) {
				padding := bytes.Repeat([]byte{txscript.OP_RETURN}, bytesEach)
				msg.Transactions[0].AddTxOut(wire.NewTxOut(0, padding))
			}})
			w.accept(b)
			heights = append(heights, b)
			parent = b
		}
	}
	grow(params.MaxBlockFileBytes/980_000+1, 980_000)
	full := height
	grow(params.MinBlocksToKeep+5, 10)
	size := w.engine.SizeOnDisk()
	if err := w.engine.Prune(height); err != nil {
		t.Fatal(err)
	}
	last := follower.steps[len(follower.steps)-1]
	if after := w.engine.SizeOnDisk(); after >= size/2 || last != "prune 142" && !strings.HasPrefix(last, "prune ") {
		t.Errorf("%d bytes of %d are left, the follower heard %q", after, size, last)
	}
	h := w.engine.AtHeight(full - 2)
	if _, err := w.engine.Block(h); err == nil || !strings.Contains(err.Error(), "pruned") || w.engine.Status(h).Have() {
		t.Errorf("reading a pruned block: %v", err)
	}
	if err := w.engine.VerifyChain(3, 0); err != nil {
		t.Error(err)
	}
	if err := w.engine.Invalidate(h.Hash); err == nil || !strings.Contains(err.Error(), "pruned") {
		t.Errorf("invalidating a pruned block: %v", err)
	}
	// A branch with more work from below.
	fork := w.run("fork", heights[full-5], full-4, int(height-full)+10)
	for _, b := range fork {
		if _, err := w.engine.AcceptBlock(b); err != nil {
			t.Fatal(err)
		}
	}
	w.mustTip(parent)
	w.close()
	w.follow = nil
	w.open()
	w.mustTip(parent)
	grow(1, 10)
	w.mustTip(parent)
}
