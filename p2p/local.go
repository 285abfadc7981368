package p2p

import (
	"net"
	"net/netip"
	"slices"

	"granary/p2p/addr"
	"granary/p2p/peer"
)

// literal reads a name that is an address.
func (n *Network) literal(name string) (netip.AddrPort, bool) {
	host, port, err := SplitAddress(name, n.o.Net.P2PPort)
	if err != nil {
		return netip.AddrPort{}, false
	}
	ip, err := netip.ParseAddr(host)
	return addr.Normal(netip.AddrPortFrom(ip, port)), err == nil
}

func groupOf(at netip.AddrPort) string { return addr.Group(at.Addr()) }

// findLocal gathers the addresses at which others may reach this node: those
// that a person named and, with discover, the public ones of this machine.
func (n *Network) findLocal() {
	var found []netip.AddrPort
	for _, at := range n.o.ExternalIP {
		if at.Port() == 0 {
			at = netip.AddrPortFrom(at.Addr(), n.listenPort())
		}
		found = append(found, addr.Normal(at))
	}
	if n.o.Discover && len(n.o.ExternalIP) == 0 && len(n.ListenAddresses()) > 0 {
		found = append(found, machineAddresses(n.listenPort())...)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.local = found
	for _, at := range found {
		n.o.Log.Info("this node is told of at", "address", at)
	}
}

func machineAddresses(port uint16) (found []netip.AddrPort) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, a := range all {
		block, err := netip.ParsePrefix(a.String())
		if err == nil && addr.Routable(block.Addr()) {
			found = append(found, addr.Normal(netip.AddrPortFrom(block.Addr(), port)))
		}
	}
	return found
}

// listenPort is the port at which others reach this node.
func (n *Network) listenPort() uint16 {
	for _, a := range n.ListenAddresses() {
		if at, err := netip.ParseAddrPort(a.String()); err == nil {
			return at.Port()
		}
	}
	return n.o.Net.P2PPort
}

// LocalAddresses are where others are told that this node is.
func (n *Network) LocalAddresses() []netip.AddrPort {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.local)
}

func (n *Network) isLocal(at netip.AddrPort) bool { return slices.Contains(n.local, at) }

// SelfFor gives the address to tell a peer as our own (GossipOptions.Self): one
// of the peer's network if there is one, else what the peer itself sees us at.
// A node that does not listen or is catching up tells none.
func (n *Network) SelfFor(p peer.Peer) (addr.Address, bool) {
	if len(n.ListenAddresses()) == 0 || n.o.Chain != nil && n.o.Chain.InitialBlockDownload() {
		return addr.Address{}, false
	}
	services := n.o.Self().Services
	f := p.Facts()
	locals := n.LocalAddresses()
	for _, at := range locals {
		if addr.Network(at.Addr()) == addr.Network(f.IP) && addr.Routable(at.Addr()) {
			return addr.Address{AddrPort: at, Services: services}, true
		}
	}
	if len(locals) > 0 && addr.Routable(locals[0].Addr()) {
		return addr.Address{AddrPort: locals[0], Services: services}, true
	}
	if n.o.Discover && f.Outbound() && addr.Routable(f.SeenAs.Addr()) {
		at := addr.Normal(netip.AddrPortFrom(f.SeenAs.Addr(), n.listenPort()))
		return addr.Address{AddrPort: at, Services: services}, true
	}
	return addr.Address{}, false
}
