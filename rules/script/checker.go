package script

import (
	"runtime"
	"sort"
	"sync"
	"sync/atomic"

	"granary/base/check"
	"granary/base/sig"
	"granary/state"
)

// Job is one transaction, no coinbase, whose inputs are to be checked. It is
// only read.
type Job struct {
	Tx      *state.Tx
	Spent   []*state.Coin // Spent[i] is the coin of input i
	Flags   Flags
	TxIndex int // place in the block; the caller's, not looked at
}

// Options are the Checker's. The zero value is usable.
type Options struct {
	// Workers bounds the goroutines that check at the same time, over all
	// callers; 0 means one for each processor Go uses. Callers themselves
	// count as workers only once: each works on its own jobs in any case.
	Workers int
	// CacheBytes bounds the memory of the cache of successes; 0 means none.
	CacheBytes int
	// Engine verifies the signatures of templates; nil means sig.Default.
	Engine sig.Engine
}

// Checker checks the inputs of transactions in parallel and remembers those
// that passed. It is safe for concurrent use.
type Checker struct {
	engine  sig.Engine
	workers int
	helpers chan struct{} // tokens for goroutines beside the callers'
	cache   *successCache
	checked atomic.Uint64
	idle    sync.Pool // of *worker
	running sync.WaitGroup
}

// NewChecker makes a Checker. It holds no goroutines while nothing is checked.
func NewChecker(o Options) *Checker {
	c := &Checker{engine: o.Engine, workers: o.Workers, cache: newSuccessCache(o.CacheBytes)}
	if c.engine == nil {
		c.engine = sig.Default()
	}
	if c.workers <= 0 {
		c.workers = runtime.GOMAXPROCS(0)
	}
	c.helpers = make(chan struct{}, c.workers-1)
	c.idle.New = func() any { return newWorker(c) }
	return c
}

// SignaturesChecked counts the signatures verified so far through base/sig;
// those inside the interpreter and those the cache saved are not in it.
func (c *Checker) SignaturesChecked() uint64 { return c.checked.Load() }

// Close waits for the checks that are running. No new one may be started.
func (c *Checker) Close() { c.running.Wait() }

// Check gives nil if every input of every job may spend its coin, otherwise a
// RuleError for the first input, in order of (job, input), that may not: code
// "mandatory-script-verify-flag-failed", or, where only policy flags forbid
// it, "non-mandatory-script-verify-flag" with Kind Policy. The detail is Core's
// reason in brackets, then the input. The verdict does not depend on
// scheduling, and no goroutine outlives the call. Success under policy flags
// is remembered for the consensus flags among them too, so that a block does
// not check again what the mempool has checked.
func (c *Checker) Check(jobs []Job) error {
	c.running.Add(1)
	defer c.running.Done()
	r := newRun(jobs)
	var group sync.WaitGroup
	for range min(c.workers-1, r.total/minInputsPerHelper) {
		select {
		case c.helpers <- struct{}{}:
			group.Go(func() {
				defer func() { <-c.helpers }()
				c.work(r)
			})
		default:
		}
	}
	c.work(r)
	group.Wait()
	return r.failure
}

// minInputsPerHelper is how many inputs make another goroutine worth while.
const minInputsPerHelper = 4

func (c *Checker) work(r *run) {
	w := c.idle.Get().(*worker)
	w.work(r)
	c.idle.Put(w)
}

// run is one call of Check: all inputs of all jobs in one row, taken in
// chunks by the workers.
type run struct {
	jobs   []Job
	starts []int // starts[j] is the place of job j's first input in the row
	total  int
	next   atomic.Int64 // the first input not yet taken
	worst  atomic.Int64 // place of the first failed input known so far

	mu      sync.Mutex
	failure error // of the input at worst
}

func newRun(jobs []Job) *run {
	r := &run{jobs: jobs, starts: make([]int, len(jobs))}
	for j := range jobs {
		if coins, inputs := len(jobs[j].Spent), len(jobs[j].Tx.Msg.TxIn); coins != inputs {
			check.Must(false, "a script job has %d coins for %d inputs", coins, inputs)
		}
		r.starts[j] = r.total
		r.total += len(jobs[j].Spent)
	}
	r.worst.Store(int64(r.total))
	return r
}

// take gives a worker its next inputs, from <= place < to; from == to means
// that none are left. Chunks shrink towards the end, so that the workers
// finish at about the same time.
func (r *run) take(workers int) (from, to int) {
	for {
		from := int(r.next.Load())
		end := min(r.total, int(r.worst.Load())+1)
		if from >= end {
			return end, end
		}
		size := min(max((end-from)/(2*workers), 4), sig.PreferredBatch, end-from)
		if r.next.CompareAndSwap(int64(from), int64(from+size)) {
			return from, from + size
		}
	}
}

// jobAt finds the job that the input at place belongs to.
func (r *run) jobAt(place int) int {
	return sort.Search(len(r.starts), func(j int) bool { return r.starts[j] > place }) - 1
}

// hopeless reports whether an input before place is known to fail.
func (r *run) hopeless(place int) bool { return int64(place) > r.worst.Load() }

// fail records a failed input.
func (r *run) fail(place int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if int64(place) < r.worst.Load() {
		r.worst.Store(int64(place))
		r.failure = err
	}
}
