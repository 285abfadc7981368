package config

import (
	"fmt"
	"math/bits"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"granary/p2p"
	"granary/p2p/addr"
)

// networkRows are the options of the peer-to-peer network.
func networkRows() []Option {
	return append(linkRows(), append(reachRows(), servingRows()...)...)
}

// maxTimeoutSeconds bounds a time-out. Tests that must never meet one give
// 999999999, some 31 years.
const maxTimeoutSeconds = 1 << 30

// linkRows say whom the node talks to.
func linkRows() []Option {
	list := func(name, arg, help string, check func(string) error, field func(*Settings) *[]string) Option {
		return Option{Name: name, Group: "Network", Arg: arg, Default: "none", kind: kindList, Help: help, set: checked(check, addText(field))}
	}
	connect := list("connect", "HOST[:PORT]", "Connect to this node only, 0 for none; turns listen off", checkConnect, func(s *Settings) *[]string { return &s.Connect })
	addNode := list("addnode", "HOST[:PORT]", "Keep a connection to this node", checkHost, func(s *Settings) *[]string { return &s.AddNode })
	connect.perNetwork, addNode.perNetwork = true, true
	return []Option{
		connect, addNode,
		list("seednode", "HOST[:PORT]", "Ask this node for addresses of others", checkHost, func(s *Settings) *[]string { return &s.SeedNode }),
		{
			Name: "maxconnections", Group: "Network", Arg: "N", Default: strconv.Itoa(p2p.DefaultMaxConnections), kind: kindInt,
			Help: "Connections to peers at most, those of addnode aside", set: setInt(0, 10_000, func(s *Settings) *int { return &s.MaxConnections }),
		},
		list("onlynet", "NETWORK", "Dial addresses of this network only: ipv4, ipv6 or cjdns", checkNetwork, func(s *Settings) *[]string { return &s.OnlyNet }),
		list("whitelist", "[RIGHTS@]NET", "Rights for peers from an address or network: noban, download, forcerelay", checkRights, func(s *Settings) *[]string { return &s.Whitelist }),
		{
			Name: "whitelistrelay", Group: "Network", Default: "1", kind: kindBool,
			Help: "Let a whitelist without rights give relay", set: setBool(func(s *Settings) *bool { return &s.WhitelistRelay }),
		},
		{
			Name: "whitelistforcerelay", Group: "Network", Default: "0", kind: kindBool,
			Help: "Let a whitelist without rights give forcerelay", set: setBool(func(s *Settings) *bool { return &s.WhitelistForceRelay }),
		},
		{
			Name: "bantime", Group: "Network", Arg: "SECONDS", Default: strconv.Itoa(int(addr.DefaultBan.Seconds())), kind: kindInt,
			Help: "How long a ban without a time lasts", set: setInt(1, 1<<31-1, func(s *Settings) *int { return &s.BanTimeSeconds }),
		},
		{
			Name: "networkactive", Group: "Network", Default: "1", kind: kindBool,
			Help: "Start with the network on; the RPC setnetworkactive switches it", set: setBool(func(s *Settings) *bool { return &s.NetworkActive }),
		},
		{
			Name: "v2transport", Group: "Network", Default: "1", kind: kindBool,
			Help: "Encrypt connections to peers that can (BIP324)", set: setBool(func(s *Settings) *bool { return &s.V2Transport }),
		},
		{
			Name: "timeout", Group: "Network", Arg: "MS", Default: strconv.Itoa(int(p2p.DefaultDialTimeout.Milliseconds())), kind: kindInt,
			Help: "How long a connection may take to open, in milliseconds", set: setInt(1, 600_000, func(s *Settings) *int { return &s.TimeoutMs }),
		},
		{
			Name: "peertimeout", Group: "Network", Arg: "SECONDS", Default: "60", kind: kindInt,
			Help: "How long a peer may take to greet", set: setInt(1, maxTimeoutSeconds, func(s *Settings) *int { return &s.PeerTimeoutSeconds }),
		},
		list("uacomment", "TEXT", "Remark in the name that peers see", checkComment, func(s *Settings) *[]string { return &s.UAComment }),
	}
}

// reachRows say how the node is reached.
func reachRows() []Option {
	return []Option{
		{
			Name: "listen", Group: "Network", Default: "1", kind: kindBool,
			Help: "Let peers connect to this node; on regtest from this machine only, unless bind says more",
			set: func(s *Settings, value string) error {
				on, err := parseBool(value)
				s.Listen, s.listenGiven = on, true
				return err
			},
		},
		{
			Name: "port", Group: "Network", Arg: "PORT", Default: "8333, testnet4 48333, signet 38333, regtest 18444", perNetwork: true, kind: kindInt,
			Help: "Port for peers", set: setInt(1, 65535, func(s *Settings) *int { return &s.Port }),
		},
		{
			Name: "bind", Group: "Network", Arg: "ADDR[:PORT]", Default: "every address; regtest this machine's", perNetwork: true, kind: kindList,
			Help: "Address to let peers connect to", set: addText(func(s *Settings) *[]string { return &s.Bind }),
		},
		{
			Name: "whitebind", Group: "Network", Arg: "[RIGHTS@]ADDR:PORT", Default: "none", perNetwork: true, kind: kindList,
			Help: "Address to let peers connect to who then have rights, as with whitelist",
			set:  checked(checkWhiteBind, addText(func(s *Settings) *[]string { return &s.WhiteBind })),
		},
		{
			Name: "externalip", Group: "Network", Arg: "ADDR[:PORT]", Default: "none", kind: kindList,
			Help: "Tell peers that this node is reached here", set: checked(checkExternal, addText(func(s *Settings) *[]string { return &s.ExternalIP })),
		},
		{
			Name: "discover", Group: "Network", Default: "1", kind: kindBool,
			Help: "Tell peers this machine's public addresses, where it listens and externalip is not given", set: setBool(func(s *Settings) *bool { return &s.Discover }),
		},
		{
			Name: "dns", Group: "Network", Default: "1", kind: kindBool,
			Help: "Look up the names of addnode, connect and seednode", set: setBool(func(s *Settings) *bool { return &s.DNS }),
		},
	}
}

// servingRows say what the node serves and takes.
func servingRows() []Option {
	return []Option{
		{
			Name: "maxuploadtarget", Group: "Network", Arg: "N", Default: "0", kind: kindText,
			Help: "Bytes to send in a day, in MiB or with k, M, G or T behind; old blocks are refused first; 0 is no bound",
			set:  setBytes(func(s *Settings) *int64 { return &s.MaxUploadTargetBytes }),
		},
		{
			Name: "blocksonly", Group: "Network", Default: "0", kind: kindBool,
			Help: "Take no transactions from peers", set: setBool(func(s *Settings) *bool { return &s.BlocksOnly }),
		},
		{
			Name: "peerblockfilters", Group: "Network", Default: "0", kind: kindBool,
			Help: "Serve block filters to light wallets (BIP157); needs blockfilterindex", set: setBool(func(s *Settings) *bool { return &s.PeerBlockFilters }),
		},
		{
			Name: "maxtipage", Group: "Network", Arg: "SECONDS", Default: "86400", kind: kindInt,
			Help: "Age of the tip from which the node counts as catching up", set: setInt(1, 1<<31-1, func(s *Settings) *int { return &s.MaxTipAgeSeconds }),
		},
		{
			Name: "minimumchainwork", Group: "Network", Arg: "HEX", Default: "none", kind: kindText,
			Help: "Work that a chain must have to be worth following", set: setWork,
		},
	}
}

// checkWhiteBind asks for rights, an address and a port.
func checkWhiteBind(value string) error {
	_, rest, err := splitRights(value)
	if err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(rest)
	if err != nil {
		host = strings.Trim(rest, "[]")
	}
	if _, bad := netip.ParseAddr(host); bad != nil {
		return inCore("Cannot resolve -whitebind address: '%s'", rest)
	}
	if err != nil {
		return inCore("Need to specify a port with -whitebind: '%s'", rest)
	}
	return nil
}

// checked runs a check before a value is set.
func checked(check func(string) error, set func(*Settings, string) error) func(*Settings, string) error {
	return func(s *Settings, value string) error {
		if err := check(value); err != nil {
			return err
		}
		return set(s, value)
	}
}

func checkHost(value string) error {
	_, _, err := p2p.SplitAddress(value, 1)
	return err
}

func checkConnect(value string) error {
	if value == "0" {
		return nil
	}
	return checkHost(value)
}

func checkNetwork(value string) error {
	if _, ok := addr.NetworkByName(value); !ok {
		return fmt.Errorf("%q is not ipv4, ipv6 or cjdns (there are no proxies here, so neither onion nor i2p)", value)
	}
	return nil
}

// checkComment keeps to the characters of BIP14 that Core allows.
func checkComment(value string) error {
	for _, c := range value {
		if c >= utf8.RuneSelf || !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,;-_?@", c) {
			return fmt.Errorf("%q contains unsafe characters", value)
		}
	}
	return nil
}

// setBytes reads a number with a unit; without one it counts MiB.
func setBytes(field func(*Settings) *int64) func(*Settings, string) error {
	units := map[byte]uint64{'k': 1e3, 'K': 1 << 10, 'm': 1e6, 'M': 1 << 20, 'g': 1e9, 'G': 1 << 30, 't': 1e12, 'T': 1 << 40}
	return func(s *Settings, value string) error {
		digits, unit := value, uint64(1<<20)
		if value != "" && units[value[len(value)-1]] != 0 {
			digits, unit = value[:len(value)-1], units[value[len(value)-1]]
		}
		n, err := strconv.ParseUint(digits, 10, 63)
		high, low := bits.Mul64(n, unit)
		if err != nil || high != 0 || low > 1<<62 {
			return fmt.Errorf("%q is not a number of bytes such as 500M", value)
		}
		*field(s) = int64(low)
		return nil
	}
}

func setWork(s *Settings, value string) error {
	if _, err := parseWork(value); err != nil {
		return err
	}
	s.MinimumChainWork = value
	return nil
}
