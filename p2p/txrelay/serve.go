package txrelay

import (
	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/p2p/message"
	"granary/p2p/peer"
	"granary/state"
)

// maxWanted bounds what a peer asks for and has not been given yet; from
// heldWanted on its next message waits until it is. Nodes do not ask for so much.
// They may both ask at the same time, and each must read what it asked for
// before the other gets on.
const maxWanted, heldWanted = 10_000, 5_000

// receiveGetData notes the transactions that a peer asks for.
func (r *Relay) receiveGetData(l *link, items []message.Item) {
	for _, item := range items {
		if item.Type != message.ItemWTx && item.Type&^message.ItemWitnessFlag != message.ItemTx {
			continue
		}
		if !l.told {
			return // it was never told of any
		}
		if len(l.wanted) == maxWanted {
			l.Disconnect("asks for more transactions than it takes")
			return
		}
		l.wanted = append(l.wanted, item)
	}
	r.serve(l)
	if holder, ok := l.Peer.(peer.Holder); ok && len(l.wanted) > heldWanted && l.release == nil {
		l.release = holder.Hold()
	}
}

// letTalk lets a peer's next message come.
func (l *link) letTalk() {
	if l.release != nil {
		l.release()
		l.release = nil
	}
}

// serve sends what a peer asked for as long as the peer takes it.
func (r *Relay) serve(l *link) {
	if len(l.wanted) == 0 {
		return
	}
	r.follow()
	var missing []message.Item
	for len(l.wanted) > 0 && l.SendBacklogBytes() < peer.PaceBytes {
		item := l.wanted[0]
		l.wanted = l.wanted[1:]
		tx := r.servable(l, item.Hash)
		if tx == nil {
			missing = append(missing, item)
			continue
		}
		l.Send(&message.Tx{Tx: tx, Stripped: item.Type == message.ItemTx})
		if r.Own != nil {
			r.Own.RemoveUnbroadcast(tx.Txid)
		}
	}
	if len(missing) > 0 {
		l.Send(&message.NotFound{Items: missing})
	}
	if len(l.wanted) == 0 {
		l.wanted = nil
		l.letTalk()
	}
}

// servable finds a transaction that the peer may have: it was in the pool when
// the peer was last told something, or is in the tip's block. Others would let
// it find out what the pool holds, and when it came.
func (r *Relay) servable(l *link, id chainhash.Hash) *state.Tx {
	if it := r.items.find(id); it != nil && it.number <= l.couldKnow {
		return it.entry.Tx
	}
	if r.lastBlock == nil {
		return nil
	}
	if r.lastIndex == nil {
		r.lastIndex = make(map[chainhash.Hash]int, 2*len(r.lastBlock.Txids))
		for i := range r.lastBlock.Txids {
			r.lastIndex[r.lastBlock.Txids[i]] = i
			r.lastIndex[r.lastBlock.Wtxids[i]] = i
		}
	}
	if i, found := r.lastIndex[id]; found {
		return r.lastBlock.Tx(i)
	}
	return nil
}
