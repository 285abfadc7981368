package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

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
	// tips are those of all commits, in order; onAck hears of each.
	tips  []chainhash.Hash
	onAck func(tip chainhash.Hash)
}

// ack notes that the commit under way is through.
func (h *history) ack() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.acked = h.inFlight
	h.tips = append(h.tips, h.acked)
	if h.onAck != nil {
		h.onAck(h.acked)
	}
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
	h.ack()
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
	if pruned > 0 {
		h.ack()
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.inFlight = h.acked
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
	for seed := range uint64(seeds(200, 6000)) {
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
