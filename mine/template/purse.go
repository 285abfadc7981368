package template

import (
	"container/heap"
	"slices"

	"github.com/btcsuite/btcd/wire/v2"
)

const (
	// purseMost bounds how many outputs are remembered, so that many tiny
	// payments to the treasury fill nobody's memory: twice as many at most,
	// of which the largest half stays then.
	purseMost = 50_000
	// purseLow is when outputs that were left out are looked for again.
	// Coinbases that are not ripe are in it.
	purseLow = 1_000
)

// purse holds outputs that are probably the pool's, the largest on top. The
// zero value is empty.
type purse struct {
	outputs map[wire.OutPoint]*poolOutput
	heap    purseHeap
	leftOut bool // there are more outputs than these
}

// poolOutput is one of them.
type poolOutput struct {
	out   wire.OutPoint
	units int64
	place int  // in the heap
	ours  bool // made by the block that is being built
}

func (p *purse) put(out wire.OutPoint, units int64) {
	if p.outputs[out] != nil {
		return
	}
	if p.outputs == nil {
		p.outputs = map[wire.OutPoint]*poolOutput{}
	}
	o := &poolOutput{out: out, units: units}
	p.outputs[out] = o
	heap.Push(&p.heap, o)
	if len(p.heap) > 2*purseMost {
		p.leaveOut()
	}
}

// leaveOut forgets the smaller half.
func (p *purse) leaveOut() {
	slices.SortFunc(p.heap, compareOutputs)
	for _, o := range p.heap[purseMost:] {
		delete(p.outputs, o.out)
	}
	clear(p.heap[purseMost:])
	p.heap = p.heap[:purseMost]
	for i, o := range p.heap { // sorted, so a heap
		o.place = i
	}
	p.leftOut = true
}

func (p *purse) drop(out wire.OutPoint) {
	if o := p.outputs[out]; o != nil {
		heap.Remove(&p.heap, o.place)
		delete(p.outputs, out)
	}
}

// short reports that outputs which were left out are needed.
func (p *purse) short() bool { return p.leftOut && len(p.heap) < purseLow }

// take removes the largest output, nil if there is none. It comes back by
// giveBack.
func (p *purse) take() *poolOutput {
	if len(p.heap) == 0 {
		return nil
	}
	o := heap.Pop(&p.heap).(*poolOutput)
	delete(p.outputs, o.out)
	return o
}

// giveBack puts back what was taken; what only a new block would make is no
// output yet.
func (p *purse) giveBack(list []*poolOutput) {
	for _, o := range list {
		if !o.ours {
			p.put(o.out, o.units)
		}
	}
}

// purseHeap has the largest output on top.
type purseHeap []*poolOutput

// compareOutputs puts the larger one first; of equal ones the order of the
// outpoints decides, so that two nodes draw alike.
func compareOutputs(a, b *poolOutput) int {
	switch {
	case a.units != b.units:
		if a.units > b.units {
			return -1
		}
		return 1
	case a.out.Hash != b.out.Hash:
		return slices.Compare(a.out.Hash[:], b.out.Hash[:])
	}
	return int(int64(a.out.Index) - int64(b.out.Index))
}

func (h purseHeap) Len() int           { return len(h) }
func (h purseHeap) Less(i, j int) bool { return compareOutputs(h[i], h[j]) < 0 }
func (h purseHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

// Push implements heap.Interface.
func (h *purseHeap) Push(x any) {
	o := x.(*poolOutput)
	o.place = len(*h)
	*h = append(*h, o)
}

// Pop implements heap.Interface.
func (h *purseHeap) Pop() any {
	last := len(*h) - 1
	o := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return o
}
