package txrelay

import (
	"cmp"
	"container/heap"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/base/clock"
	"granary/mempool"
	"granary/mempool/policy"
)

// item is a transaction in the mempool, as the relay sees it.
type item struct {
	entry *mempool.Entry // nil when it has left the pool
	// depth is how many unconfirmed transactions stand above it in a row:
	// parents are less deep than their children.
	depth            int
	feeUnits, vbytes int64
	tie              uint64 // drawn: the order of equals tells nothing
	number           uint64 // in the order in which the relay heard of it
}

func (i *item) free() bool { return i.entry.Seat || i.entry.Due }

// items is what is in the pool, by both ids.
type items struct {
	byWtxid map[chainhash.Hash]*item
	byTxid  map[chainhash.Hash]*item
	last    uint64
	rand    clock.Rand
}

func newItems(rand clock.Rand) items {
	return items{byWtxid: map[chainhash.Hash]*item{}, byTxid: map[chainhash.Hash]*item{}, rand: rand}
}

// add notes an entry and gives its item; nil if it was there.
func (x *items) add(e *mempool.Entry) *item {
	if x.byWtxid[e.Tx.Wtxid] != nil {
		return nil
	}
	x.last++
	it := &item{entry: e, feeUnits: e.FeeUnits, vbytes: e.VBytes, tie: x.rand.Uint64(), number: x.last}
	for _, in := range e.Tx.Msg.TxIn {
		if parent := x.byTxid[in.PreviousOutPoint.Hash]; parent != nil {
			it.depth = max(it.depth, parent.depth+1)
		}
	}
	x.byWtxid[e.Tx.Wtxid], x.byTxid[e.Tx.Txid] = it, it
	return it
}

func (x *items) remove(e *mempool.Entry) {
	it := x.byWtxid[e.Tx.Wtxid]
	if it == nil || it.entry != e {
		return
	}
	delete(x.byWtxid, e.Tx.Wtxid)
	delete(x.byTxid, e.Tx.Txid)
	it.entry = nil
}

// find looks an id up, whichever it is; nil if it is not in the pool.
func (x *items) find(id chainhash.Hash) *item {
	if it := x.byWtxid[id]; it != nil {
		return it
	}
	return x.byTxid[id]
}

// follow takes in what has changed in the pool, and queues what came.
func (r *Relay) follow() {
	r.mu.Lock()
	changes := r.changes
	r.changes = nil
	r.mu.Unlock()
	for _, c := range changes {
		if !c.Added {
			r.items.remove(c.Entry)
			if c.Why == mempool.Replaced {
				r.spare(c.Entry.Tx)
			}
		} else if it := r.items.add(c.Entry); it != nil {
			r.enqueue(it)
		}
	}
}

// queue is a heap of what a peer is still to be told, the next one first. It
// holds items that have left the pool meanwhile, without their transactions.
type queue []*item

// maxQueued bounds a queue; beyond it the worse half is not announced.
const maxQueued = 100_000

func (q queue) Len() int { return len(q) }

func (q queue) Less(i, j int) bool { return sooner(q[i], q[j]) < 0 }

// sooner puts parents before children, then the best payer first.
func sooner(a, b *item) int {
	if c := cmp.Compare(a.depth, b.depth); c != 0 {
		return c
	}
	if c := policy.CompareRates(b.feeUnits, b.vbytes, a.feeUnits, a.vbytes); c != 0 {
		return c
	}
	return cmp.Compare(a.tie, b.tie)
}

func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push implements heap.Interface.
func (q *queue) Push(x any) { *q = append(*q, x.(*item)) }

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	old := *q
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return last
}

// put queues an item and keeps the queue within its bound.
func (q *queue) put(it *item) {
	if len(*q) >= maxQueued {
		q.halve()
	}
	heap.Push(q, it)
}

func (q *queue) halve() {
	list := slices.DeleteFunc(*q, func(it *item) bool { return it.entry == nil })
	slices.SortFunc(list, sooner) // which is a heap too
	keep := min(len(list), maxQueued/2)
	clear(list[keep:])
	*q = list[:keep]
}
