package addr

import (
	"encoding/binary"
	"net/netip"
)

// Blocks of addresses that no stranger can be reached at, or that carry an
// IPv4 address inside.
var (
	unroutable = prefixes(
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
		"192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
		"255.255.255.255/32",
		"::/128", "::1/128", "fe80::/64", "fd00::/8", "2001:db8::/32", "2001:10::/28", "2001:20::/28",
	)
	cjdnsBlock    = netip.MustParsePrefix("fc00::/8")
	sixToFour     = netip.MustParsePrefix("2002::/16")
	teredo        = netip.MustParsePrefix("2001::/32")
	nat64         = prefixes("64:ff9b::/96", "::ffff:0:0:0/96") // RFC6052, RFC6145
	hurricane     = netip.MustParsePrefix("2001:470::/32")
	internalOld   = netip.MustParsePrefix("fd6b:88c0:8724::/48") // names inside old messages
	onionCatBlock = netip.MustParsePrefix("fd87:d87e:eb43::/48")
)

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		all[i] = netip.MustParsePrefix(text)
	}
	return all
}

func isCJDNS(ip netip.Addr) bool { return cjdnsBlock.Contains(ip) }

// Routable reports whether ip can be reached across the public network (or
// CJDNS), as Bitcoin Core judges it.
func Routable(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	if !ip.IsValid() || internalOld.Contains(ip) || onionCatBlock.Contains(ip) {
		return false
	}
	return !within(unroutable, ip)
}

// Local reports whether ip is this machine.
func Local(ip netip.Addr) bool {
	ip = ip.Unmap()
	return ip.IsLoopback() || ip.IsUnspecified() || ip.Is4() && ip.As4()[0] == 0
}

func within(blocks []netip.Prefix, ip netip.Addr) bool {
	for _, block := range blocks {
		if block.Contains(ip) {
			return true
		}
	}
	return false
}

// Group is the block of addresses that one operator is likely to hold: /16 of
// IPv4 (also where it is inside IPv6), /32 of IPv6, /12 of CJDNS, everything
// that is not routable together but for this machine. The bytes compare; they
// are not for people.
func Group(ip netip.Addr) string {
	ip = ip.Unmap().WithZone("")
	if Local(ip) {
		return "local"
	}
	if !ip.IsValid() || !Routable(ip) {
		return "unroutable"
	}
	if inner, ok := innerIPv4(ip); ok {
		b := inner.As4()
		return string([]byte{4, b[0], b[1]})
	}
	b := ip.As16()
	switch {
	case isCJDNS(ip):
		return string([]byte{7, b[0], b[1] & 0xf0})
	case hurricane.Contains(ip): // sold in small pieces
		return string([]byte{6, b[0], b[1], b[2], b[3], b[4] & 0xf0})
	}
	return string([]byte{6, b[0], b[1], b[2], b[3]})
}

// innerIPv4 gives the IPv4 address behind ip, if there is one.
func innerIPv4(ip netip.Addr) (netip.Addr, bool) {
	if ip.Is4() {
		return ip, true
	}
	b := ip.As16()
	switch {
	case within(nat64, ip):
		return netip.AddrFrom4([4]byte(b[12:])), true
	case sixToFour.Contains(ip):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	case teredo.Contains(ip):
		var inner [4]byte
		binary.BigEndian.PutUint32(inner[:], ^binary.BigEndian.Uint32(b[12:]))
		return netip.AddrFrom4(inner), true
	}
	return netip.Addr{}, false
}
