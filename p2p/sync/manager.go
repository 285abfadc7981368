package sync

import (
	"log/slog"
	"slices"
	stdsync "sync"
	"sync/atomic"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/holiman/uint256"

	"granary/base/clock"
	"granary/chain"
	"granary/p2p/message"
	"granary/p2p/peer"
	"granary/params"
	"granary/state"
)

// Chain is what is read of the engine.
type Chain interface {
	Tip() *state.Header
	BestHeader() *state.Header
	Header(hash chainhash.Hash) *state.Header
	Status(h *state.Header) chain.HeaderStatus
	RawBlock(h *state.Header) ([]byte, error)
}

// Intake takes headers and blocks without waiting; done is called later, on
// any goroutine, or within the call. See chain.Engine.
type Intake interface {
	Submit(b *state.Block, done func(isNew bool, err error))
	SubmitHeaders(raws []wire.BlockHeader, done func(last *state.Header, added int, err error))
}

// Transactions is where the transactions of compact blocks may be found.
type Transactions interface {
	// Each calls f for every transaction that waits here, in any order. f is
	// quick.
	Each(f func(tx *state.Tx))
}

// Uploads keeps the bound on what is sent in a day.
type Uploads interface {
	// Reached reports whether the bound is reached, or, for historical blocks,
	// what is kept back of it for new ones.
	Reached(historical bool) bool
}

// Options are the parts that a Manager is made of.
type Options struct {
	Net *params.Network
	// Charter says that the chain has one: see the package's doc on punishment.
	Charter bool
	Chain   Chain
	Intake  Intake
	// Txs may be nil: compact blocks are not rebuilt then but fetched whole.
	Txs Transactions
	// Extra, which may be nil, gives the last transactions that the mempool did
	// not keep but a block may have: replaced ones, orphans. They are few and
	// own their memory.
	Extra func() []*state.Tx
	// Uploads may be nil: no bound.
	Uploads Uploads
	// Post runs f on the goroutine that handles messages, in order. It never
	// waits. nil runs f at once, for tests.
	Post  func(f func())
	Clock clock.Clock // nil: the machine's
	Rand  clock.Rand  // nil: the machine's
	Log   *slog.Logger
	// MinimumWork is what a chain must have to be worth following.
	MinimumWork uint256.Int
	// MaxTipAge is the age of the tip from which the node still catches up;
	// zero means 24 hours.
	MaxTipAge time.Duration
	// Pruned says that only the last 288 blocks are served.
	Pruned bool
	// BudgetBytes bounds the blocks that are asked for or not judged yet; zero
	// means 64 MiB.
	BudgetBytes int64
}

// Manager brings the chain to this node and takes it to others. Its methods
// are for the goroutine of the Loop but where they say otherwise.
type Manager struct {
	Options
	peers []*remote // ascending by id
	byID  map[uint64]*remote

	flights     map[chainhash.Hash][]*flight // blocks asked for, the first asked first
	flightCount int
	pending     map[chainhash.Hash]int // blocks at the engine, not judged yet
	intake      struct {
		bytes, averageBytes int64
		cost, surplus       int64 // memory: of all, and of what nobody asked for
	}
	frontier *state.Header // all blocks up to here are there or at the engine
	starved  bool          // somebody had room and was given nothing
	unsaid   int           // judged since the last look at starved peers
	sources  map[chainhash.Hash]source

	tip          *state.Header // the last that was announced, or where we began
	tipAt        time.Time     // when it moved
	firstBest    int32         // height of the best header at the start
	addedHeaders int64
	high         []*remote   // peers that we asked for compact blocks at once, the oldest first
	strangers    int         // compact blocks rebuilt since the tip moved, of peers that came by themselves
	recent       recentBlock // the tip's
	used         recentBlock // another that was asked for
	decoding     decoding
	unreadableAt time.Time // of the last line about it
	swept        time.Time
	ticks        int            // since then
	invAsked     chainhash.Hash // the last block whose inv made us ask another peer for headers

	told      atomic.Int64 // steps of the chain that are posted and not handled
	catching  atomic.Bool
	stale     atomic.Bool
	statesMu  stdsync.Mutex
	states    map[uint64]PeerState
	following follower
}

// source is who gave us a block that has not been connected yet.
type source struct {
	peer    uint64
	compact bool
}

// New makes a Manager.
func New(o Options) *Manager {
	if o.Post == nil {
		o.Post = func(f func()) { f() }
	}
	if o.Clock == nil {
		o.Clock = clock.Real{}
	}
	if o.Rand == nil {
		o.Rand = clock.NewRand()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.MaxTipAge <= 0 {
		o.MaxTipAge = 24 * time.Hour
	}
	if o.BudgetBytes <= 0 {
		o.BudgetBytes = 64 << 20
	}
	m := &Manager{
		Options: o, byID: make(map[uint64]*remote),
		flights: make(map[chainhash.Hash][]*flight), pending: make(map[chainhash.Hash]int),
		sources: make(map[chainhash.Hash]source), states: make(map[uint64]PeerState),
		tip: o.Chain.Tip(), tipAt: o.Clock.Now(), firstBest: o.Chain.BestHeader().Height,
	}
	m.following.m = m
	m.catching.Store(true)
	m.lookAtTip()
	return m
}

// Connected implements peer.Handler.
func (m *Manager) Connected(p peer.Peer) {
	r := newRemote(p, m.Clock.Now())
	m.peers = append(m.peers, r)
	m.byID[r.id] = r
	if r.facts.Version >= compactVersion && r.facts.Kind != peer.Feeler {
		p.Send(&message.SendCmpct{Version: compactBlocks})
	}
	m.startHeaders(r)
	m.publish(r)
}

// Disconnected implements peer.Handler: what was asked of the peer is asked of
// others.
func (m *Manager) Disconnected(p peer.Peer) {
	r := m.byID[p.ID()]
	if r == nil {
		return
	}
	r.gone = true
	delete(m.byID, r.id)
	m.peers = without(m.peers, r)
	m.high = without(m.high, r)
	for len(r.flights) > 0 {
		m.cancel(r.flights[0])
	}
	m.statesMu.Lock()
	delete(m.states, r.id)
	m.statesMu.Unlock()
	m.scheduleAll()
}

// Receive implements peer.Handler. Messages about blocks are taken; of an inv,
// getdata or notfound that speaks of transactions too, it takes the blocks and
// leaves the message to others.
func (m *Manager) Receive(p peer.Peer, msg message.Message) bool {
	r := m.byID[p.ID()]
	if r == nil {
		return false
	}
	taken := true
	switch msg := msg.(type) {
	case *message.Headers:
		m.onHeaders(r, msg.Headers)
	case *message.Block:
		m.onBlock(r, msg.Block)
	case *message.Inv:
		taken = m.onInv(r, msg.Items)
	case *message.NotFound:
		taken = m.onNotFound(r, msg.Items)
	case *message.SendHeaders:
		r.wantsHeaders = true
	default:
		taken = m.receiveCompact(r, msg) || m.receiveRequest(r, msg)
	}
	return taken
}

const (
	// sweepEvery is the time between two looks at what peers owe us; sweepTicks
	// is the same for a clock that stands.
	sweepEvery = 100 * time.Millisecond
	sweepTicks = 8
	// standstill between two looks means that this node was busy.
	standstill = time.Second
)

// Tick implements peer.Handler.
func (m *Manager) Tick(now time.Time) {
	m.pumpAll(now)
	since := now.Sub(m.swept)
	if m.ticks++; since >= 0 && since < sweepEvery && m.ticks < sweepTicks {
		return
	}
	m.swept, m.ticks = now, 0
	m.lookAtTip()
	if !m.catching.Load() {
		m.frontier = nil // the walk is short, and what was pruned may be wanted again
	}
	for _, r := range slices.Clone(m.peers) {
		r.measure(now)
		if since > standstill {
			continue // we did not listen, so nobody is blamed before the next look
		}
		m.startHeaders(r)
		m.sweepHeaders(r, now)
		m.repeatHeaders(r, now)
		m.considerEviction(r, now)
		m.sweepBlocks(r, now)
		m.publish(r)
	}
	m.scheduleAll()
}

// lookAtTip notes whether the node is still catching up (that ends once and
// for all) and whether the tip has stood for too long.
func (m *Manager) lookAtTip() {
	tip, now := m.Chain.Tip(), m.Clock.Now()
	if m.catching.Load() && !tip.Work.Lt(&m.MinimumWork) && now.Sub(tip.Raw.Timestamp) < m.MaxTipAge {
		m.catching.Store(false)
		m.Log.Info("caught up with the chain", "height", tip.Height)
	}
	spacing := time.Duration(m.Net.SpacingSeconds) * time.Second
	m.stale.Store(now.Sub(m.tipAt) > staleSpacings*spacing && m.flightCount == 0)
}

// staleSpacings without a new tip make it a stale one.
const staleSpacings = 3

// InitialBlockDownload reports whether the node is still catching up. It may
// be called from any goroutine.
func (m *Manager) InitialBlockDownload() bool { return m.catching.Load() }

// StaleTip reports whether no block has come for half an hour (three times the
// spacing) and none is being fetched: one more outbound peer may know why. It
// may be called from any goroutine.
func (m *Manager) StaleTip() bool { return m.stale.Load() }

// extra gives what may be in a block beside the mempool.
func (m *Manager) extra() []*state.Tx {
	if m.Extra == nil {
		return nil
	}
	return m.Extra()
}

// near reports whether the tip is so young that blocks are fetched as soon as
// they are announced.
func (m *Manager) near() bool {
	age := m.Clock.Now().Sub(m.Chain.Tip().Raw.Timestamp)
	return age < 20*time.Duration(m.Net.SpacingSeconds)*time.Second
}

func without(list []*remote, r *remote) []*remote {
	return slices.DeleteFunc(slices.Clone(list), func(other *remote) bool { return other == r })
}

var (
	_ peer.Handler = (*Manager)(nil)
	_ Chain        = (*chain.Engine)(nil)
	_ Intake       = (*chain.Engine)(nil)
)
