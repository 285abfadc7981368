package chain

import (
	"container/heap"

	"granary/state"
)

// candidates is a heap of linked headers that might become the tip, the best
// on top. Entries that have failed or fallen behind stay until they surface.
type candidates struct {
	headers []*state.Header
	before  func(a, b *state.Header) bool
}

func (c *candidates) Len() int           { return len(c.headers) }
func (c *candidates) Less(i, j int) bool { return c.before(c.headers[i], c.headers[j]) }
func (c *candidates) Swap(i, j int)      { c.headers[i], c.headers[j] = c.headers[j], c.headers[i] }
func (c *candidates) Push(x any)         { c.headers = append(c.headers, x.(*state.Header)) }

func (c *candidates) Pop() any {
	last := len(c.headers) - 1
	h := c.headers[last]
	c.headers[last] = nil
	c.headers = c.headers[:last]
	return h
}

// arrival is h's place among branches of equal work: lower wins.
func (e *Engine) arrival(h *state.Header) int64 {
	if place, ok := e.order[h]; ok {
		return place
	}
	return int64(h.Sequence)
}

// better reports whether a should be the tip rather than b.
func (e *Engine) better(a, b *state.Header) bool {
	if cmp := a.Work.Cmp(&b.Work); cmp != 0 {
		return cmp > 0
	}
	if x, y := e.arrival(a), e.arrival(b); x != y {
		return x < y
	}
	return lessHash(&a.Hash, &b.Hash)
}

// propose makes h a candidate if it could become the tip.
func (e *Engine) propose(h *state.Header) {
	if h.Status&failed == 0 && e.better(h, e.tip.Load()) {
		heap.Push(&e.candidates, h)
	}
}

// refill finds all candidates anew, from the ends of all branches. It is for
// Open and for the commands that change what is valid or preferred.
func (e *Engine) refill() {
	e.candidates = candidates{before: e.better}
	tip := e.tip.Load()
	for leaf := range e.tree.leaves {
		h := leaf
		for (h.Status&failed != 0 || !e.tree.linked(h)) && !h.Work.Lt(&tip.Work) && h.Parent != nil {
			h = h.Parent
		}
		if h != tip && h.Status&failed == 0 && e.tree.linked(h) && e.better(h, tip) {
			heap.Push(&e.candidates, h)
		}
	}
}

// best gives the header that should be the tip: the tip itself when nothing
// is better.
func (e *Engine) best() *state.Header {
	tip := e.tip.Load()
	for len(e.candidates.headers) > 0 {
		top := e.candidates.headers[0]
		if !e.better(top, tip) {
			e.candidates.headers = e.candidates.headers[:0]
			return tip
		}
		if top.Status&failed == 0 && e.reachable(top) {
			return top
		}
		heap.Pop(&e.candidates)
	}
	return tip
}

// reachable reports whether every block and undo between the tip and target
// is there. Where a block of the branch was pruned it waits for its bytes
// again; where undo is gone the branch cannot be followed any more.
func (e *Engine) reachable(target *state.Header) bool {
	tip := e.tip.Load()
	fork := state.ForkPoint(tip, target)
	for h := tip; h != fork; h = h.Parent {
		if h.Status&state.StatusHaveUndo == 0 || h.Status&state.StatusHaveData == 0 {
			e.log.Error("a branch with more work leaves the chain below the pruned blocks: start again with --reindex to follow it",
				"branch", target.Hash.String(), "fork", fork.Height)
			return false
		}
	}
	for h := target; h != fork; h = h.Parent {
		if h.Status&state.StatusHaveData == 0 {
			e.change(func() {
				e.tree.unlink(h)
				e.store.SaveHeader(h)
			})
			return false
		}
	}
	return true
}
