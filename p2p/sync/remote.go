package sync

import (
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/p2p/message"
	"granary/p2p/peer"
	"granary/state"
)

// remote is what is known of one peer and its chain.
type remote struct {
	link  peer.Peer
	id    uint64
	facts *peer.Facts
	gone  bool
	// punished peers are on their way out.
	punished bool

	// known is the best header that it has shown to have; unknown is the last
	// block that it announced and whose header is not here.
	known   *state.Header
	unknown chainhash.Hash
	// sent is the best header that we have told it of.
	sent         *state.Header
	wantsHeaders bool // BIP130: it asked for headers rather than invs
	saidHeaders  bool // we did

	headers headerTalk
	behind  behindTalk

	flights []*flight // what it owes us, in the order of asking
	limit   int       // most flights now
	owing   time.Time // since when it owes something and has brought nothing
	debt    int       // blocks that others had to bring, without one of its own
	surplus int       // blocks at the engine that it gave unasked
	meter   meter

	compact     bool // it speaks version 2 of BIP152
	compactHigh bool // and wants blocks so at once
	highAsked   bool // we asked it to announce so
	rebuilds    int  // of its compact blocks since the tip moved

	requests serving

	lastBlock    time.Time // when it gave us a new block
	lastAnnounce time.Time // when it told us of a new header
	published    PeerState
}

// headerTalk is the state of asking one peer for headers.
type headerTalk struct {
	syncing bool      // it was asked for its whole chain
	asked   time.Time // when a getheaders went out that is not answered; zero: none
	repeats int       // how often that one was sent again
	since   time.Time // when syncing began
	told    bool      // it has told of all that it has: others may be asked
	busy    bool      // some of its headers are at the engine
	queue   [][]wire.BlockHeader
	lost    bool // the queue was full: ask again
	low     *presync
}

// meter watches the bytes of a peer.
type meter struct {
	bytes uint64
	at    time.Time // when the last bytes came
}

func newRemote(p peer.Peer, now time.Time) *remote {
	return &remote{link: p, id: p.ID(), facts: p.Facts(), limit: flightsAtFirst, meter: meter{at: now}}
}

// What a peer.Link offers beside peer.Peer.
type (
	// byteCounter counts all that came from the peer, parts of messages too.
	byteCounter interface{ ReceivedBytes() uint64 }
	// blockNoter wants to know who brings new blocks.
	blockNoter interface{ NoteBlock(now time.Time) }
)

var (
	_ byteCounter = (*peer.Link)(nil)
	_ blockNoter  = (*peer.Link)(nil)
	_ peer.Holder = (*peer.Link)(nil)
)

// hold keeps the peer's next message unread until release is called.
func (r *remote) hold() (release func()) {
	if link, ok := r.link.(peer.Holder); ok {
		return link.Hold()
	}
	return func() {}
}

// progressBytes are what counts as something having come: a thin line brings
// them in a second, and small talk does not pass for a block.
const progressBytes = 1000

// measure notes whether bytes have come since the last look.
func (r *remote) measure(now time.Time) {
	link, ok := r.link.(byteCounter)
	if !ok {
		return
	}
	if n := link.ReceivedBytes(); n-r.meter.bytes >= progressBytes {
		r.meter.bytes, r.meter.at = n, now
	}
}

// preferred peers are those that we chose, or that the user trusts: others
// might all be one adversary.
func (r *remote) preferred() bool { return (r.facts.Outbound() || r.facts.NoBan) && r.serves() }

// serves reports whether blocks can be asked of it.
func (r *remote) serves() bool {
	if r.facts.Kind == peer.Feeler || r.facts.Kind == peer.AddrFetch {
		return false
	}
	some := r.facts.Services.Has(message.ServiceNetwork) || r.facts.Services.Has(message.ServiceNetworkLimited)
	return some && r.facts.Services.Has(message.ServiceWitness)
}

// limited peers serve the last blocks only (BIP159).
func (r *remote) limited() bool { return !r.facts.Services.Has(message.ServiceNetwork) }

// knows raises the best header that the peer is known to have.
func (r *remote) knows(h *state.Header) {
	if h != nil && (r.known == nil || h.Work.Gt(&r.known.Work)) {
		r.known = h
	}
}

// has reports whether the peer has h's header for certain.
func (r *remote) has(h *state.Header) bool {
	return r.known != nil && r.known.Descends(h) || r.sent != nil && r.sent.Descends(h)
}

// resolve sees whether the header that was unknown has come.
func (m *Manager) resolve(r *remote) {
	if r.unknown == (chainhash.Hash{}) {
		return
	}
	if h := m.Chain.Header(r.unknown); h != nil {
		r.knows(h)
		r.unknown = chainhash.Hash{}
	}
}

// announced notes that the peer has the block with this hash.
func (m *Manager) announced(r *remote, hash chainhash.Hash) {
	m.resolve(r)
	if h := m.Chain.Header(hash); h != nil {
		r.knows(h)
	} else {
		r.unknown = hash
	}
}
