package template

import (
	"container/heap"
	"errors"
	"slices"

	"granary/base/check"
	"granary/mempool"
	"granary/mempool/policy"
	"granary/params"
)

// maxFailures is how many packages in a row may not fit before a nearly full
// block is called full.
const maxFailures = 1_000

// nearlyFullWeight is the room below which a block may be called full.
const nearlyFullWeight = reserveWeight

// node is a candidate with what it and its ancestors that are not yet in the
// block weigh and pay.
type node struct {
	mempool.Candidate
	index             int // in the list of candidates
	children          []int
	weight            int64
	vbytes            int64
	feeUnits          int64
	heapIndex         int // -1 outside of the heap
	included, refused bool
	mark              int
}

// chooser picks packages by the fee rate of a candidate with its ancestors.
type chooser struct {
	draft *draft
	nodes []*node
	heap  []*node // best on top
	marks int
	// leftOut says that something did not fit.
	leftOut bool
	// full says that the last run ended with a full block.
	full bool
}

// chosenFrom is the weight of the candidates that are looked at first; twice a
// block's leaves enough that does not fit to call the block full.
const chosenFrom = 2 * params.MaxBlockWeight

// errWantsAll says that the best candidates do not fill the block.
var errWantsAll = errors.New("the best candidates do not fill the block")

// chooseBest is choose from a part of the candidates.
func (d *draft) chooseBest(candidates []mempool.Candidate) error {
	full, err := d.chooseFrom(candidates)
	if err == nil && !full {
		return errWantsAll
	}
	return err
}

// choose fills the block from all candidates.
func (d *draft) choose(candidates []mempool.Candidate) error {
	_, err := d.chooseFrom(candidates)
	return err
}

// chooseFrom fills the block: the seat lane in order of arrival, then what is due,
// then the best package until nothing fits into limit, then the builder's own
// slashes and draws, then what still fits. full says that candidates of worse
// rates would change nothing.
func (d *draft) chooseFrom(candidates []mempool.Candidate) (full bool, err error) {
	c := &chooser{draft: d, nodes: make([]*node, len(candidates))}
	for i, candidate := range candidates {
		c.nodes[i] = &node{Candidate: candidate, index: i, heapIndex: -1}
		for _, parent := range candidate.Parents {
			c.nodes[parent].children = append(c.nodes[parent].children, i)
		}
	}
	if err := c.takeLane(func(n *node) bool { return n.Seat }); err != nil {
		return false, err
	}
	if err := c.takeLane(func(n *node) bool { return n.Due }); err != nil {
		return false, err
	}
	if !d.draws() {
		err = c.run()
		return c.full, err
	}
	d.limit -= drawReserveWeight
	if err := c.run(); err != nil {
		return false, err
	}
	before := c.full
	d.limit += drawReserveWeight
	if err := d.slash(); err != nil {
		return false, err
	}
	if err := d.draw(d.builder.o.Vault); err != nil || !c.leftOut {
		return before, err
	}
	err = c.run()
	return before && c.full, err
}

// takeLane takes what travels free.
func (c *chooser) takeLane(in func(*node) bool) error {
	for _, n := range c.nodes {
		if in(n) {
			if err := c.take([]*node{n}); err != nil {
				return err
			}
		}
	}
	return nil
}

// run takes packages until the block is full or nothing is left.
func (c *chooser) run() error {
	c.fillHeap()
	c.full = false
	failures := 0
	for len(c.heap) > 0 {
		n := heap.Pop(c).(*node)
		if n.refused || n.included {
			continue
		}
		if c.draft.weight+n.weight > c.draft.limit {
			c.leftOut = true
			failures++
			if failures > maxFailures && c.draft.weight > c.draft.limit-nearlyFullWeight {
				c.full = true
				return nil
			}
			continue
		}
		if err := c.take(c.ancestors(n)); err != nil {
			return err
		}
	}
	return nil
}

// fillHeap puts all that may still be taken into the heap.
func (c *chooser) fillHeap() {
	for _, n := range c.heap { // of a run that ended early
		n.heapIndex = -1
	}
	c.heap = c.heap[:0]
	for _, n := range c.nodes {
		if n.included || n.refused {
			continue
		}
		n.weight, n.vbytes, n.feeUnits = 0, 0, 0
		for _, a := range c.ancestors(n) {
			n.weight += a.Weight
			n.vbytes += a.VBytes
			n.feeUnits += a.ScoreUnits
		}
		n.heapIndex = len(c.heap)
		c.heap = append(c.heap, n)
	}
	heap.Init(c)
}

// ancestors lists n and its ancestors that are not in the block, parents
// first.
func (c *chooser) ancestors(n *node) []*node {
	c.marks++
	n.mark = c.marks
	list := []*node{n}
	for i := 0; i < len(list); i++ {
		for _, p := range list[i].Parents {
			if parent := c.nodes[p]; parent.mark != c.marks && !parent.included {
				parent.mark = c.marks
				list = append(list, parent)
			}
		}
	}
	slices.SortFunc(list, func(a, b *node) int { return a.index - b.index })
	return list
}

// take includes a package. Where the rules refuse one of it, that one and all
// that depends on it are out; the error is the world's.
func (c *chooser) take(list []*node) error {
	for _, n := range list {
		err := c.draft.include(n.Tx)
		if check.AsRule(err) != nil {
			for _, d := range c.descendants(n) {
				d.refused = true
			}
			return nil
		}
		if err != nil {
			return err
		}
		n.included = true
		for _, d := range c.descendants(n)[1:] {
			if d.heapIndex >= 0 {
				d.weight -= n.Weight
				d.vbytes -= n.VBytes
				d.feeUnits -= n.ScoreUnits
				heap.Fix(c, d.heapIndex)
			}
		}
	}
	return nil
}

// descendants lists n and all that depends on it.
func (c *chooser) descendants(n *node) []*node {
	c.marks++
	n.mark = c.marks
	list := []*node{n}
	for i := 0; i < len(list); i++ {
		for _, k := range list[i].children {
			if child := c.nodes[k]; child.mark != c.marks {
				child.mark = c.marks
				list = append(list, child)
			}
		}
	}
	return list
}

// Len implements heap.Interface.
func (c *chooser) Len() int { return len(c.heap) }

// Less implements heap.Interface: the better payer first, of equals the one
// that comes first in the list.
func (c *chooser) Less(i, j int) bool {
	a, b := c.heap[i], c.heap[j]
	feeA, sizeA := a.rate()
	feeB, sizeB := b.rate()
	if order := policy.CompareRates(feeA, sizeA, feeB, sizeB); order != 0 {
		return order > 0
	}
	return a.index < b.index
}

// rate is what a miner earns per virtual byte by taking n now: what its
// package pays, but not more than n itself, for its ancestors may be taken
// alone.
func (n *node) rate() (feeUnits, vbytes int64) {
	if policy.CompareRates(n.ScoreUnits, n.VBytes, n.feeUnits, n.vbytes) < 0 {
		return n.ScoreUnits, n.VBytes
	}
	return n.feeUnits, n.vbytes
}

// Swap implements heap.Interface.
func (c *chooser) Swap(i, j int) {
	c.heap[i], c.heap[j] = c.heap[j], c.heap[i]
	c.heap[i].heapIndex, c.heap[j].heapIndex = i, j
}

// Push implements heap.Interface.
func (c *chooser) Push(x any) {
	n := x.(*node)
	n.heapIndex = len(c.heap)
	c.heap = append(c.heap, n)
}

// Pop implements heap.Interface.
func (c *chooser) Pop() any {
	last := len(c.heap) - 1
	n := c.heap[last]
	c.heap[last] = nil
	c.heap = c.heap[:last]
	n.heapIndex = -1
	return n
}
