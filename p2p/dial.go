package p2p

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"granary/p2p/addr"
	"granary/p2p/peer"
	"granary/p2p/transport"
)

// errRefused: an address that this node does not dial.
var errRefused = errors.New("banned or misbehaving")

// open starts a connection of ours; the caller holds mu and has checked that
// there is room.
func (n *Network) open(s *slot) {
	ctx := n.take(s)
	n.wg.Go(func() {
		defer n.leave(s)
		err := n.dialAndConverse(ctx, s)
		n.over(s, err)
	})
}

// over notes how a connection of ours went.
func (n *Network) over(s *slot, err error) {
	n.o.Log.Debug("outbound link over", "peer", s.name, "err", err)
	if s.added == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if !s.ready {
		s.added.failures++
	}
	s.added.next = n.o.Clock.Now().Add(backOff(s.added.failures))
}

func (n *Network) dialAndConverse(ctx context.Context, s *slot) error {
	nc, err := n.dial(ctx, s)
	if err != nil {
		return err
	}
	err = n.converse(ctx, s, nc)
	if errors.Is(err, transport.ErrNotV2) && !s.v1 && ctx.Err() == nil {
		s.v1 = true
		if nc, err = n.dial(ctx, s); err == nil {
			err = n.converse(ctx, s, nc)
		}
	}
	return err
}

// dial opens the connection.
func (n *Network) dial(ctx context.Context, s *slot) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, n.o.DialTimeout)
	defer cancel()
	if !s.at.IsValid() {
		at, err := n.resolve(ctx, s.name)
		if err != nil {
			return nil, err
		}
		n.mu.Lock()
		s.at, s.group = at, addr.Group(at.Addr())
		n.mu.Unlock()
	}
	if s.kind != peer.Manual && n.refused(s.at.Addr()) {
		return nil, errRefused
	}
	n.o.Book.Attempt(s.at, n.online())
	return n.o.Dial(ctx, s.at)
}

func (n *Network) refused(ip netip.Addr) bool { return n.o.Bans.Banned(ip) || n.o.Bans.Discouraged(ip) }

// online reports whether other outbound links stand, so that a failure is the
// address's and not our own line's.
func (n *Network) online() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	ready := 0
	for _, s := range n.slots {
		if s.kind != peer.Inbound && s.ready {
			ready++
		}
	}
	return ready >= 2
}

// resolve reads host[:port], looking the name up where that is allowed.
func (n *Network) resolve(ctx context.Context, name string) (netip.AddrPort, error) {
	host, port, err := SplitAddress(name, n.o.Net.P2PPort)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return addr.Normal(netip.AddrPortFrom(ip, port)), nil
	}
	if !n.o.DNS {
		return netip.AddrPort{}, fmt.Errorf("%q is a name and dns=0 forbids to look it up", host)
	}
	ips, err := n.o.Lookup(ctx, host)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("cannot look up %q: %w", host, err)
	}
	for _, ip := range ips {
		if n.o.OnlyNet.Has(addr.Network(ip)) {
			return addr.Normal(netip.AddrPortFrom(ip, port)), nil
		}
	}
	return netip.AddrPort{}, fmt.Errorf("%q has no address of a network that this node uses", host)
}

// SplitAddress reads host, host:port, an IPv6 address with or without brackets,
// and adds the port where there is none.
func SplitAddress(name string, port uint16) (host string, _ uint16, err error) {
	if ip, err := netip.ParseAddr(name); err == nil {
		return ip.String(), port, nil
	}
	if len(name) > 2 && name[0] == '[' && name[len(name)-1] == ']' {
		return name[1 : len(name)-1], port, nil
	}
	host, text, err := net.SplitHostPort(name)
	if err != nil {
		if host, text = name, strconv.Itoa(int(port)); !plainHost(name) {
			return "", 0, fmt.Errorf("%q is not of the form HOST or HOST:PORT", name)
		}
	}
	number, err := strconv.ParseUint(text, 10, 16)
	if err != nil || number == 0 || host == "" {
		return "", 0, fmt.Errorf("%q is not of the form HOST or HOST:PORT", name)
	}
	return host, uint16(number), nil
}

// plainHost: a name without colons, brackets or white space.
func plainHost(name string) bool {
	if name == "" || len(name) > 253 {
		return false
	}
	for _, c := range []byte(name) {
		if c <= ' ' || c >= 0x7f || c == ':' || c == '[' || c == ']' || c == '/' {
			return false
		}
	}
	return true
}
