package config

import (
	"fmt"
	"strconv"
	"strings"

	"granary/params"
)

// kind is the form of an option's value.
type kind uint8

const (
	kindBool kind = iota
	kindInt
	kindText
	kindList // may be given several times; the values add up
)

// Option is one row of the table: a flag --Name, a file key Name=, and an
// environment variable GRANARY_NAME.
type Option struct {
	Name    string
	Group   string // heading in the sample configuration
	Arg     string // what stands for the value in help; empty for a switch
	Default string // as a person reads it; may depend on the network
	Help    string // one sentence without a full stop
	kind    kind
	// perNetwork options at the top of the file hold for mainnet only: two
	// networks on one machine cannot share a port (Core's rule).
	perNetwork bool
	// topOnly options choose the network or the files and cannot stand in a
	// network's section.
	topOnly bool
	// flagOnly options cannot stand in the file at all.
	flagOnly bool
	set      func(s *Settings, value string) error
}

// Multiple reports whether the option may be given several times.
func (o *Option) Multiple() bool { return o.kind == kindList }

// Switch reports whether the option is on or off.
func (o *Option) Switch() bool { return o.kind == kindBool }

// Groups are the headings of the table in their order.
var Groups = []string{"Chain", "Storage", "Checking", "Mempool", "Network", "JSON-RPC", "ZMQ", "Metrics", "Page", "Log"}

// Table gives every option in the order of the sample configuration. The
// slice is the caller's.
func Table() []Option {
	var all []Option
	for _, rows := range [][]Option{
		chainRows(), storageRows(), checkingRows(), mempoolRows(), networkRows(), rpcRows(), zmqRows(), metricsRows(), pageRows(), logRows(),
	} {
		all = append(all, rows...)
	}
	return all
}

func chainRows() []Option {
	choose := func(name string) func(*Settings, string) error {
		return func(s *Settings, value string) error {
			on, err := parseBool(value)
			if err == nil && on {
				s.networks = append(s.networks, name)
			}
			return err
		}
	}
	return []Option{
		{
			Name: "network", Group: "Chain", Arg: "NAME", Default: "mainnet, or the charter's", topOnly: true, kind: kindText,
			Help: "Base network: mainnet, testnet4, signet, regtest, or custom with a charter",
			set:  func(s *Settings, v string) error { s.networks = append(s.networks, v); return nil },
		},
		{Name: "testnet4", Group: "Chain", Default: "0", topOnly: true, kind: kindBool, Help: "Same as network=testnet4", set: choose("testnet4")},
		{Name: "signet", Group: "Chain", Default: "0", topOnly: true, kind: kindBool, Help: "Same as network=signet", set: choose("signet")},
		{Name: "regtest", Group: "Chain", Default: "0", topOnly: true, kind: kindBool, Help: "Same as network=regtest", set: choose("regtest")},
		{
			Name: "charter", Group: "Chain", Arg: "FILE", Default: "none: plain Bitcoin rules", kind: kindText,
			Help: "Charter of the chain, a TOML file; binds the data directory to it", set: setText(func(s *Settings) *string { return &s.CharterFile }),
		},
		{
			Name: "signetchallenge", Group: "Chain", Arg: "HEX", Default: "the public signet's", kind: kindText,
			Help: "Challenge script of a signet of your own (BIP325)", set: setText(func(s *Settings) *string { return &s.SignetChallenge }),
		},
		{
			Name: "mocktime", Group: "Chain", Arg: "SECONDS", Default: "0", kind: kindInt,
			Help: "Stop the node's clock at this Unix time, for tests; 0 lets it run", set: setInt(0, 1<<33, func(s *Settings) *int { return &s.MockTime }),
		},
		{
			Name: "datadir", Group: "Chain", Arg: "DIR", Default: "~/.granary", topOnly: true, kind: kindText,
			Help: "Data directory; each network but mainnet has a folder below it", set: setText(func(s *Settings) *string { return &s.DataDir }),
		},
		{
			Name: "conf", Group: "Chain", Arg: "FILE", Default: "granary.conf in the data directory", flagOnly: true, kind: kindText,
			Help: "Configuration file; flags and environment only", set: setText(func(s *Settings) *string { return &s.ConfFile }),
		},
	}
}

func storageRows() []Option {
	return []Option{
		{
			Name: "dbcache", Group: "Storage", Arg: "MIB", Default: strconv.Itoa(params.DefaultDBCacheMiB), kind: kindInt,
			Help: "Memory for the coin cache and the database, in MiB", set: setInt(4, 1<<20, func(s *Settings) *int { return &s.DBCacheMiB }),
		},
		{
			Name: "prune", Group: "Storage", Arg: "MIB", Default: "0", kind: kindInt,
			Help: "Delete old block files beyond this size in MiB, at least 550; 0 keeps all, 1 deletes by the RPC only", set: setPrune,
		},
		{
			Name: "reindex", Group: "Storage", Default: "0", flagOnly: true, kind: kindBool,
			Help: "Rebuild the state from the block files; flags and environment only", set: setBool(func(s *Settings) *bool { return &s.Reindex }),
		},
		{
			Name: "txindex", Group: "Storage", Default: "0", kind: kindBool,
			Help: "Keep an index from transaction id to block, for getrawtransaction and the page's search", set: setBool(func(s *Settings) *bool { return &s.TxIndex }),
		},
		{
			Name: "blockfilterindex", Group: "Storage", Default: "0", kind: kindBool,
			Help: "Keep the basic filter of every block (BIP158), for getblockfilter and peerblockfilters", set: setFilterIndex,
		},
	}
}

func checkingRows() []Option {
	command := func(name, help string, field func(*Settings) *string) Option {
		return Option{Name: name, Group: "Checking", Arg: "COMMAND", Default: "none", kind: kindText, Help: help, set: setText(field)}
	}
	return []Option{
		{
			Name: "stopatheight", Group: "Checking", Arg: "HEIGHT", Default: "0", kind: kindInt,
			Help: "Stop once the chain has this height; 0 goes on", set: setInt(0, 1<<31-1, func(s *Settings) *int { return &s.StopAtHeight }),
		},
		{
			Name: "testactivationheight", Group: "Checking", Arg: "NAME@HEIGHT", Default: "none", kind: kindList,
			Help: "Height from which segwit, bip34, dersig, cltv or csv holds; regtest only", set: addText(func(s *Settings) *[]string { return &s.TestActivationHeight }),
		},
		command("blocknotify", "Shell command for every block that joins the chain, %s being its hash", func(s *Settings) *string { return &s.BlockNotify }),
		command("startupnotify", "Shell command once the node is up", func(s *Settings) *string { return &s.StartupNotify }),
		command("shutdownnotify", "Shell command when the node stops", func(s *Settings) *string { return &s.ShutdownNotify }),
		{
			Name: "par", Group: "Checking", Arg: "N", Default: "0", kind: kindInt,
			Help: "Threads that check scripts; 0 is one per core, -N leaves N cores free", set: setInt(-1024, 1024, func(s *Settings) *int { return &s.Par }),
		},
	}
}

func rpcRows() []Option {
	return []Option{
		{Name: "server", Group: "JSON-RPC", Default: "1", kind: kindBool, Help: "Answer JSON-RPC", set: setBool(func(s *Settings) *bool { return &s.Server })},
		{
			Name: "rest", Group: "JSON-RPC", Default: "0", kind: kindBool,
			Help: "Answer /rest/ requests at the same addresses, without a password", set: setBool(func(s *Settings) *bool { return &s.REST }),
		},
		{
			Name: "rpcport", Group: "JSON-RPC", Arg: "PORT", Default: "8332, testnet4 48332, signet 38332, regtest 18443", perNetwork: true, kind: kindInt,
			Help: "Port of JSON-RPC", set: setInt(1, 65535, func(s *Settings) *int { return &s.RPCPort }),
		},
		{
			Name: "rpcbind", Group: "JSON-RPC", Arg: "ADDR[:PORT]", Default: "127.0.0.1 and [::1]", perNetwork: true, kind: kindList,
			Help: "Address to answer JSON-RPC on; needs rpcallowip to leave this machine", set: addText(func(s *Settings) *[]string { return &s.RPCBind }),
		},
		{
			Name: "rpcallowip", Group: "JSON-RPC", Arg: "NET", Default: "this machine", kind: kindList,
			Help: "Address or network (1.2.3.0/24) that may call JSON-RPC", set: addText(func(s *Settings) *[]string { return &s.RPCAllowIP }),
		},
		{
			Name: "rpcuser", Group: "JSON-RPC", Arg: "NAME", Default: "the cookie's", kind: kindText,
			Help: "User of JSON-RPC, with rpcpassword; without it a cookie file is used", set: setText(func(s *Settings) *string { return &s.RPCUser }),
		},
		{
			Name: "rpcpassword", Group: "JSON-RPC", Arg: "WORD", Default: "the cookie's", kind: kindText,
			Help: "Password of rpcuser; rpcauth keeps it out of the file", set: setText(func(s *Settings) *string { return &s.RPCPassword }),
		},
		{
			Name: "rpcauth", Group: "JSON-RPC", Arg: "USER:SALT$HASH", Default: "none", kind: kindList,
			Help: "User with a salted password hash, as Bitcoin Core's rpcauth.py writes it", set: addText(func(s *Settings) *[]string { return &s.RPCAuth }),
		},
		{
			Name: "rpcwhitelist", Group: "JSON-RPC", Arg: "USER:METHODS", Default: "none", kind: kindList,
			Help: "Methods that a user may call, with commas; several for one user intersect", set: addText(func(s *Settings) *[]string { return &s.RPCWhitelist }),
		},
		{
			Name: "rpcwhitelistdefault", Group: "JSON-RPC", Arg: "0|1", Default: "1 with rpcwhitelist", kind: kindText,
			Help: "Let users without a rpcwhitelist call nothing",
			set: func(s *Settings, value string) error {
				on, err := parseBool(value)
				s.RPCWhitelistDefault = &on
				return err
			},
		},
		{
			Name: "rpccookiefile", Group: "JSON-RPC", Arg: "FILE", Default: ".cookie in the network's folder", kind: kindText,
			Help: "Where the cookie is written", set: setText(func(s *Settings) *string { return &s.RPCCookieFile }),
		},
	}
}

func metricsRows() []Option {
	return []Option{
		{Name: "metrics", Group: "Metrics", Default: "0", kind: kindBool, Help: "Serve /metrics for Prometheus, /health and /ready", set: setBool(func(s *Settings) *bool { return &s.Metrics })},
		{
			Name: "metricsport", Group: "Metrics", Arg: "PORT", Default: "9332", perNetwork: true, kind: kindInt,
			Help: "Port of the metrics", set: setInt(1, 65535, func(s *Settings) *int { return &s.MetricsPort }),
		},
		{
			Name: "metricsbind", Group: "Metrics", Arg: "ADDR[:PORT]", Default: "127.0.0.1", perNetwork: true, kind: kindList,
			Help: "Address to serve the metrics on", set: addText(func(s *Settings) *[]string { return &s.MetricsBind }),
		},
	}
}

func pageRows() []Option {
	return []Option{
		{Name: "web", Group: "Page", Default: "1", kind: kindBool, Help: "Serve the page", set: setBool(func(s *Settings) *bool { return &s.Web })},
		{
			Name: "webport", Group: "Page", Arg: "PORT", Default: "8380, testnet4 48380, signet 38380, regtest 18380", perNetwork: true, kind: kindInt,
			Help: "Port of the page", set: setInt(1, 65535, func(s *Settings) *int { return &s.WebPort }),
		},
		{
			Name: "webbind", Group: "Page", Arg: "ADDR[:PORT]", Default: "127.0.0.1", perNetwork: true, kind: kindList,
			Help: "Address to serve the page on; it shows public facts only and takes no orders", set: addText(func(s *Settings) *[]string { return &s.WebBind }),
		},
	}
}

func logRows() []Option {
	return []Option{
		{
			Name: "loglevel", Group: "Log", Arg: "LEVEL", Default: "info", kind: kindText,
			Help: "debug, info, warn or error", set: setLevel,
		},
		{Name: "debug", Group: "Log", Default: "0", kind: kindBool, Help: "Same as loglevel=debug", set: func(s *Settings, v string) error {
			on, err := parseBool(v)
			if err == nil && on {
				s.LogLevel = "debug"
			}
			return err
		}},
		{
			Name: "printtoconsole", Group: "Log", Default: "1", kind: kindBool,
			Help: "Write the log to standard error", set: setBool(func(s *Settings) *bool { return &s.PrintToConsole }),
		},
		{
			Name: "debuglogfile", Group: "Log", Arg: "FILE", Default: "debug.log", kind: kindText,
			Help: "Write the log to this file in the network's folder too; 0 for none", set: setText(func(s *Settings) *string { return &s.DebugLogFile }),
		},
		{
			Name: "pid", Group: "Log", Arg: "FILE", Default: "granary.pid", kind: kindText,
			Help: "File for the process id, in the network's folder", set: setText(func(s *Settings) *string { return &s.PIDFile }),
		},
	}
}

func setText(field func(*Settings) *string) func(*Settings, string) error {
	return func(s *Settings, value string) error { *field(s) = value; return nil }
}

func addText(field func(*Settings) *[]string) func(*Settings, string) error {
	return func(s *Settings, value string) error {
		if value == "" {
			return fmt.Errorf("needs a value")
		}
		*field(s) = append(*field(s), value)
		return nil
	}
}

func setBool(field func(*Settings) *bool) func(*Settings, string) error {
	return func(s *Settings, value string) error {
		on, err := parseBool(value)
		if err == nil {
			*field(s) = on
		}
		return err
	}
}

func setInt(least, most int, field func(*Settings) *int) func(*Settings, string) error {
	return func(s *Settings, value string) error {
		n, err := strconv.Atoi(value)
		if err != nil || n < least || n > most {
			return fmt.Errorf("%q is not a whole number from %d to %d", value, least, most)
		}
		*field(s) = n
		return nil
	}
}

// setFilterIndex knows Core's word for the one filter that there is.
func setFilterIndex(s *Settings, value string) error {
	if value == "basic" {
		s.BlockFilterIndex = true
		return nil
	}
	return setBool(func(s *Settings) *bool { return &s.BlockFilterIndex })(s, value)
}

func setPrune(s *Settings, value string) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 || (n > 1 && n < params.MinPruneTargetMiB) {
		return fmt.Errorf("%q is not 0 (keep all), 1 (by the RPC) or a size of at least %d MiB", value, params.MinPruneTargetMiB)
	}
	s.PruneMiB = n
	return nil
}

func setLevel(s *Settings, value string) error {
	switch value {
	case "debug", "info", "warn", "error":
		s.LogLevel = value
		return nil
	}
	return fmt.Errorf("%q is not debug, info, warn or error", value)
}

// parseBool reads a switch: 1, true, yes and a bare name are on.
func parseBool(value string) (bool, error) {
	switch strings.ToLower(value) {
	case "", "1", "true", "yes", "on":
		return true, nil
	case "0", "false", "no", "off":
		return false, nil
	}
	return false, fmt.Errorf("%q is not 0 or 1", value)
}
