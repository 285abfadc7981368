package store

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"granary/state"
)

// TestModel lets rapid choose what happens to a Store and holds it against the
// naive maps of the world after every step.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fs := vfs.NewMem()
		w := newWorld(rapid.Uint64().Draw(t, "seed"))
		s := reopen(t, nil, fs)
		committed := s.Tip().Hash
		ok := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		var frozen *Snapshot
		thaw := func() {
			if frozen != nil {
				ok(w.sameFrozen(frozen))
				ok(frozen.Close())
				frozen = nil
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"connect": func(t *rapid.T) {
				ok(w.connect(s, rapid.IntRange(0, 8).Draw(t, "spends"), rapid.IntRange(0, 8).Draw(t, "creates"), 150))
			},
			"disconnect": func(t *rapid.T) {
				if s.Tip().Height == 0 {
					t.Skip("at genesis")
				}
				ok(w.disconnect(s))
			},
			"prefetch": func(*rapid.T) { s.Prefetch(w.states[s.Tip().Hash].ordered) },
			"commit": func(*rapid.T) {
				ok(s.Commit())
				committed = s.Tip().Hash
			},
			"freeze": func(t *rapid.T) {
				thaw()
				var err error
				frozen, err = s.Snapshot(nil)
				ok(err)
				if committed = s.Tip().Hash; frozen.Tip().Hash != committed {
					t.Fatalf("frozen at %s, the tip is %s", frozen.Tip().Hash, committed)
				}
			},
			"reopen": func(t *rapid.T) {
				thaw()
				s = reopen(t, s, fs)
				if s.Tip().Hash != committed {
					t.Fatalf("tip %s, committed was %s", s.Tip().Hash, committed)
				}
			},
			"": func(*rapid.T) { ok(w.same(s)) },
		})
		thaw()
		for h := s.Tip(); h.Status&state.StatusHaveUndo != 0; h = h.Parent {
			ok(w.files(s, []*state.Header{h}))
		}
		ok(s.Close())
	})
}

func reopen(t *rapid.T, s *Store, fs vfs.FS) *Store {
	if s != nil {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Open(testOptions(fs))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.LoadHeaders(); err != nil {
		t.Fatal(err)
	}
	return s
}
