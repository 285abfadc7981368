package store

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"granary/state"
	"granary/store/blockfile"
)

// grown is a Store with 60 blocks in files of about ten.
func grown(t *testing.T, fs vfs.FS) (*world, *Store, []*state.Header) {
	t.Helper()
	w := newWorld(9)
	s, headers := mustOpen(t, crashOptions(fs))
	for range 60 {
		must(t, w.connect(s, 2, 3, 300))
		headers = append(headers, s.Tip())
	}
	must(t, s.Commit())
	return w, s, headers
}

func TestPrune(t *testing.T) {
	fs := vfs.NewMem()
	w, s, headers := grown(t, fs)
	stranger, err := fs.Create("data/regtest/blocks/blk00900.dat", vfs.WriteCategoryUnspecified)
	must(t, err)
	must(t, stranger.Close())
	all := slices.Values(headers)
	if n, err := s.Prune(all, 1000, s.FileBytes()); n != 0 || err != nil {
		t.Errorf("within the target: %d, %v", n, err)
	}
	before := s.FileBytes()
	n, err := s.Prune(all, 30, 0)
	if n == 0 || err != nil || s.FileBytes() >= before {
		t.Fatalf("%d pairs, %v, %d bytes of %d", n, err, s.FileBytes(), before)
	}
	gone := 0
	for _, h := range headers[1:] {
		if h.Status&state.StatusHaveData != 0 {
			continue
		}
		gone++
		if h.Height > 30 {
			t.Errorf("block %d is gone", h.Height)
		}
		if _, err := s.ReadBlock(h); !errors.Is(err, ErrNoData) {
			t.Errorf("block %d: %v", h.Height, err)
		}
		if _, err := s.ReadUndo(h); !errors.Is(err, ErrNoData) {
			t.Errorf("undo %d: %v", h.Height, err)
		}
	}
	must(t, s.Close())
	s, headers = mustOpen(t, crashOptions(fs))
	must(t, w.same(s))
	must(t, w.files(s, headers))
	still := 0
	for _, h := range headers[1:] {
		if h.Status&state.StatusHaveData == 0 {
			still++
		}
	}
	if still != gone || gone == 0 {
		t.Errorf("%d blocks gone, %d after reopening", gone, still)
	}
	// The last blocks stay, whatever is asked for.
	_, err = s.Prune(slices.Values(headers), 1<<30, 0)
	must(t, err)
	for _, h := range headers[55:] {
		if h.Status&state.StatusHaveData == 0 {
			t.Errorf("block %d, %d below the tip, is gone", h.Height, s.Tip().Height-h.Height)
		}
	}
	if _, err := fs.Stat("data/regtest/blocks/blk00900.dat"); err != nil {
		t.Errorf("a file of somebody else is gone: %v", err)
	}
	must(t, s.Close())
}

// TestForeignFileIsNotOverwritten: a file that appears where the next one
// would go is left alone.
func TestForeignFileIsNotOverwritten(t *testing.T) {
	fs := vfs.NewMem()
	w, s, headers := grown(t, fs)
	next := s.meta.nextFile
	path := s.files.Path(blockfile.Blocks, next)
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	must(t, err)
	_, err = f.Write([]byte("precious"))
	must(t, errors.Join(err, f.Close()))
	for s.meta.nextFile == next {
		must(t, w.connect(s, 2, 3, 500))
		headers = append(headers, s.Tip())
	}
	must(t, s.Commit())
	if got, err := fs.UnsafeGetFileDataBuffer(path); err != nil || string(got) != "precious" {
		t.Errorf("the file holds %q now, %v", got, err)
	}
	must(t, w.files(s, headers))
	must(t, s.Close())
}

func TestStrangeBlockFilesAreRefused(t *testing.T) {
	fs := vfs.NewMem()
	_, s, _ := grown(t, fs)
	must(t, s.Close())
	must(t, fs.RemoveAll("data/regtest/state"))
	if _, err := Open(crashOptions(fs)); err == nil {
		t.Fatal("a fresh state grew beside block files")
	} else if s, err := Open(crashOptions(fs)); err == nil {
		t.Fatal("the second attempt was let in", s)
	}
	o := crashOptions(fs)
	o.Reindex = true
	s, _ = mustOpen(t, o)
	if !s.Reindexing() {
		t.Error("not reindexing")
	}
	must(t, s.Close())
}

// TestCoreNames: a new directory takes Bitcoin Core's name of the state's
// folder where that is asked for, an old one keeps its own, and Bitcoin Core's
// own database is left alone.
func TestCoreNames(t *testing.T) {
	fs := vfs.NewMem()
	o := testOptions(fs)
	o.CoreNames = true
	s, _ := mustOpen(t, o)
	must(t, s.Close())
	if _, err := fs.Stat(fs.PathJoin(o.Dir, "chainstate")); err != nil {
		t.Error(err)
	}
	o.CoreNames = false
	s, _ = mustOpen(t, o)
	if s.stateDir != "chainstate" {
		t.Errorf("%s beside a chainstate", s.stateDir)
	}
	must(t, s.Close())

	o = testOptions(vfs.NewMem())
	s, _ = mustOpen(t, o)
	must(t, s.Close())
	o.CoreNames = true
	s, _ = mustOpen(t, o)
	if s.stateDir != "state" {
		t.Errorf("%s beside a state", s.stateDir)
	}
	must(t, s.Close())

	o = testOptions(vfs.NewMem())
	o.CoreNames = true
	folder := o.FS.PathJoin(o.Dir, "chainstate")
	must(t, o.FS.MkdirAll(folder, 0o700))
	file, err := o.FS.Create(o.FS.PathJoin(folder, "CURRENT"), vfs.WriteCategoryUnspecified)
	must(t, err)
	must(t, file.Close())
	if _, err := Open(o); err == nil || !strings.Contains(err.Error(), "Bitcoin Core's own database") {
		t.Errorf("another program's database: %v", err)
	}
}

// TestReindex builds the state again, with a damaged old one too, and through
// an obscuring key.
func TestReindex(t *testing.T) {
	for _, key := range []bool{false, true} {
		fs := vfs.NewMem()
		if key {
			must(t, fs.MkdirAll("data/regtest/blocks", 0o700))
			f, err := fs.Create("data/regtest/blocks/xor.dat", vfs.WriteCategoryUnspecified)
			must(t, err)
			_, err = f.Write([]byte("\x01\x92\x03\x04\x05\x06\x07\x08"))
			must(t, errors.Join(err, f.Close()))
		}
		h := newHistory(3)
		o := crashOptions(fs)
		o.keepBlocks = 1 << 20 // keep all
		for range 5 {
			must(t, h.live(o, 20))
		}
		names, err := fs.List("data/regtest/state")
		must(t, err)
		for _, name := range names {
			if len(name) > 9 && name[:9] == "MANIFEST-" {
				f, err := fs.Create("data/regtest/state/"+name, vfs.WriteCategoryUnspecified)
				must(t, err)
				_, err = f.Write([]byte("this is no manifest at all"))
				must(t, errors.Join(err, f.Close()))
			}
		}
		if _, err := Open(o); err == nil {
			t.Fatal("a damaged state opens")
		}
		o.Reindex = true
		must(t, h.rebuild(o))
		o.Reindex = false
		s, headers := mustOpen(t, o)
		if s.Tip().Hash != h.acked || s.Reindexing() {
			t.Errorf("tip %d, reindexing %t", s.Tip().Height, s.Reindexing())
		}
		must(t, h.same(s))
		must(t, h.files(s, headers))
		must(t, s.Close())
	}
}
