package sync

import (
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/p2p/message"
	"granary/params"
	"granary/state"
)

// Bounds of fetching blocks.
const (
	// windowBlocks above the last block of a peer's chain that is ours are
	// asked for.
	windowBlocks = 1024
	// flightsMax blocks may be asked of one peer, flightsAtFirst before it has
	// shown how fast it is.
	flightsMax, flightsAtFirst = 16, 16
	// roadsMax peers may be asked for the same block, the last of them one that
	// we chose ourselves.
	roadsMax = 3
	// directMax blocks are fetched at once when they are announced.
	directMax = 16
	// firstAverageBytes is what a block is taken to weigh before one has come.
	firstAverageBytes = 256 << 10
)

// flight is a block asked of a peer.
type flight struct {
	r      *remote
	hash   chainhash.Hash
	header *state.Header
	since  time.Time // when it became the first that the peer owes, at the earliest when it was asked
	// partial is the block as far as a compact block told; nil for one that
	// was asked for whole, or whose missing transactions have come.
	partial *partial
}

// flightOf finds what r owes of a block.
func (m *Manager) flightOf(r *remote, hash chainhash.Hash) *flight {
	for _, f := range m.flights[hash] {
		if f.r == r {
			return f
		}
	}
	return nil
}

// launch notes that r was asked for a block.
func (m *Manager) launch(r *remote, h *state.Header) *flight {
	f := &flight{r: r, hash: h.Hash, header: h, since: m.Clock.Now()}
	if len(r.flights) == 0 {
		r.owing = f.since
	}
	m.flights[h.Hash] = append(m.flights[h.Hash], f)
	r.flights = append(r.flights, f)
	m.flightCount++
	return f
}

// cancel forgets a flight: its block has come from its peer, or need not come
// from it any more.
func (m *Manager) cancel(f *flight) {
	list := m.flights[f.hash]
	at := slices.Index(list, f)
	if at < 0 {
		return
	}
	if list = slices.Delete(list, at, at+1); len(list) == 0 {
		delete(m.flights, f.hash)
	} else {
		m.flights[f.hash] = list
	}
	first := f.r.flights[0] == f
	at = slices.Index(f.r.flights, f)
	f.r.flights = slices.Delete(f.r.flights, at, at+1)
	if first && len(f.r.flights) > 0 {
		f.r.flights[0].since = m.Clock.Now()
	}
	m.flightCount--
}

// overtaken ends the flights of a block that has come: who had its time for it
// and let others bring it is in our debt.
func (m *Manager) overtaken(hash chainhash.Hash) {
	now := m.Clock.Now()
	for _, f := range m.flights[hash] {
		if f.r.flights[0] == f && now.Sub(f.since) >= quietMax {
			f.r.debt++
		}
	}
	m.cancelAll(hash)
}

// cancelAll forgets all flights of a block.
func (m *Manager) cancelAll(hash chainhash.Hash) {
	for len(m.flights[hash]) > 0 {
		m.cancel(m.flights[hash][0])
	}
}

// ask requests whole blocks of r with one message.
func (m *Manager) ask(r *remote, headers []*state.Header) {
	if len(headers) == 0 {
		return
	}
	items := make([]message.Item, len(headers))
	for i, h := range headers {
		if m.flightOf(r, h.Hash) == nil {
			m.launch(r, h)
		}
		items[i] = message.Item{Type: message.ItemWitnessBlock, Hash: h.Hash}
	}
	r.link.Send(&message.GetData{Items: items})
}

// fork is the last block of r's chain that is in ours. r.known is not nil.
func (m *Manager) fork(r *remote) *state.Header {
	return state.ForkPoint(m.Chain.Tip(), r.known)
}

// schedule asks r for as many blocks as it has room for. To send few messages
// it waits until half its room is free.
func (m *Manager) schedule(r *remote) {
	if r.gone || !m.worthAsking(r) || r.debt >= debtKnown && m.othersPay(r) {
		return
	}
	room := r.limit - len(r.flights)
	if room <= 0 || 2*room < r.limit {
		return
	}
	if fit := m.budget(); room > fit {
		m.starved = true
		room = fit
	}
	m.ask(r, m.wanted(r, room))
}

// othersPay reports whether a peer that lets nobody wait has what r has.
func (m *Manager) othersPay(r *remote) bool {
	for _, other := range m.peers {
		if other != r && other.debt == 0 && m.worthAsking(other) &&
			other.known != nil && r.known != nil && !other.known.Work.Lt(&r.known.Work) {
			return true
		}
	}
	return false
}

// scheduleAll gives everybody work who has room.
func (m *Manager) scheduleAll() {
	m.starved, m.unsaid = false, 0
	for _, r := range m.peers {
		m.schedule(r)
	}
}

// budget is the number of blocks that may be asked for now: as many as fit
// into the budget of bytes, one where nothing is under way.
func (m *Manager) budget() int {
	average := max(m.intake.averageBytes, 1)
	if m.intake.averageBytes == 0 {
		average = firstAverageBytes
	}
	left := m.BudgetBytes - m.intake.bytes - int64(m.flightCount)*average
	if left < average && m.flightCount == 0 && len(m.pending) == 0 {
		return 1
	}
	return int(max(left, 0) / average)
}

// wanted lists up to n blocks of r's best chain, lowest first, that are
// neither here nor on their way.
func (m *Manager) wanted(r *remote, n int) []*state.Header {
	m.resolve(r)
	if n <= 0 || r.known == nil || r.known.Work.Lt(&m.Chain.Tip().Work) || r.known.Work.Lt(&m.MinimumWork) {
		return nil
	}
	fork := m.fork(r)
	from := fork
	if f := m.frontier; f != nil && f.Height > from.Height && r.known.Descends(f) {
		from = f
	}
	end := min(r.known.Height, fork.Height+windowBlocks)
	var list []*state.Header
	for low := from.Height + 1; low <= end && len(list) < n; low += stretchBlocks {
		stretch := ancestors(r.known, low, min(low+stretchBlocks-1, end))
		for _, h := range stretch {
			there, coming := m.here(h)
			switch {
			case there:
				if m.frontier == nil && h.Parent == from || m.frontier == h.Parent || from == h.Parent {
					m.frontier, from = h, h
				}
				continue
			case coming:
				continue
			case m.Chain.Status(h).Failed():
				return list
			case r.limited() && r.known.Height-h.Height > params.MinBlocksToKeep-2:
				continue
			}
			if list = append(list, h); len(list) == n {
				return list
			}
		}
	}
	m.starved = m.starved || len(list) < n && end < r.known.Height
	return list
}

// stretchBlocks are looked at together.
const stretchBlocks = 128

// ancestors gives h's branch from height low to high.
func ancestors(h *state.Header, low, high int32) []*state.Header {
	if high < low {
		return nil
	}
	list := make([]*state.Header, high-low+1)
	walk := h.Ancestor(high)
	for i := len(list) - 1; i >= 0; i-- {
		list[i] = walk
		walk = walk.Parent
	}
	return list
}

// here reports whether a block is in the files or at the engine, and whether
// somebody was asked for it.
func (m *Manager) here(h *state.Header) (there, coming bool) {
	if m.pending[h.Hash] > 0 {
		return true, false
	}
	if len(m.flights[h.Hash]) > 0 {
		return false, true
	}
	return m.have(h), false
}

// have reports whether a block is, or was before it was pruned, in the files.
func (m *Manager) have(h *state.Header) bool {
	s := m.Chain.Status(h)
	return s.Have() || s.TxCount > 0 && s.Active || h.Parent == nil
}

// directFetch asks for the last blocks up to last at once where we are near
// the tip and they lead to more work.
func (m *Manager) directFetch(r *remote, last *state.Header) {
	tip := m.Chain.Tip()
	if !m.near() || !r.serves() || last.Work.Lt(&tip.Work) || m.Chain.Status(last).Failed() {
		return
	}
	var list []*state.Header
	walk := last
	for ; !tip.Descends(walk) && len(list) <= directMax; walk = walk.Parent {
		if there, coming := m.here(walk); !there && !coming {
			list = append(list, walk)
		}
	}
	if !tip.Descends(walk) || len(list) == 0 {
		return // a long way, or nothing to do
	}
	slices.Reverse(list)
	room := flightsMax - len(r.flights)
	if len(list) > room {
		list = list[:max(room, 0)]
	}
	if len(list) == 1 && m.flightCount == 0 && r.compact && m.Txs != nil && m.linkedBelow(list[0]) {
		m.launch(r, list[0])
		r.link.Send(&message.GetData{Items: []message.Item{{Type: message.ItemCompactBlock, Hash: list[0].Hash}}})
		return
	}
	m.ask(r, list)
}

// linkedBelow reports whether all blocks below h are here.
func (m *Manager) linkedBelow(h *state.Header) bool {
	s := m.Chain.Status(h.Parent)
	return s.Linked && !s.Failed()
}

// onNotFound takes the blocks of a notfound: they are asked of others. It
// reports whether there was nothing else.
func (m *Manager) onNotFound(r *remote, items []message.Item) bool {
	whole := true
	for i := range items {
		if !isBlock(items[i].Type) {
			whole = false
			continue
		}
		if f := m.flightOf(r, items[i].Hash); f != nil {
			m.cancel(f)
			r.debt++
			m.rescue(f.header, r)
		}
	}
	return whole
}

// isBlock reports whether an item asks for a block in whatever form.
func isBlock(t message.ItemType) bool {
	t &^= message.ItemWitnessFlag
	return t == message.ItemBlock || t == message.ItemCompactBlock
}
