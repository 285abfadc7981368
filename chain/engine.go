package chain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"granary/base/clock"
	"granary/rules/block"
	"granary/rules/script"
	"granary/state"
	"granary/store"
)

// ErrClosed is what a request gets after Close.
var ErrClosed = errors.New("the chain engine has been stopped")

// Options are the parts that an Engine is made of.
type Options struct {
	// Store must be open and is used by this Engine alone until Close; the
	// Engine does not close it.
	Store *store.Store
	Rules block.Rules
	// Scripts checks scripts; nil skips script checks altogether, which is
	// for tests that are about something else.
	Scripts *script.Checker
	// Clock says what is too far in the future; nil is the machine's.
	Clock clock.Clock
	// Log gets one line per event that a person should know; nil drops them.
	Log *slog.Logger
	// Followers are called in this order.
	Followers []Follower
	// BatchBytes bounds the uncommitted changes of an import and of a long
	// activation; zero means what the store's cache allows.
	BatchBytes int64
	// PruneTargetBytes lets the engine delete old block files whenever they
	// are larger together; zero keeps everything.
	PruneTargetBytes int64
	// Interrupt, if set and closed, lets Open give up with ErrClosed where it
	// still has many blocks to connect. What is connected is kept.
	Interrupt <-chan struct{}
}

// Engine is the chain: header tree, best chain, state. All methods are safe
// for concurrent use; see the package's doc for the locking order.
type Engine struct {
	store      *store.Store
	rules      block.Rules
	scripts    *script.Checker
	clock      clock.Clock
	log        *slog.Logger
	batchBytes int64
	pruneBytes int64

	mu         sync.RWMutex
	tree       tree
	tip        atomic.Pointer[state.Header]
	bestHeader atomic.Pointer[state.Header]

	inbox      inbox // what Submit was given, for prepare
	prepared   chan struct{}
	onInvalid  atomic.Pointer[func(*state.Header, error)]
	queue      chan *request
	quit       chan struct{} // closed by Close
	quitOnce   sync.Once
	walksEnded atomic.Bool // by EndWalks
	// leash, while it is set, ends a long activation when it ends (Reindex).
	leash   atomic.Pointer[context.Context]
	done    chan struct{} // closed when the goroutine has ended
	failure error         // written before done is closed

	// What follows belongs to the engine's goroutine.

	followers    []Follower
	candidates   candidates
	order        map[*state.Header]int64 // Precious and the first tip, instead of Sequence
	lastPrecious preciousMark
	sequence     uint64
	fresh        map[*state.Header]*state.Block // blocks of this batch, decoded
	verdicts     map[*state.Header]error        // blocks that this batch found invalid
	events       []*Event                       // moved, not yet committed
	eventBytes   int64
	dirty        bool // something waits for a commit
	restless     bool // and came by Submit: it must not wait for ever
	waiting      commitTimer
	refusals     logBudget
	prunedBytes  int64 // of the files after the last attempt to prune
	nextLog      time.Time

	// moved, if set by a test of this package, sees each step as it is made.
	moved func(connected bool, h *state.Header)
	// walking, if set likewise, is called before every coin of a walk over
	// a frozen state.
	walking func()
}

// Open loads the header tree, goes on from where the state files stand with
// the blocks that are there, and starts the engine. It returns when the best
// chain is active. An error is the world's, one line for a person.
func Open(o Options) (*Engine, error) {
	e := &Engine{
		store: o.Store, rules: o.Rules, scripts: o.Scripts, clock: o.Clock, log: o.Log,
		batchBytes: o.BatchBytes, pruneBytes: o.PruneTargetBytes,
		followers: append([]Follower(nil), o.Followers...),
		inbox:     inbox{wake: make(chan struct{}, 1)},
		prepared:  make(chan struct{}),
		queue:     make(chan *request, 256),
		quit:      make(chan struct{}),
		done:      make(chan struct{}),
		order:     make(map[*state.Header]int64),
		fresh:     make(map[*state.Header]*state.Block),
		verdicts:  make(map[*state.Header]error),
	}
	if e.clock == nil {
		e.clock = clock.Real{}
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	if e.batchBytes <= 0 {
		e.batchBytes = e.store.PendingBudgetBytes()
	}
	if err := e.load(); err != nil {
		return nil, err
	}
	go e.run()
	go e.prepare()
	opened := make(chan struct{})
	defer close(opened)
	go func() {
		select {
		case <-o.Interrupt:
			e.stop()
		case <-opened:
		}
	}()
	// An empty request returns when the best chain of what is there is active.
	if err := e.submit(&request{apply: func() error { return nil }}); err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

// load builds the tree from the store and checks that it holds together.
func (e *Engine) load() error {
	headers, tip, err := e.store.LoadHeaders()
	if err != nil {
		return err
	}
	e.tree.load(headers)
	for _, h := range headers {
		e.sequence = max(e.sequence, h.Sequence)
	}
	e.tip.Store(tip)
	e.order[tip] = 0 // what is active stays so: Sequences start at one
	if err := e.checkData(tip); err != nil {
		return err
	}
	e.bestHeader.Store(e.tree.mostWork(e.tip.Load()))
	e.refill()
	return nil
}

// checkData makes sure that the active chain's blocks are there, but for a
// pruned stretch at its beginning.
func (e *Engine) checkData(tip *state.Header) error {
	pruned := false
	for h := tip; h.Parent != nil; h = h.Parent {
		have := h.Status&state.StatusHaveData != 0
		if have && pruned || h.TxCount == 0 || h == tip && !have {
			return fmt.Errorf("block %d (%v) is missing in the block files: start again with --reindex",
				missingHeight(h, have), h.Hash)
		}
		pruned = !have
	}
	if tip.Parent == nil {
		return nil
	}
	if _, err := e.store.ReadBlock(tip); err != nil {
		return fmt.Errorf("block %d cannot be read (%w): start again with --reindex", tip.Height, err)
	}
	return nil
}

// missingHeight names the block that is not there: h itself, or the one above
// it when h is there below a gap.
func missingHeight(h *state.Header, have bool) int32 {
	if have {
		return h.Height + 1
	}
	return h.Height
}

// Close commits what is there, stops the engine and returns why it had to
// stop, or nil. A count that is under way (UTXOStats and the like) ends with
// ErrClosed soon after; closing the Store waits for it. Close may be called
// more than once.
func (e *Engine) Close() error {
	e.stop()
	<-e.done
	<-e.prepared
	return e.failure
}

func (e *Engine) stop() { e.quitOnce.Do(func() { close(e.quit) }) }

// Done is closed when the engine has stopped, by Close or because the world
// failed; Err then says why.
func (e *Engine) Done() <-chan struct{} { return e.done }

// Err gives the error that stopped the engine, nil while it runs and after an
// orderly Close.
func (e *Engine) Err() error {
	select {
	case <-e.done:
		return e.failure
	default:
		return nil
	}
}
