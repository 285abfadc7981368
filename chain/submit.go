package chain

import (
	"sync"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/state"
)

const (
	// lazyBehindBlocks below the best header, a submitted block lets the commit
	// wait: many share one.
	lazyBehindBlocks = 24
	// idleCommit is the rest after which what waits is committed.
	idleCommit = time.Second
	// lateCommit is the longest that something submitted waits for a commit.
	lateCommit = 30 * time.Second
)

// Submit takes a block as AcceptBlock does, but waits for nothing: done is
// called once the block is judged, on a goroutine of the engine's, and must
// not wait either. The context-free checks run beside the engine. Requests are
// served in the order in which they came.
//
// Far below the best header many blocks share a commit: done then says that
// the block is judged, not that it is durable. What waits is committed after a
// second without work, after half a minute, or when the bound of a batch is
// reached.
//
// The blocks that are submitted and not answered are the caller's to bound. An
// engine that has stopped answers nobody.
func (e *Engine) Submit(b *state.Block, done func(isNew bool, err error)) {
	e.inbox.put(func() {
		if _, err := e.probe(&b.Msg.Header); err != nil && !unconnected(err) {
			done(false, err)
			return
		}
		r, isNew := e.blockRequest(b, e.rules.CheckBlock(b), nil)
		r.lazy, r.restless = e.farBehind(&b.Msg.Header), true
		r.answered = func(err error) { done(*isNew, err) }
		e.enqueue(r) //nolint:errcheck // stopped: see above
	})
}

// SubmitHeaders takes a run of headers, parents first, as AcceptHeaders does,
// but waits for nothing; see Submit. last is the last header that is in the
// tree now (nil if none), added counts those that are new there. They become
// durable with the next commit.
func (e *Engine) SubmitHeaders(raws []wire.BlockHeader, done func(last *state.Header, added int, err error)) {
	e.inbox.put(func() {
		var last *state.Header
		added := 0
		r := &request{bytes: state.HeaderBytes * len(raws), lazy: true, restless: true}
		r.apply = func() error {
			for i := range raws {
				known := len(e.tree.byHash)
				h, err := e.applyHeader(&raws[i])
				if err != nil {
					return err
				}
				last = h
				added += len(e.tree.byHash) - known
			}
			return nil
		}
		r.answered = func(err error) { done(last, added, err) }
		e.enqueue(r) //nolint:errcheck // stopped: see above
	})
}

// OnInvalid lets f hear of every block that is found to break a rule, with the
// rule's error, from now on; one f at a time. f runs on the engine's goroutine
// and must not wait.
func (e *Engine) OnInvalid(f func(h *state.Header, err error)) { e.onInvalid.Store(&f) }

// unconnected: the parent may be in the queue before this one.
func unconnected(err error) bool {
	rule := check.AsRule(err)
	return rule != nil && rule.Kind == check.Unconnected
}

// farBehind reports whether a block is so far below the best header that its
// commit may wait.
func (e *Engine) farBehind(raw *wire.BlockHeader) bool {
	parent := e.tree.get(raw.PrevBlock)
	return parent != nil && e.bestHeader.Load().Height-parent.Height > lazyBehindBlocks
}

// inbox holds what waits for the goroutine that prepares requests. It takes
// without waiting; its length is bounded by whoever puts.
type inbox struct {
	mu    sync.Mutex
	tasks []func()
	wake  chan struct{}
}

func (i *inbox) put(task func()) {
	i.mu.Lock()
	i.tasks = append(i.tasks, task)
	i.mu.Unlock()
	select {
	case i.wake <- struct{}{}:
	default:
	}
}

// take gives what waits, in order.
func (i *inbox) take() []func() {
	i.mu.Lock()
	defer i.mu.Unlock()
	tasks := i.tasks
	i.tasks = nil
	return tasks
}

// prepare is the goroutine that checks submitted blocks without their context
// and hands them to the engine's.
func (e *Engine) prepare() {
	defer close(e.prepared)
	for {
		select {
		case <-e.quit:
			return
		case <-e.done:
			return
		case <-e.inbox.wake:
		}
		for _, task := range e.inbox.take() {
			if e.stopping() {
				return
			}
			task()
		}
	}
}

// commitTimer says when what lazy requests left is to be committed.
type commitTimer struct {
	timer *time.Timer
	since time.Time // of the first change that waits; zero: none
}

// arm sets the timer where something waits that nobody else will commit.
func (t *commitTimer) arm(waits bool) {
	if !waits {
		t.since = time.Time{}
		t.timer.Stop()
		return
	}
	if t.since.IsZero() {
		t.since = time.Now()
	}
	t.timer.Reset(idleCommit)
}

// late reports whether something has waited too long.
func (t *commitTimer) late() bool { return !t.since.IsZero() && time.Since(t.since) > lateCommit }
