package store

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"granary/base/kv"
	"granary/state"
)

// long tells whether the long variants are wanted.
var long = os.Getenv("GRANARY_LONG") != ""

func seeds(short, longer int) int {
	if long {
		return longer
	}
	return short
}

// history is one random life of a Store: what it acknowledged, and which
// commit was under way.
type history struct {
	*world
	mu       sync.Mutex
	acked    chainhash.Hash // tip of the last successful commit
	inFlight chainhash.Hash // tip of the commit under way, or acked
}

func newHistory(seed uint64) *history {
	h := &history{world: newWorld(seed)}
	for genesis := range h.states {
		h.acked, h.inFlight = genesis, genesis
	}
	return h
}

func (h *history) commit(s *Store) error {
	h.mu.Lock()
	h.inFlight = s.Tip().Hash
	h.mu.Unlock()
	if err := s.Commit(); err != nil {
		return err
	}
	h.mu.Lock()
	h.acked = h.inFlight
	h.mu.Unlock()
	return nil
}

// prune commits too, if there is anything to prune.
func (h *history) prune(s *Store, headers []*state.Header) error {
	h.mu.Lock()
	h.inFlight = s.Tip().Hash
	h.mu.Unlock()
	pruned, err := s.Prune(slices.Values(headers), 1<<30, int64(h.rng.IntN(8000)))
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if pruned > 0 {
		h.acked = h.inFlight
	} else {
		h.inFlight = h.acked
	}
	return nil
}

// allowed are the tips that a crash now may leave.
func (h *history) allowed() []chainhash.Hash {
	h.mu.Lock()
	defer h.mu.Unlock()
	return []chainhash.Hash{h.acked, h.inFlight}
}

func crashOptions(fs vfs.FS) Options {
	o := testOptions(fs)
	o.fileBytes, o.keepBlocks = 4_000, 6
	return o
}

// live drives a Store through random blocks, reorganisations, commits and
// prunings. It ends with the first error.
func (h *history) live(o Options, steps int) error {
	s, err := Open(o)
	if err != nil {
		return err
	}
	defer s.Close()
	headers, _, err := s.LoadHeaders()
	if err != nil {
		return err
	}
	for range steps {
		switch n := h.rng.IntN(20); {
		case n < 11 || s.Tip().Height == 0:
			s.Prefetch(h.states[s.Tip().Hash].ordered)
			err = h.connect(s, h.rng.IntN(5), 1+h.rng.IntN(7), 100+h.rng.IntN(900))
			headers = append(headers, s.Tip())
		case n < 14 && s.Tip().Status&state.StatusHaveUndo != 0:
			err = h.disconnect(s)
		case n == 19:
			err = h.prune(s, headers)
		default:
			err = h.commit(s)
		}
		if err != nil {
			return err
		}
	}
	return h.commit(s)
}

// verify opens what a crash left and checks that it is a commit of the
// history, whole, and that life can go on from there.
func (h *history) verify(o Options, allowed []chainhash.Hash) error {
	for round := range 2 {
		s, err := Open(o)
		if err != nil {
			return fmt.Errorf("does not reopen: %w", err)
		}
		headers, tip, err := s.LoadHeaders()
		if err != nil {
			return err
		}
		if round == 0 && !slices.Contains(allowed, tip.Hash) {
			return fmt.Errorf("tip %d %s is none of %v", tip.Height, tip.Hash, allowed)
		}
		if err := errors.Join(h.same(s), h.files(s, headers)); err != nil {
			return err
		}
		for range 3 {
			if err := h.connect(s, 2, 3, 300); err != nil {
				return err
			}
		}
		if err := errors.Join(s.Commit(), h.same(s), s.Close()); err != nil {
			return err
		}
	}
	return nil
}

// TestPowerCuts cuts the power before a random operation of the file system
// and keeps 0, 10, 50 or 100 % of what was not synced.
func TestPowerCuts(t *testing.T) {
	var cuts, midway int
	for seed := range uint64(seeds(320, 6000)) {
		cut := newPowerCut(seed)
		h := newHistory(seed)
		cut.taken = h.allowed
		o := crashOptions(cut.fs())
		if err := h.live(o, 40); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		left, allowed := cut.result()
		if allowed[0] != allowed[1] {
			midway++
		}
		cuts++
		if err := h.verify(crashOptions(left), allowed); err != nil {
			t.Fatalf("seed %d, cut before operation %d, %d%% kept: %v", seed, cut.at, cut.percent, err)
		}
	}
	t.Logf("%d cuts, %d of them while a commit was under way", cuts, midway)
	if midway == 0 {
		t.Error("no cut hit a commit")
	}
}

// powerCut clones a crashable file system before one of its operations.
type powerCut struct {
	mem     *vfs.MemFS
	rng     *rand.Rand
	at      int64
	percent int
	count   atomic.Int64
	once    sync.Once
	left    *vfs.MemFS
	tips    []chainhash.Hash
	taken   func() []chainhash.Hash
}

func newPowerCut(seed uint64) *powerCut {
	rng := rand.New(rand.NewPCG(seed, 99))
	return &powerCut{
		mem: vfs.NewCrashableMem(), rng: rng,
		at: 1 + rng.Int64N(400), percent: []int{0, 10, 50, 100}[rng.IntN(4)],
	}
}

func (c *powerCut) fs() vfs.FS {
	return errorfs.Wrap(c.mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && c.count.Add(1) == c.at {
			c.cut()
		}
		return nil
	}))
}

func (c *powerCut) cut() {
	c.once.Do(func() {
		c.tips = c.taken()
		c.left = c.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: c.percent, RNG: c.rng})
		// A commit may have ended while the clone was made.
		c.tips = append(c.tips, c.taken()...)
	})
}

func (c *powerCut) result() (vfs.FS, []chainhash.Hash) {
	c.cut()
	return c.left, c.tips
}

// TestPowerCutsDuringReindex cuts the power while --reindex replaces the state
// and checks that the directory opens without the flag.
func TestPowerCutsDuringReindex(t *testing.T) {
	for seed := range uint64(seeds(60, 1000)) {
		cut := newPowerCut(seed)
		cut.at = 1 + cut.rng.Int64N(120)
		h := newHistory(seed)
		cut.taken = h.allowed
		for range 20 {
			if err := h.live(crashOptions(cut.mem), 4); err != nil {
				t.Fatal(err)
			}
		}
		before := h.acked
		o := crashOptions(cut.fs())
		o.Reindex = true
		if err := h.rebuild(o); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		left, _ := cut.result()
		if err := h.rebuild(crashOptions(left)); err != nil {
			t.Fatalf("seed %d, cut before operation %d, %d%% kept: %v", seed, cut.at, cut.percent, err)
		}
		genesis := h.blockAt0()
		if err := h.verify(crashOptions(left), []chainhash.Hash{before, genesis}); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func (h *history) blockAt0() (genesis chainhash.Hash) {
	for hash, s := range h.states {
		if s.parent == nil {
			genesis = hash
		}
	}
	return genesis
}

// rebuild is a small chain: it goes on with a reindex, if there is one, and
// connects the branch that ends in the last acknowledged tip as far as the
// files have it.
func (h *history) rebuild(o Options) error {
	s, err := Open(o)
	if err != nil {
		return err
	}
	defer s.Close()
	headers, _, err := s.LoadHeaders()
	if err != nil || !s.Reindexing() {
		return err
	}
	byHash := map[chainhash.Hash]*state.Header{}
	for _, header := range headers {
		byHash[header.Hash] = header
	}
	places := map[chainhash.Hash]state.FilePos{}
	if err := s.ScanFiles(func(raw []byte, pos state.FilePos) error {
		hash := chainhash.DoubleHashH(raw[:headerBytes])
		if h.blocks[hash] != nil {
			places[hash] = pos
		}
		return nil
	}); err != nil {
		return err
	}
	for _, snap := range h.branch(h.acked) {
		if err := h.reconnect(s, byHash, snap, places); err != nil {
			return err
		}
	}
	s.FinishReindex()
	return s.Commit()
}

// branch gives the hashes from block 1 to tip.
func (h *history) branch(tip chainhash.Hash) (hashes []chainhash.Hash) {
	bySnapshot := map[*snapshot]chainhash.Hash{}
	for hash, s := range h.states {
		bySnapshot[s] = hash
	}
	for s := h.states[tip]; s.parent != nil; s = s.parent {
		hashes = append(hashes, bySnapshot[s])
	}
	slices.Reverse(hashes)
	return hashes
}

func (h *history) reconnect(s *Store, byHash map[chainhash.Hash]*state.Header, hash chainhash.Hash, places map[chainhash.Hash]state.FilePos) error {
	pos, found := places[hash]
	if !found {
		return nil
	}
	header := h.headerAbove(s.Tip(), hash)
	if header == nil {
		return nil // a gap: pruned
	}
	if known := byHash[hash]; known != nil {
		header = known
	}
	header.DataPos = pos
	header.Status |= state.StatusHeaderValid | state.StatusBlockValid | state.StatusHaveData
	byHash[hash] = header
	return s.Connect(header, h.states[hash].delta, h.undos[hash])
}

// TestDiskErrors lets writes fail from operation N on (or only N) and checks
// that the Store stops, stays stopped, and has lost nothing acknowledged.
func TestDiskErrors(t *testing.T) {
	causes := map[string]int{}
	for seed := range uint64(seeds(150, 3000)) {
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
	if err := s.RangeCoins(nil); err == nil {
		t.Error("walks after a failed sync")
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
	for seed := range uint64(seeds(250, 5000)) {
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
