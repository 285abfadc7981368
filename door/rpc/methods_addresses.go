package rpc

import (
	"fmt"
	"net/netip"

	"granary/p2p/addr"
	"granary/p2p/message"
)

func addressMethods() []Method {
	return []Method{
		{
			Name: "getnodeaddresses", Family: familyNetwork,
			Summary: "Draws addresses of other nodes from the address book.",
			Params: []Param{
				{Name: "count", Type: Integer, Optional: true, Default: "1", Help: "How many at most; 0 gives all."},
				{Name: "network", Type: Text, Optional: true, Default: "all networks", Help: "Only of this network: ipv4, ipv6, onion, i2p or cjdns."},
			},
			Result: "An array of objects: time (Unix seconds), services (number), address, port, network.",
			run:    getNodeAddresses,
		},
		{
			Name: "addpeeraddress", Family: familyNetwork,
			Summary: "Puts an address into the address book (for tests).",
			Params: []Param{
				{Name: "address", Type: Text, Help: "The IP address."},
				{Name: "port", Type: Integer, Help: "The port."},
				{Name: "tried", Type: Boolean, Optional: true, Default: "false", Help: "Among those that were met."},
			},
			Result: "An object with success, and error where it failed.",
			run:    addPeerAddress,
		},
		{
			Name: "getrawaddrman", Family: familyNetwork,
			Summary: "Shows every place of the address book (for tests).",
			Result:  "An object with new and tried: by bucket/position an object with address, port, network, services, time, source, source_network.",
			run:     getRawAddrman,
		},
		{
			Name: "getaddrmaninfo", Family: familyNetwork,
			Summary: "Counts the address book.",
			Result:  "An object by network, and all_networks: new, tried, total.",
			run:     getAddrmanInfo,
		},
	}
}

func getNodeAddresses(c *call) (any, error) {
	net, err := c.network()
	if err != nil {
		return nil, err
	}
	count, err := c.int32("count", 1)
	if err != nil {
		return nil, err
	}
	if count < 0 {
		return nil, errorf(CodeInvalidParameter, "Address count out of range")
	}
	networks := addr.AllNetworks
	if word := c.text("network", ""); word != "" {
		networks = 0
		for _, id := range netIDs {
			if addr.Name(id) == word {
				networks = addr.SetOf(id)
			}
		}
		if networks == 0 {
			return nil, errorf(CodeInvalidParameter, "Network not recognized: %s", clip(word))
		}
	}
	out := []object{}
	for _, a := range net.Book().Sample(int(count), 0, networks) {
		out = append(out, object{
			{"time", a.Seen},
			{"services", uint64(a.Services)},
			{"address", a.Addr().String()},
			{"port", a.Port()},
			{"network", addr.NetworkName(a.Addr())},
		})
	}
	return out, nil
}

func addPeerAddress(c *call) (any, error) {
	net, err := c.network()
	if err != nil {
		return nil, err
	}
	ip, err := netip.ParseAddr(c.text("address", ""))
	if err != nil {
		return nil, errorf(codeInvalidSubnet, "Invalid IP address")
	}
	port, err := c.integer("port", 0)
	if err != nil {
		return nil, err
	}
	if port < 0 || port > 0xffff {
		return nil, errIntegerRange
	}
	at := addr.Normal(netip.AddrPortFrom(ip, uint16(port)))
	a := addr.Address{
		AddrPort: at, Services: message.ServiceNetwork | message.ServiceWitness, Seen: c.Clock.Now().Unix(),
	}
	book := net.Book()
	switch {
	case book.Add([]addr.Address{a}, at.Addr(), 0) == 0:
		return object{{"success", false}, {"error", "failed-adding-to-new"}}, nil
	case c.flag("tried", false) && !book.Good(at):
		return object{{"success", false}, {"error", "failed-adding-to-tried"}}, nil
	}
	return object{{"success", true}}, nil
}

func getRawAddrman(c *call) (any, error) {
	net, err := c.network()
	if err != nil {
		return nil, err
	}
	inNew, inTried := net.Book().Places()
	return object{{"new", placesJSON(inNew)}, {"tried", placesJSON(inTried)}}, nil
}

func placesJSON(places []addr.Place) object {
	out := object{}
	for _, p := range places {
		out = append(out, member{fmt.Sprintf("%d/%d", p.Bucket, p.Position), object{
			{"address", p.Address.Addr().String()},
			{"port", p.Address.Port()},
			{"network", addr.NetworkName(p.Address.Addr())},
			{"services", uint64(p.Address.Services)},
			{"time", p.Address.Seen},
			{"source", p.Source.String()},
			{"source_network", addr.NetworkName(p.Source)},
		}})
	}
	return out
}

func getAddrmanInfo(c *call) (any, error) {
	net, err := c.network()
	if err != nil {
		return nil, err
	}
	show := func(n addr.Counts) object {
		return object{{"new", n.New}, {"tried", n.Tried}, {"total", n.New + n.Tried}}
	}
	out := object{}
	for _, id := range netIDs {
		out = append(out, member{addr.Name(id), show(net.Book().Counts(id))})
	}
	return append(out, member{"all_networks", show(net.Book().Counts(0))}), nil
}
