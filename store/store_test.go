package store

import (
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"granary/base/kv"
	"granary/params"
	"granary/state"
)

func mustOpen(t testing.TB, o Options) (*Store, []*state.Header) {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	headers, tip, err := s.LoadHeaders()
	if err != nil {
		t.Fatal(err)
	}
	if tip != s.Tip() {
		t.Fatal("two tips")
	}
	return s, headers
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestFreshStore(t *testing.T) {
	fs := vfs.NewMem()
	s, headers := mustOpen(t, testOptions(fs))
	genesis := params.RegTest().GenesisHash()
	if len(headers) != 1 || headers[0].Hash != genesis || s.Tip() != headers[0] {
		t.Fatalf("fresh store holds %d headers, tip %s", len(headers), s.Tip().Hash)
	}
	raw, err := s.ReadBlock(headers[0])
	must(t, err)
	if at, err := s.ReadAt(headers[0].DataPos); err != nil || string(at) != string(raw) {
		t.Errorf("genesis is not in the files: %v", err)
	}
	must(t, s.Close())
	if err := s.Commit(); err == nil {
		t.Error("a closed store commits")
	}
}

func TestRoundTrip(t *testing.T) {
	for _, commitEach := range []bool{true, false} {
		fs := vfs.NewMem()
		w := newWorld(1)
		s, _ := mustOpen(t, testOptions(fs))
		for range 30 {
			must(t, w.connect(s, 5, 9, 200))
			if commitEach {
				must(t, s.Commit())
			}
			must(t, w.same(s))
		}
		must(t, w.disconnect(s))
		must(t, w.disconnect(s))
		must(t, w.connect(s, 3, 3, 200))
		must(t, w.same(s))
		if s.PendingBytes() == 0 {
			t.Error("nothing pends")
		}
		must(t, s.Commit())
		if s.PendingBytes() != 0 {
			t.Error("something pends after a commit")
		}
		tip := s.Tip().Hash
		must(t, s.Close())
		s, headers := mustOpen(t, testOptions(fs))
		if s.Tip().Hash != tip || len(headers) != 32 {
			t.Fatalf("%d headers, tip %s, not %s", len(headers), s.Tip().Hash, tip)
		}
		must(t, w.same(s))
		must(t, w.files(s, headers))
		must(t, s.Close())
	}
}

func TestUncommittedIsGone(t *testing.T) {
	fs := vfs.NewMem()
	w := newWorld(2)
	s, _ := mustOpen(t, testOptions(fs))
	must(t, w.connect(s, 0, 5, 200))
	must(t, s.Commit())
	tip := s.Tip().Hash
	must(t, w.connect(s, 2, 5, 300))
	must(t, s.Close())
	s, _ = mustOpen(t, testOptions(fs))
	if s.Tip().Hash != tip {
		t.Fatalf("tip %s", s.Tip().Hash)
	}
	must(t, w.same(s))
	// The torn tail is written over.
	must(t, w.connect(s, 2, 5, 250))
	must(t, s.Commit())
	must(t, s.Close())
	s, headers := mustOpen(t, testOptions(fs))
	must(t, w.same(s))
	must(t, w.files(s, headers))
	must(t, s.Close())
}

func TestForeignDirectories(t *testing.T) {
	fs := vfs.NewMem()
	s, _ := mustOpen(t, testOptions(fs))
	if _, err := Open(testOptions(fs)); !errors.Is(err, kv.ErrLocked) {
		t.Errorf("second opening: %v", err)
	}
	must(t, s.Close())
	o := testOptions(fs)
	o.Net = params.TestNet4()
	if _, err := Open(o); !errors.Is(err, kv.ErrForeign) {
		t.Errorf("another network: %v", err)
	}
	o = testOptions(fs)
	o.CharterID[0] = 1
	if _, err := Open(o); !errors.Is(err, kv.ErrForeign) {
		t.Errorf("another charter: %v", err)
	}
	s, _ = mustOpen(t, testOptions(fs))
	must(t, s.Close())
}
