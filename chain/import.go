package chain

import (
	"context"
	"fmt"
	"sync"
	"time"

	"granary/base/check"
	"granary/state"
)

// importFlightBytes bounds the blocks that are read but not yet connected.
const importFlightBytes = 48 << 20

// arrivalOverheadBytes is counted for each block in flight beside its bytes.
const arrivalOverheadBytes = 512

// refusalsLogged is how many bad blocks of an import get a line of their own.
const refusalsLogged = 20

// Progress tells how far an import, a reindex or a check has come.
type Progress struct {
	Blocks     int64 // new blocks accepted (check: replayed)
	Skipped    int64 // blocks that were there already
	Refused    int64 // blocks that break a rule, or are damaged
	Height     int32 // of the tip (check: of the replay)
	BytesRead  int64 // of the files
	BytesTotal int64 // of all files; of a check: 0
	Signatures uint64
	Elapsed    time.Duration
}

// BlocksPerSecond is the mean since the start.
func (p Progress) BlocksPerSecond() float64 {
	if p.Elapsed <= 0 {
		return 0
	}
	return float64(p.Blocks) / p.Elapsed.Seconds()
}

// SignaturesPerSecond is the mean since the start.
func (p Progress) SignaturesPerSecond() float64 {
	if p.Elapsed <= 0 {
		return 0
	}
	return float64(p.Signatures) / p.Elapsed.Seconds()
}

// RefusedError says that an import went through to the end and some of the
// files' blocks were not taken.
type RefusedError struct {
	Refused     int64 // break a rule, or are damaged
	Unconnected int64 // whose ancestors are nowhere
	First       error // the first refusal; nil where there is none
}

// Error is one line for a person.
func (e *RefusedError) Error() string {
	switch {
	case e.Refused == 0:
		return fmt.Sprintf("%d blocks have no known ancestor and were left out: import the files before them too", e.Unconnected)
	case e.Unconnected == 0:
		return fmt.Sprintf("%d blocks were refused, the first: %v", e.Refused, e.First)
	}
	return fmt.Sprintf("%d blocks were refused, the first: %v; %d more have no known ancestor", e.Refused, e.First, e.Unconnected)
}

// Import takes the blocks of block files in the order of their ancestry: a
// block that comes before its parent is read again when the parent has come.
// It reads and decodes ahead of the engine and lets many blocks share one
// commit; all of it is durable on return. Known blocks are skipped, so that an
// interrupted import goes on where it stopped. A folder stands for its
// blk*.dat files; xor.dat beside a file is honoured.
//
// progress (may be nil) is called from one goroutine a few times a second and
// once at the end. The tip is given in any case; the error is a *RefusedError
// where blocks were refused, ctx's where it ended, or the world's.
func (e *Engine) Import(ctx context.Context, files []string, progress func(Progress)) (*state.Header, error) {
	sources, err := e.openSources(files)
	if err != nil {
		return e.Tip(), err
	}
	return e.intake(ctx, sources, progress)
}

// intake runs an import's pipeline: reader and decoder, context-free checks, engine.
func (e *Engine) intake(ctx context.Context, sources []*source, progress func(Progress)) (*state.Header, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	in := newIntake(e, sources)
	read := make(chan *arrival, 64)
	checked := make(chan *arrival, 64)
	var stages sync.WaitGroup
	stages.Go(func() {
		defer close(read)
		if err := in.readAll(ctx, read); err != nil {
			cancel(err)
		}
	})
	stages.Go(func() {
		defer close(checked)
		for a := range read {
			a.checked = e.rules.CheckBlock(a.block)
			checked <- a
		}
	})
	stages.Go(func() { // an engine that has stopped answers nobody
		select {
		case <-e.done:
			cancel(e.stopError())
		case <-ctx.Done():
		}
	})
	stopProgress := reportEvery(progress, in.progress)
	err := in.feed(checked)
	if err != nil {
		cancel(err)
	}
	for range checked { //nolint:revive // let the stages end
	}
	if err == nil {
		err = context.Cause(ctx)
	}
	if flushErr := e.control(e.commit); err == nil { // comes after all blocks
		err = flushErr
	}
	cancel(nil)
	stages.Wait()
	stopProgress()
	if err == nil {
		err = in.verdict()
	}
	return e.Tip(), err
}

// arrival is one block on its way through the pipeline.
type arrival struct {
	block   *state.Block
	pos     *state.FilePos // where it is already stored (reindex), else nil
	where   string         // file and offset, for a person
	checked error          // the block breaks a rule without context
}

// cost is what the arrival takes of the budget: its bytes and something for
// what is decoded from them, which bounds the number of tiny blocks as well.
func (a *arrival) cost() int64 { return int64(len(a.block.Raw)) + arrivalOverheadBytes }

// intake is the state of one import.
type intake struct {
	engine  *Engine
	sources []*source
	order   *ordering
	budget  *budget
	started time.Time
	sigs    uint64 // checked before the start

	mu    sync.Mutex
	count Progress
	first error
}

func newIntake(e *Engine, sources []*source) *intake {
	in := &intake{
		engine: e, sources: sources, order: newOrdering(e),
		budget: newBudget(importFlightBytes), started: time.Now(), sigs: e.signatures(),
	}
	for _, s := range sources {
		in.count.BytesTotal += s.size
	}
	return in
}

// readAll sends the blocks of all sources, parents before children.
func (in *intake) readAll(ctx context.Context, read chan<- *arrival) error {
	out := outlet{skip: in.skip, damaged: in.refuse, emit: func(a *arrival) error {
		if err := in.budget.take(ctx, a.cost()); err != nil {
			return err
		}
		select {
		case read <- a:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}}
	for _, s := range in.sources {
		err := s.scan(func(raw []byte, offset int64) error {
			if err := ctx.Err(); err != nil {
				return context.Cause(ctx)
			}
			in.tally(func(p *Progress) { p.BytesRead = s.before + offset })
			return in.order.place(spot{s, offset, uint32(len(raw))}, raw, out)
		})
		if err != nil {
			return err
		}
		in.tally(func(p *Progress) { p.BytesRead = s.before + s.size })
	}
	return nil
}

// feed hands checked blocks to the engine and does not wait for each answer.
func (in *intake) feed(checked <-chan *arrival) error {
	for a := range checked {
		r, isNew := in.engine.blockRequest(a.block, a.checked, a.pos)
		r.lazy = true
		r.answered = func(err error) { in.answered(a, *isNew, err) }
		if err := in.engine.enqueue(r); err != nil {
			return err
		}
	}
	return nil
}

// answered counts the engine's answer for one block; it runs on the engine's
// goroutine.
func (in *intake) answered(a *arrival, isNew bool, err error) {
	in.budget.give(a.cost())
	switch {
	case check.AsRule(err) != nil:
		in.refuse(a.where, err)
	case err != nil: // the engine stops: feed or the flush gives the error
	case isNew:
		in.tally(func(p *Progress) { p.Blocks++ })
	default:
		in.skip()
	}
}

func (in *intake) skip() { in.tally(func(p *Progress) { p.Skipped++ }) }

func (in *intake) tally(f func(p *Progress)) {
	in.mu.Lock()
	defer in.mu.Unlock()
	f(&in.count)
}

// refuse counts and reports a block that is not taken.
func (in *intake) refuse(where string, err error) {
	err = fmt.Errorf("%s: %w", where, err)
	in.mu.Lock()
	defer in.mu.Unlock()
	in.count.Refused++
	if in.first == nil {
		in.first = err
	}
	if in.count.Refused <= refusalsLogged {
		in.engine.log.Warn("block refused", "reason", err.Error())
	}
}

// verdict is the error of an import that went to its end.
func (in *intake) verdict() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	lost := in.order.lost()
	if in.count.Refused == 0 && lost == 0 {
		return nil
	}
	return &RefusedError{Refused: in.count.Refused, Unconnected: lost, First: in.first}
}

// progress is how far the import has come.
func (in *intake) progress() Progress {
	in.mu.Lock()
	defer in.mu.Unlock()
	p := in.count
	p.Height = in.engine.Tip().Height
	p.Signatures = in.engine.signatures() - in.sigs
	p.Elapsed = time.Since(in.started)
	return p
}

// reportEvery calls f with what get gives a few times a second, until the
// function it gives is called, which makes the last call.
func reportEvery(f func(Progress), get func() Progress) (stop func()) {
	if f == nil {
		return func() {}
	}
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(250 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				f(get())
			case <-quit:
				f(get())
				return
			}
		}
	}()
	return func() {
		close(quit)
		<-ended
	}
}

// signatures is the number of signatures checked so far.
func (e *Engine) signatures() uint64 {
	if e.scripts == nil {
		return 0
	}
	return e.scripts.SignaturesChecked()
}

// budget bounds the bytes in flight. One block more than the limit may be
// taken when nothing is in flight.
type budget struct {
	mu    sync.Mutex
	left  int64
	limit int64
	freed chan struct{}
}

func newBudget(limit int64) *budget {
	return &budget{left: limit, limit: limit, freed: make(chan struct{}, 1)}
}

// take waits until n bytes are free. Only one goroutine may take.
func (b *budget) take(ctx context.Context, n int64) error {
	for {
		b.mu.Lock()
		if b.left >= n || b.left == b.limit {
			b.left -= n
			b.mu.Unlock()
			return nil
		}
		b.mu.Unlock()
		select {
		case <-b.freed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (b *budget) give(n int64) {
	b.mu.Lock()
	b.left += n
	b.mu.Unlock()
	select {
	case b.freed <- struct{}{}:
	default:
	}
}
