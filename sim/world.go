package sim

import (
	"container/heap"
	"crypto/sha256"
	"fmt"
	"hash"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"granary/base/clock"
)

// epoch is when every world begins.
var epoch = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// World is what a seed makes of some nodes. It is for one goroutine.
type World struct {
	// Told, if set, hears every line of the trace.
	Told func(line string)

	seed   uint64
	rng    *rand.Rand
	now    ticking
	agenda agenda
	filed  uint64 // events so far
	trace  hash.Hash
	lines  int
	nodes  []*Node
	failed error
}

// ticking is the world's clock; engines read it on their own goroutines.
type ticking struct{ nanos atomic.Int64 }

// Now implements clock.Clock.
func (c *ticking) Now() time.Time { return time.Unix(0, c.nanos.Load()).UTC() }

// NewWorld makes an empty world.
func NewWorld(seed uint64) *World {
	w := &World{seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), trace: sha256.New()}
	w.now.nanos.Store(epoch.UnixNano())
	return w
}

// chance gives somebody a chance of his own: what one draws does not move what
// another will draw.
func (w *World) chance() clock.Rand { return clock.SeededRand(w.rng.Uint64()) }

// tell adds a line to the trace.
func (w *World) tell(format string, args ...any) {
	line := fmt.Sprintf("%10.3f ", w.now.Now().Sub(epoch).Seconds()) + fmt.Sprintf(format, args...)
	fmt.Fprintln(w.trace, line)
	w.lines++
	if w.Told != nil {
		w.Told(line)
	}
}

// Trace is the hash of everything that happened, and how many lines it took.
func (w *World) Trace() (digest string, lines int) {
	return fmt.Sprintf("%x", w.trace.Sum(nil)), w.lines
}

// fail ends the run with the first error of the world's.
func (w *World) fail(err error) {
	if w.failed == nil && err != nil {
		w.failed = fmt.Errorf("seed %d after %v: %w", w.seed, w.now.Now().Sub(epoch), err)
	}
}

// after puts work on the agenda.
func (w *World) after(delay time.Duration, work func()) {
	w.filed++
	heap.Push(&w.agenda, event{at: w.now.nanos.Load() + int64(delay), number: w.filed, work: work})
}

// Run lets time pass.
func (w *World) Run(span time.Duration) error {
	end := w.now.nanos.Load() + int64(span)
	for w.failed == nil && len(w.agenda) > 0 && w.agenda[0].at <= end {
		next := heap.Pop(&w.agenda).(event)
		w.now.nanos.Store(next.at)
		next.work()
	}
	w.now.nanos.Store(end)
	return w.failed
}

// event is something that will happen; of two at one time the first filed.
type event struct {
	at     int64
	number uint64
	work   func()
}

type agenda []event

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	return a[i].at < a[j].at || a[i].at == a[j].at && a[i].number < a[j].number
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(event)) }
func (a *agenda) Pop() any {
	old := *a
	last := old[len(old)-1]
	old[len(old)-1] = event{}
	*a = old[:len(old)-1]
	return last
}
