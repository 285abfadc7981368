package txrelay

import (
	"cmp"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/base/clock"
	"granary/mempool"
	"granary/p2p/message"
	"granary/p2p/peer"
	"granary/state"
)

// Pool is what the relay needs of the mempool.
type Pool interface {
	// Accept takes a transaction in, or says why not: a check.RuleError, or
	// the world's error.
	Accept(tx *state.Tx) (*mempool.Entry, error)
	// Entries lists what waits, parents before children.
	Entries() []*mempool.Entry
	// Watch calls f for every change from now on, with the pool locked.
	Watch(f func(mempool.Change)) (cancel func())
	// Info gives the fees that the pool asks for.
	Info() mempool.Info
}

// Packages takes a parent and its child together: one refusal for each in
// their order, nil for what is in the pool then. err is the world's.
type Packages interface {
	AcceptPackage(txs []*state.Tx) (refusals []error, err error)
}

// Own are the node's own transactions that no peer has asked for yet.
type Own interface {
	// Unbroadcast lists their txids, in the order of arrival.
	Unbroadcast() []chainhash.Hash
	// RemoveUnbroadcast says that a peer has taken one; others are ignored.
	RemoveUnbroadcast(txid chainhash.Hash)
}

// Options are the parts that a Relay is made of.
type Options struct {
	Pool Pool
	// Packages may be nil: then a parent that pays too little is not helped.
	Packages Packages
	// Own may be nil: then nothing is announced again.
	Own Own
	// Syncing reports whether the chain is far behind: transactions are not
	// asked for then. Nil means never.
	Syncing func() bool
	// BlocksOnly takes no transactions from peers but those with the
	// permission to force them (Core's -blocksonly).
	BlocksOnly bool
	Clock      clock.Clock
	// Rand is this Relay's own.
	Rand clock.Rand
	// Log gets what a person may want for debugging; nil drops it.
	Log *slog.Logger
}

// Sizes of what is remembered; Core's.
const (
	rememberedRejects   = 120_000
	rememberedConfirmed = 48_000
	rememberedKnown     = 50_000 // for each peer
)

// Relay carries transactions between peers. But for Close, its methods are
// called on the goroutine of the peers' loop only.
type Relay struct {
	Options
	cancel func() // of the watch

	peers    []*link // by id
	requests *requests
	orphans  *orphanage
	items    items // what is in the pool
	spares   ring
	info     mempool.Info // until infoUntil

	// Ids that need not be asked for: refused since the last block (wtxids,
	// and txids where the witness made no difference), refused for their fee
	// alone (with packages tried in vain), confirmed (both ids).
	rejects, underpaid, confirmed *recent

	lastBlock     *state.Block           // nil after a step back
	lastIndex     map[chainhash.Hash]int // its transactions by both ids; nil until asked for
	inboundInv    time.Time              // when inbound peers are told next
	nextOwn       time.Time              // when own transactions are announced again
	nextExpiry    time.Time
	feeSteps      []int64
	infoUntil     time.Time
	worldErrorLog time.Time

	// mu guards changes, which the mempool's goroutines add to.
	mu      sync.Mutex
	changes []mempool.Change
}

var (
	_ peer.Handler = (*Relay)(nil)
	_ Pool         = (*mempool.Pool)(nil)
	_ Packages     = (*mempool.Pool)(nil)
	_ Own          = (*mempool.Pool)(nil)
)

// New makes a Relay that follows the pool. Close ends that.
func New(o Options) *Relay {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Syncing == nil {
		o.Syncing = func() bool { return false }
	}
	r := &Relay{
		Options: o, requests: newRequests(o.Rand), orphans: newOrphanage(), items: newItems(o.Rand),
		rejects: newRecent(rememberedRejects, o.Rand), underpaid: newRecent(rememberedRejects, o.Rand),
		confirmed: newRecent(rememberedConfirmed, o.Rand), feeSteps: makeFeeSteps(),
	}
	r.cancel = o.Pool.Watch(func(c mempool.Change) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.changes = append(r.changes, c)
	})
	for _, e := range o.Pool.Entries() {
		r.items.add(e)
	}
	return r
}

// Close ends the watch over the pool. It may be called from any goroutine.
func (r *Relay) Close() { r.cancel() }

// link is what the relay knows of one peer.
type link struct {
	peer.Peer
	facts *peer.Facts
	// told: transactions are announced to it; heard: they are taken from it;
	// preferred: it is asked first.
	told, heard, preferred bool

	known     *recent // announced by us or by it, in the form that it uses
	queue     queue
	nextInv   time.Time
	couldKnow uint64 // the pool's items up to this number may be asked for
	dump      []*item
	wanted    []message.Item   // it asks for, not served yet
	release   func()           // its next message waits until then; nil if not
	work      []chainhash.Hash // orphans to judge again, its own

	minFeeUnitsPerKVB int64 // it wants no less
	sentFeeFilter     int64
	nextFeeFilter     time.Time
	lastTx            time.Time
}

// Connected implements peer.Handler.
func (r *Relay) Connected(p peer.Peer) {
	f := p.Facts()
	l := &link{
		Peer: p, facts: f,
		told:      f.Relay && f.Kind != peer.BlockRelay && f.Kind != peer.Feeler,
		heard:     f.Kind != peer.BlockRelay && f.Kind != peer.Feeler && (!r.BlocksOnly || f.ForceRelay || f.SendTxs),
		preferred: (f.Outbound() || f.NoBan) && f.Kind != peer.AddrFetch,
		known:     newRecent(rememberedKnown, r.Rand),
		couldKnow: r.items.last,
	}
	at, found := r.search(p.ID())
	if found {
		return
	}
	r.peers = slices.Insert(r.peers, at, l)
}

// Disconnected implements peer.Handler.
func (r *Relay) Disconnected(p peer.Peer) {
	at, found := r.search(p.ID())
	if !found {
		return
	}
	l := r.peers[at]
	r.peers = slices.Delete(r.peers, at, at+1)
	l.letTalk()
	r.requests.disconnected(p.ID())
	r.orphans.disconnected(p.ID())
	for _, wtxid := range l.work { // others answer for what is left
		if orphan := r.orphans.get(wtxid); orphan != nil {
			r.lookAgain(orphan)
		}
	}
}

func (r *Relay) search(id uint64) (int, bool) {
	return slices.BinarySearchFunc(r.peers, id, func(l *link, id uint64) int { return cmp.Compare(l.ID(), id) })
}

// link finds a peer, nil if it is not connected.
func (r *Relay) link(id uint64) *link {
	if at, found := r.search(id); found {
		return r.peers[at]
	}
	return nil
}

// Receive implements peer.Handler. Of inv, getdata and notfound it takes the
// transactions and leaves the message to others too.
func (r *Relay) Receive(p peer.Peer, m message.Message) bool {
	l := r.link(p.ID())
	if l == nil {
		return false
	}
	switch m := m.(type) {
	case *message.Inv:
		r.receiveInv(l, m.Items)
	case *message.GetData:
		r.receiveGetData(l, m.Items)
	case *message.NotFound:
		r.receiveNotFound(l, m.Items)
	case *message.Tx:
		r.receiveTx(l, m.Tx)
		return true
	case *message.FeeFilter:
		r.receiveFeeFilter(l, m.UnitsPerKVB)
		return true
	case *message.MemPool:
		r.receiveMemPool(l)
		return true
	}
	return false
}

// Tick implements peer.Handler.
func (r *Relay) Tick(now time.Time) {
	r.follow()
	if !now.Before(r.nextExpiry) {
		r.orphans.expire(now)
		r.nextExpiry = now.Add(time.Minute)
	}
	r.requests.advance(now)
	r.announceOwn(now)
	inbound := r.inboundDue(now)
	for _, l := range slices.Clone(r.peers) { // a disconnected one only goes with the next event
		r.judgeOrphans(l)
		r.ask(l, now)
		r.serve(l)
		r.announce(l, now, inbound)
		r.sendDump(l)
		r.sendFeeFilter(l, now)
	}
}

// BlockConnected tells that a block has joined the chain. b is kept until the
// next one.
func (r *Relay) BlockConnected(b *state.Block) {
	r.orphans.removeFor(b)
	r.lastBlock, r.lastIndex = b, nil
	r.rejects.reset() // what was refused may be valid now
	r.underpaid.reset()
	if r.Syncing() {
		return
	}
	for i := range b.Txids {
		for _, id := range [2]chainhash.Hash{b.Txids[i], b.Wtxids[i]} {
			r.confirmed.add(id)
			r.requests.forget(id)
		}
	}
}

// BlockDisconnected tells that a block has left the chain: what it confirmed
// may be wanted again.
func (r *Relay) BlockDisconnected(*state.Block) {
	r.confirmed.reset()
	r.rejects.reset()
	r.underpaid.reset()
	r.lastBlock, r.lastIndex = nil, nil
}

// PeerState is what getpeerinfo shows of a peer.
type PeerState struct {
	Relays            bool  // transactions are announced to it
	MinFeeUnitsPerKVB int64 // it asked for
	Queued            int   // announcements that wait for their time
	LastTx            time.Time
	Asked, Candidates int // of its announcements
	Orphans           int
}

// PeerState tells of a peer; false if it is not connected.
func (r *Relay) PeerState(id uint64) (PeerState, bool) {
	l := r.link(id)
	if l == nil {
		return PeerState{}, false
	}
	s := PeerState{
		Relays: l.told, MinFeeUnitsPerKVB: l.minFeeUnitsPerKVB, Queued: len(l.queue), LastTx: l.lastTx,
	}
	s.Candidates, s.Asked = r.requests.count(id)
	if share := r.orphans.shares[id]; share != nil {
		s.Orphans = len(share.list)
	}
	return s, true
}

// Orphans lists the orphans that wait, the oldest first.
func (r *Relay) Orphans() []*state.Tx {
	list := make([]*orphanTx, 0, len(r.orphans.byWtxid))
	for _, orphan := range r.orphans.byWtxid {
		list = append(list, orphan)
	}
	slices.SortFunc(list, func(a, b *orphanTx) int { return cmp.Compare(a.sequence, b.sequence) })
	txs := make([]*state.Tx, len(list))
	for i, orphan := range list {
		txs[i] = orphan.tx
	}
	return txs
}
