package txrelay

import (
	"container/heap"
	"math"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/base/clock"
	"granary/mempool/policy"
	"granary/p2p/message"
)

// How announcements trickle; Core's figures.
const (
	inboundEvery   = 5 * time.Second // on average, all inbound peers together
	outboundEvery  = 2 * time.Second // on average, each
	announcedLeast = 35              // a time; seven a second for inbound peers
	announcedMost  = 1_000
	// maxSkipped bounds the search for something to announce.
	maxSkipped = 20_000

	ownEvery      = 10 * time.Minute // own transactions, at least
	ownEverySpan  = 5 * time.Minute  // and at most this much later
	dumpTogether  = 1_000            // items of a mempool request in one message
	maxDumpBytes  = 256 << 10        // queued before the next
	maxInvBacklog = 4 << 20          // a peer that has so much to read is told nothing new
)

// enqueue puts a transaction on the queue of every peer that does not know it.
func (r *Relay) enqueue(it *item) {
	for _, l := range r.peers {
		if l.told && !l.known.has(l.idOf(it)) {
			l.queue.put(it)
		}
	}
}

// idOf is the id that the peer uses for a transaction.
func (l *link) idOf(it *item) chainhash.Hash {
	if l.facts.WTxIDRelay {
		return it.entry.Tx.Wtxid
	}
	return it.entry.Tx.Txid
}

func (l *link) itemOf(it *item) message.Item {
	if l.facts.WTxIDRelay {
		return message.Item{Type: message.ItemWTx, Hash: it.entry.Tx.Wtxid}
	}
	return message.Item{Type: message.ItemTx, Hash: it.entry.Tx.Txid}
}

// inboundDue reports whether it is time to tell inbound peers. They share one
// time, so that several of them learn no more than one.
func (r *Relay) inboundDue(now time.Time) bool {
	if now.Before(r.inboundInv) {
		return false
	}
	r.inboundInv = now.Add(randomPause(r.Rand, inboundEvery))
	return true
}

// randomPause draws a pause of a Poisson process.
func randomPause(rand clock.Rand, mean time.Duration) time.Duration {
	u := float64(rand.Uint64()>>11+1) / (1 << 53) // in (0, 1]
	return time.Duration(-math.Log(u) * float64(mean))
}

// announce tells a peer some of what waits, if its time has come.
func (r *Relay) announce(l *link, now time.Time, inbound bool) {
	if !l.told {
		return
	}
	switch {
	case l.facts.NoBan:
	case l.facts.Outbound():
		if now.Before(l.nextInv) {
			return
		}
		l.nextInv = now.Add(randomPause(r.Rand, outboundEvery))
	case !inbound:
		return
	}
	if l.SendBacklogBytes() > maxInvBacklog {
		return
	}
	if items := l.next(); len(items) > 0 {
		l.Send(&message.Inv{Items: items})
	}
	l.couldKnow = r.items.last
}

// next takes what a peer is told now off its queue. The longer the queue, the
// more.
func (l *link) next() []message.Item {
	most := min(announcedMost, announcedLeast+len(l.queue)/1_000*5)
	var list []message.Item
	for skipped := 0; len(l.queue) > 0 && len(list) < most && skipped < maxSkipped; {
		it := heap.Pop(&l.queue).(*item)
		if !l.wants(it) {
			skipped++
			continue
		}
		l.known.add(l.idOf(it))
		list = append(list, l.itemOf(it))
	}
	return list
}

// wants reports whether an item is still there, new to the peer, and pays what
// the peer asks for. What is free by rule has no fee to compare.
func (l *link) wants(it *item) bool {
	return it.entry != nil && !l.known.has(l.idOf(it)) && l.pays(it)
}

func (l *link) pays(it *item) bool {
	return it.free() || it.feeUnits >= policy.FeeAt(l.minFeeUnitsPerKVB, it.vbytes)
}

// announceOwn announces again what no peer has asked for yet.
func (r *Relay) announceOwn(now time.Time) {
	if r.Own == nil || now.Before(r.nextOwn) {
		return
	}
	first := r.nextOwn.IsZero()
	r.nextOwn = now.Add(ownEvery + time.Duration(r.Rand.Uint64()%uint64(ownEverySpan)))
	if first {
		return
	}
	for _, txid := range r.Own.Unbroadcast() {
		if !r.Broadcast(txid) {
			r.Own.RemoveUnbroadcast(txid)
		}
	}
}

// Broadcast announces a transaction of the pool once more, to every peer that
// does not know it; false if it is not in the pool.
func (r *Relay) Broadcast(txid chainhash.Hash) bool {
	r.follow()
	it := r.items.byTxid[txid]
	if it != nil {
		r.enqueue(it)
	}
	return it != nil
}

// receiveMemPool lists the pool to peers that may ask for it (BIP35).
func (r *Relay) receiveMemPool(l *link) {
	if !l.facts.NoBan && !l.facts.MemPool {
		l.Disconnect("mempool request with bloom filters disabled, which is for permitted peers only")
		return
	}
	if !l.told || l.dump != nil {
		return
	}
	r.follow()
	for _, e := range r.Pool.Entries() {
		if it := r.items.byWtxid[e.Tx.Wtxid]; it != nil {
			l.dump = append(l.dump, it)
		}
	}
}

// sendDump goes on with the answer to a mempool request, at the peer's pace.
func (r *Relay) sendDump(l *link) {
	for len(l.dump) > 0 && l.SendBacklogBytes() < maxDumpBytes {
		var list []message.Item
		for len(l.dump) > 0 && len(list) < dumpTogether {
			it := l.dump[0]
			l.dump = l.dump[1:]
			if it.entry != nil && l.pays(it) {
				l.known.add(l.idOf(it))
				list = append(list, l.itemOf(it))
			}
		}
		if len(list) > 0 {
			l.Send(&message.Inv{Items: list})
		}
		l.couldKnow = r.items.last
	}
	if len(l.dump) == 0 {
		l.dump = nil
	}
}
