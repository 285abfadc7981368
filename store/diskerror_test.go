package store

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"granary/base/kv"
)

// TestDiskErrors lets writes fail from operation N on (or only N) and checks
// that the Store stops, stays stopped, and has lost nothing acknowledged.
func TestDiskErrors(t *testing.T) {
	causes := map[string]int{}
	for seed := range uint64(seeds(80, 3000)) {
		rng := rand.New(rand.NewPCG(seed, 3))
		d := &diskError{mem: vfs.NewCrashableMem(), at: 1 + rng.Int64N(250), once: rng.IntN(2) == 0, err: []error{syscall.ENOSPC, syscall.EIO, syscall.EROFS}[rng.IntN(3)]}
		h := newHistory(seed)
		cause, err := d.run(func(o Options) error { return h.live(o, 40) })
		causes[cause]++
		if err != nil && (strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "data/regtest")) {
			t.Errorf("seed %d: not one line with the directory: %q", seed, err)
		}
		allowed := h.allowed()
		for _, percent := range []int{0, 50, 100} {
			left := d.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng})
			if err := h.verify(crashOptions(left), allowed); err != nil {
				t.Fatalf("seed %d, %v at %d (once %t), ended by %s %v, %d%% kept: %v", seed, d.err, d.at, d.once, cause, err, percent, err)
			}
		}
	}
	t.Logf("%v", causes)
	if causes["error"] == 0 || causes["fatal"] == 0 {
		t.Errorf("not every way to end was met: %v", causes)
	}
}

// diskError fails writes of a file system.
type diskError struct {
	mem   *vfs.MemFS
	at    int64
	once  bool
	err   error
	count atomic.Int64
}

func (d *diskError) MaybeError(op errorfs.Op) error {
	switch op.Kind {
	case errorfs.OpCreate, errorfs.OpFileWrite, errorfs.OpFileWriteAt, errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpRename, errorfs.OpReuseForWrite:
	default:
		return nil
	}
	if n := d.count.Add(1); n == d.at || (n > d.at && !d.once) {
		return d.err
	}
	return nil
}

func (d *diskError) String() string { return "disk error" }

// run runs life as a process would: a fatal error ends it wherever it is.
func (d *diskError) run(life func(Options) error) (cause string, err error) {
	o := crashOptions(errorfs.Wrap(d.mem, d))
	fatal := make(chan error, 64)
	o.Fatal = func(err error) {
		select {
		case fatal <- err:
		default:
		}
		runtime.Goexit()
	}
	done := make(chan error, 1)
	go func() { done <- life(o) }()
	select {
	case err := <-fatal:
		return "fatal", err
	case err := <-done:
		if err != nil {
			return "error", err
		}
		return "nothing", nil
	}
}

// TestFailedStaysFailed: after the first failed sync every call says so, and
// the disk is not asked again.
func TestFailedStaysFailed(t *testing.T) {
	var failing atomic.Bool
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if failing.Load() && op.Kind == errorfs.OpFileSyncData && strings.Contains(op.Path, "rev00000") {
			return syscall.EIO
		}
		return nil
	}))
	s, _ := mustOpen(t, testOptions(fs))
	defer s.Close()
	w := newWorld(1)
	must(t, w.connect(s, 1, 2, 200))
	failing.Store(true)
	first := s.Commit()
	if first == nil {
		t.Fatal("a failed sync was acknowledged")
	}
	failing.Store(false)
	if err := s.Commit(); !errors.Is(err, first) {
		t.Errorf("then: %v", err)
	}
	if _, err := s.AppendBlock(make([]byte, 100)); err == nil {
		t.Error("appends after a failed sync")
	}
	if err := s.Connect(s.Tip(), nil, nil); err == nil {
		t.Error("connects after a failed sync")
	}
	if _, err := s.Snapshot(nil); err == nil {
		t.Error("freezes after a failed sync")
	}
}

// TestFullDisk: a commit that has no room is refused before it is begun.
func TestFullDisk(t *testing.T) {
	mem := vfs.NewMem()
	w := newWorld(1)
	s, _ := mustOpen(t, testOptions(mem))
	must(t, w.connect(s, 1, 2, 200))
	must(t, s.Commit())
	mem.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 10 << 20, TotalBytes: 1 << 30})
	must(t, w.connect(s, 1, 2, 200))
	if err := s.Commit(); !errors.Is(err, kv.ErrFull) || !strings.Contains(err.Error(), "free some space") {
		t.Errorf("got %v", err)
	}
	must(t, s.Close())
	mem.TestingSetDiskUsage(vfs.DiskUsage{})
	s, headers := mustOpen(t, testOptions(mem))
	must(t, w.same(s))
	must(t, w.files(s, headers))
	must(t, s.Close())
}

// TestBitFlips flips one bit of one file: either something says so, or
// nothing that is read is wrong.
func TestBitFlips(t *testing.T) {
	mem := vfs.NewCrashableMem()
	h := newHistory(5)
	for range 8 {
		must(t, h.live(crashOptions(mem), 12))
	}
	var detected, harmless int
	for seed := range uint64(seeds(120, 5000)) {
		rng := rand.New(rand.NewPCG(seed, 1))
		fs := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rng})
		flipped := flipBit(t, fs, rng)
		cause, err := (&diskError{mem: fs, at: -1}).run(h.readAll)
		if errors.Is(err, errDiffers) {
			t.Fatalf("seed %d: %s: %v", seed, flipped, err)
		}
		if cause == "nothing" {
			harmless++
		} else {
			detected++
		}
	}
	t.Logf("%d flips detected, %d without effect", detected, harmless)
	if detected == 0 {
		t.Error("no flip was detected")
	}
}

// readAll reads everything there is.
func (h *history) readAll(o Options) error {
	s, err := Open(o)
	if err != nil {
		return err
	}
	defer s.Close()
	headers, _, err := s.LoadHeaders()
	if err != nil {
		return err
	}
	if err := h.same(s); err != nil {
		return err
	}
	return h.files(s, headers)
}

func flipBit(t *testing.T, fs *vfs.MemFS, rng *rand.Rand) string {
	t.Helper()
	var paths []string
	for _, dir := range []string{"data/regtest/blocks", "data/regtest/state"} {
		names, err := fs.List(dir)
		must(t, err)
		slices.Sort(names)
		for _, name := range names {
			if info, err := fs.Stat(dir + "/" + name); err == nil && info.Size() > 0 {
				paths = append(paths, dir+"/"+name)
			}
		}
	}
	path := paths[rng.IntN(len(paths))]
	f, err := fs.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
	must(t, err)
	defer f.Close()
	info, err := f.Stat()
	must(t, err)
	at := rng.Int64N(info.Size())
	var b [1]byte
	if _, err := f.ReadAt(b[:], at); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	b[0] ^= 1 << rng.IntN(8)
	_, err = f.WriteAt(b[:], at)
	must(t, err)
	return fmt.Sprintf("%s at %d", path, at)
}
