package sync

import (
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/holiman/uint256"

	"granary/p2p/message"
	"granary/p2p/peer"
	"granary/state"
)

// Bounds of asking for headers.
const (
	// headersAgain is after what time a peer that announced a block and has
	// not answered is asked again, later ever more rarely: btcd ignores
	// getheaders for as long as it thinks it is behind, and does not say so.
	headersAgain = 5 * time.Second
	// headersAnswer is how long an answer may take before the same peer is
	// asked again.
	headersAnswer = 2 * time.Minute
	// headersSyncTime, and headerTime for each header expected, is what the
	// first synchronisation may take where another peer could do it.
	headersSyncTime = 15 * time.Minute
	headerTime      = time.Millisecond
	// headersQueued messages of one peer wait while its headers are at the
	// engine.
	headersQueued = 2
	// nearWorkBlocks is how far below the tip a branch may end and still be
	// kept directly.
	nearWorkBlocks = 144
	// sideHeadersMax are headers off the best branch that are kept before only
	// better branches are.
	sideHeadersMax = 50_000
)

// locatorOf names h's branch for a peer: the last ten headers one by one, then
// ever larger steps down to genesis.
func locatorOf(h *state.Header) []chainhash.Hash {
	hashes := make([]chainhash.Hash, 0, 32)
	step := int32(1)
	for {
		hashes = append(hashes, h.Hash)
		if h.Height == 0 {
			return hashes
		}
		if len(hashes) >= 10 {
			step *= 2
		}
		h = h.Ancestor(max(h.Height-step, 0))
	}
}

// askHeaders sends a getheaders unless one is on its way, and reports whether
// it did.
func (m *Manager) askHeaders(r *remote, locator []chainhash.Hash) bool {
	now := m.Clock.Now()
	if !r.headers.asked.IsZero() && now.Sub(r.headers.asked) < headersAnswer {
		return false
	}
	r.headers.asked, r.headers.repeats = now, 0
	r.link.Send(&message.GetHeaders{Locator: message.Locator{Version: message.ProtocolVersion, Hashes: locator}})
	return true
}

// repeatHeaders asks a peer again that announced a block and owes its headers.
func (m *Manager) repeatHeaders(r *remote, now time.Time) {
	waited := now.Sub(r.headers.asked)
	if r.unknown == (chainhash.Hash{}) || r.headers.asked.IsZero() || waited >= headersAnswer ||
		waited < headersAgain<<r.headers.repeats {
		return
	}
	if m.resolve(r); r.unknown == (chainhash.Hash{}) {
		return
	}
	repeats := r.headers.repeats + 1
	r.headers.asked = time.Time{}
	m.askHeaders(r, locatorOf(m.Chain.BestHeader()))
	r.headers.repeats = repeats
}

// startHeaders asks a peer for its chain: one peer at first, every one once
// our headers are of today. The locator begins one header back, so that a peer
// with the same chain answers with something.
func (m *Manager) startHeaders(r *remote) {
	if r.headers.syncing || !m.worthAsking(r) {
		return
	}
	best := m.Chain.BestHeader()
	now := m.Clock.Now()
	if now.Sub(best.Raw.Timestamp) > 24*time.Hour && m.syncingPeers() > 0 {
		return
	}
	from := best
	if best.Parent != nil {
		from = best.Parent
	}
	if m.askHeaders(r, locatorOf(from)) {
		r.headers.syncing, r.headers.since = true, now
	}
}

// worthAsking reports whether a peer is one to learn the chain from: a
// preferred one, or any where there is none.
func (m *Manager) worthAsking(r *remote) bool {
	if !r.serves() {
		return false
	}
	return r.preferred() || !m.catching.Load() || !m.anyPreferred()
}

func (m *Manager) anyPreferred() bool {
	return slices.ContainsFunc(m.peers, (*remote).preferred)
}

func (m *Manager) syncingPeers() int {
	n := 0
	for _, r := range m.peers {
		if r.headers.syncing && !r.headers.told {
			n++
		}
	}
	return n
}

// sweepHeaders replaces the one peer that brings headers where it has fallen
// silent or takes too long and another could do it.
func (m *Manager) sweepHeaders(r *remote, now time.Time) {
	r.measure(now)
	if !r.headers.syncing || r.headers.told || now.Sub(m.Chain.BestHeader().Raw.Timestamp) <= 24*time.Hour {
		return
	}
	asked := r.headers.asked
	silent := !asked.IsZero() && now.Sub(asked) > headersAnswer && now.Sub(r.meter.at) > headersAnswer
	expected := now.Sub(m.Chain.BestHeader().Raw.Timestamp) / (time.Duration(m.Net.SpacingSeconds) * time.Second)
	late := now.Sub(r.headers.since) > headersSyncTime+expected*headerTime
	if !silent && !late || !m.otherSource(r) {
		return
	}
	r.headers.syncing, r.headers.asked, r.headers.low = false, time.Time{}, nil
	if r.facts.NoBan || r.facts.Kind == peer.Manual {
		m.passHeaders(r)
		return
	}
	r.link.Disconnect("it brings no headers while others could")
}

// otherSource reports whether some other peer could bring headers.
func (m *Manager) otherSource(r *remote) bool {
	for _, other := range m.peers {
		if other != r && m.worthAsking(other) {
			return true
		}
	}
	return false
}

// passHeaders lets another peer than r bring the headers.
func (m *Manager) passHeaders(r *remote) {
	for _, other := range m.peers {
		if other != r {
			m.startHeaders(other)
		}
	}
}

// onHeaders takes a headers message.
func (m *Manager) onHeaders(r *remote, headers []wire.BlockHeader) {
	r.headers.asked = time.Time{}
	if len(headers) > message.MaxHeaders {
		r.link.Misbehaved("headers message with too many headers")
		return
	}
	if r.headers.busy {
		if len(r.headers.queue) < headersQueued {
			r.headers.queue = append(r.headers.queue, headers)
		} else {
			r.headers.lost = true
		}
		return
	}
	m.takeHeaders(r, headers)
}

// takeHeaders looks at a run of headers and hands it to the engine.
func (m *Manager) takeHeaders(r *remote, headers []wire.BlockHeader) {
	if len(headers) == 0 {
		r.headers.low, r.headers.told = nil, true
		return
	}
	hashes, problem := m.checkRun(headers)
	if problem != "" {
		r.link.Misbehaved(problem)
		return
	}
	full := len(headers) == message.MaxHeaders
	if r.headers.low != nil {
		released := m.feedLow(r, headers, hashes, full)
		r.headers.told = r.headers.low == nil && r.headers.asked.IsZero()
		if len(released) > 0 {
			m.submitHeaders(r, released, false)
		}
		return
	}
	last := hashes[len(hashes)-1]
	parent := m.Chain.Header(headers[0].PrevBlock)
	if parent == nil {
		m.announced(r, last)
		m.askHeaders(r, locatorOf(m.Chain.BestHeader()))
		return
	}
	if m.tooLittleWork(r, parent, headers, last) {
		if full {
			m.beginLow(r, parent, headers, hashes)
		} else {
			r.headers.told = true
			m.Log.Debug("headers with too little work", "peer", r.id, "height", parent.Height+int32(len(headers)))
		}
		return
	}
	m.submitHeaders(r, headers, full)
}

// checkRun reports what is wrong with a run by itself: headers that do not
// follow each other, or without the work that they name.
func (m *Manager) checkRun(headers []wire.BlockHeader) (hashes []chainhash.Hash, problem string) {
	hashes = make([]chainhash.Hash, len(headers))
	for i := range headers {
		hashes[i] = headers[i].BlockHash()
		if i > 0 && headers[i].PrevBlock != hashes[i-1] {
			return nil, "headers that do not follow each other"
		}
		target, ok := state.TargetOf(headers[i].Bits)
		if !ok || target.Gt(&m.Net.PowLimit) || !state.HashMeets(&hashes[i], &target) {
			return nil, "header with invalid proof of work"
		}
	}
	return hashes, ""
}

// tooLittleWork reports whether a run that ends in last is not to be kept yet.
func (m *Manager) tooLittleWork(r *remote, parent *state.Header, headers []wire.BlockHeader, last chainhash.Hash) bool {
	if r.facts.NoBan {
		return false
	}
	if h := m.Chain.Header(last); h != nil && (m.Chain.BestHeader().Descends(h) || m.Chain.Tip().Descends(h)) {
		return false
	}
	work := parent.Work
	for i := range headers {
		one := state.WorkOf(headers[i].Bits)
		work.Add(&work, &one)
	}
	need := m.workNeeded(r)
	return work.Lt(&need)
}

// workNeeded is what a branch of r's must have for its headers to be kept; see
// the package's doc.
func (m *Manager) workNeeded(r *remote) uint256.Int {
	tip, best := m.Chain.Tip(), m.Chain.BestHeader()
	slack := state.WorkOf(tip.Raw.Bits)
	slack.Mul(&slack, uint256.NewInt(nearWorkBlocks))
	var need uint256.Int
	if tip.Work.Gt(&slack) {
		need.Sub(&tip.Work, &slack)
	}
	if m.MinimumWork.Gt(&need) {
		need = m.MinimumWork
	}
	if side := m.addedHeaders - int64(best.Height-m.firstBest); side > sideHeadersMax {
		least := &best.Work
		if r.preferred() || !m.anyPreferred() {
			least = &tip.Work // best may be forged
		}
		if least.Gt(&need) {
			need = *least
		}
	}
	return need
}

// submitHeaders hands a run to the engine.
func (m *Manager) submitHeaders(r *remote, headers []wire.BlockHeader, more bool) {
	r.headers.busy = true
	release := r.hold()
	m.Intake.SubmitHeaders(headers, func(last *state.Header, added int, err error) {
		m.Post(func() {
			defer release()
			m.addedHeaders += int64(added)
			if r.gone {
				return
			}
			r.headers.busy = false
			m.headersTaken(r, headers, last, added, err, more)
			m.nextHeaders(r)
		})
	})
}

// nextHeaders takes what waited meanwhile.
func (m *Manager) nextHeaders(r *remote) {
	for len(r.headers.queue) > 0 && !r.headers.busy && !r.gone {
		next := r.headers.queue[0]
		r.headers.queue = r.headers.queue[1:]
		m.takeHeaders(r, next)
	}
	if r.headers.lost && !r.headers.busy {
		r.headers.lost = false
		m.askHeaders(r, locatorOf(m.Chain.BestHeader()))
	}
}

// headersTaken goes on when the engine has looked at a run. more says that the
// peer may have some that follow.
func (m *Manager) headersTaken(r *remote, headers []wire.BlockHeader, last *state.Header, added int, err error, more bool) {
	if last != nil {
		r.knows(last)
		if added > 0 {
			r.lastAnnounce = m.Clock.Now()
		}
	}
	if err != nil {
		m.punish(r, err, false)
		return
	}
	if low := r.headers.low; low != nil {
		return // it goes on by itself
	}
	if more {
		m.askHeaders(r, locatorOf(last))
	} else {
		r.headers.told = true
		if m.uselessLink(r) {
			r.link.Disconnect("its chain has too little work")
			return
		}
	}
	if !r.saidHeaders && r.known != nil && !r.known.Work.Lt(&m.MinimumWork) {
		r.saidHeaders = true
		r.link.Send(&message.SendHeaders{})
	}
	m.directFetch(r, last)
	m.schedule(r)
}

// uselessLink: while we catch up, a link of our own to a peer whose whole
// chain has less than the minimum work is a wasted one.
func (m *Manager) uselessLink(r *remote) bool {
	own := r.facts.Kind == peer.OutboundFull || r.facts.Kind == peer.BlockRelay
	return own && !r.facts.NoBan && m.catching.Load() && r.known != nil && r.known.Work.Lt(&m.MinimumWork)
}

// onInv takes the blocks of an inv and reports whether there was nothing else.
func (m *Manager) onInv(r *remote, items []message.Item) bool {
	whole := true
	var last chainhash.Hash
	for i := range items {
		if items[i].Type&^message.ItemWitnessFlag != message.ItemBlock {
			whole = false
			continue
		}
		m.announced(r, items[i].Hash)
		if m.Chain.Header(items[i].Hash) == nil {
			last = items[i].Hash
		}
	}
	if last == (chainhash.Hash{}) {
		if r.known != nil && r.serves() {
			m.directFetch(r, r.known)
		}
		return whole
	}
	// While the first headers come from one peer, each block that is announced
	// lets one more peer tell of its chain: the first may be lying.
	if !r.headers.syncing {
		old := m.Clock.Now().Sub(m.Chain.BestHeader().Raw.Timestamp) > 24*time.Hour
		if old && m.syncingPeers() > 0 && last == m.invAsked {
			return whole
		}
		m.invAsked = last
	}
	m.askHeaders(r, locatorOf(m.Chain.BestHeader()))
	return whole
}
