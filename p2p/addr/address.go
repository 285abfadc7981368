package addr

import (
	"net/netip"
	"time"

	"granary/p2p/message"
)

// Address is a node that may be reached: where, what it serves, and when it
// was last heard of (Unix seconds).
type Address struct {
	netip.AddrPort
	Services message.Services
	Seen     int64
}

// Network gives the network that ip belongs to; the zero value for an address
// that belongs to none.
func Network(ip netip.Addr) message.NetworkID {
	ip = ip.Unmap()
	switch {
	case !ip.IsValid():
		return 0
	case ip.Is4():
		return message.IPv4
	case isCJDNS(ip):
		return message.CJDNS
	}
	return message.IPv6
}

// Networks is a set of networks.
type Networks uint16

// AllNetworks are those that this node can reach.
var AllNetworks = SetOf(message.IPv4, message.IPv6, message.CJDNS)

// SetOf makes a set.
func SetOf(ids ...message.NetworkID) (set Networks) {
	for _, id := range ids {
		set |= 1 << id
	}
	return set
}

// Has reports whether id is in the set.
func (n Networks) Has(id message.NetworkID) bool { return id < 16 && n&(1<<id) != 0 }

// NetworkName is the network's name in Bitcoin Core's options and answers;
// "not_publicly_routable" for addresses of this machine or a private network.
func NetworkName(ip netip.Addr) string {
	if !Routable(ip) {
		return "not_publicly_routable"
	}
	return Name(Network(ip))
}

// Name is the name of a network.
func Name(id message.NetworkID) string {
	switch id {
	case message.IPv4:
		return "ipv4"
	case message.IPv6:
		return "ipv6"
	case message.TorV3:
		return "onion"
	case message.I2P:
		return "i2p"
	case message.CJDNS:
		return "cjdns"
	}
	return "unknown"
}

// NetworkByName reads the name of a network that this node can reach.
func NetworkByName(name string) (message.NetworkID, bool) {
	for _, id := range []message.NetworkID{message.IPv4, message.IPv6, message.CJDNS} {
		if Name(id) == name {
			return id, true
		}
	}
	return 0, false
}

// FromMessage reads an address of the wire. It reports false for networks that
// this node cannot reach and for addresses that nobody could.
func FromMessage(m *message.Address) (Address, bool) {
	ip, ok := netip.AddrFromSlice(m.Bytes)
	if !ok {
		return Address{}, false
	}
	switch m.Network {
	case message.IPv4:
		ok = ip.Is4()
	case message.IPv6:
		// IPv4 in IPv6 and CJDNS have networks of their own in BIP155, but
		// the old addr message carries IPv4 this way.
		ip = ip.Unmap()
		ok = !isCJDNS(ip)
	case message.CJDNS:
		ok = isCJDNS(ip)
	default:
		ok = false
	}
	if !ok || m.Port == 0 || !Routable(ip) {
		return Address{}, false
	}
	return Address{netip.AddrPortFrom(ip, m.Port), m.Services, int64(m.Time)}, true
}

// ToMessage writes an address for the wire.
func (a *Address) ToMessage() message.Address {
	ip := a.Addr().Unmap()
	return message.Address{
		Time: uint32(clamp(a.Seen)), Services: a.Services, Network: Network(ip), Bytes: ip.AsSlice(), Port: a.Port(),
	}
}

func clamp(seconds int64) int64 { return max(0, min(seconds, 1<<32-1)) }

// Normal gives the address in the one form that the book uses: no zone, and
// IPv4 never inside IPv6.
func Normal(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

// since is how long ago a time in Unix seconds was.
func since(now, then int64) time.Duration { return time.Duration(now-then) * time.Second }
