package p2p

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"granary/p2p/addr"
	"granary/p2p/peer"
)

// inboundSpare are connections beyond the bound that may still be closing.
const inboundSpare = 32

// listen opens the addresses.
func (n *Network) listen() error {
	for _, bind := range n.o.Listen {
		l, err := net.Listen(family(bind.Address), bind.Address)
		if err != nil && !errors.Is(err, syscall.EADDRINUSE) && len(n.o.Listen) > 1 && isAny6(bind.Address) {
			n.o.Log.Debug("no IPv6 here", "err", err)
			continue
		}
		if err == nil {
			n.listeners = append(n.listeners, l)
			n.wg.Go(func() { n.acceptAll(l, bind.Permissions) })
			n.o.Log.Info("peers may connect", "address", l.Addr())
			continue
		}
		if n.o.Soft {
			n.o.Log.Warn(fmt.Sprintf("peers cannot connect to this node: %s is in use; choose another --port", bind.Address))
			continue
		}
		n.closeListeners()
		return fmt.Errorf("unable to bind to %s on this computer: choose another --port or --bind (%w)", bind.Address, err)
	}
	return nil
}

// family keeps an address to its own protocol: "every IPv4 address" would take
// the IPv6 ones too, which have a listener of their own.
func family(address string) string {
	switch at, err := netip.ParseAddrPort(address); {
	case err != nil:
		return "tcp"
	case at.Addr().Is4():
		return "tcp4"
	}
	return "tcp6"
}

// isAny6 reports whether address is an IPv6 one that a machine may lack.
func isAny6(address string) bool {
	at, err := netip.ParseAddrPort(address)
	return err == nil && at.Addr().Is6()
}

func (n *Network) closeListeners() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.listeners {
		l.Close() //nolint:errcheck // it ends with the node
	}
}

// ListenAddresses are where links are accepted.
func (n *Network) ListenAddresses() (all []net.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.listeners {
		all = append(all, l.Addr())
	}
	return all
}

// acceptAll takes connections until the listener is closed.
func (n *Network) acceptAll(l net.Listener, granted Permissions) {
	for {
		nc, err := l.Accept()
		switch {
		case n.ctx.Err() != nil:
			if err == nil {
				nc.Close() //nolint:errcheck // nothing was said
			}
			return
		case err != nil:
			// Out of files, most likely: give links time to end.
			select {
			case <-n.ctx.Done():
				return
			case <-time.After(100 * time.Millisecond):
			}
		default:
			n.Accept(nc, granted)
		}
	}
}

// Accept takes a connection that somebody else opened, or closes it.
func (n *Network) Accept(nc net.Conn, granted Permissions) {
	at, err := netip.ParseAddrPort(nc.RemoteAddr().String())
	if err != nil {
		at = netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
	}
	at = addr.Normal(at)
	s := &slot{
		kind: peer.Inbound, at: at, name: at.String(), group: addr.Group(at.Addr()),
		perms: n.permissions(at.Addr()).with(granted),
	}
	if reason := n.admit(s, nc); reason != "" {
		nc.Close() //nolint:errcheck // nothing was said
		n.o.Log.Debug("connection refused", "from", s.name, "reason", reason)
	}
}

// admit makes room for an inbound connection and starts it, or says why not.
func (n *Network) admit(s *slot, nc net.Conn) (refusal string) {
	ip := s.at.Addr()
	noBan := s.perms.NoBan
	if !noBan && n.o.Bans.Banned(ip) {
		return "banned"
	}
	discouraged := n.o.Bans.Discouraged(ip)
	n.mu.Lock()
	defer n.mu.Unlock()
	inbound, most := n.count(peer.Inbound), n.maxInbound()
	switch {
	case !n.active:
		return "the network is off"
	case n.ctx.Err() != nil:
		return "the node stops"
	case discouraged && !noBan && inbound+1 >= most:
		return "it misbehaved and places are scarce"
	case !noBan && addr.Routable(ip) && n.countBlock(ip) >= perBlockMax:
		return "too many from the same block of addresses"
	case n.countAll(peer.Inbound) >= most+inboundSpare:
		return "too many are closing"
	case inbound >= most && !n.makeRoom():
		return "all places are taken"
	}
	ctx := n.take(s)
	n.wg.Go(func() {
		defer n.leave(s)
		if err := n.converse(ctx, s, nc); err != nil {
			n.o.Log.Debug("inbound link over", "peer", s.name, "err", err)
		}
	})
	return ""
}

// maxInbound are the places that the links that we open leave.
func (n *Network) maxInbound() int {
	return max(0, n.o.MaxConnections-fullOutbound-blockRelayOutbound-feelers)
}

func (n *Network) countAll(kind peer.Kind) (total int) {
	for _, s := range n.slots {
		if s.kind == kind {
			total++
		}
	}
	return total
}

// countBlock counts the inbound connections from ip's block of addresses.
func (n *Network) countBlock(ip netip.Addr) (total int) {
	bits := 48
	if ip.Is4() {
		bits = 24
	}
	block, err := ip.Prefix(bits)
	if err != nil {
		return 0
	}
	for _, s := range n.slots {
		if s.kind == peer.Inbound && block.Contains(s.at.Addr()) {
			total++
		}
	}
	return total
}

// makeRoom ends the least useful inbound link; false where all are spared. The
// caller holds mu.
func (n *Network) makeRoom() bool {
	var all []candidate
	bySlot := make(map[uint64]*slot)
	for i, s := range n.slots {
		if s.kind != peer.Inbound || s.leaving {
			continue
		}
		c := candidate{
			id: uint64(i), since: s.since, minPing: 1<<63 - 1, serves: s.serves, relaysTx: s.relays, group: s.group,
			noBan: s.perms.NoBan, discouraged: n.o.Bans.Discouraged(s.at.Addr()), local: addr.Local(s.at.Addr()),
			cjdns: addr.NetworkName(s.at.Addr()) == "cjdns",
		}
		if s.link != nil {
			stats := s.link.Stats()
			c.lastBlock, c.lastTx = stats.LastBlock, stats.LastTx
			if stats.Pongs > 0 {
				c.minPing = stats.MinPing
			}
		}
		all = append(all, c)
		bySlot[c.id] = s
	}
	id, ok := selectEvictee(all, n.secret[:])
	if ok {
		bySlot[id].drop("makes room for another")
	}
	return ok
}
