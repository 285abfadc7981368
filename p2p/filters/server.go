// Package filters serves compact block filters to light wallets (BIP157,
// --peerblockfilters).
//
// On the way of a block it stands at its end: index/filter has made the filter
// of each block and chained their hashes; a light wallet asks here for the
// chain of hashes (getcfcheckpt, getcfheaders), then for filters (getcfilters),
// and fetches from anybody the blocks in which it finds itself. What it asks
// tells nothing about its addresses.
//
// A Server is one Handler of the peers' loop. It answers in order and at the
// pace at which the peer reads: a thousand filters are queued a few at a time.
// A request for what BIP157 forbids, for a branch that nobody should ask for,
// or for more than a peer waits for, ends the link, as Bitcoin Core does.
package filters

import (
	"cmp"
	"log/slog"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/index/filter"
	"granary/p2p/message"
	"granary/p2p/peer"
	"granary/state"
)

// Bounds of BIP157.
const (
	maxFilters      = 1_000
	maxHeaders      = 2_000
	checkpointEvery = 1_000
)

const (
	// maxPending bounds a peer's requests that are not answered yet.
	maxPending = 64
	// maxStaleAge is for how long a branch that was left is served, by its
	// distance in time from the tip: older ones would tell nodes apart.
	maxStaleAge = 30 * 24 * time.Hour
	// sliceFilters are read from the disk for one peer in one tick.
	sliceFilters = 100
)

// Chain is what the server needs of the engine.
type Chain interface {
	Tip() *state.Header
	Header(hash chainhash.Hash) *state.Header
}

// Index is what it needs of the filter index.
type Index interface {
	// Filter gives a block's filter, nil if there is none.
	Filter(h *state.Header) ([]byte, error)
	// Head gives what a block's filter is known by.
	Head(h *state.Header) (filter.Head, bool, error)
	// Heads gives the heads of stop's branch from start on, nil if one lacks.
	Heads(start int32, stop *state.Header) ([]filter.Head, error)
}

var _ Index = (*filter.Index)(nil)

// Options are the parts that a Server is made of.
type Options struct {
	Chain Chain
	// Index is nil where filters are not served: who asks is disconnected.
	Index Index
	// Log gets what went wrong with the index, rarely; nil drops it.
	Log *slog.Logger
}

// Server answers requests for filters. Its methods are called on the goroutine
// of the peers' loop only.
type Server struct {
	Options
	peers   []*asker // by id
	checks  []check  // of the active chain, by height / checkpointEvery - 1
	nextLog time.Time
	now     time.Time
}

var _ peer.Handler = (*Server)(nil)

// check is a checkpoint that was read once.
type check struct {
	at     *state.Header
	header chainhash.Hash
}

// asker is a peer with its unanswered requests.
type asker struct {
	peer.Peer
	pending []request
}

// request is one message, or what is left of it.
type request struct {
	command     string
	start, stop *state.Header // start climbs with every filter sent
}

// New makes a Server.
func New(o Options) *Server {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Server{Options: o}
}

// Connected implements peer.Handler.
func (s *Server) Connected(p peer.Peer) {
	if at, found := s.search(p.ID()); !found {
		s.peers = slices.Insert(s.peers, at, &asker{Peer: p})
	}
}

// Disconnected implements peer.Handler.
func (s *Server) Disconnected(p peer.Peer) {
	if at, found := s.search(p.ID()); found {
		s.peers = slices.Delete(s.peers, at, at+1)
	}
}

func (s *Server) search(id uint64) (int, bool) {
	return slices.BinarySearchFunc(s.peers, id, func(a *asker, id uint64) int { return cmp.Compare(a.ID(), id) })
}

// Receive implements peer.Handler.
func (s *Server) Receive(p peer.Peer, m message.Message) bool {
	at, found := s.search(p.ID())
	if !found {
		return false
	}
	a := s.peers[at]
	switch m := m.(type) {
	case *message.GetCFilters:
		s.take(a, m.Command(), m.Type, m.Start, m.Stop, maxFilters)
	case *message.GetCFHeaders:
		s.take(a, m.Command(), m.Type, m.Start, m.Stop, maxHeaders)
	case *message.GetCFCheckpt:
		s.take(a, m.Command(), m.Type, 0, m.Stop, 0)
	default:
		return false
	}
	return true
}

// Tick implements peer.Handler.
func (s *Server) Tick(now time.Time) {
	s.now = now
	for _, a := range s.peers {
		s.answer(a)
	}
}

// take checks a request and puts it behind the earlier ones; most is the most
// blocks that it may be about, zero for any.
func (s *Server) take(a *asker, command string, kind uint8, start uint32, stopHash chainhash.Hash, most int64) {
	if s.Index == nil || kind != message.BasicFilter {
		a.Disconnect(command + ": filters of this type are not served here")
		return
	}
	stop := s.Chain.Header(stopHash)
	if stop == nil || !s.mayKnow(stop) {
		a.Disconnect(command + ": unknown block")
		return
	}
	if int64(start) > int64(stop.Height) {
		a.Disconnect(command + ": begins above its end")
		return
	}
	if most > 0 && int64(stop.Height)-int64(start) >= most {
		a.Disconnect(command + ": too many blocks")
		return
	}
	if len(a.pending) == maxPending {
		a.Disconnect(command + ": asks for more than it reads")
		return
	}
	a.pending = append(a.pending, request{command, stop.Ancestor(int32(start)), stop})
}

// mayKnow reports whether a block is in the active chain, or near enough to
// its tip in time.
func (s *Server) mayKnow(h *state.Header) bool {
	tip := s.Chain.Tip()
	return tip.Descends(h) || tip.Raw.Timestamp.Sub(h.Raw.Timestamp) < maxStaleAge
}

// answer sends what a peer takes now, in the order of its requests.
func (s *Server) answer(a *asker) {
	budget := sliceFilters
	for len(a.pending) > 0 && budget > 0 && a.SendBacklogBytes() < peer.PaceBytes {
		r := &a.pending[0]
		var done bool
		var err error
		switch r.command {
		case (*message.GetCFilters)(nil).Command():
			done, err = s.sendFilter(a, r)
			budget--
		case (*message.GetCFHeaders)(nil).Command():
			done, err = true, s.sendHeaders(a, r)
			budget -= sliceFilters / 4
		default:
			done, err = true, s.sendCheckpoints(a, r)
			budget -= sliceFilters / 4
		}
		if err != nil {
			s.failed(err)
		}
		if done || err != nil {
			a.pending = slices.Delete(a.pending, 0, 1)
		}
	}
	if len(a.pending) == 0 {
		a.pending = nil
	}
}

// failed tells of an index that cannot be read, at most once a minute.
func (s *Server) failed(err error) {
	if !s.now.Before(s.nextLog) {
		s.nextLog = s.now.Add(time.Minute)
		s.Log.Error("block filters could not be served", "error", err)
	}
}

// sendFilter sends one filter and reports whether it was the last. What the
// index does not have yet is not answered: the peer asks elsewhere.
func (s *Server) sendFilter(a *asker, r *request) (last bool, err error) {
	raw, err := s.Index.Filter(r.start)
	if err != nil || raw == nil {
		return true, err
	}
	a.Send(&message.CFilter{Type: message.BasicFilter, Block: r.start.Hash, Filter: raw})
	if r.start == r.stop {
		return true, nil
	}
	r.start = r.stop.Ancestor(r.start.Height + 1)
	return false, nil
}

func (s *Server) sendHeaders(a *asker, r *request) error {
	heads, err := s.Index.Heads(r.start.Height, r.stop)
	if err != nil || heads == nil {
		return err
	}
	m := &message.CFHeaders{Type: message.BasicFilter, Stop: r.stop.Hash, Filters: make([]chainhash.Hash, len(heads))}
	for i := range heads {
		m.Filters[i] = heads[i].Filter
	}
	if r.start.Parent != nil {
		previous, found, err := s.Index.Head(r.start.Parent)
		if err != nil || !found {
			return err
		}
		m.Previous = previous.Header
	}
	a.Send(m)
	return nil
}

func (s *Server) sendCheckpoints(a *asker, r *request) error {
	m := &message.CFCheckpt{Type: message.BasicFilter, Stop: r.stop.Hash, Headers: make([]chainhash.Hash, r.stop.Height/checkpointEvery)}
	for i := range m.Headers {
		header, found, err := s.checkpoint(i, r.stop.Ancestor(int32(i+1)*checkpointEvery))
		if err != nil || !found {
			return err
		}
		m.Headers[i] = header
	}
	a.Send(m)
	return nil
}

// checkpoint gives the filter header of the i-th checkpoint, which is at h. It
// remembers one for each height.
func (s *Server) checkpoint(i int, h *state.Header) (chainhash.Hash, bool, error) {
	if i < len(s.checks) && s.checks[i].at == h {
		return s.checks[i].header, true, nil
	}
	head, found, err := s.Index.Head(h)
	if err != nil || !found {
		return chainhash.Hash{}, false, err
	}
	switch {
	case i == len(s.checks):
		s.checks = append(s.checks, check{h, head.Header})
	case i < len(s.checks):
		s.checks[i] = check{h, head.Header}
	}
	return head.Header, true, nil
}
