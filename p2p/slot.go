package p2p

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"granary/p2p/addr"
	"granary/p2p/peer"
	"granary/p2p/transport"
)

// slot is the place of one connection from the decision to open it until it is
// gone. What stands below the line is guarded by Network.mu.
type slot struct {
	kind  peer.Kind
	at    netip.AddrPort // of the other end; zero until a name is looked up
	name  string         // as a person gave it, or at
	group string
	perms Permissions
	added *addedNode // that wanted it
	since time.Time

	cancel  context.CancelCauseFunc
	link    *peer.Link // nil until the transport is open
	ready   bool       // the handshake is done
	readyAt time.Time
	leaving bool // it has been told to go and does not count any more
	relays  bool
	serves  bool
	v1      bool // do not try the encrypted transport
}

// byLink gives the slot of a link; the caller holds mu.
func (n *Network) byLink(id uint64) *slot {
	for _, s := range n.slots {
		if s.link != nil && s.link.ID() == id {
			return s
		}
	}
	return nil
}

// take makes a slot; the caller holds mu.
func (n *Network) take(s *slot) (ctx context.Context) {
	s.since = n.o.Clock.Now()
	ctx, s.cancel = context.WithCancelCause(n.ctx)
	n.slots = append(n.slots, s)
	return ctx
}

// leave frees a slot and keeps its bytes.
func (n *Network) leave(s *slot) {
	s.cancel(nil)
	var stats peer.Stats
	if s.link != nil {
		stats = s.link.Stats()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ended.ReceivedBytes += stats.BytesReceived
	n.ended.SentBytes += stats.BytesSent
	for i, other := range n.slots {
		if other == s {
			n.slots = append(n.slots[:i:i], n.slots[i+1:]...)
			break
		}
	}
}

// drop tells a slot's connection to end; the caller holds mu.
func (s *slot) drop(reason string) {
	s.leaving = true
	s.cancel(errors.New(reason))
}

// count gives the number of connections of a kind that stay; the caller holds
// mu.
func (n *Network) count(kinds ...peer.Kind) (total int) {
	for _, s := range n.slots {
		for _, kind := range kinds {
			if s.kind == kind && !s.leaving {
				total++
			}
		}
	}
	return total
}

// converse runs the link of a slot until it is over.
func (n *Network) converse(ctx context.Context, s *slot, nc net.Conn) error {
	conn, err := n.openTransport(ctx, s, nc)
	if err != nil {
		return err
	}
	link := peer.NewLink(n.o.Loop, conn, n.linkOptions(s))
	n.mu.Lock()
	s.link = link
	n.mu.Unlock()
	err = link.Run(ctx)
	f := link.Facts()
	if s.kind == peer.Feeler && err == nil {
		n.met(s.at, f.Services)
	}
	if s.kind != peer.Inbound && f.Version != 0 && s.kind != peer.BlockRelay {
		n.o.Book.Connected(s.at)
	}
	return err
}

func (n *Network) openTransport(ctx context.Context, s *slot, nc net.Conn) (*transport.Conn, error) {
	o := transport.Options{Magic: n.o.Net.Magic(), V2: n.o.V2 && !s.v1, HandshakeTimeout: n.o.HandshakeTimeout}
	if s.kind == peer.Inbound {
		return transport.Server(ctx, nc, o)
	}
	return transport.Client(ctx, nc, o)
}

func (n *Network) linkOptions(s *slot) peer.LinkOptions {
	o := peer.LinkOptions{
		Kind: s.kind, Addr: s.name, IP: s.at.Addr(), NetGroup: s.group,
		NoBan: s.perms.NoBan, Download: s.perms.Download, ForceRelay: s.perms.ForceRelay,
		SendTxs: s.perms.SendTxs, MemPool: s.perms.MemPool, AnyAddr: s.perms.Addr,
		Self: n.o.Self, Discourage: n.discourage, HandshakeTimeout: n.o.HandshakeTimeout, Log: n.o.Log,
	}
	switch s.kind {
	case peer.OutboundFull, peer.BlockRelay, peer.AddrFetch:
		o.Wants = n.wanted
	}
	return o
}

// discourage remembers an address that broke the rules. One of this machine is
// spared: everybody behind a proxy on it would be shut out.
func (n *Network) discourage(l *peer.Link, _ string) {
	if ip := l.Facts().IP; !addr.Local(ip) {
		n.o.Bans.Discourage(ip)
	}
}

// permissions adds up what is granted to ip.
func (n *Network) permissions(ip netip.Addr) (p Permissions) {
	for _, w := range n.o.Whitelist {
		if w.Net.Contains(ip) {
			p = p.with(w)
		}
	}
	return p
}

func (p Permissions) with(w Permissions) Permissions {
	p.NoBan, p.Download, p.ForceRelay = p.NoBan || w.NoBan, p.Download || w.Download, p.ForceRelay || w.ForceRelay
	p.SendTxs, p.MemPool, p.Addr = p.SendTxs || w.SendTxs, p.MemPool || w.MemPool, p.Addr || w.Addr
	return p
}
