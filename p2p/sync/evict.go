package sync

import (
	"time"

	"granary/p2p/peer"
	"granary/state"
)

// What an outbound peer with less work than we have is allowed.
const (
	// behindTime to show a chain as good as ours, and behindAnswer after it was
	// asked for it once more.
	behindTime   = 20 * time.Minute
	behindAnswer = 2 * time.Minute
	// protectedMax outbound peers that did are never ended for it.
	protectedMax = 4
)

// behindTalk is the state of waiting for an outbound peer's chain to reach
// ours.
type behindTalk struct {
	until     time.Time // zero: it is not behind
	goal      *state.Header
	asked     bool
	protected bool
}

// considerEviction ends outbound links that stay on a chain with less work than
// ours: they may all be one adversary's, who keeps us on a wrong one.
func (m *Manager) considerEviction(r *remote, now time.Time) {
	b := &r.behind
	own := r.facts.Kind == peer.OutboundFull || r.facts.Kind == peer.BlockRelay
	if r.gone || !own || b.protected || !r.headers.syncing || r.facts.NoBan {
		return
	}
	tip, shown := m.Chain.Tip(), r.known
	if shown != nil && m.Chain.Status(shown).Failed() {
		shown = nil // a stock node that follows what breaks the goods rules
	}
	switch {
	case shown != nil && !shown.Work.Lt(&tip.Work):
		*b = behindTalk{protected: r.facts.Kind == peer.OutboundFull && m.protected() < protectedMax}
	case b.until.IsZero() || b.goal != nil && shown != nil && !shown.Work.Lt(&b.goal.Work):
		*b = behindTalk{until: now.Add(behindTime), goal: tip}
	case now.Before(b.until):
	case b.asked:
		r.link.Disconnect("its chain stays behind")
	default:
		b.asked, b.until = true, now.Add(behindAnswer)
		from := b.goal
		if from.Parent != nil {
			from = from.Parent
		}
		r.headers.asked = time.Time{}
		m.askHeaders(r, locatorOf(from))
	}
}

// protected counts the outbound peers that showed a chain as good as ours.
func (m *Manager) protected() int {
	n := 0
	for _, r := range m.peers {
		if r.behind.protected {
			n++
		}
	}
	return n
}
