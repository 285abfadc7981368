package p2p

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"net/netip"
	"slices"
	"time"

	"granary/base/clock"
	"granary/p2p/addr"
	"granary/p2p/message"
	"granary/p2p/peer"
)

// Bounds and times of the gossip of addresses (Bitcoin Core's).
const (
	addrMax          = 1_000 // in a message, and queued for a peer
	samplePercent    = 23    // of the book, for somebody who asks
	addrTokensMilli  = 100   // a second: what a peer may tell of
	addrTokensMax    = addrMax * 1000
	tellEvery        = 30 * time.Second // on average
	tellSelfEvery    = 24 * time.Hour   // on average
	freshFor         = 10 * time.Minute // what is this fresh is told on
	relayMax         = 10               // longer messages answer a getaddr
	hearsay          = 2 * time.Hour
	cacheFor         = 21 * time.Hour
	cacheForMore     = 6 * time.Hour
	knownAddresses   = 5_000
	rotateRelaysEach = 24 * 60 * 60 // seconds
)

// Judge knows whom this node does not talk to; addr.Bans is one.
type Judge interface {
	Banned(ip netip.Addr) bool
	Discouraged(ip netip.Addr) bool
}

// GossipOptions are what a Gossip is made of.
type GossipOptions struct {
	Book     *addr.Book
	Bans     Judge
	Clock    clock.Clock
	Rand     clock.Rand    // used on the Loop's goroutine only
	Networks addr.Networks // what this node can reach
	// Self gives the address that this node has for a peer, false where it
	// cannot or should not be reached; nil: never.
	Self func(p peer.Peer) (addr.Address, bool)
}

// Gossip is the handler of getaddr, addr and addrv2. What a peer tells is
// bounded by a bucket of tokens, one address in ten seconds; what is told on
// goes to one or two peers, chosen by a secret for a day, so that nobody can
// flood the network or learn its shape from answers.
type Gossip struct {
	o       GossipOptions
	secret  [16]byte
	talkers []*talker // ascending by id
	answers map[message.NetworkID]answer
}

// answer is what everybody of one network is told for a day.
type answer struct {
	until     time.Time
	addresses []addr.Address
}

// talker is what is known of a peer.
type talker struct {
	p         peer.Peer
	relays    bool // addresses may be told to it
	asked     bool // it has had its one answer
	expecting bool // we asked
	known     recent[netip.AddrPort]
	queue     []addr.Address
	tokens    int64 // thousandths
	filled    time.Time
	tell      time.Time
	tellSelf  time.Time

	processed, limited uint64
}

var _ peer.Handler = (*Gossip)(nil)

// NewGossip makes the handler.
func NewGossip(o GossipOptions) *Gossip {
	g := &Gossip{o: o, answers: make(map[message.NetworkID]answer)}
	binary.LittleEndian.PutUint64(g.secret[:8], o.Rand.Uint64())
	binary.LittleEndian.PutUint64(g.secret[8:], o.Rand.Uint64())
	return g
}

// AddrCounts tells how many addresses of a peer were taken and how many were
// dropped because it told of too many; on the Loop's goroutine.
func (g *Gossip) AddrCounts(id uint64) (processed, limited uint64, relays bool) {
	if t := g.find(id); t != nil {
		return t.processed, t.limited, t.relays
	}
	return 0, 0, false
}

func (g *Gossip) find(id uint64) *talker {
	at, found := g.place(id)
	if !found {
		return nil
	}
	return g.talkers[at]
}

func (g *Gossip) place(id uint64) (int, bool) {
	return slices.BinarySearchFunc(g.talkers, id, func(t *talker, id uint64) int {
		switch {
		case t.p.ID() < id:
			return -1
		case t.p.ID() > id:
			return 1
		}
		return 0
	})
}

// Connected implements peer.Handler.
func (g *Gossip) Connected(p peer.Peer) {
	f := p.Facts()
	now := g.o.Clock.Now()
	t := &talker{p: p, tokens: 1000, filled: now, known: newRecent[netip.AddrPort](knownAddresses)}
	at, _ := g.place(p.ID())
	g.talkers = slices.Insert(g.talkers, at, t)
	if !f.Outbound() || f.Kind == peer.BlockRelay || f.Kind == peer.Feeler {
		return // an inbound peer shows by itself that it wants addresses
	}
	g.begin(t, now)
	t.expecting = true
	t.tokens += addrTokensMax
	p.Send(&message.GetAddr{})
}

// begin lets addresses be told to a peer.
func (g *Gossip) begin(t *talker, now time.Time) {
	if t.relays || t.p.Facts().Kind == peer.BlockRelay {
		return
	}
	t.relays = true
	t.tell = now.Add(g.poisson(tellEvery))
	t.tellSelf = now
}

// Disconnected implements peer.Handler.
func (g *Gossip) Disconnected(p peer.Peer) {
	if at, found := g.place(p.ID()); found {
		g.talkers = slices.Delete(g.talkers, at, at+1)
	}
}

// Receive implements peer.Handler.
func (g *Gossip) Receive(p peer.Peer, m message.Message) bool {
	t := g.find(p.ID())
	switch m := m.(type) {
	case *message.GetAddr:
		g.give(t)
	case *message.Addr:
		g.take(t, m.Addresses)
	case *message.AddrV2:
		g.take(t, m.Addresses)
	default:
		return false
	}
	return true
}

// give answers a getaddr: inbound peers only (an outbound peer could learn
// what it told us itself), once.
func (g *Gossip) give(t *talker) {
	if t == nil || t.asked || t.p.Facts().Outbound() {
		return
	}
	now := g.o.Clock.Now()
	g.begin(t, now)
	t.asked = true
	t.queue = nil
	for _, a := range g.answerFor(t.p.Facts().IP, now) {
		if !g.refused(a.Addr()) {
			g.queue(t, a)
		}
	}
}

// answerFor gives the same sample to everybody of a network for about a day.
func (g *Gossip) answerFor(ip netip.Addr, now time.Time) []addr.Address {
	id := addr.Network(ip)
	kept, ok := g.answers[id]
	if !ok || now.After(kept.until) {
		kept.addresses = g.o.Book.Sample(addrMax, samplePercent, addr.AllNetworks)
		kept.until = now.Add(cacheFor + time.Duration(g.o.Rand.Uint64()%uint64(cacheForMore)))
		g.answers[id] = kept
	}
	return kept.addresses
}

func (g *Gossip) refused(ip netip.Addr) bool { return g.o.Bans.Banned(ip) || g.o.Bans.Discouraged(ip) }

// take reads what a peer tells of.
func (g *Gossip) take(t *talker, told []message.Address) {
	if t == nil || t.p.Facts().Kind == peer.BlockRelay || t.p.Facts().Kind == peer.Feeler {
		return
	}
	if len(told) > addrMax {
		t.p.Misbehaved("addr message with too many addresses")
		return
	}
	now := g.o.Clock.Now()
	g.begin(t, now)
	g.refill(t, now)
	var kept []addr.Address
	// In random order: where tokens run out, chance and not the sender
	// decides who is heard.
	for _, i := range g.permute(len(told)) {
		if t.tokens < 1000 && !t.p.Facts().AnyAddr && !t.p.Facts().NoBan {
			t.limited++
			continue
		}
		t.tokens = max(0, t.tokens-1000)
		t.processed++
		if a, ok := g.read(t, &told[i], now); ok {
			if !t.expecting && len(told) <= relayMax && now.Unix()-a.Seen < int64(freshFor/time.Second) {
				g.relay(t, a, now)
			}
			kept = append(kept, a)
		}
	}
	g.o.Book.Add(kept, t.p.Facts().IP, hearsay)
	if len(told) < addrMax {
		t.expecting = false
	}
	if t.p.Facts().Kind == peer.AddrFetch && len(told) > 1 {
		t.p.Disconnect("told us addresses")
	}
}

// read checks one address.
func (g *Gossip) read(t *talker, m *message.Address, now time.Time) (addr.Address, bool) {
	a, ok := addr.FromMessage(m)
	if !ok || !g.o.Networks.Has(addr.Network(a.Addr())) || !mayServe(a.Services) {
		return a, false
	}
	if a.Seen <= 100_000_000 || a.Seen > now.Unix()+600 {
		a.Seen = now.Unix() - 5*24*60*60
	}
	t.known.add(a.AddrPort)
	return a, !g.refused(a.Addr())
}

// mayServe reports whether a node with these services can have the chain.
func mayServe(s message.Services) bool {
	return s&(message.ServiceNetwork|message.ServiceNetworkLimited) != 0
}

func (g *Gossip) refill(t *talker, now time.Time) {
	if passed := now.Sub(t.filled); passed > 0 && t.tokens < addrTokensMax {
		t.tokens = min(addrTokensMax, t.tokens+int64(min(passed, 24*time.Hour))*addrTokensMilli/int64(time.Second))
	}
	t.filled = now
}

func (g *Gossip) permute(n int) []int {
	order := make([]int, n)
	for i := range order {
		j := int(g.o.Rand.Uint64() % uint64(i+1))
		order[i] = order[j]
		order[j] = i
	}
	return order
}

// relay queues a for two peers, the same ones for a day whoever tells of it:
// telling it again gains nothing.
func (g *Gossip) relay(from *talker, a addr.Address, now time.Time) {
	var best [2]*talker
	var score [2]uint64
	for _, t := range g.talkers {
		if t == from || !t.relays || !g.understands(t, a) {
			continue
		}
		s := g.score(a.AddrPort, t.p.ID(), now)
		switch {
		case best[0] == nil || s > score[0]:
			best[1], score[1] = best[0], score[0]
			best[0], score[0] = t, s
		case best[1] == nil || s > score[1]:
			best[1], score[1] = t, s
		}
	}
	for _, t := range best {
		if t != nil {
			g.queue(t, a)
		}
	}
}

func (g *Gossip) score(at netip.AddrPort, id uint64, now time.Time) uint64 {
	text := append(g.secret[:len(g.secret):len(g.secret)], at.String()...)
	sum := sha256.Sum256(append(text, 0))
	offset := binary.LittleEndian.Uint64(sum[:8]) % rotateRelaysEach // not all change at midnight
	day := (uint64(now.Unix()) + offset) / rotateRelaysEach
	text = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(text, day), id)
	sum = sha256.Sum256(text)
	return binary.LittleEndian.Uint64(sum[:8])
}

// understands: the old message carries IPv4 and IPv6 only.
func (g *Gossip) understands(t *talker, a addr.Address) bool {
	return t.p.Facts().AddrV2 || addr.Network(a.Addr()) != message.CJDNS
}

// queue lets a be told with the next message; in a full queue it takes a
// random place.
func (g *Gossip) queue(t *talker, a addr.Address) {
	if t.known.has(a.AddrPort) || !g.understands(t, a) {
		return
	}
	if len(t.queue) < addrMax {
		t.queue = append(t.queue, a)
		return
	}
	t.queue[g.o.Rand.Uint64()%addrMax] = a
}

// Tick implements peer.Handler: it sends what is due.
func (g *Gossip) Tick(now time.Time) {
	for _, t := range g.talkers {
		if !t.relays {
			continue
		}
		if !now.Before(t.tellSelf) {
			t.tellSelf = now.Add(g.poisson(tellSelfEvery))
			g.tellSelf(t, now)
		}
		if !now.Before(t.tell) {
			t.tell = now.Add(g.poisson(tellEvery))
			g.flush(t)
		}
	}
}

func (g *Gossip) tellSelf(t *talker, now time.Time) {
	if g.o.Self == nil {
		return
	}
	if self, ok := g.o.Self(t.p); ok {
		self.Seen = now.Unix()
		g.send(t, []addr.Address{self})
	}
}

func (g *Gossip) flush(t *talker) {
	due := t.queue[:0]
	for _, a := range t.queue {
		if !t.known.has(a.AddrPort) {
			t.known.add(a.AddrPort)
			due = append(due, a)
		}
	}
	g.send(t, due)
	t.queue = nil
}

func (g *Gossip) send(t *talker, addresses []addr.Address) {
	if len(addresses) == 0 {
		return
	}
	out := make([]message.Address, len(addresses))
	for i := range addresses {
		out[i] = addresses[i].ToMessage()
	}
	if t.p.Facts().AddrV2 {
		t.p.Send(&message.AddrV2{Addresses: out})
		return
	}
	t.p.Send(&message.Addr{Addresses: out})
}

// poisson draws the time to the next of events that are mean apart on average.
func (g *Gossip) poisson(mean time.Duration) time.Duration { return poisson(g.o.Rand, mean) }

func poisson(r clock.Rand, mean time.Duration) time.Duration {
	u := float64(r.Uint64()>>11+1) / (1 << 53) // in (0, 1]
	return time.Duration(-math.Log(u) * float64(mean))
}
