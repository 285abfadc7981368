package mempool

import (
	"container/heap"
	"math"
	"time"

	"granary/mempool/policy"
)

// worstHeap has the entry on top that leaves first when room is short: the
// lowest score, of equal ones the latest; what the free lanes carry comes last.
type worstHeap []*Entry

func (h worstHeap) Len() int { return len(h) }

func (h worstHeap) Less(i, j int) bool {
	a, b := h[i], h[j]
	if (a.lane > 0) != (b.lane > 0) {
		return a.lane == 0
	}
	feeA, sizeA := a.score()
	feeB, sizeB := b.score()
	if c := policy.CompareRates(feeA, sizeA, feeB, sizeB); c != 0 {
		return c < 0
	}
	return a.Sequence > b.Sequence
}

func (h worstHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].heapIndex, h[j].heapIndex = i, j
}

// Push implements heap.Interface.
func (h *worstHeap) Push(x any) {
	e := x.(*Entry)
	e.heapIndex = len(*h)
	*h = append(*h, e)
}

// Pop implements heap.Interface.
func (h *worstHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return e
}

// trim throws packages out until the pool fits its bound, and raises the
// floor above what they paid. What the free lanes carry stays.
func (p *Pool) trim() {
	for p.usage > p.maxBytes && len(p.worst) > 0 {
		e := p.worst[0]
		if e.lane > 0 {
			return
		}
		rate := policy.RateOf(e.descendants.feeUnits, e.descendants.vbytes)
		p.floor.raise(float64(rate+p.policy.IncrementalUnitsPerKVB), p.clock.Now())
		p.removeTree(e, ForRoom)
	}
}

// expire lets go of what has waited too long for a block.
func (p *Pool) expire() {
	before := p.clock.Now().Add(-p.expiry)
	for _, e := range p.entriesThat(func(e *Entry) bool { return e.Added.Before(before) }) {
		if p.txs[e.Tx.Txid] == e { // else it went with a parent
			p.removeTree(e, Expired)
		}
	}
}

const (
	// defaultExpiry is two weeks.
	defaultExpiry = 336 * time.Hour
	// floorHalfLife is how long the floor takes to sink by half; a fraction
	// of it where the pool is half or three quarters empty.
	floorHalfLife = 12 * time.Hour
	// floorStep is how often the floor is computed anew.
	floorStep = 10 * time.Second
)

// floor is the fee rate that room in the pool costs: it jumps when a package
// is thrown out, and sinks once a block has come since.
type floor struct {
	unitsPerKVB float64
	updated     time.Time
	blockSince  bool
}

func (f *floor) raise(unitsPerKVB float64, now time.Time) {
	if unitsPerKVB > f.unitsPerKVB {
		f.unitsPerKVB, f.updated, f.blockSince = unitsPerKVB, now, false
	}
}

// sink brings the floor up to date; fill is the used share of the pool, step
// the least step between two rates.
func (f *floor) sink(now time.Time, fill float64, step int64) {
	if !f.blockSince || f.unitsPerKVB == 0 || now.Sub(f.updated) < floorStep {
		return
	}
	halfLife := floorHalfLife
	switch {
	case fill < 0.25:
		halfLife /= 4
	case fill < 0.5:
		halfLife /= 2
	}
	f.unitsPerKVB *= math.Exp2(-float64(now.Sub(f.updated)) / float64(halfLife))
	f.updated = now
	if f.unitsPerKVB < float64(step)/2 {
		f.unitsPerKVB = 0
	}
}

// floorRate is the rate that a new transaction must pay for room, zero where
// nothing was thrown out lately.
func (p *Pool) floorRate() int64 {
	p.floor.sink(p.clock.Now(), float64(p.usage)/float64(p.maxBytes), p.policy.IncrementalUnitsPerKVB)
	if p.floor.unitsPerKVB == 0 {
		return 0
	}
	return max(int64(math.Round(p.floor.unitsPerKVB)), p.policy.IncrementalUnitsPerKVB)
}

// blockCame lets the floor sink from now on.
func (f *floor) blockCame(now time.Time) {
	if !f.blockSince {
		f.blockSince, f.updated = true, now
	}
}

var _ heap.Interface = (*worstHeap)(nil)
