package config

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"granary/mempool/policy"
	"granary/p2p"
	"granary/p2p/addr"
	"granary/params"
)

// Settings are the values of the table after all sources were read. Paths are
// as the person gave them; Load makes a Config of them.
type Settings struct {
	CharterFile, SignetChallenge, DataDir, ConfFile string

	DBCacheMiB, PruneMiB int
	Reindex, TxIndex     bool
	Par                  int

	MaxMempoolMB, MempoolExpiryHours           int
	AcceptNonStd, DataCarrier, FullReplacement bool
	PersistMempool, AcceptStaleFeeEstimates    bool
	Policy                                     policy.Settings

	Server, REST                    bool
	RPCPort                         int // 0: the network's
	RPCBind, RPCAllowIP, RPCAuth    []string
	RPCWhitelist                    []string
	RPCWhitelistDefault             *bool // nil: not said
	RPCUser, RPCPassword            string
	RPCCookieFile                   string
	Metrics                         bool
	MetricsPort                     int
	MetricsBind                     []string
	Web                             bool
	WebPort                         int // 0: the network's
	WebBind                         []string
	LogLevel, DebugLogFile, PIDFile string
	PrintToConsole                  bool

	Listen, Discover, DNS, V2Transport, NetworkActive bool
	Port                                              int // 0: the network's
	Bind, WhiteBind, Connect, AddNode, SeedNode       []string
	OnlyNet, ExternalIP, Whitelist, UAComment         []string
	MaxConnections                                    int
	MaxUploadTargetBytes                              int64
	BanTimeSeconds, TimeoutMs, PeerTimeoutSeconds     int
	BlocksOnly, PeerBlockFilters, BlockFilterIndex    bool
	MaxTipAgeSeconds, MockTime                        int
	MinimumChainWork                                  string

	WhitelistRelay, WhitelistForceRelay bool // rights that whitelist gives where it names none

	listenGiven bool // a person said listen
	zmqTopics   map[string]*zmqTopic

	StopAtHeight                               int
	BlockNotify, StartupNotify, ShutdownNotify string
	TestActivationHeight                       []string

	// LikeCore: names of folders and the words of errors are Bitcoin Core's.
	LikeCore bool

	networks []string // every way the network was named
}

func defaults() Settings {
	return Settings{
		DBCacheMiB: params.DefaultDBCacheMiB, MaxMempoolMB: params.DefaultMempoolBytes / 1_000_000,
		Server: true, Web: true, PrintToConsole: true,
		MempoolExpiryHours: 14 * 24, PersistMempool: true, DataCarrier: true, FullReplacement: true, Policy: policy.Defaults(),
		WhitelistRelay: true, Listen: true, Discover: true, DNS: true, V2Transport: true, NetworkActive: true,
		MaxConnections: p2p.DefaultMaxConnections, BanTimeSeconds: int(addr.DefaultBan.Seconds()),
		TimeoutMs: int(p2p.DefaultDialTimeout.Milliseconds()), PeerTimeoutSeconds: 60, MaxTipAgeSeconds: 24 * 60 * 60,
		MetricsPort: 9332, LogLevel: "info", DebugLogFile: "debug.log", PIDFile: "granary.pid",
	}
}

// Config is a complete, checked configuration.
type Config struct {
	Settings
	Net     *params.Network
	Charter *params.Charter // nil: plain Bitcoin rules
	// NetDir is the network's folder: everything that the node writes is in
	// it. ConfPath is the configuration file, which may not exist.
	NetDir, ConfPath string
	// Warnings are one-line remarks to log once the log is open.
	Warnings []string
}

// resolve turns settings into a Config: charter, network, folders, ports.
func resolve(s Settings, confPath string) (*Config, error) {
	c := &Config{Settings: s, ConfPath: confPath}
	if err := c.resolveNetwork(); err != nil {
		return nil, err
	}
	c.NetDir = filepath.Join(s.DataDir, c.Net.DataDir)
	if c.RPCPort == 0 {
		c.RPCPort = int(c.Net.RPCPort)
	}
	if c.WebPort == 0 {
		c.WebPort = defaultWebPort(c.Net)
	}
	if c.RPCCookieFile == "" {
		c.RPCCookieFile = ".cookie"
	}
	c.RPCCookieFile = under(c.NetDir, c.RPCCookieFile)
	c.PIDFile = under(c.NetDir, c.PIDFile)
	if c.DebugLogFile == "0" {
		c.DebugLogFile = ""
	} else {
		c.DebugLogFile = under(c.NetDir, c.DebugLogFile)
	}
	return c, c.conflicts()
}

func (c *Config) conflicts() error {
	switch {
	case (c.RPCUser == "") != (c.RPCPassword == ""):
		return errors.New("rpcuser and rpcpassword go together: give both or neither (then the cookie file is used)")
	case len(c.Bind)+len(c.WhiteBind) > 0 && c.listenGiven && !c.Listen:
		return inCore("Cannot set -bind or -whitebind together with -listen=0")
	case c.LikeCore && c.PruneMiB > 0 && c.TxIndex:
		return inCore("Prune mode is incompatible with -txindex.")
	case c.PruneMiB > 0 && c.TxIndex:
		return errors.New("prune and txindex exclude each other: the index needs every block; drop one of them")
	case c.PeerBlockFilters && !c.BlockFilterIndex:
		return inCore("Cannot set -peerblockfilters without -blockfilterindex.")
	case c.PruneMiB > 0 && c.Reindex:
		return errors.New("prune and reindex exclude each other: deleted blocks cannot be read again; import the chain into a fresh data directory")
	case c.AcceptStaleFeeEstimates && c.Net.Name != "regtest":
		return inCore("acceptstalefeeestimates is not supported on %s chain.", c.Net.RPCChain)
	case c.AcceptNonStd && !c.Net.MineOnDemand && c.Net.Name != "testnet4":
		return fmt.Errorf("acceptnonstdtxn is for test networks: %s refuses it", c.Net.Name)
	}
	return nil
}

// resolveNetwork finds the one network that file, environment, flags and
// charter agree on.
func (c *Config) resolveNetwork() error {
	name, err := oneNetwork(c.networks)
	if err != nil {
		return err
	}
	if c.CharterFile != "" {
		return c.resolveCharter(name)
	}
	var challenge []byte
	if c.SignetChallenge != "" {
		if name != "signet" {
			return fmt.Errorf("signetchallenge is for network=signet, not %s", name)
		}
		if challenge, err = hex.DecodeString(c.SignetChallenge); err != nil || len(challenge) == 0 {
			return fmt.Errorf("signetchallenge %q is not hex", c.SignetChallenge)
		}
	}
	if c.Net, err = params.NetworkByName(name, challenge); err != nil {
		return err
	}
	c.Net, err = moveActivations(c.Net, c.TestActivationHeight)
	return err
}

func (c *Config) resolveCharter(name string) error {
	text, err := os.ReadFile(c.CharterFile)
	if err != nil {
		return fmt.Errorf("cannot read the charter: %w", err)
	}
	if c.Charter, err = params.ParseCharter(text); err != nil {
		return fmt.Errorf("charter %s: %w", c.CharterFile, err)
	}
	if c.Net, err = c.Charter.Network(); err != nil {
		return fmt.Errorf("charter %s: %w", c.CharterFile, err)
	}
	if len(c.networks) > 0 && name != c.Net.Name {
		return fmt.Errorf("the charter %s is for %s, but %s was asked for: drop the network option", c.CharterFile, c.Net.Name, name)
	}
	if c.SignetChallenge != "" {
		return errors.New("signetchallenge and charter exclude each other: the charter names its challenge")
	}
	return nil
}

// Networks are the names that were chosen, none where the person chose none.
func (s *Settings) Networks() []string { return slices.Clone(s.networks) }

// SetNetwork replaces whatever network was chosen.
func (s *Settings) SetNetwork(name string) { s.networks = []string{name} }

func oneNetwork(named []string) (string, error) {
	for i, name := range named {
		if core, ok := coreNames[name]; ok {
			named[i] = core
		}
	}
	named = slices.Compact(slices.Clone(named))
	switch len(named) {
	case 0:
		return "mainnet", nil
	case 1:
		return named[0], nil
	}
	return "", fmt.Errorf("several networks were chosen (%s): give one", strings.Join(named, ", "))
}

// coreNames are Bitcoin Core's words for two of the networks.
var coreNames = map[string]string{"main": "mainnet", "bitcoin": "mainnet"}

// defaultWebPort follows the shape of the RPC ports.
func defaultWebPort(net *params.Network) int {
	switch net.Name {
	case "testnet4":
		return 48380
	case "signet":
		return 38380
	case "regtest":
		return 18380
	}
	return 8380
}

// under reads a path as Core does: relative paths are below dir.
func under(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// DefaultDataDir is ~/.granary, or .granary where there is no home.
func DefaultDataDir() string {
	home, err := os.UserHomeDir()
	if err != nil {
		return ".granary"
	}
	return filepath.Join(home, ".granary")
}
