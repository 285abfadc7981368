package rpc

import (
	"fmt"
	"math/bits"
	"slices"
	"time"

	"granary/p2p/addr"
	"granary/p2p/message"
)

const familyNetwork = "Network"

// The version that clients compare with Bitcoin Core's.
const (
	coreVersion     = 280100
	coreVersionText = "28.1.0"
)

func networkMethods() []Method {
	return []Method{
		{
			Name: "getnetworkinfo", Family: familyNetwork,
			Summary: "Tells the program's version and its connections.",
			Result:  "An object with version, subversion, protocolversion, localservices (hex) and localservicesnames, localrelay, timeoffset (seconds), networkactive, connections, connections_in, connections_out, networks, relayfee and incrementalfee (coins per 1,000 vbytes), localaddresses, warnings.",
			run:     getNetworkInfo,
		},
		{
			Name: "getconnectioncount", Family: familyNetwork,
			Summary: "Gives the number of connected peers.",
			Result:  "A number.",
			run:     func(c *call) (any, error) { return c.connections(), nil },
		},
		{
			Name: "getnettotals", Family: familyNetwork,
			Summary: "Gives the bytes that went over all connections.",
			Result:  "An object with totalbytesrecv, totalbytessent, timemillis, and uploadtarget: timeframe (seconds), target and bytes_left_in_cycle (bytes), target_reached, serve_historical_blocks, time_left_in_cycle (seconds).",
			run:     getNetTotals,
		},
		{
			Name: "setnetworkactive", Family: familyNetwork,
			Summary: "Switches the peer-to-peer network on or off; off ends every connection.",
			Params:  []Param{{Name: "state", Type: Boolean, Help: "On or off."}},
			Result:  "The state that was set.",
			run:     setNetworkActive,
		},
		{
			Name: "ping", Family: familyNetwork,
			Summary: "Sends a ping to every peer; getpeerinfo shows pingtime and pingwait.",
			Result:  "null",
			run: func(c *call) (any, error) {
				net, err := c.network()
				if err == nil {
					net.Ping()
				}
				return nil, err
			},
		},
	}
}

// UserAgent is the subversion in the form that clients of Bitcoin Core parse.
func UserAgent(version string) string {
	return "/Satoshi:" + coreVersionText + "(granary:" + version + ")/"
}

func (o *Options) userAgent() string {
	if o.UserAgent != "" {
		return o.UserAgent
	}
	return UserAgent(o.Version)
}

type netJSON struct {
	Name      string `json:"name"`
	Limited   bool   `json:"limited"`
	Reachable bool   `json:"reachable"`
	Proxy     string `json:"proxy"`
	Random    bool   `json:"proxy_randomize_credentials"`
}

// netIDs are the networks in Core's order.
var netIDs = []message.NetworkID{message.IPv4, message.IPv6, message.TorV3, message.I2P, message.CJDNS}

// serviceNames are the words of the service bits, in the order of the bits.
func serviceNames(s message.Services) []string {
	known := map[message.Services]string{
		message.ServiceNetwork: "NETWORK", 1 << 2: "BLOOM", message.ServiceWitness: "WITNESS",
		message.ServiceCompactFilters: "COMPACT_FILTERS", message.ServiceNetworkLimited: "NETWORK_LIMITED",
		message.ServiceV2: "P2P_V2",
	}
	out := []string{}
	for left := uint64(s); left != 0; left &= left - 1 {
		bit := bits.TrailingZeros64(left)
		name, ok := known[message.Services(1)<<bit]
		if !ok {
			name = fmt.Sprintf("UNKNOWN[2^%d]", bit)
		}
		out = append(out, name)
	}
	return out
}

func servicesHex(s message.Services) string { return fmt.Sprintf("%016x", uint64(s)) }

func getNetworkInfo(c *call) (any, error) {
	pool := c.Pool.Info()
	var services message.Services
	var reachable addr.Networks
	relay, active, offset := false, false, int64(0)
	in, out := 0, 0
	local := []object{}
	if c.Net != nil {
		self := c.Net.Self()
		services, relay = self.Services, self.Relay
		reachable, active, offset = c.Net.Networks(), c.Net.Active(), c.timeOffset()
		in, out = c.Net.Connections()
		for _, at := range c.Net.LocalAddresses() {
			local = append(local, object{{"address", at.Addr().String()}, {"port", at.Port()}, {"score", 1}})
		}
	}
	networks := make([]netJSON, len(netIDs))
	for i, id := range netIDs {
		networks[i] = netJSON{Name: addr.Name(id), Limited: !reachable.Has(id), Reachable: reachable.Has(id)}
	}
	return object{
		{"version", coreVersion},
		{"subversion", c.server.opts.userAgent()},
		{"protocolversion", message.ProtocolVersion},
		{"localservices", servicesHex(services)},
		{"localservicesnames", serviceNames(services)},
		{"localrelay", relay},
		{"timeoffset", offset},
		{"networkactive", active},
		{"connections", in + out},
		{"connections_in", in},
		{"connections_out", out},
		{"networks", networks},
		{"relayfee", amount(pool.RelayUnitsPerKVB)},
		{"incrementalfee", amount(pool.IncrementalUnitsPerKVB)},
		{"localaddresses", local},
		{"warnings", []string{}},
	}, nil
}

// timeOffset is the median of what the outbound peers' clocks differ from
// ours, in seconds.
func (c *call) timeOffset() int64 {
	var offsets []int64
	for _, p := range c.Net.Peers() {
		if p.Ready && p.Outbound() {
			offsets = append(offsets, int64(p.TimeOffset/time.Second))
		}
	}
	if len(offsets) == 0 {
		return 0
	}
	slices.Sort(offsets)
	return offsets[len(offsets)/2]
}

func getNetTotals(c *call) (any, error) {
	net, err := c.network()
	if err != nil {
		return nil, err
	}
	totals, up := net.Totals(), net.Uploads()
	return object{
		{"totalbytesrecv", totals.ReceivedBytes},
		{"totalbytessent", totals.SentBytes},
		{"timemillis", c.Clock.Now().UnixMilli()},
		{"uploadtarget", object{
			{"timeframe", up.CycleSeconds},
			{"target", up.TargetBytes},
			{"target_reached", up.TargetReached},
			{"serve_historical_blocks", up.HistoricalAnswered},
			{"bytes_left_in_cycle", up.LeftBytes},
			{"time_left_in_cycle", up.LeftSeconds},
		}},
	}, nil
}

func setNetworkActive(c *call) (any, error) {
	net, err := c.network()
	if err != nil {
		return nil, err
	}
	net.SetActive(c.flag("state", true))
	return net.Active(), nil
}
