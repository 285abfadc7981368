package store

import (
	"errors"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"granary/state"
)

// TestSnapshotHolds walks a Snapshot half, lets the Store go on, back and
// forward again through commits, and walks the other half.
func TestSnapshotHolds(t *testing.T) {
	w := newWorld(11)
	s, _ := mustOpen(t, testOptions(vfs.NewMem()))
	for range 15 {
		must(t, w.connect(s, 3, 9, 200))
	}
	frozen := mustFreeze(t, s)
	at, want := s.Tip(), w.states[s.Tip().Hash]
	n := 0
	must(t, frozen.RangeCoins(func(op wire.OutPoint, c *state.Coin) bool {
		if n++; n == len(want.coins)/2 {
			must(t, w.disconnect(s))
			must(t, w.connect(s, 20, 5, 200))
			must(t, s.Commit())
			for range 5 {
				must(t, w.connect(s, 20, 5, 200))
			}
		}
		if !sameCoin(c, want.coins[op]) {
			t.Errorf("coin %v is %+v, not %+v", &op, c, want.coins[op])
		}
		return true
	}))
	if n != len(want.coins) || frozen.Tip() != at {
		t.Errorf("%d coins at %s, not %d at %s", n, frozen.Tip().Hash, len(want.coins), at.Hash)
	}
	must(t, w.sameFrozen(frozen))
	must(t, w.same(s))
	must(t, frozen.Close())
	must(t, s.Close())
}

// TestSnapshotGoOn: every kind of walk asks whether it may go on and gives the
// answer.
func TestSnapshotGoOn(t *testing.T) {
	w := newWorld(12)
	s, _ := mustOpen(t, testOptions(vfs.NewMem()))
	defer s.Close()
	for range 15 {
		must(t, w.connect(s, 3, 9, 200))
	}
	enough := errors.New("enough")
	asked, last := 0, 0
	frozen, err := s.Snapshot(func() error {
		if asked++; asked > last {
			return enough
		}
		return nil
	})
	must(t, err)
	defer frozen.Close()
	other := mustFreeze(t, s)
	defer other.Close()
	coins, goods := len(w.states[s.Tip().Hash].coins), len(w.states[s.Tip().Hash].goods)
	for name, walk := range map[string]func() error{
		"coins": func() error { return frozen.RangeCoins(func(wire.OutPoint, *state.Coin) bool { return true }) },
		"goods": func() error { return frozen.GoodsRange(nil, nil, func(_, _ []byte) bool { return true }) },
		"stats": func() error { _, err := frozen.Stats(HashMuHash); return err },
		"hash":  func() error { _, err := frozen.StateHash(); return err },
		"comparison": func() error {
			line, err := FirstDifference(frozen, other)
			if line != "" {
				t.Errorf("a walk that ended early differs: %s", line)
			}
			return err
		},
	} {
		all := coins + 1
		switch name {
		case "goods":
			all = goods
		case "hash", "comparison":
			all += goods
		}
		for _, last = range []int{0, 1, goods / 2, all - 1} {
			asked = 0
			if err := walk(); !errors.Is(err, enough) {
				t.Errorf("%s, told to stop after %d of %d: %v", name, last, all, err)
			}
		}
		if asked, last = 0, all; walk() != nil {
			t.Errorf("%s does not end by itself after %d", name, all)
		}
	}
}

// TestCloseWaitsForSnapshot: the database is not closed under a walk.
func TestCloseWaitsForSnapshot(t *testing.T) {
	w := newWorld(13)
	s, _ := mustOpen(t, testOptions(vfs.NewMem()))
	for range 5 {
		must(t, w.connect(s, 3, 9, 200))
	}
	frozen := mustFreeze(t, s)
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	select {
	case err := <-closed:
		t.Fatalf("closed under a snapshot: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	must(t, w.sameFrozen(frozen))
	must(t, frozen.Close())
	must(t, <-closed)
	if _, err := s.Snapshot(nil); err == nil {
		t.Error("a closed store freezes")
	}
}
