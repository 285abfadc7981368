package sync

import (
	"slices"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/chain"
	"granary/p2p/message"
	"granary/state"
)

// announceMax blocks are announced by their headers; of more, the last by an
// inv.
const announceMax = 8

// follower hears of the chain's steps on the engine's goroutine and passes them
// on without waiting.
type follower struct{ m *Manager }

// Follower is to be put into the chain's list of followers, after those that
// keep what peers may ask for next (the mempool).
func (m *Manager) Follower() chain.Follower { return &m.following }

// Connect implements chain.Follower.
func (f *follower) Connect(ev *chain.Event) error {
	h, b := ev.Header, ev.Block
	if f.m.catching.Load() {
		b = nil // it would wait in memory for nothing
	}
	f.m.told.Add(1)
	f.m.Post(func() { f.m.stepped(h, b) })
	return nil
}

// Disconnect implements chain.Follower.
func (f *follower) Disconnect(ev *chain.Event) error {
	parent := ev.Header.Parent
	f.m.told.Add(1)
	f.m.Post(func() { f.m.stepped(parent, nil) })
	return nil
}

// Prune implements chain.Follower.
func (f *follower) Prune(int32) error { return nil }

// Invalid is for chain.Engine.OnInvalid. It may be called from any goroutine.
func (m *Manager) Invalid(h *state.Header, err error) { m.Post(func() { m.invalid(h, err) }) }

// stepped notes that the chain has moved to h, with block b where it is worth
// keeping. Peers are told after the last of the steps that wait.
func (m *Manager) stepped(h *state.Header, b *state.Block) {
	delete(m.sources, h.Hash)
	if b != nil {
		m.recent.set(h, b)
	}
	if m.told.Add(-1) > 0 {
		return
	}
	before := m.tip
	m.tip, m.tipAt = h, m.Clock.Now()
	m.strangers = 0
	for _, r := range m.peers {
		r.rebuilds = 0
	}
	m.lookAtTip()
	if !m.catching.Load() {
		m.announce(before, h)
	}
	m.scheduleAll()
}

// announce tells every peer of the blocks from the fork with before up to tip.
func (m *Manager) announce(before, tip *state.Header) {
	var fresh []*state.Header
	fork := state.ForkPoint(before, tip)
	for h := tip; h != fork && len(fresh) <= announceMax; h = h.Parent {
		fresh = append(fresh, h)
	}
	if len(fresh) == 0 {
		return
	}
	slices.Reverse(fresh)
	for _, r := range m.peers {
		m.resolve(r)
		m.announceTo(r, fresh)
	}
}

// announceTo tells r of blocks, lowest first: by a compact block or headers
// where they connect to what it has, otherwise by an inv of the last.
func (m *Manager) announceTo(r *remote, fresh []*state.Header) {
	tip := fresh[len(fresh)-1]
	for len(fresh) > 0 && r.has(fresh[0]) {
		fresh = fresh[1:]
	}
	if len(fresh) == 0 {
		return
	}
	connects := len(fresh) <= announceMax && (fresh[0].Parent == nil || r.has(fresh[0].Parent))
	switch {
	case connects && len(fresh) == 1 && r.compactHigh && m.recent.header == tip:
		r.link.Send(m.recent.compact(m.Rand))
	case connects && r.wantsHeaders:
		headers := make([]wire.BlockHeader, len(fresh))
		for i, h := range fresh {
			headers[i] = h.Raw
		}
		r.link.Send(&message.Headers{Headers: headers})
	default:
		r.link.Send(&message.Inv{Items: []message.Item{{Type: message.ItemBlock, Hash: tip.Hash}}})
		return
	}
	r.sent = tip
}

// recentBlock is a block kept for those who are going to ask for it.
type recentBlock struct {
	header *state.Header
	block  *state.Block
	short  *message.CmpctBlock
}

func (b *recentBlock) set(h *state.Header, block *state.Block) {
	*b = recentBlock{header: h, block: block}
}

// compact is the block's compact form, the same for all.
func (b *recentBlock) compact(rand interface{ Uint64() uint64 }) *message.CmpctBlock {
	if b.short == nil {
		b.short = compactOf(b.block, rand.Uint64())
	}
	return b.short
}
