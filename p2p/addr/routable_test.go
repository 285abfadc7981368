package addr

import (
	"net/netip"
	"testing"

	"granary/p2p/message"
)

func TestGroups(t *testing.T) {
	for _, pair := range []struct {
		a, b string
		same bool
	}{
		{"1.2.3.4", "1.2.200.1", true},
		{"1.2.3.4", "1.3.3.4", false},
		{"1.2.3.4", "::ffff:1.2.9.9", true},
		{"1.2.3.4", "64:ff9b::102:304", true},                     // NAT64
		{"1.2.3.4", "2002:102:304::1", true},                      // 6to4
		{"1.2.3.4", "2001:0:9999:9999:9999:9999:fefd:fcfb", true}, // Teredo
		{"2a00:1:2::1", "2a00:1:3::1", true},                      // /32
		{"2a00:1::1", "2a00:2::1", false},                         //
		{"2001:470:1000::1", "2001:470:2000::1", false},           // Hurricane Electric: /36
		{"2001:470:1000::1", "2001:470:1fff::1", true},            //
		{"fc10::1", "fc1f::1", true},                              // CJDNS: /12
		{"fc10::1", "fc20::1", false},                             //
		{"10.0.0.1", "192.168.0.1", true},                         // not routable
		{"127.0.0.1", "10.0.0.1", false},                          // this machine
		{"127.0.0.1", "::1", true},                                //
		{"2a00:1::1", "42.0.0.1", false},                          // kinds do not mix
	} {
		if got := Group(netip.MustParseAddr(pair.a)) == Group(netip.MustParseAddr(pair.b)); got != pair.same {
			t.Errorf("%s and %s share a group: %v", pair.a, pair.b, got)
		}
	}
}

func TestRoutable(t *testing.T) {
	for text, want := range map[string]bool{
		"8.8.8.8": true, "2a00:1::1": true, "fc00::1": true, "2002:102:304::1": true, "100.128.0.1": true,
		"0.0.0.0": false, "10.1.1.1": false, "100.64.0.1": false, "127.1.2.3": false, "169.254.1.1": false,
		"172.31.0.1": false, "172.32.0.1": true, "192.168.9.9": false, "198.19.0.1": false, "203.0.113.9": false,
		"::": false, "::1": false, "fe80::1": false, "fd12::1": false, "2001:db8::1": false, "2001:10::1": false, "2001:2f::1": false,
		"::ffff:10.0.0.1": false, "::ffff:8.8.8.8": true, "255.255.255.255": false, "fd87:d87e:eb43::1": false,
	} {
		if got := Routable(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s is routable: %v", text, got)
		}
	}
}

func TestAddressesOfTheWire(t *testing.T) {
	for _, test := range []struct {
		network message.NetworkID
		ip      string
		bytes   int
		ok      bool
	}{
		{message.IPv4, "8.8.8.8", 0, true},
		{message.IPv6, "2a00:1::1", 0, true},
		{message.IPv6, "::ffff:8.8.8.8", 0, true},
		{message.CJDNS, "fc00::1", 0, true},
		{message.IPv6, "fc00::1", 0, false},
		{message.CJDNS, "2a00:1::1", 0, false},
		{message.IPv4, "10.0.0.1", 0, false},
		{message.TorV3, "", 32, false},
		{message.I2P, "", 32, false},
		{99, "", 16, false},
		{message.IPv4, "", 5, false},
	} {
		m := message.Address{Network: test.network, Bytes: make([]byte, test.bytes), Port: 8333, Time: 7, Services: 9}
		if test.ip != "" {
			m.Bytes = netip.MustParseAddr(test.ip).AsSlice()
		}
		a, ok := FromMessage(&m)
		if ok != test.ok {
			t.Errorf("%v %s: %v", test.network, test.ip, ok)
		}
		if !ok {
			continue
		}
		again, ok := FromMessage(ptr(a.ToMessage()))
		if !ok || again != a {
			t.Errorf("%v comes back as %v", a, again)
		}
	}
}

func ptr[T any](v T) *T { return &v }
