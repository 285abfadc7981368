package peer

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"granary/base/check"
	"granary/base/clock"
)

// TickInterval is how often handlers are ticked when nothing happens.
const TickInterval = 200 * time.Millisecond

// decodingBytes is how many payload bytes of large messages may be decoded,
// or wait to be handled, at a time: many peers that send their largest block
// at once take turns.
const decodingBytes = 8 << 20

// Loop is the one goroutine on which everything is decided. It runs what is
// posted in the order of posting.
type Loop struct {
	clock    clock.Clock
	handlers []Handler
	decoding *budget
	nextID   atomic.Uint64
	wake     chan struct{}
	stopped  chan struct{}

	mu     sync.Mutex
	queue  []func()
	links  []*Link           // by id, ascending
	nonces map[uint64]uint64 // of our version messages, to the link's id
	quiet  quiet
}

// NewLoop makes a loop; Run or Step drives it.
func NewLoop(clk clock.Clock, handlers ...Handler) *Loop {
	return &Loop{
		clock: clk, handlers: handlers, decoding: newBudget(decodingBytes),
		wake: make(chan struct{}, 1), stopped: make(chan struct{}),
		nonces: map[uint64]uint64{},
	}
}

// Handle adds handlers behind those that are there. It must not be called
// once the loop runs.
func (l *Loop) Handle(handlers ...Handler) { l.handlers = append(l.handlers, handlers...) }

// Post hands over work to be done on the loop's goroutine. It never waits and
// may be called from any goroutine, that of the loop included. What is posted
// after the loop has ended is not done, nor kept: the chain may go on to tell of
// its blocks.
func (l *Loop) Post(work func()) {
	select {
	case <-l.stopped:
		return
	default:
	}
	l.mu.Lock()
	l.queue = append(l.queue, work)
	l.mu.Unlock()
	l.nudge()
}

// nudge makes the loop take a step, for the sake of a Tick at least.
func (l *Loop) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Do does work on the loop's goroutine and waits for it; false says that the
// loop has ended and nothing was done. It is for other goroutines (doors) and
// never for the loop's own.
func (l *Loop) Do(work func()) bool {
	done := make(chan struct{})
	l.Post(func() {
		defer close(done)
		work()
	})
	select {
	case <-done:
		return true
	case <-l.stopped:
	}
	select {
	case <-done: // in the last burst
		return true
	default:
		return false
	}
}

// Run works until ctx ends; then it disconnects every link and returns. It is
// called once.
func (l *Loop) Run(ctx context.Context) {
	defer l.disconnectAll("the node stops")
	defer close(l.stopped)
	ticker := time.NewTicker(TickInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
			l.Step()
		case <-ticker.C:
			l.tickLinks()
			l.Step()
		}
	}
}

// Step does on the caller's goroutine what was posted before it was called,
// then ticks the handlers: what Run does after each burst, for simulations.
func (l *Loop) Step() {
	l.mu.Lock()
	burst := l.queue
	l.queue = nil
	l.mu.Unlock()
	for _, work := range burst {
		work()
	}
	now := l.clock.Now()
	for _, h := range l.handlers {
		h.Tick(now)
	}
	l.mu.Lock()
	again := len(l.queue) > 0
	l.mu.Unlock()
	if again {
		l.nudge()
	}
}

// tickLinks looks after pings and time-outs.
func (l *Loop) tickLinks() {
	now := l.clock.Now()
	for _, link := range l.snapshot() {
		link.tick(now)
	}
}

func (l *Loop) snapshot() []*Link {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.links)
}

func (l *Loop) disconnectAll(reason string) {
	for _, link := range l.snapshot() {
		link.Disconnect(reason)
	}
}

// attach makes the loop look after a link.
func (l *Loop) attach(link *Link) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, found := l.find(link)
	check.Must(!found, "link %d attached twice", link.id)
	l.links = slices.Insert(l.links, at, link)
	if link.opt.Kind != Inbound {
		l.nonces[link.nonce] = link.id
	}
}

func (l *Loop) detach(link *Link) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at, found := l.find(link); found {
		l.links = slices.Delete(l.links, at, at+1)
	}
	delete(l.nonces, link.nonce)
}

func (l *Loop) find(link *Link) (at int, found bool) {
	return slices.BinarySearchFunc(l.links, link.id, func(other *Link, id uint64) int {
		switch {
		case other.id < id:
			return -1
		case other.id > id:
			return 1
		}
		return 0
	})
}

// ownNonce reports whether the nonce is that of a version message of ours.
func (l *Loop) ownNonce(nonce uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, own := l.nonces[nonce]
	return own
}

// speak reports whether one more line about peers may be logged, and how many
// were swallowed since the last.
func (l *Loop) speak() (swallowed int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.quiet.allow(l.clock.Now())
}
