package store

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"granary/state"
)

// coinNumber is the outpoint and the coin of the n-th output ever made.
func coinNumber(n uint64) state.CoinChange {
	var op wire.OutPoint
	binary.LittleEndian.PutUint64(op.Hash[:], n*0x9e3779b97f4a7c15)
	binary.LittleEndian.PutUint64(op.Hash[8:], n*0xc2b2ae3d27d4eb4f)
	script := make([]byte, 22)
	script[1] = 20
	copy(script[2:], op.Hash[:])
	return state.CoinChange{Out: op, Coin: &state.Coin{ValueUnits: int64(n%1_000_000_000) + 1, Height: int32(n >> 12), Script: script}}
}

// ledger makes blocks of a steady load: outputs are spent in an order that is
// random but for a share of young ones, as on a real chain.
type ledger struct {
	made  uint64
	spent map[uint64]bool
	rng   uint64
}

func (l *ledger) pick() uint64 {
	for {
		l.rng = l.rng*6364136223846793005 + 1442695040888963407
		n := (l.rng >> 20) % l.made
		if l.rng>>62 == 0 { // a quarter is young
			n = l.made - 1 - (l.rng>>20)%min(l.made, 20_000)
		}
		if !l.spent[n] {
			l.spent[n] = true
			return n
		}
	}
}

func (l *ledger) block(spends, creates int) *state.Delta {
	d := &state.Delta{}
	for range spends {
		d.Spent = append(d.Spent, coinNumber(l.pick()))
	}
	for range creates {
		d.Created = append(d.Created, coinNumber(l.made))
		l.made++
	}
	return d
}

func (l *ledger) connect(tb testing.TB, s *Store, h *state.Header, raw []byte, d *state.Delta) {
	pos, err := s.AppendBlock(raw)
	must(tb, err)
	h.DataPos = pos
	h.Status |= state.StatusHaveData
	ops := make([]wire.OutPoint, len(d.Spent))
	u := &state.Undo{Spent: [][]*state.Coin{make([]*state.Coin, len(d.Spent))}}
	for i := range d.Spent {
		ops[i] = d.Spent[i].Out
	}
	s.Prefetch(ops)
	for i, op := range ops {
		coin, err := s.Coin(op)
		if err != nil || coin == nil {
			tb.Fatalf("coin %v: %v", op, err)
		}
		u.Spent[0][i] = coin
	}
	must(tb, s.Connect(h, d, u))
}

// BenchmarkConnect connects synthetic blocks of 1 MB with 2,000 spends and
// 2,500 creates over a set of a million coins on the real disk: with a commit
// per block (following the tip), and with one when the budget says (import).
func BenchmarkConnect(b *testing.B) {
	for _, c := range []struct {
		name     string
		perBlock bool
		cache    int64
	}{{"commit each", true, 450 << 20}, {"import", false, 450 << 20}, {"import small cache", false, 32 << 20}} {
		b.Run(c.name, func(b *testing.B) {
			o := testOptions(vfs.Default)
			o.Dir, o.CacheBytes = b.TempDir(), c.cache
			s, _ := mustOpen(b, o)
			w := newWorld(1)
			l := &ledger{spent: map[uint64]bool{}, rng: 1}
			for l.made < 1_000_000 {
				h, raw := mintLarge(s, w)
				l.connect(b, s, h, raw, l.block(0, 20_000))
				if s.PendingBytes() > s.PendingBudgetBytes() {
					must(b, s.Commit())
				}
			}
			must(b, s.Commit())
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				d := l.block(2000, 2500)
				h, raw := mintLarge(s, w)
				b.StartTimer()
				l.connect(b, s, h, raw, d)
				if c.perBlock || s.PendingBytes() > s.PendingBudgetBytes() {
					must(b, s.Commit())
				}
			}
			must(b, s.Commit())
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "blocks/s")
			must(b, s.Close())
		})
	}
}

// TestMemory connects many coins through a small cache and looks at what the
// Store holds: pending changes stop at the budget, the coin cache at its part.
func TestMemory(t *testing.T) {
	o := testOptions(vfs.NewMem())
	o.CacheBytes = 16 << 20
	s, _ := mustOpen(t, o)
	w := newWorld(1)
	l := &ledger{spent: map[uint64]bool{}, rng: 1}
	commits := 0
	for range 40 {
		l.connectSmall(t, s, w, l.block(min(int(l.made/2), 1000), 4000))
		if got := s.coins.Bytes(); got > s.budget.coinBytes*3/2 {
			t.Fatalf("coin cache holds %d bytes of %d", got, s.budget.coinBytes)
		}
		if s.PendingBytes() > s.PendingBudgetBytes() {
			must(t, s.Commit())
			commits++
		}
	}
	if commits < 2 {
		t.Errorf("only %d commits", commits)
	}
	must(t, s.Close())
}

// mintLarge makes a block of a megabyte on the tip.
func mintLarge(s *Store, w *world) (*state.Header, []byte) {
	h, _, _ := w.mint(s.Tip(), 0, 0, 100)
	raw := append(w.blocks[h.Hash], make([]byte, 1_000_000)...)
	clear(w.blocks)
	return h, raw
}

func (l *ledger) connectSmall(tb testing.TB, s *Store, w *world, d *state.Delta) {
	h, _, _ := w.mint(s.Tip(), 0, 0, 100)
	pos, err := s.AppendBlock(w.blocks[h.Hash])
	must(tb, err)
	h.DataPos = pos
	h.Status |= state.StatusHaveData
	ops := make([]wire.OutPoint, len(d.Spent))
	for i := range d.Spent {
		ops[i] = d.Spent[i].Out
	}
	s.Prefetch(ops)
	must(tb, s.Connect(h, d, &state.Undo{}))
}

// TestReadersBesideEachOther lets many goroutines read what is frozen, what
// is committed and what is not; the race detector has its say where it is on.
func TestReadersBesideEachOther(t *testing.T) {
	w := newWorld(8)
	s, _ := mustOpen(t, testOptions(vfs.NewMem()))
	defer s.Close()
	var frozen *Snapshot
	var err error
	for i := range 20 {
		must(t, w.connect(s, 3, 9, 200))
		if i == 10 {
			frozen, err = s.Snapshot(nil)
			must(t, err)
			defer frozen.Close()
		}
	}
	tip := s.Tip()
	var wait sync.WaitGroup
	errs := make(chan error, 100)
	for range 2 * runtime.NumCPU() {
		wait.Go(func() {
			if err := w.same(s); err != nil {
				errs <- err
			}
			for h := tip; h.Parent != nil; h = h.Parent {
				if _, err := s.ReadBlock(h); err != nil {
					errs <- err
				}
				if _, err := s.ReadUndo(h); err != nil {
					errs <- err
				}
			}
			if err := w.sameFrozen(frozen); err != nil {
				errs <- err
			}
			if _, err := frozen.StateHash(); err != nil {
				errs <- err
			}
		})
	}
	wait.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
}

func TestPrefetch(t *testing.T) {
	o := testOptions(vfs.NewMem())
	s, _ := mustOpen(t, o)
	w := newWorld(1)
	l := &ledger{spent: map[uint64]bool{}, rng: 1}
	l.connectSmall(t, s, w, l.block(0, 5000))
	must(t, s.Commit())
	must(t, s.Close())
	s, _ = mustOpen(t, o)
	defer s.Close()
	var ops []wire.OutPoint
	for n := range uint64(6000) { // the last thousand are nowhere
		ops = append(ops, coinNumber(n).Out)
	}
	s.Prefetch(ops[:1])
	s.Prefetch(ops)
	if got := s.coins.Count(); got != 5000 {
		t.Errorf("%d coins in memory", got)
	}
	for n, op := range ops {
		coin, err := s.Coin(op)
		must(t, err)
		if want := coinNumber(uint64(n)).Coin; n < 5000 && !sameCoin(coin, want) || n >= 5000 && coin != nil {
			t.Fatal(fmt.Sprint(n), coin)
		}
	}
}
