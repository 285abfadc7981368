package mempool

import (
	"container/heap"
	"slices"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/mempool/policy"
)

// direction is a way through the graph of unconfirmed transactions.
type direction bool

const (
	up   direction = true  // to ancestors
	down direction = false // to descendants
)

// reach lists what can be reached from the given entries, these first, each
// once, in an order that depends on the graph alone.
func (p *Pool) reach(d direction, from ...*Entry) []*Entry {
	p.marks++
	list := make([]*Entry, 0, len(from)+4)
	visit := func(entries []*Entry) {
		for _, e := range entries {
			if e.mark != p.marks {
				e.mark = p.marks
				list = append(list, e)
			}
		}
	}
	visit(from)
	for i := 0; i < len(list); i++ {
		if d == up {
			visit(list[i].parents)
		} else {
			visit(list[i].children)
		}
	}
	return list
}

// parentsOf lists the entries whose outputs msg spends.
func (p *Pool) parentsOf(msg *wire.MsgTx) []*Entry {
	var parents []*Entry
	for _, in := range msg.TxIn {
		e := p.txs[in.PreviousOutPoint.Hash]
		if e != nil && !slices.Contains(parents, e) {
			parents = append(parents, e)
		}
	}
	return parents
}

// childrenOf lists the entries that spend e's outputs.
func (p *Pool) childrenOf(e *Entry) []*Entry {
	var children []*Entry
	for i := range e.Tx.Msg.TxOut {
		child := p.spends[wire.OutPoint{Hash: e.Tx.Txid, Index: uint32(i)}]
		if child != nil && !slices.Contains(children, child) {
			children = append(children, child)
		}
	}
	return children
}

// insert puts a judged entry into the graph. Children are there already where
// a lost block's transaction comes back below them.
func (p *Pool) insert(e *Entry) {
	e.Sequence = p.sequence
	p.sequence++
	e.parents, e.children = p.parentsOf(e.Tx.Msg), p.childrenOf(e)
	for _, parent := range e.parents {
		parent.children = append(parent.children, e)
	}
	for _, child := range e.children {
		child.parents = append(child.parents, e)
	}
	p.txs[e.Tx.Txid] = e
	for _, in := range e.Tx.Msg.TxIn {
		p.spends[in.PreviousOutPoint] = e
	}
	if e.object.Kind != policy.NoObject {
		p.objects[e.object] = e
	}
	p.dueWeight += e.dueWeight()
	p.vbytes += e.VBytes
	p.feesUnits += e.FeeUnits
	p.usage += e.usageBytes
	if len(e.children) == 0 {
		p.sumLeaf(e)
	} else {
		p.sumAll(append(p.reach(up, e), p.reach(down, e)[1:]...))
	}
	heap.Push(&p.worst, e)
	p.tell(Change{Entry: e, Added: true})
}

// sumLeaf adds a childless entry to the sums of its ancestors.
func (p *Pool) sumLeaf(e *Entry) {
	e.ancestors, e.descendants, e.lane = sums{}, sums{}, 0
	for _, a := range p.reach(up, e) {
		e.ancestors.add(a)
		a.descendants.add(e)
		a.lane += laneCount(e)
		if a != e {
			heap.Fix(&p.worst, a.heapIndex)
		}
	}
}

// sumAll computes the sums of entries anew. One of them may be about to enter
// the heap.
func (p *Pool) sumAll(entries []*Entry) {
	for _, e := range entries {
		e.ancestors, e.descendants, e.lane = sums{}, sums{}, 0
		for _, a := range p.reach(up, e) {
			e.ancestors.add(a)
		}
		for _, d := range p.reach(down, e) {
			e.descendants.add(d)
			e.lane += laneCount(d)
		}
	}
	heap.Init(&p.worst)
}

func laneCount(e *Entry) int {
	if e.free() {
		return 1
	}
	return 0
}

// remove takes one entry out; what spends from it stays, and counts its coins
// as confirmed at height.
func (p *Pool) remove(e *Entry, why Reason, height int32) {
	for _, a := range p.reach(up, e)[1:] {
		a.descendants.sub(e)
		a.lane -= laneCount(e)
		heap.Fix(&p.worst, a.heapIndex)
	}
	for _, d := range p.reach(down, e)[1:] {
		d.ancestors.sub(e)
	}
	for _, parent := range e.parents {
		parent.children = without(parent.children, e)
	}
	for _, child := range e.children {
		child.parents = without(child.parents, e)
		child.inputHeight = max(child.inputHeight, height)
	}
	heap.Remove(&p.worst, e.heapIndex)
	delete(p.txs, e.Tx.Txid)
	for _, in := range e.Tx.Msg.TxIn {
		delete(p.spends, in.PreviousOutPoint)
	}
	if p.objects[e.object] == e {
		delete(p.objects, e.object)
	}
	p.dueWeight -= e.dueWeight()
	p.vbytes -= e.VBytes
	p.feesUnits -= e.FeeUnits
	delete(p.unbroadcast, e.Tx.Txid)
	p.usage -= e.usageBytes
	e.parents, e.children = nil, nil
	if p.fees != nil && why != Confirmed {
		p.fees.Left(e.Tx.Txid)
	}
	p.tell(Change{Entry: e, Why: why})
}

func without(list []*Entry, e *Entry) []*Entry {
	i := slices.Index(list, e)
	if i < 0 {
		return list
	}
	return slices.Delete(list, i, i+1)
}

// removeTree takes an entry out with all that spends from it, last children
// first.
func (p *Pool) removeTree(e *Entry, why Reason) {
	list := p.reach(down, e)
	slices.SortFunc(list, byDepth)
	for _, d := range slices.Backward(list) {
		p.remove(d, why, 0)
	}
}
