package mempool

import (
	"bytes"
	"container/heap"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/params"
)

// Prioritise adds to the fee by which a transaction is judged, kept and mined,
// waiting or still to come, until a block confirms it; nothing is paid. Sums
// stay within 21 million coins either way.
func (p *Pool) Prioritise(txid chainhash.Hash, addUnits int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.prioritise(txid, addUnits)
}

func (p *Pool) prioritise(txid chainhash.Hash, addUnits int64) {
	const most = params.MaxMoneyUnits
	old := p.deltas[txid]
	delta := min(max(old+min(max(addUnits, -2*most), 2*most), -most), most)
	if delta == 0 {
		delete(p.deltas, txid)
	} else {
		p.deltas[txid] = delta
	}
	e := p.txs[txid]
	if e == nil {
		return
	}
	e.delta = delta
	for _, d := range p.reach(down, e) {
		d.ancestors.feeUnits += delta - old
	}
	for _, a := range p.reach(up, e) {
		a.descendants.feeUnits += delta - old
		heap.Fix(&p.worst, a.heapIndex)
	}
}

// Priority is a fee that a person changed.
type Priority struct {
	Txid       chainhash.Hash
	DeltaUnits int64
	// Entry is the transaction, nil if it does not wait here.
	Entry *Entry
}

// Priorities lists all changed fees, by txid.
func (p *Pool) Priorities() []Priority {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]Priority, 0, len(p.deltas))
	for txid, delta := range p.deltas {
		list = append(list, Priority{txid, delta, p.txs[txid]})
	}
	slices.SortFunc(list, func(a, b Priority) int { return bytes.Compare(a.Txid[:], b.Txid[:]) })
	return list
}

// AddUnbroadcast marks an entry as this node's own, to be announced until a
// peer asks for it. What does not wait here is ignored.
func (p *Pool) AddUnbroadcast(txid chainhash.Hash) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.txs[txid] != nil {
		p.unbroadcast[txid] = struct{}{}
	}
}

// RemoveUnbroadcast says that a peer has asked for a transaction.
func (p *Pool) RemoveUnbroadcast(txid chainhash.Hash) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.unbroadcast, txid)
}

// Unbroadcast lists this node's own transactions that no peer has asked for, in
// the order of arrival.
func (p *Pool) Unbroadcast() []chainhash.Hash {
	p.mu.Lock()
	defer p.mu.Unlock()
	entries := make([]*Entry, 0, len(p.unbroadcast))
	for txid := range p.unbroadcast {
		entries = append(entries, p.txs[txid])
	}
	slices.SortFunc(entries, byDepth)
	txids := make([]chainhash.Hash, len(entries))
	for i, e := range entries {
		txids[i] = e.Tx.Txid
	}
	return txids
}
