package chain

import (
	"fmt"
	"time"
)

// Bounds of one batch of requests.
const (
	batchRequestsMax = 512
	batchBytesMax    = 32 << 20
)

// request is one input of the engine's goroutine.
type request struct {
	// apply runs first, in order of arrival. Its error goes to the caller.
	apply func() error
	// judge, if set, gives the answer once the best chain is active; it runs
	// only when apply gave no error.
	judge func() error
	// answered, if set, is called on the engine's goroutine instead of done.
	answered func(err error)
	// lazy lets the commit wait until enough has gathered (Import).
	lazy bool
	// restless asks for a commit soon all the same (Submit).
	restless bool
	bytes    int

	err  error
	done chan struct{}
}

// submit hands r to the engine's goroutine and waits for the answer.
func (e *Engine) submit(r *request) error {
	r.done = make(chan struct{})
	if err := e.enqueue(r); err != nil {
		return err
	}
	select {
	case <-r.done:
		return r.err
	case <-e.done:
	}
	select {
	case <-r.done: // answered in the last batch
		return r.err
	default:
		return e.stopError()
	}
}

// enqueue hands r over without waiting for the answer.
func (e *Engine) enqueue(r *request) error {
	select {
	case <-e.quit:
		return e.stopError()
	default:
	}
	select {
	case e.queue <- r:
		return nil
	case <-e.quit:
		return e.stopError()
	case <-e.done:
		return e.stopError()
	}
}

// stopError is why no answer comes any more.
func (e *Engine) stopError() error {
	if err := e.Err(); err != nil {
		return fmt.Errorf("the chain engine has stopped: %w", err)
	}
	return ErrClosed
}

// run is the engine's goroutine.
func (e *Engine) run() {
	defer close(e.done)
	e.waiting.timer = time.NewTimer(idleCommit)
	defer e.waiting.timer.Stop()
	for {
		select {
		case <-e.quit:
			e.commit()
			return
		case r := <-e.queue:
			e.serve(e.gather(r))
		case <-e.waiting.timer.C:
			e.commit()
		}
		if e.failure != nil {
			e.log.Error("the chain engine stops", "error", e.failure)
			return
		}
		e.waiting.arm(e.dirty && e.restless)
	}
}

// gather takes what else waits in the queue, up to the bounds of a batch.
func (e *Engine) gather(first *request) []*request {
	batch, bytes := []*request{first}, first.bytes
	for len(batch) < batchRequestsMax && bytes < batchBytesMax {
		select {
		case r := <-e.queue:
			batch = append(batch, r)
			bytes += r.bytes
		default:
			return batch
		}
	}
	return batch
}

// serve applies a batch, makes the best chain active, commits, and answers.
// When the world has failed everybody is told, and nothing of the batch is
// acknowledged.
func (e *Engine) serve(batch []*request) {
	lazy := true
	for _, r := range batch {
		lazy = lazy && r.lazy
		e.restless = e.restless || r.restless
		if e.failure == nil {
			r.err = r.apply()
		}
	}
	if e.failure == nil {
		e.activate()
	}
	if e.failure == nil && (!lazy || e.full() || e.waiting.late()) {
		e.commit()
	}
	for _, r := range batch {
		switch {
		case e.failure != nil:
			r.err = e.failure
		case r.err == nil && r.judge != nil:
			r.err = r.judge()
		}
		r.answer()
	}
	clear(e.fresh)
	clear(e.verdicts)
}

func (r *request) answer() {
	if r.answered != nil {
		r.answered(r.err)
		return
	}
	close(r.done)
}

// world records an error of the world, which is final, and returns it.
func (e *Engine) world(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	if e.failure == nil {
		e.failure = fmt.Errorf(format+": %w", append(args, err)...)
	}
	return e.failure
}

// stopping reports whether Close has been called.
func (e *Engine) stopping() bool {
	select {
	case <-e.quit:
		return true
	default:
		return false
	}
}

// full reports whether enough has gathered for a commit of its own.
func (e *Engine) full() bool {
	return e.store.PendingBytes() >= e.batchBytes || e.eventBytes >= e.batchBytes
}

// commit makes everything durable, tells the followers, and prunes where that
// is wanted.
func (e *Engine) commit() error {
	if err := e.settle(); err != nil {
		return err
	}
	return e.autoPrune()
}

// settle makes everything durable, then tells the followers.
func (e *Engine) settle() error {
	if e.failure != nil || !e.dirty {
		return e.failure
	}
	e.mu.Lock()
	err := e.store.Commit()
	e.mu.Unlock()
	if err != nil {
		return e.world(err, "the chain could not be written")
	}
	e.dirty, e.restless = false, false
	return e.deliver()
}
