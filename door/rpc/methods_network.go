package rpc

const familyNetwork = "Network"

// The version that clients compare with Bitcoin Core's.
const (
	coreVersion     = 280100
	coreVersionText = "28.1.0"
	protocolVersion = 70016
)

func networkMethods() []Method {
	return []Method{
		{
			Name: "getnetworkinfo", Family: familyNetwork,
			Summary: "Tells the program's version and its connections.",
			Result:  "An object with version, subversion, protocolversion, localservices, connections, networks, relayfee and incrementalfee (coins per 1,000 vbytes), warnings.",
			run:     getNetworkInfo,
		},
		{
			Name: "getconnectioncount", Family: familyNetwork,
			Summary: "Gives the number of connected peers.",
			Result:  "A number.",
			run:     func(*call) (any, error) { return 0, nil },
		},
	}
}

type netJSON struct {
	Name      string `json:"name"`
	Limited   bool   `json:"limited"`
	Reachable bool   `json:"reachable"`
	Proxy     string `json:"proxy"`
	Random    bool   `json:"proxy_randomize_credentials"`
}

// UserAgent is the subversion in the form that clients of Bitcoin Core parse.
func UserAgent(version string) string {
	return "/Satoshi:" + coreVersionText + "(granary:" + version + ")/"
}

func getNetworkInfo(c *call) (any, error) {
	info := c.Pool.Info()
	return object{
		{"version", coreVersion},
		{"subversion", UserAgent(c.server.opts.Version)},
		{"protocolversion", protocolVersion},
		{"localservices", "0000000000000000"},
		{"localservicesnames", []string{}},
		{"localrelay", false},
		{"timeoffset", 0},
		{"networkactive", false},
		{"connections", 0},
		{"connections_in", 0},
		{"connections_out", 0},
		{"networks", []netJSON{{Name: "ipv4", Limited: true}, {Name: "ipv6", Limited: true}}},
		{"relayfee", amount(info.RelayUnitsPerKVB)},
		{"incrementalfee", amount(info.IncrementalUnitsPerKVB)},
		{"localaddresses", []string{}},
		{"warnings", []string{}},
	}, nil
}
