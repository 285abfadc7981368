package txrelay

import (
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/p2p/message"
)

// Asking for transactions; Core's figures.
const (
	maxCandidates    = 5_000 // announcements kept of one peer
	maxInFlight      = 100   // requests to one peer before its announcements wait longer
	inboundDelay     = 2 * time.Second
	txidDelay        = 2 * time.Second // while others announce by wtxid
	overloadedDelay  = 2 * time.Second
	answerTime       = time.Minute
	maxAskedTogether = 1_000
)

// receiveInv notes what a peer announces.
func (r *Relay) receiveInv(l *link, items []message.Item) {
	r.follow()
	now := r.Clock.Now()
	syncing := r.Syncing()
	for _, item := range items {
		byWtxid := item.Type == message.ItemWTx
		// Light wallets (neutrino) announce with the witness flag, as Core allows.
		if !byWtxid && item.Type&^message.ItemWitnessFlag != message.ItemTx {
			continue
		}
		if !l.heard {
			l.Disconnect("transaction inv sent in violation of protocol")
			return
		}
		if byWtxid != l.facts.WTxIDRelay {
			continue
		}
		if r.full(l) {
			return // the rest of a flood costs nothing
		}
		fresh := l.known.add(item.Hash)
		switch {
		case syncing:
		case byWtxid && r.orphans.get(item.Hash) != nil:
			if fresh { // once: a large orphan takes milliseconds
				r.shareOrphan(l, item.Hash, now)
			}
		case !r.known(item.Hash, true):
			r.candidate(l, item.Hash, byWtxid, now)
		}
	}
}

// candidate notes that l can be asked for a transaction.
func (r *Relay) candidate(l *link, hash chainhash.Hash, byWtxid bool, now time.Time) {
	if r.full(l) {
		return
	}
	at := now
	if !l.preferred {
		at = at.Add(inboundDelay)
	}
	if !byWtxid && r.anyByWtxid() {
		at = at.Add(txidDelay)
	}
	if _, inFlight := r.requests.count(l.ID()); inFlight >= maxInFlight && !l.facts.ForceRelay {
		at = at.Add(overloadedDelay)
	}
	r.requests.heard(l.ID(), hash, byWtxid, l.preferred, at)
}

// full reports whether a peer's announcements are not kept any more.
func (r *Relay) full(l *link) bool {
	all, _ := r.requests.count(l.ID())
	return all >= maxCandidates && !l.facts.ForceRelay
}

// anyByWtxid reports whether some peer announces by wtxid.
func (r *Relay) anyByWtxid() bool {
	for _, l := range r.peers {
		if l.facts.WTxIDRelay {
			return true
		}
	}
	return false
}

// known reports whether a transaction of this id need not be asked for. What
// was refused for its fee alone counts only if underpaid is true: as the
// parent of a child that pays it is wanted again.
func (r *Relay) known(hash chainhash.Hash, underpaid bool) bool {
	return r.items.find(hash) != nil || r.orphans.get(hash) != nil || r.rejects.has(hash) ||
		underpaid && r.underpaid.has(hash) || r.confirmed.has(hash)
}

// ask sends requests whose time has come.
func (r *Relay) ask(l *link, now time.Time) {
	due := r.requests.toAsk(l.ID())
	var items []message.Item
	for _, a := range due {
		if r.known(a.hash, a.byWtxid) { // by txid: it may be the parent of an orphan
			r.requests.forget(a.hash)
			continue
		}
		item := message.Item{Type: message.ItemWTx, Hash: a.hash}
		if !a.byWtxid {
			item.Type = message.ItemTx
			if l.facts.Services.Has(message.ServiceWitness) {
				item.Type = message.ItemWitnessTx
			}
		}
		items = append(items, item)
		r.requests.sent(a, now.Add(answerTime))
		if len(items) == maxAskedTogether {
			l.Send(&message.GetData{Items: items})
			items = nil
		}
	}
	if len(items) > 0 {
		l.Send(&message.GetData{Items: items})
	}
}

// receiveNotFound lets others be asked for what a peer does not have.
func (r *Relay) receiveNotFound(l *link, items []message.Item) {
	if len(items) > maxCandidates+maxAskedTogether {
		return // more than we can have asked for
	}
	for _, item := range items {
		if item.Type == message.ItemWTx || item.Type&^message.ItemWitnessFlag == message.ItemTx {
			r.requests.answered(l.ID(), item.Hash)
		}
	}
}
