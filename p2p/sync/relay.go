package sync

import (
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/p2p/message"
	"granary/state"
)

// Bounds of BIP152.
const (
	// compactDepth below the tip, blocks are served compact; blockTxnDepth
	// below it, single transactions of them are.
	compactDepth, blockTxnDepth = 5, 10
	// compactAhead above the tip, a compact block is worth rebuilding.
	compactAhead = 2
	// highMax peers are asked for compact blocks at once, one of them one that
	// we chose.
	highMax = 3
	// rebuildsMax compact blocks of one peer are held against the mempool for
	// each tip, and strangersMax of all peers that came to us unasked: that
	// takes up to a second for a large one, and the message is short.
	rebuildsMax, strangersMax = 4, 16
)

// receiveCompact takes the messages of BIP152 but for requests.
func (m *Manager) receiveCompact(r *remote, msg message.Message) bool {
	switch msg := msg.(type) {
	case *message.SendCmpct:
		if msg.Version == compactBlocks {
			r.compact, r.compactHigh = true, msg.HighBandwidth
		}
	case *message.CmpctBlock:
		m.onCompact(r, msg)
	case *message.BlockTxn:
		m.onBlockTxn(r, msg)
	default:
		return false
	}
	return true
}

// onCompact looks at a compact block's header first.
func (m *Manager) onCompact(r *remote, msg *message.CmpctBlock) {
	hash := msg.Header.BlockHash()
	if h := m.Chain.Header(hash); h != nil && !m.Chain.Status(h).Failed() {
		r.knows(h)
		m.rebuild(r, h, msg)
		return
	}
	parent := m.Chain.Header(msg.Header.PrevBlock)
	if parent == nil {
		if !m.catching.Load() {
			m.askHeaders(r, locatorOf(m.Chain.BestHeader()))
		}
		m.announced(r, hash)
		return
	}
	if m.tooLittleWork(r, parent, []wire.BlockHeader{msg.Header}, hash) {
		return
	}
	if r.headers.busy { // its last headers are still being looked at
		r.headers.lost = true
		return
	}
	r.headers.busy = true
	release := r.hold()
	m.Intake.SubmitHeaders([]wire.BlockHeader{msg.Header}, func(h *state.Header, added int, err error) {
		m.Post(func() {
			defer release()
			m.addedHeaders += int64(added)
			if r.gone {
				return
			}
			r.headers.busy = false
			m.compactHeader(r, h, added, err, msg)
			m.nextHeaders(r)
		})
	})
}

// compactHeader goes on when the engine has looked at the header.
func (m *Manager) compactHeader(r *remote, h *state.Header, added int, err error, msg *message.CmpctBlock) {
	if err != nil {
		code := check.CodeOf(err)
		m.punish(r, err, code == "duplicate-invalid" || code == "bad-prevblk")
		return
	}
	if h == nil {
		return
	}
	r.knows(h)
	if added > 0 {
		r.lastAnnounce = m.Clock.Now()
	}
	m.rebuild(r, h, msg)
}

// rebuild makes the block of h from a compact one, as far as that can be done,
// and asks for the rest.
func (m *Manager) rebuild(r *remote, h *state.Header, msg *message.CmpctBlock) {
	own := m.flightOf(r, h.Hash)
	if there, _ := m.here(h); there {
		return
	}
	tip := m.Chain.Tip()
	if !h.Work.Gt(&tip.Work) || m.Txs == nil {
		if own != nil || m.Txs == nil {
			m.askAgain(r, h)
		}
		return
	}
	first := m.firstOf(h.Hash)
	switch {
	case first == nil && !m.near():
		return
	case h.Height > tip.Height+compactAhead || !m.linkedBelow(h):
		if own != nil {
			m.askAgain(r, h)
		} else {
			m.directFetch(r, h)
		}
		return
	case own != nil && own.partial != nil:
		return // it sends what it has sent
	case !m.mayRebuild(r):
		if own != nil {
			m.askAgain(r, h)
		} else {
			m.directFetch(r, h)
		}
		return
	}
	p, result := newPartial(msg, m.Txs, m.extra())
	if own == nil && !m.roadFree(r, h.Hash) {
		if result == whole && p.missing == 0 {
			m.submitRebuilt(r, h, p) // worth a try, and nobody is asked
		}
		return
	}
	m.fetchMissing(r, h, p, result)
}

// mayRebuild counts a look through the mempool for r, and reports whether it
// may have it.
func (m *Manager) mayRebuild(r *remote) bool {
	stranger := !r.facts.Outbound() && !r.highAsked
	if r.rebuilds >= rebuildsMax || stranger && m.strangers >= strangersMax {
		return false
	}
	r.rebuilds++
	if stranger {
		m.strangers++
	}
	return true
}

// askAgain asks r for the whole block after a compact one that is of no use.
func (m *Manager) askAgain(r *remote, h *state.Header) {
	if f := m.flightOf(r, h.Hash); f != nil {
		f.partial = nil
	} else if len(m.flights[h.Hash]) > 0 || len(r.flights) >= flightsMax || !m.near() {
		return
	}
	m.ask(r, []*state.Header{h})
}

// roadFree reports whether one more peer may be asked for a block: up to three,
// of which one must be a peer that we chose.
func (m *Manager) roadFree(r *remote, hash chainhash.Hash) bool {
	list := m.flights[hash]
	if len(r.flights) >= flightsMax || len(list) >= roadsMax {
		return false
	}
	if len(list) < roadsMax-1 || r.facts.Outbound() {
		return true
	}
	for _, f := range list {
		if f.r.facts.Outbound() {
			return true
		}
	}
	return false
}

// fetchMissing asks r for what a compact block left open.
func (m *Manager) fetchMissing(r *remote, h *state.Header, p *partial, result outcome) {
	first := m.firstOf(h.Hash)
	alone := first == nil || first.r == r
	f := m.flightOf(r, h.Hash)
	switch {
	case result == broken:
		if f != nil {
			m.cancel(f)
		}
		r.link.Misbehaved("invalid compact block")
		m.rescue(h, r)
	case result == doubted:
		if alone {
			m.askAgain(r, h)
		} else if f != nil {
			m.cancel(f)
		}
	case p.missing == 0:
		if f != nil {
			m.paid(r, f)
			m.cancel(f)
		}
		m.submitRebuilt(r, h, p)
	case alone || r.highAsked:
		if f == nil {
			f = m.launch(r, h)
		}
		f.partial = p
		r.link.Send(&message.GetBlockTxn{Block: h.Hash, Indexes: p.open()})
	case f != nil:
		m.cancel(f)
	}
}

// onBlockTxn takes the transactions that a compact block left open. They are
// taken once: a second answer finds nothing that waits for it.
func (m *Manager) onBlockTxn(r *remote, msg *message.BlockTxn) {
	f := m.flightOf(r, msg.Block)
	if f == nil || f.partial == nil {
		return
	}
	p := f.partial
	f.partial = nil
	if !p.fill(msg.Txs) {
		m.cancel(f)
		r.link.Misbehaved("invalid compact block or other transactions than were asked for")
		m.rescue(f.header, r)
		return
	}
	m.paid(r, f)
	m.cancel(f)
	m.submitRebuilt(r, f.header, p)
}

// submitRebuilt hands a rebuilt block to the engine. Where its parts do not
// fit together a short id has met another transaction than was meant, and the
// whole block is fetched.
func (m *Manager) submitRebuilt(r *remote, h *state.Header, p *partial) {
	b, err := p.block()
	if err != nil {
		m.ask(r, []*state.Header{h})
		return
	}
	m.submit(r, b, true, true)
}

// wantCompactAtOnce asks a peer that has just given us a new block to announce
// its next ones compact and at once. The oldest of three such peers goes, but
// not the last that we chose ourselves.
func (m *Manager) wantCompactAtOnce(r *remote) {
	if !r.compact || m.Txs == nil || !r.serves() {
		return
	}
	if r.highAsked { // the best again: to the end
		m.high = append(without(m.high, r), r)
		return
	}
	if len(m.high) >= highMax {
		out := 0
		for _, other := range m.high {
			if other.facts.Outbound() {
				out++
			}
		}
		leaves := m.high[0]
		if leaves.facts.Outbound() && out == 1 && !r.facts.Outbound() {
			leaves = m.high[1]
		}
		leaves.highAsked = false
		leaves.link.Send(&message.SendCmpct{Version: compactBlocks})
		m.high = without(m.high, leaves)
	}
	r.highAsked = true
	r.link.Send(&message.SendCmpct{HighBandwidth: true, Version: compactBlocks})
	m.high = append(m.high, r)
}

// serveTxs answers a getblocktxn, or with the whole block where that lies deep.
func (m *Manager) serveTxs(r *remote, q *message.GetBlockTxn) {
	h := m.Chain.Header(q.Block)
	if h == nil || !m.Chain.Status(h).Have() || !m.mayServe(h) {
		return
	}
	if h.Height < m.Chain.Tip().Height-blockTxnDepth {
		m.serveBlock(r, message.Item{Type: message.ItemWitnessBlock, Hash: q.Block})
		return
	}
	kept := m.decoded(h)
	if kept == nil {
		return
	}
	b := kept.block
	answer := &message.BlockTxn{Block: q.Block, Txs: make([]*state.Tx, len(q.Indexes))}
	for i, index := range q.Indexes {
		if int64(index) >= int64(len(b.Txids)) {
			r.link.Misbehaved("getblocktxn with an index that the block does not have")
			return
		}
		answer.Txs[i] = b.Tx(int(index))
	}
	r.link.Send(answer)
}
