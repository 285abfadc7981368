package sim

import (
	"crypto/sha256"
	"fmt"
	"time"

	"granary/p2p/message"
	"granary/p2p/peer"
)

// Delays of a link, one way.
const (
	delayLeast = 5 * time.Millisecond
	delayMost  = 400 * time.Millisecond
)

// link joins two nodes; ends[0] opened it.
type link struct {
	world *World
	ends  [2]*end
	cut   bool
	ready [2]time.Time // when the last message in each direction arrives
}

// end is the peer that a node sees: the other one.
type end struct {
	link  *link
	side  int   // of link.ends that this is
	owner *Node // who sees it
	id    uint64
	facts peer.Facts
	gone  bool
}

// Connect opens a link from a to b, unless there is one.
func (w *World) Connect(a, b *Node) {
	if a.dead || b.dead || a.linkTo(b) != nil {
		return
	}
	l := &link{world: w}
	for side, owner := range []*Node{a, b} {
		other := b
		if side == 1 {
			other = a
		}
		owner.lastID++
		kind := peer.OutboundFull
		if side == 1 {
			kind = peer.Inbound
		}
		l.ends[side] = &end{link: l, side: side, owner: owner, id: owner.lastID, facts: peer.Facts{
			Kind: kind, Addr: other.Name, NetGroup: other.Name, Since: w.now.Now(),
			Version:  message.ProtocolVersion,
			Services: message.ServiceNetwork | message.ServiceWitness, UserAgent: "/sim/",
			StartHeight: other.engine.Tip().Height, WTxIDRelay: true, AddrV2: true, Relay: true, Transport: 1,
		}}
	}
	a.links, b.links = append(a.links, l), append(b.links, l)
	w.tell("%s links to %s", a.Name, b.Name)
	for _, e := range l.ends {
		e.owner.post(func() {
			for _, h := range e.owner.handlers {
				h.Connected(e)
			}
		})
	}
}

// Cut ends a link; what is under way is lost.
func (w *World) Cut(l *link, why string) {
	if l.cut {
		return
	}
	l.cut = true
	w.tell("the link of %s and %s ends: %s", l.ends[0].owner.Name, l.ends[1].owner.Name, why)
	for _, e := range l.ends {
		e.gone = true
		e.owner.drop(l)
		if !e.owner.dead {
			e.owner.post(func() {
				for _, h := range e.owner.handlers {
					h.Disconnected(e)
				}
			})
		}
	}
}

// ID implements peer.Peer.
func (e *end) ID() uint64 { return e.id }

// Facts implements peer.Peer.
func (e *end) Facts() *peer.Facts { return &e.facts }

// SendBacklogBytes implements peer.Peer: the network takes everything at once.
func (e *end) SendBacklogBytes() int { return 0 }

// Send implements peer.Peer: the message arrives at the other end after those
// that were sent before it.
func (e *end) Send(m message.Message) {
	l := e.link
	if l.cut {
		return
	}
	w := l.world
	command, payload := message.Encode(m)
	sum := sha256.Sum256(payload)
	w.tell("%s > %s: %s, %d bytes, %x", e.owner.Name, l.ends[1-e.side].owner.Name, command, len(payload), sum[:4])
	arrival := w.now.Now().Add(delayLeast + time.Duration(w.rng.Int64N(int64(delayMost-delayLeast))))
	if arrival.Before(l.ready[e.side]) {
		arrival = l.ready[e.side]
	}
	l.ready[e.side] = arrival
	payload = append([]byte(nil), payload...)
	w.after(arrival.Sub(w.now.Now()), func() { l.deliver(1-e.side, command, payload) })
}

// deliver hands a message to the node that sees ends[side].
func (l *link) deliver(side int, command string, payload []byte) {
	to := l.ends[side]
	if l.cut || to.owner.dead {
		return
	}
	m, err := message.Decode(command, payload)
	if err != nil {
		l.world.fail(fmt.Errorf("%s sent a %s that does not decode: %w", l.ends[1-side].owner.Name, command, err))
		return
	}
	to.owner.post(func() {
		for _, h := range to.owner.handlers {
			if to.gone || h.Receive(to, m) {
				return
			}
		}
	})
}

// Disconnect implements peer.Peer.
func (e *end) Disconnect(reason string) {
	e.link.world.after(0, func() { e.link.world.Cut(e.link, reason) })
}

// Misbehaved implements peer.Peer. Honest nodes are never accused: it ends the
// run.
func (e *end) Misbehaved(reason string) {
	e.link.world.fail(fmt.Errorf("%s accuses %s: %s", e.owner.Name, e.facts.Addr, reason))
}
