package p2p

import (
	"net/netip"
	"time"

	"granary/p2p/addr"
	"granary/p2p/message"
	"granary/p2p/peer"
)

// Times of the links that the node opens by itself (Bitcoin Core's).
const (
	feelerEvery     = 2 * time.Minute // on average
	extraBlockEvery = 5 * time.Minute // on average
	extraCheckEvery = 45 * time.Second
	extraStays      = 30 * time.Second // before it is judged
	seedAfter       = 10 * time.Second // without enough addresses
	retryAfter      = 10 * time.Minute // the same address
	triesMax        = 100
)

// plan is when the next of each is due; guarded by Network.mu.
type plan struct {
	begun      bool
	feeler     time.Time
	extraBlock time.Time
	extraCheck time.Time
	seed       time.Time
	extraFull  bool // the tip is stale: one more link may know why
}

// lookAround opens the links that are due, one of our own choice at a time.
func (n *Network) lookAround(now time.Time) {
	n.o.Book.ResolveCollisions()
	n.countUploads()
	n.mu.Lock()
	if !n.plan.begun {
		n.plan.begun = true
		n.plan.feeler = now.Add(poisson(n.o.Rand, feelerEvery))
		n.plan.extraBlock = now.Add(poisson(n.o.Rand, extraBlockEvery))
		n.plan.seed = now
	}
	stopped := !n.active || n.ctx.Err() != nil
	n.mu.Unlock()
	if stopped {
		return
	}
	n.openAdded(now)
	n.replaceExtra(now)
	if n.o.Connect != nil {
		return // only what was named
	}
	n.askSeeds(now)
	n.openChosen(now)
}

// openChosen opens the link that is most missed.
func (n *Network) openChosen(now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.countAll(peer.OutboundFull)+n.countAll(peer.BlockRelay) > fullOutbound+blockRelayOutbound+2 {
		return
	}
	kind, ok := n.due(now)
	if !ok {
		return
	}
	if kind == peer.BlockRelay {
		if at, ok := n.nextAnchor(); ok {
			n.openTo(at, kind)
			return
		}
	}
	if at, ok := n.choose(kind, now); ok {
		n.openTo(at, kind)
	}
}

// openTo dials an address of the book, encrypted where it is said to be able
// to. The caller holds mu.
func (n *Network) openTo(at netip.AddrPort, kind peer.Kind) {
	n.open(&slot{
		kind: kind, at: at, name: at.String(), group: addr.Group(at.Addr()),
		v1: !n.o.Book.Services(at).Has(message.ServiceV2),
	})
}

// due tells which kind is missed. The caller holds mu.
func (n *Network) due(now time.Time) (peer.Kind, bool) {
	full, blocks := n.limits()
	caughtUp := n.o.Chain != nil && !n.o.Chain.InitialBlockDownload()
	switch {
	case len(n.anchors) > 0 && n.count(peer.BlockRelay) < blocks:
		return peer.BlockRelay, true
	case n.count(peer.OutboundFull) < full:
		return peer.OutboundFull, true
	case n.count(peer.BlockRelay) < blocks:
		return peer.BlockRelay, true
	case n.plan.extraFull && n.count(peer.OutboundFull) == full:
		return peer.OutboundFull, full > 0
	case caughtUp && now.After(n.plan.extraBlock) && n.count(peer.BlockRelay) == blocks:
		// One more look at what others take for the chain; the least useful
		// of the links for blocks goes afterwards.
		n.plan.extraBlock = now.Add(poisson(n.o.Rand, extraBlockEvery))
		return peer.BlockRelay, blocks > 0
	case now.After(n.plan.feeler) && n.count(peer.Feeler) < feelers:
		n.plan.feeler = now.Add(poisson(n.o.Rand, feelerEvery))
		return peer.Feeler, full > 0
	}
	return 0, false
}

// limits are the links that the node opens by itself.
func (n *Network) limits() (full, blocks int) {
	full = min(fullOutbound, n.o.MaxConnections)
	return full, min(blockRelayOutbound, n.o.MaxConnections-full)
}

// nextAnchor takes an address of the last run's. The caller holds mu.
func (n *Network) nextAnchor() (netip.AddrPort, bool) {
	for len(n.anchors) > 0 {
		at := n.anchors[0]
		n.anchors = n.anchors[1:]
		if n.eligible(at, peer.BlockRelay) && n.o.Book.Services(at).Has(message.ServiceNetwork) {
			return at, true
		}
	}
	return netip.AddrPort{}, false
}

// choose draws an address for a link of a kind. The caller holds mu.
func (n *Network) choose(kind peer.Kind, now time.Time) (netip.AddrPort, bool) {
	if kind == peer.Feeler {
		if a, ok := n.o.Book.Collision(); ok && !n.connectedTo(a.AddrPort) {
			return a.AddrPort, true
		}
	}
	for try := range triesMax {
		c, ok := n.o.Book.Select(kind == peer.Feeler, n.o.OnlyNet)
		if !ok {
			return netip.AddrPort{}, false
		}
		switch {
		case !n.eligible(c.AddrPort, kind):
		case try < 30 && now.Sub(time.Unix(c.Tried, 0)) < retryAfter:
		case kind != peer.Feeler && !n.wanted(c.Services):
		case try < 50 && oddPort(c.Port()):
		default:
			return c.AddrPort, true
		}
	}
	return netip.AddrPort{}, false
}

// eligible: not this node, nobody whom we know already, nobody in the group of
// another link of ours. The caller holds mu.
func (n *Network) eligible(at netip.AddrPort, kind peer.Kind) bool {
	if !at.IsValid() || n.isLocal(at) || n.refused(at.Addr()) || n.connectedTo(at) {
		return false
	}
	if kind == peer.Feeler {
		return true
	}
	group := addr.Group(at.Addr())
	for _, s := range n.slots {
		if s.kind != peer.Inbound && s.kind != peer.Manual && s.group == group {
			return false
		}
	}
	return true
}

// connectedTo reports whether a link stands, or is being opened. The caller
// holds mu.
func (n *Network) connectedTo(at netip.AddrPort) bool {
	for _, s := range n.slots {
		if s.at == at || s.kind != peer.Inbound && addr.Routable(at.Addr()) && s.at.Addr() == at.Addr() {
			return true
		}
	}
	return false
}

// oddPort: of services that somebody might want us to knock at.
func oddPort(port uint16) bool {
	if port < 1024 {
		return true
	}
	switch port {
	case 1433, 1521, 2049, 3306, 3389, 5060, 5061, 5432, 5900, 6000, 6379, 6566, 6665, 6666, 6667, 6668, 6669, 6697, 8080, 9200, 11211, 27017:
		return true
	}
	return false
}

// askSeeds asks the nodes that a person named for addresses, where the book has
// too few to find eight groups.
func (n *Network) askSeeds(now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.seeds) == 0 || now.Before(n.plan.seed) || n.count(peer.AddrFetch) > 0 {
		return
	}
	counts := n.o.Book.Counts(0)
	if counts.New+counts.Tried >= 1000 || n.count(peer.OutboundFull) >= fullOutbound/2 {
		return
	}
	name := n.seeds[0]
	n.seeds = append(n.seeds[1:len(n.seeds):len(n.seeds)], name)
	n.plan.seed = now.Add(seedAfter)
	n.open(&slot{kind: peer.AddrFetch, name: name})
}

// replaceExtra ends the less useful of the links beyond the usual number, and
// asks for one more where the tip is stale.
func (n *Network) replaceExtra(now time.Time) {
	if n.o.Chain == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if now.Before(n.plan.extraCheck) {
		return
	}
	n.plan.extraCheck = now.Add(extraCheckEvery)
	full, blocks := n.limits()
	if n.count(peer.BlockRelay) > blocks {
		n.endWorseBlockRelay(now)
	}
	if n.count(peer.OutboundFull) > full {
		if n.endWorstFull(now) {
			n.plan.extraFull = false
			return
		}
	}
	if stale := n.o.Chain.StaleTip(); stale != n.plan.extraFull {
		n.plan.extraFull = stale
		if stale {
			n.o.Log.Info("no block for long: another peer is asked too")
		}
	}
}

// endWorseBlockRelay keeps of the two youngest links for blocks the one that
// gave us a block more recently. The caller holds mu.
func (n *Network) endWorseBlockRelay(now time.Time) {
	var youngest, next *slot
	for _, s := range n.slots {
		if s.kind == peer.BlockRelay && s.ready && !s.leaving {
			next, youngest = youngest, s
		}
	}
	worse := youngest
	if next != nil && n.lastBlock(youngest).After(n.lastBlock(next)) {
		worse = next
	}
	if worse == nil || now.Sub(worse.readyAt) < extraStays {
		return
	}
	if _, inFlight, _ := n.o.Chain.Announced(worse.link.ID()); inFlight == 0 {
		worse.drop("one link for blocks too many")
	}
}

func (n *Network) lastBlock(s *slot) time.Time { return s.link.Stats().LastBlock }

// endWorstFull ends the link that told of a new block longest ago. The caller
// holds mu.
func (n *Network) endWorstFull(now time.Time) bool {
	var worst *slot
	var worstTime time.Time
	for _, s := range n.slots {
		if s.kind != peer.OutboundFull || !s.ready || s.leaving {
			continue
		}
		last, _, protected := n.o.Chain.Announced(s.link.ID())
		if protected {
			continue
		}
		if worst == nil || !last.After(worstTime) { // of equals the youngest
			worst, worstTime = s, last
		}
	}
	if worst == nil || now.Sub(worst.readyAt) < extraStays {
		return false
	}
	if _, inFlight, _ := n.o.Chain.Announced(worst.link.ID()); inFlight > 0 {
		return false
	}
	worst.drop("one outbound link too many")
	return true
}

// countUploads tells the upload target what has been sent.
func (n *Network) countUploads() {
	total := int64(n.Totals().SentBytes)
	n.mu.Lock()
	sent := total - n.told
	n.told = max(n.told, total)
	n.mu.Unlock()
	if sent > 0 {
		n.o.Uploads.Sent(sent)
	}
}
