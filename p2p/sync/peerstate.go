package sync

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/state"
)

// PeerState is what getpeerinfo shows of the chain at one peer, and what
// eviction looks at.
type PeerState struct {
	// SyncedHeaders and SyncedBlocks are the heights of the last header that we
	// have in common and of the last block; PresyncedHeaders is how far headers
	// of little work were looked at. -1: none.
	SyncedHeaders, SyncedBlocks, PresyncedHeaders int32
	InFlight                                      []int32 // heights of the blocks asked for
	// HighBandwidthTo says that we asked the peer for compact blocks at once,
	// HighBandwidthFrom that it asked us.
	HighBandwidthTo, HighBandwidthFrom bool
	// LastBlock is when it gave us a block that was new, LastAnnouncement when
	// it told us of a header that was; zero: never.
	LastBlock, LastAnnouncement time.Time
	// Preferred peers are asked for blocks first. Protected ones are outbound
	// and have shown a chain as good as ours.
	Preferred, Protected bool
	// Syncing says that it was asked for its whole chain of headers.
	Syncing bool
}

// PeerState tells of one peer; ok is false where it is not known. It may be
// called from any goroutine and is at most a moment old.
func (m *Manager) PeerState(id uint64) (s PeerState, ok bool) {
	m.statesMu.Lock()
	defer m.statesMu.Unlock()
	s, ok = m.states[id]
	return s, ok
}

// Announced tells when a peer last told of a header that was new (zero: never),
// how many blocks it owes, and whether it showed a chain as good as ours. It may
// be called from any goroutine.
func (m *Manager) Announced(id uint64) (last time.Time, inFlight int, protected bool) {
	s, _ := m.PeerState(id)
	return s.LastAnnouncement, len(s.InFlight), s.Protected
}

// publish makes r's state visible to other goroutines where it has changed.
func (m *Manager) publish(r *remote) {
	m.resolve(r)
	s := PeerState{
		SyncedHeaders: -1, SyncedBlocks: -1, PresyncedHeaders: -1,
		HighBandwidthTo: r.highAsked, HighBandwidthFrom: r.compactHigh,
		LastBlock: r.lastBlock, LastAnnouncement: r.lastAnnounce,
		Preferred: r.preferred(), Protected: r.behind.protected, Syncing: r.headers.syncing,
	}
	if r.known != nil {
		s.SyncedHeaders, s.SyncedBlocks = r.known.Height, m.fork(r).Height
	}
	if r.headers.low != nil {
		s.PresyncedHeaders = r.headers.low.height()
	}
	for _, f := range r.flights {
		if f.header != nil {
			s.InFlight = append(s.InFlight, f.header.Height)
		}
	}
	if reflect.DeepEqual(r.published, s) {
		return
	}
	r.published = s
	m.statesMu.Lock()
	m.states[r.id] = s
	m.statesMu.Unlock()
}

// Errors of GetBlockFromPeer, as a person reads them.
var (
	errNoHeader = errors.New("block header missing")
	errHave     = errors.New("block already downloaded")
	errNoPeer   = errors.New("peer does not exist")
	errPreWit   = errors.New("pre-segwit peer")
	errAsked    = errors.New("already requested from this peer")
)

// GetBlockFromPeer asks one peer for a block whose header is known, a pruned
// one too (getblockfrompeer). It returns when the peer has been asked, and may
// be called from any goroutine but the Loop's.
func (m *Manager) GetBlockFromPeer(ctx context.Context, id uint64, hash chainhash.Hash) error {
	answer := make(chan error, 1)
	m.Post(func() { answer <- m.fetchFrom(id, hash) })
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return fmt.Errorf("the peer was not asked in time: %w", ctx.Err())
	}
}

func (m *Manager) fetchFrom(id uint64, hash chainhash.Hash) error {
	h, r := m.Chain.Header(hash), m.byID[id]
	switch {
	case h == nil:
		return errNoHeader
	case m.Chain.Status(h).Have():
		return errHave
	case r == nil:
		return errNoPeer
	case !r.serves():
		return errPreWit
	case m.flightOf(r, hash) != nil:
		return errAsked
	}
	m.ask(r, []*state.Header{h})
	return nil
}
