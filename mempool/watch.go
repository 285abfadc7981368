package mempool

import "slices"

// Reason says why an entry left the pool.
type Reason uint8

// The reasons. Came is that of an entry that came.
const (
	Came      Reason = iota
	Confirmed        // it is in a block
	Conflict         // a block spent its inputs otherwise
	ForRoom          // others pay more for the room
	Expired          // it waited too long
	Reorg            // the blocks it depended on were lost
	Replaced         // another does the same and pays more
	Overtaken        // the goods state moved on, and it is valid no more
)

var reasonNames = [...]string{"came", "confirmed", "conflict", "for room", "expired", "reorganisation", "replaced", "overtaken"}

// String is the reason for a log.
func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return "unknown"
}

// Change is one entry that came or left.
type Change struct {
	Entry *Entry
	Added bool
	Why   Reason
	// Sequence numbers the changes, from 1, as Bitcoin Core does: a block
	// that confirms takes no number.
	Sequence uint64
}

type watcher struct{ f func(Change) }

// Watch calls f for every change from now on, in order, until cancel is
// called. f runs with the pool locked: it must be quick and must not call the
// pool.
func (p *Pool) Watch(f func(Change)) (cancel func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := &watcher{f}
	p.watchers = append(p.watchers, w)
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if i := slices.Index(p.watchers, w); i >= 0 {
			p.watchers = slices.Delete(p.watchers, i, i+1)
		}
	}
}

func (p *Pool) tell(c Change) {
	if !c.Added && c.Why != Confirmed {
		p.sequence++
	}
	c.Sequence = p.sequence
	for _, w := range p.watchers {
		w.f(c)
	}
}
