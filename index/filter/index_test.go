package filter

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"granary/base/kv"
	"granary/chain"
	"granary/params"
	"granary/state"
	"granary/test/grow"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var net = params.RegTest()

func openIndex(t *testing.T, fs vfs.FS) *Index {
	t.Helper()
	x, err := Open(Options{Dir: "index", FS: fs, Net: net})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}

// mustHave checks that the blocks, a branch from genesis on, have their filters
// and that their headers chain.
func mustHave(t *testing.T, x *Index, e *chain.Engine, blocks ...*state.Block) {
	t.Helper()
	genesis := e.AtHeight(0)
	head, found, err := x.Head(genesis)
	if err != nil || !found {
		t.Fatalf("genesis: %v, %v", found, err)
	}
	want := []Head{head}
	for _, b := range blocks {
		h := e.Header(b.Hash)
		raw, err := x.Filter(h)
		if err != nil || raw == nil {
			t.Fatalf("block %d has no filter: %v", h.Height, err)
		}
		undo, err := e.Undo(h)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(raw, Basic(b, undo.Spent)) {
			t.Fatalf("block %d has another filter", h.Height)
		}
		head, _, err := x.Head(h)
		last := want[len(want)-1].Header
		if err != nil || head.Filter != HashOf(raw) || head.Header != HeaderOf(head.Filter, last) {
			t.Fatalf("block %d: head %+v, %v", h.Height, head, err)
		}
		want = append(want, head)
	}
	stop := e.Header(blocks[len(blocks)-1].Hash)
	for _, start := range []int32{0, 1, stop.Height / 2, stop.Height} {
		heads, err := x.Heads(start, stop)
		if err != nil || !slices.Equal(heads, want[start:]) {
			t.Fatalf("heads from %d to %d: %d, %v", start, stop.Height, len(heads), err)
		}
	}
	for _, start := range []int32{-1, stop.Height + 1} {
		if heads, err := x.Heads(start, stop); heads != nil || err != nil {
			t.Fatalf("heads from %d: %d, %v", start, len(heads), err)
		}
	}
}

func mustLack(t *testing.T, x *Index, e *chain.Engine, b *state.Block) {
	t.Helper()
	h := e.Header(b.Hash)
	raw, err := x.Filter(h)
	_, found, headErr := x.Head(h)
	heads, headsErr := x.Heads(0, h)
	if raw != nil || found || heads != nil || err != nil || headErr != nil || headsErr != nil {
		t.Fatalf("block %d should have no filter", h.Height)
	}
}

// TestFollow switches the index on late and follows a reorganisation; what
// was left behind stays readable.
func TestFollow(t *testing.T) {
	e := grow.Chain(t)
	genesis := grow.Genesis()
	base := grow.Branch(t, e, "base", genesis, 0, 105)
	x := openIndex(t, vfs.NewMem())
	heard := 0
	if err := x.Sync(t.Context(), e, func(height, tip int32) { heard++ }); err != nil || heard == 0 {
		t.Fatal(err, heard)
	}
	mustHave(t, x, e, base...)

	old := base[0].Msg.Transactions[0]
	move := wire.NewMsgTx(2)
	move.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Hash: old.TxHash()}, Sequence: wire.MaxTxInSequenceNum})
	move.AddTxOut(wire.NewTxOut(old.TxOut[0].Value, []byte{txscript.OP_2}))
	a := grow.Branch(t, e, "a", base[104], 105, 3, move)
	mustHave(t, x, e, slices.Concat(base, a)...)
	b := grow.Branch(t, e, "b", base[104], 105, 5, move)
	mustHave(t, x, e, slices.Concat(base, a)...)
	mustHave(t, x, e, slices.Concat(base, b)...)
	if err := x.Flush(); err != nil {
		t.Fatal(err)
	}
	mustHave(t, x, e, slices.Concat(base, a)...)
	mustHave(t, x, e, slices.Concat(base, b)...)
	if tip, height := x.Tip(); tip != b[4].Hash || height != 110 {
		t.Errorf("the index stands at %d %v", height, tip)
	}
}

// TestResume loses power in the middle, while the chain goes another way.
func TestResume(t *testing.T) {
	e := grow.Chain(t)
	base := grow.Branch(t, e, "base", grow.Genesis(), 0, 20)
	fs := vfs.NewCrashableMem()
	x := openIndex(t, fs)
	ctx, cancel := context.WithCancel(t.Context())
	err := x.Sync(ctx, e, func(height, _ int32) {
		if height == 7 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("a stopped Sync gives %v", err)
	}
	if _, height := x.Tip(); height != 7 {
		t.Fatalf("stopped at %d", height)
	}
	mustHave(t, x, e, base[:7]...)
	mustLack(t, x, e, base[7])
	crashed := fs.CrashClone(vfs.CrashCloneCfg{})
	if err := x.Sync(t.Context(), e, nil); err != nil { // lost
		t.Fatal(err)
	}
	x = openIndex(t, crashed)
	if _, height := x.Tip(); height != 7 {
		t.Fatalf("after the crash the index stands at %d", height)
	}
	fork := grow.Branch(t, e, "fork", base[3], 4, 20)
	if err := x.Sync(t.Context(), e, nil); err != nil {
		t.Fatal(err)
	}
	mustHave(t, x, e, append(base[:4:4], fork...)...)
	mustHave(t, x, e, base[:7]...)
	mustLack(t, x, e, base[10])
}

// TestCrash loses power at the moments of writing: what is left always goes on.
func TestCrash(t *testing.T) {
	e := grow.Chain(t)
	base := grow.Branch(t, e, "base", grow.Genesis(), 0, 30)
	for percent := 0; percent <= 100; percent += 25 {
		fs := vfs.NewCrashableMem()
		x := openIndex(t, fs)
		var crashed *vfs.MemFS
		err := x.Sync(t.Context(), e, func(height, _ int32) {
			if height%5 == 0 {
				if err := x.Flush(); err != nil {
					t.Error(err)
				}
			}
			if height == 18 {
				crashed = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(1, uint64(percent)))})
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		x = openIndex(t, crashed)
		if _, height := x.Tip(); height < 15 {
			t.Errorf("%d%%: the index fell back to %d", percent, height)
		}
		if err := x.Sync(t.Context(), e, nil); err != nil {
			t.Fatal(err)
		}
		mustHave(t, x, e, base...)
	}
}

// TestForeign: another chain's blocks are forgotten, another network's index
// is refused.
func TestForeign(t *testing.T) {
	genesis := grow.Genesis()
	one, two := grow.Chain(t), grow.Chain(t)
	lost := grow.Branch(t, one, "one", genesis, 0, 5)
	kept := grow.Branch(t, two, "two", genesis, 0, 6)
	fs := vfs.NewMem()
	x := openIndex(t, fs)
	if err := x.Sync(t.Context(), one, nil); err != nil {
		t.Fatal(err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	x = openIndex(t, fs)
	if err := x.Sync(t.Context(), two, nil); err != nil {
		t.Fatal(err)
	}
	mustHave(t, x, two, kept...)
	if h := one.Header(lost[0].Hash); h != nil {
		if raw, err := x.Filter(h); raw != nil || err != nil {
			t.Errorf("the other chain's filters are kept: %v", err)
		}
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: "index", FS: fs, Net: params.MainNet()}); !errors.Is(err, kv.ErrForeign) {
		t.Errorf("mainnet on a regtest index: %v", err)
	}
}
