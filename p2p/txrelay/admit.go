package txrelay

import (
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/base/check"
	"granary/base/hash"
	"granary/mempool"
	"granary/p2p/peer"
	"granary/state"
)

// receiveTx takes a transaction from a peer.
func (r *Relay) receiveTx(l *link, tx *state.Tx) {
	if !l.heard {
		l.Disconnect("transaction sent in violation of protocol")
		return
	}
	if r.Syncing() {
		return
	}
	r.follow()
	if l.facts.WTxIDRelay {
		l.known.add(tx.Wtxid)
	} else {
		l.known.add(tx.Txid)
	}
	r.requests.answered(l.ID(), tx.Txid)
	r.requests.answered(l.ID(), tx.Wtxid)
	switch {
	case r.orphans.get(tx.Wtxid) != nil:
		r.shareOrphan(l, tx.Wtxid, r.Clock.Now())
	case r.known(tx.Wtxid, false):
		if item := r.items.find(tx.Wtxid); item != nil && l.facts.ForceRelay {
			r.enqueue(item)
		}
	case r.underpaid.has(tx.Wtxid):
		r.tryWithChild(l, tx)
	default:
		r.judge(l, tx)
	}
}

// judge hands a transaction to the mempool and deals with the verdict.
// settled is false where its parents are still missing.
func (r *Relay) judge(l *link, tx *state.Tx) (settled bool) {
	_, err := r.Pool.Accept(tx)
	if err == nil {
		r.accepted(l, tx)
		return true
	}
	rule := check.AsRule(err)
	switch {
	case rule == nil:
		r.worldFailed(tx, err)
	case rule.Kind == check.Unconnected:
		return !r.takeOrphan(l, tx)
	default:
		r.refused(l, tx, rule)
		if mempool.Reconsiderable(rule) {
			r.tryWithChild(l, tx)
		}
	}
	return true
}

// noter is a peer that remembers what it was good for. A peer.Link is one.
type noter interface{ NoteTx(now time.Time) }

var _ noter = (*peer.Link)(nil)

// accepted deals with a transaction that the mempool took: whatever waited for
// it is looked at again.
func (r *Relay) accepted(l *link, tx *state.Tx) {
	r.done(tx)
	l.lastTx = r.Clock.Now()
	if n, ok := l.Peer.(noter); ok {
		n.NoteTx(l.lastTx)
	}
	for _, child := range r.orphans.children(tx.Txid, len(tx.Msg.TxOut)) {
		r.lookAgain(child)
	}
	r.follow()
}

// done ends the requests for a transaction that is judged.
func (r *Relay) done(tx *state.Tx) {
	r.orphans.remove(tx.Wtxid)
	r.requests.forget(tx.Txid)
	r.requests.forget(tx.Wtxid)
}

// lookAgain puts an orphan on the list of the peer that answers for it.
func (r *Relay) lookAgain(orphan *orphanTx) {
	for _, id := range orphan.from {
		if l := r.link(id); l != nil {
			if !slices.Contains(l.work, orphan.tx.Wtxid) {
				l.work = append(l.work, orphan.tx.Wtxid)
			}
			return
		}
	}
}

// judgeOrphans judges one orphan of a peer whose parents may be there now. One
// for each tick: a peer with many costs the others little.
func (r *Relay) judgeOrphans(l *link) {
	for len(l.work) > 0 {
		orphan := r.orphans.get(l.work[0])
		l.work = l.work[1:]
		if orphan != nil && r.judge(l, orphan.tx) {
			return
		}
	}
}

// worldFailed tells of an error that is nobody's fault here, at most once a
// minute.
func (r *Relay) worldFailed(tx *state.Tx, err error) {
	r.done(tx)
	if now := r.Clock.Now(); now.Sub(r.worldErrorLog) >= time.Minute {
		r.worldErrorLog = now
		r.Log.Error("the mempool could not judge a transaction", "error", err)
	}
}

// refused remembers a refusal, and blames the peer where Bitcoin's own rules
// are broken.
func (r *Relay) refused(l *link, tx *state.Tx, rule *check.RuleError) {
	r.Log.Debug("transaction refused", "peer", l.ID(), "txid", tx.Txid.String(), "reason", string(rule.Code))
	r.remember(tx, rule)
	r.orphans.remove(tx.Wtxid)
	if blames(rule) {
		l.Misbehaved("sent an invalid transaction: " + string(rule.Code))
	}
}

// remember keeps in mind that a transaction need not be asked for again: not
// where its witness may be another's work, and under its txid only where no
// witness can make it better.
func (r *Relay) remember(tx *state.Tx, rule *check.RuleError) {
	if rule.Kind == check.Mutated {
		return
	}
	if mempool.Reconsiderable(rule) {
		r.underpaid.add(tx.Wtxid)
	} else {
		r.rejects.add(tx.Wtxid)
		if rule.Code == "bad-txns-nonstandard-inputs" {
			r.rejects.add(tx.Txid)
			r.requests.forget(tx.Txid)
		}
	}
	r.requests.forget(tx.Wtxid)
	r.spare(tx)
}

// blames reports whether a refusal is the fault of whoever relayed it: rules
// of Bitcoin that no state of the chain lifts again, and that an unmodified
// node knows. It knows neither the goods rules nor BIP54's, which hold where
// there is a charter.
func blames(rule *check.RuleError) bool {
	if rule.Kind != check.Consensus || rule.Code.Goods() {
		return false
	}
	switch rule.Code {
	case "bad-txns-premature-spend-of-coinbase", "bad-txns-size", "bad-txns-legacy-sigops":
		return false
	}
	return true
}

// tryWithChild tries a parent that pays too little with the first child among
// the orphans that was not tried with it yet: one that the same peer announced
// before others, the youngest before older ones.
func (r *Relay) tryWithChild(l *link, parent *state.Tx) {
	if r.Packages == nil {
		return
	}
	child := r.childFor(l, parent)
	if child == nil {
		return
	}
	both := []*state.Tx{parent, child.tx}
	refusals, err := r.Packages.AcceptPackage(both)
	if err != nil {
		r.worldFailed(parent, err)
		return
	}
	check.Must(len(refusals) == len(both), "a package of %d got %d verdicts", len(both), len(refusals))
	if refusals[0] != nil || refusals[1] != nil {
		r.underpaid.add(packageID(both))
	}
	for i, tx := range both {
		rule := check.AsRule(refusals[i])
		switch {
		case refusals[i] == nil:
			r.accepted(l, tx)
		case rule == nil:
			r.worldFailed(tx, refusals[i])
		case rule.Kind != check.Unconnected && rule.Code != "package":
			r.refused(l, tx, rule) // for itself, not with the package
		}
	}
}

func (r *Relay) childFor(l *link, parent *state.Tx) *orphanTx {
	children := r.orphans.children(parent.Txid, len(parent.Msg.TxOut))
	slices.Reverse(children)
	slices.SortStableFunc(children, func(a, b *orphanTx) int {
		return btoi(slices.Contains(b.from, l.ID())) - btoi(slices.Contains(a.from, l.ID()))
	})
	for _, child := range children {
		if !r.rejects.has(child.tx.Wtxid) && !r.underpaid.has(packageID([]*state.Tx{parent, child.tx})) {
			return child
		}
	}
	return nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// packageID names a set of transactions, whatever their order.
func packageID(txs []*state.Tx) chainhash.Hash {
	ids := make([]chainhash.Hash, len(txs))
	for i, tx := range txs {
		ids[i] = tx.Wtxid
	}
	slices.SortFunc(ids, func(a, b chainhash.Hash) int { return slices.Compare(a[:], b[:]) })
	return hash.Double(slices.Concat(ids[0][:], ids[1][:]))
}

// takeOrphan keeps a transaction whose parents are missing and asks for them;
// false if it is hopeless: a parent was refused.
func (r *Relay) takeOrphan(l *link, tx *state.Tx) bool {
	parents, hopeless := r.missingParents(tx)
	announcers := slices.Concat(r.requests.announcers(tx.Wtxid), r.requests.announcers(tx.Txid))
	r.requests.forget(tx.Txid)
	r.requests.forget(tx.Wtxid)
	if hopeless {
		r.orphans.remove(tx.Wtxid)
		r.rejects.add(tx.Wtxid)
		r.rejects.add(tx.Txid)
		r.spare(tx)
		return false
	}
	now := r.Clock.Now()
	if r.orphans.get(tx.Wtxid) == nil {
		r.spare(tx)
		if !r.orphans.add(tx, l.ID(), now) {
			return false
		}
	}
	r.askForParents(l, parents, now)
	r.askAnnouncers(tx.Wtxid, parents, announcers, now)
	return true
}

// announcersMax of an orphan are asked for its parents beside who sent it.
const announcersMax = 8

// askAnnouncers lets those who announced an orphan answer for it too, those
// that we chose first: who sent it unasked may keep its parents back.
func (r *Relay) askAnnouncers(wtxid chainhash.Hash, parents []chainhash.Hash, ids []uint64, now time.Time) {
	links := make([]*link, 0, len(ids))
	for _, id := range ids {
		if l := r.link(id); l != nil {
			links = append(links, l)
		}
	}
	slices.SortStableFunc(links, func(a, b *link) int { return btoi(b.preferred) - btoi(a.preferred) })
	for _, l := range links[:min(len(links), announcersMax)] {
		if r.orphans.announced(wtxid, l.ID()) {
			r.askForParents(l, parents, now)
		}
	}
}

// shareOrphan lets another peer that has an orphan answer for it too, and be
// asked for its parents.
func (r *Relay) shareOrphan(l *link, wtxid chainhash.Hash, now time.Time) {
	orphan := r.orphans.get(wtxid)
	if slices.Contains(orphan.from, l.ID()) || !r.orphans.announced(wtxid, l.ID()) {
		return
	}
	parents, _ := r.missingParents(orphan.tx)
	r.askForParents(l, parents, now)
}

func (r *Relay) askForParents(l *link, parents []chainhash.Hash, now time.Time) {
	for _, txid := range parents {
		if !l.facts.WTxIDRelay {
			l.known.add(txid)
		}
		if !r.known(txid, false) {
			r.candidate(l, txid, false, now)
		}
	}
}

// missingParents lists the txids of parents that are not in the pool.
// hopeless says that one of them was refused for good, or more than one for
// its fee: packages have one parent.
func (r *Relay) missingParents(tx *state.Tx) (txids []chainhash.Hash, hopeless bool) {
	seen := make(map[chainhash.Hash]bool, len(tx.Msg.TxIn))
	poor := 0
	for _, in := range tx.Msg.TxIn {
		txid := in.PreviousOutPoint.Hash
		if seen[txid] || r.items.find(txid) != nil {
			continue
		}
		seen[txid] = true
		if r.underpaid.has(txid) {
			poor++
		}
		if r.rejects.has(txid) || poor > 1 {
			return nil, true
		}
		txids = append(txids, txid)
	}
	return txids, false
}

// maxSpareBytes bounds the memory of a transaction that is worth keeping for a
// compact block.
const maxSpareBytes = 100_000

// ring holds the last transactions that came and are not in the pool.
type ring struct {
	txs  [100]*state.Tx
	next int
}

// spare keeps a transaction that is not in the pool: a compact block may hold
// it.
func (r *Relay) spare(tx *state.Tx) {
	if orphanCost(tx) <= maxSpareBytes {
		r.spares.txs[r.spares.next] = tx
		r.spares.next = (r.spares.next + 1) % len(r.spares.txs)
	}
}

// Extra lists the last transactions, at most 100, of at most 100 kB of memory each, that
// were refused, replaced or orphaned: a compact block may hold them.
func (r *Relay) Extra() []*state.Tx {
	r.follow()
	list := make([]*state.Tx, 0, len(r.spares.txs))
	for _, tx := range r.spares.txs {
		if tx != nil {
			list = append(list, tx)
		}
	}
	return list
}
