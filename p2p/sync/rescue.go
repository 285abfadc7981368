package sync

import (
	"slices"
	"time"

	"granary/p2p/peer"
	"granary/params"
	"granary/state"
)

// Patience with a peer that owes a block.
const (
	// quietMax without a byte, or slowMax in all, and the block is asked of
	// another peer too.
	quietMax = 2 * time.Second
	slowMax  = 30 * time.Second
	// releaseAfter without a byte what else it owes is given to others.
	releaseAfter = 10 * time.Second
	// silentMax without a byte ends a link where others could bring the block,
	// deadMax in any case.
	silentMax = 2 * time.Minute
	deadMax   = 10 * time.Minute
	// debtKnown blocks in a row that others had to bring, and it is asked only
	// for what nobody else has.
	debtKnown = 3
	// debtMax blocks in a row that others had to bring end an outbound link:
	// there are better ones to be had.
	debtMax = 16
)

// sweepBlocks looks at what r owes: the first of its flights is what its next
// bytes are for.
func (m *Manager) sweepBlocks(r *remote, now time.Time) {
	r.measure(now)
	if r.gone || len(r.flights) == 0 {
		return
	}
	front := r.flights[0]
	quiet := now.Sub(later(r.owing, r.meter.at))
	age := now.Sub(front.since)
	if quiet >= quietMax || age >= slowMax {
		m.rescue(front.header, r)
	}
	if age >= slowMax || quiet >= releaseAfter {
		r.limit = 1
		m.release(r)
	}
	switch {
	case r.facts.NoBan:
	case quiet >= deadMax, quiet >= silentMax && m.otherRoad(r, front.header) != nil:
		r.link.Disconnect("it owes a block and sends nothing")
	case r.debt >= debtMax && (r.facts.Kind == peer.OutboundFull || r.facts.Kind == peer.BlockRelay):
		r.link.Disconnect("others bring the blocks that it owes")
	}
}

// release lets others bring what r owes beyond its first, where they can.
func (m *Manager) release(r *remote) {
	for i, f := range slices.Clone(r.flights) {
		if i == 0 {
			continue
		}
		if len(m.flights[f.hash]) > 1 || m.otherRoad(r, f.header) != nil {
			m.cancel(f)
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// rescue asks another peer than r for a block too, where one can bring it. When
// all roads are taken the oldest is given up.
func (m *Manager) rescue(h *state.Header, r *remote) {
	if h == nil || m.pending[h.Hash] > 0 {
		return
	}
	roads := m.flights[h.Hash]
	for _, f := range roads {
		if f.r != r && m.Clock.Now().Sub(f.since) < quietMax {
			return // another has only just been asked
		}
	}
	other := m.otherRoad(r, h)
	if other == nil {
		return
	}
	if len(roads) >= roadsMax {
		roads[0].r.debt++
		m.cancel(roads[0])
	}
	m.ask(other, []*state.Header{h})
}

// otherRoad finds the best peer but r that has h and was not asked for it: one
// that has left nothing to others, of those one that we chose, of those the one
// with the fewest flights.
func (m *Manager) otherRoad(r *remote, h *state.Header) *remote {
	var best *remote
	for _, other := range m.peers {
		if other == r || other.known == nil || !other.known.Descends(h) || !other.serves() ||
			m.flightOf(other, h.Hash) != nil || len(other.flights) > flightsMax ||
			other.limited() && other.known.Height-h.Height > params.MinBlocksToKeep-2 {
			continue
		}
		if best == nil || rescueOrder(other, best) {
			best = other
		}
	}
	return best
}

// rescueOrder reports whether a is asked before b.
func rescueOrder(a, b *remote) bool {
	if (a.debt == 0) != (b.debt == 0) {
		return a.debt == 0
	}
	if a.preferred() != b.preferred() {
		return a.preferred()
	}
	return len(a.flights) < len(b.flights)
}

// paid notes that r has brought a block that it owed, and lets it have more or
// fewer at a time.
func (m *Manager) paid(r *remote, f *flight) {
	r.debt, r.owing = 0, m.Clock.Now()
	switch took := m.Clock.Now().Sub(f.since); {
	case took > slowMax:
		r.limit = 1
	case took > slowMax/4:
		r.limit = max(r.limit/2, 1)
	case r.limit < flightsMax:
		r.limit++
	}
}
