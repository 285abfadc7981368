package mempool

import (
	"math"
	"slices"

	"granary/mempool/policy"
)

// Candidate is an entry with the positions of its parents in the list that it
// came in.
type Candidate struct {
	*Entry
	// ScoreUnits is the fee that it is chosen by: its own with what a person
	// added or took away (prioritisetransaction).
	ScoreUnits int64
	Parents    []int
}

// Candidates is Entries for whoever builds a block: every parent is in the
// list, before its children.
func (p *Pool) Candidates() []Candidate {
	p.mu.Lock()
	defer p.mu.Unlock()
	return candidatesOf(p.ordered())
}

// BestCandidates is Candidates without those that cannot be among the best of
// about the given weight: whatever is left out pays a worse rate than all that
// is in the list for its own sake, and has no ancestor in it. The free lanes
// are in it. all says that nothing was left out.
func (p *Pool) BestCandidates(weight int64) (candidates []Candidate, all bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	best := p.bestOf(weight)
	if best == nil {
		return candidatesOf(p.ordered()), true
	}
	// What shares an ancestor with one of the best may become better when that
	// ancestor is in the block.
	near := p.reach(down, p.reach(up, best...)...)
	list := p.reach(up, near...) // with their other parents
	slices.SortFunc(list, byDepth)
	return candidatesOf(list), len(list) == len(p.txs)
}

// bestOf lists the entries of the best rates that reach a weight together, and
// those of the free lanes; nil where the pool does not hold so much.
func (p *Pool) bestOf(weight int64) []*Entry {
	var weights [rateClasses]int64
	for _, e := range p.worst {
		weights[rateClass(e)] += e.Weight
	}
	least := rateClasses - 1
	for ; least >= 0; least-- {
		if weight -= weights[least]; weight <= 0 {
			break
		}
	}
	if least <= 0 {
		return nil
	}
	best := make([]*Entry, 0, 1024)
	for _, e := range p.worst {
		if e.free() || rateClass(e) >= least {
			best = append(best, e)
		}
	}
	return best
}

// rateClasses are classes of rates, each about six percent wide.
const (
	rateClassBits = 4
	rateClasses   = 64 << rateClassBits
)

// rateClass is higher for those that are mined earlier: by their own rate, or
// that with their ancestors where it is worse.
func rateClass(e *Entry) int {
	feeUnits, vbytes := e.modified(), e.VBytes
	if policy.CompareRates(e.ancestors.feeUnits, e.ancestors.vbytes, feeUnits, vbytes) < 0 {
		feeUnits, vbytes = e.ancestors.feeUnits, e.ancestors.vbytes
	}
	rate := float64(policy.RateOf(feeUnits, vbytes)) // exponent and first bits
	if rate < 1 {
		return 0
	}
	const mantissaBits, bias = 52, 1023
	return int(math.Float64bits(rate)>>(mantissaBits-rateClassBits)) - bias<<rateClassBits
}

// candidatesOf numbers the parents of a list in which they come first.
func candidatesOf(list []*Entry) []Candidate {
	place := make(map[*Entry]int, len(list))
	candidates := make([]Candidate, len(list))
	for i, e := range list {
		place[e] = i
		candidates[i].Entry, candidates[i].ScoreUnits = e, e.modified()
		for _, parent := range e.parents {
			candidates[i].Parents = append(candidates[i].Parents, place[parent])
		}
	}
	return candidates
}
