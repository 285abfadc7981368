package config_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"granary/config"
)

// coreDir makes a data directory with a bitcoin.conf.
func coreDir(t *testing.T, conf string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "bitcoin.conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func loadCore(t *testing.T, conf string, args ...string) *config.Config {
	t.Helper()
	run, err := config.LoadCore(append([]string{"-datadir=" + coreDir(t, conf)}, args...))
	if err != nil {
		t.Fatal(err)
	}
	return run.Config
}

func TestCoreDialect(t *testing.T) {
	const conf = "regtest=1\ndbcache=20\ndbcache=30\nrpcuser=top\nrpcpassword=a\n[regtest]\nserver=1\nrpcport=18500\nrpcport=18501\nprinttoconsole=0\nfallbackfee=0.0002\nmaxmempool=7\n"
	c := loadCore(t, conf, "-logtimemicros", "-debug", "-debugexclude=libevent", "-uacomment=testnode0", "--maxmempool=8", "-maxmempool=9")
	if c.Net.Name != "regtest" || filepath.Base(c.NetDir) != "regtest" {
		t.Errorf("network %s in %s", c.Net.Name, c.NetDir)
	}
	if c.RPCPort != 18500 {
		t.Errorf("rpcport %d: the first of the file counts", c.RPCPort)
	}
	if c.DBCacheMiB != 20 {
		t.Errorf("dbcache %d: the first of the file counts", c.DBCacheMiB)
	}
	if c.MaxMempoolMB != 9 {
		t.Errorf("maxmempool %d: the last of the command line counts", c.MaxMempoolMB)
	}
	if c.PrintToConsole || !c.Server || c.LogLevel != "debug" || c.RPCUser != "top" {
		t.Errorf("settings %+v", c.Settings)
	}
	if c.Web {
		t.Error("the page is on without -web")
	}
	if c.RPCCookieFile != filepath.Join(c.NetDir, ".cookie") || filepath.Base(c.PIDFile) != "bitcoind.pid" {
		t.Errorf("cookie %s, pid %s", c.RPCCookieFile, c.PIDFile)
	}
	if len(c.Warnings) > 0 {
		t.Errorf("warnings %q", c.Warnings)
	}
}

func TestCorePrecedence(t *testing.T) {
	for _, test := range []struct {
		name, conf string
		args       []string
		ok         func(*config.Config) bool
	}{
		{"section before top", "regtest=1\npar=3\n[regtest]\npar=2\n", nil, func(c *config.Config) bool { return c.Par == 2 }},
		{"dotted name", "regtest=1\nregtest.rpcport=4000\n", nil, func(c *config.Config) bool { return c.RPCPort == 4000 }},
		{"another network's section", "regtest=1\n[signet]\nrpcport=4000\n", nil, func(c *config.Config) bool { return c.RPCPort == 18443 }},
		{"port at the top", "regtest=1\nrpcport=4000\n", nil, func(c *config.Config) bool {
			return c.RPCPort == 18443 && slices.Contains(c.Warnings, "Config setting for -rpcport only applied on regtest network when in [regtest] section.")
		}},
		{"negation", "regtest=1\nserver=1\n", []string{"-noserver"}, func(c *config.Config) bool { return !c.Server }},
		{"double negation", "regtest=1\nserver=0\n", []string{"-noserver=0"}, func(c *config.Config) bool { return c.Server }},
		{"list adds up", "regtest=1\nrpcallowip=1.2.3.4\n", []string{"-rpcallowip=5.6.7.8"}, func(c *config.Config) bool {
			return slices.Equal(c.RPCAllowIP, []string{"5.6.7.8", "1.2.3.4"})
		}},
		{"list forgotten", "regtest=1\nrpcallowip=1.2.3.4\n", []string{"-norpcallowip"}, func(c *config.Config) bool { return len(c.RPCAllowIP) == 0 }},
		{"chain", "", []string{"-chain=signet"}, func(c *config.Config) bool { return c.Net.Name == "signet" }},
		{"words are off", "regtest=1\ntxindex=yes\n", nil, func(c *config.Config) bool { return !c.TxIndex }},
		{"no log file", "regtest=1\n", []string{"-nodebuglogfile"}, func(c *config.Config) bool { return c.DebugLogFile == "" }},
		{"unknown in the file", "regtest=1\nfrobnicate=1\n", nil, func(c *config.Config) bool {
			return slices.Contains(c.Warnings, "Ignoring unknown configuration value frobnicate")
		}},
		{"no effect", "regtest=1\n", []string{"-wallet=w"}, func(c *config.Config) bool {
			return slices.Contains(c.Warnings, "no effect here: -wallet")
		}},
		{"page", "regtest=1\n", []string{"-web"}, func(c *config.Config) bool { return c.Web }},
	} {
		t.Run(test.name, func(t *testing.T) {
			if c := loadCore(t, test.conf, test.args...); !test.ok(c) {
				t.Errorf("settings %+v, warnings %q", c.Settings, c.Warnings)
			}
		})
	}
}

func TestCoreIncludes(t *testing.T) {
	dir := coreDir(t, "regtest=1\nincludeconf=more.conf\n")
	if err := os.WriteFile(filepath.Join(dir, "more.conf"), []byte("[regtest]\nrpcport=4001\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run, err := config.LoadCore([]string{"-datadir=" + dir})
	if err != nil || run.Config.RPCPort != 4001 {
		t.Fatalf("%+v, %v", run, err)
	}
}

func TestCoreRefusals(t *testing.T) {
	for _, test := range []struct {
		conf string
		args []string
		want string
	}{
		{"", []string{"-frobnicate"}, "Error parsing command line arguments: Invalid parameter -frobnicate"},
		{"", []string{"regtest"}, "unexpected token 'regtest', see bitcoind -h"},
		{"", []string{"-includeconf=x"}, "-includeconf cannot be used from commandline; -includeconf=x"},
		{"", []string{"-regtest", "-signet"}, "Invalid combination of -regtest, -signet, -testnet, -testnet4 and -chain. Can use at most one."},
		{"", []string{"-chain=moon"}, "Unknown chain moon."},
		{"", []string{"-testnet"}, "testnet3 is not served here"},
		{"", []string{"-regtest", "-daemon"}, "-daemon is not available here"},
		{"-dash=1", []string{"-regtest"}, "parse error on line 1: -dash=1, options in configuration file must be specified without leading -"},
		{"\nnoserver", []string{"-regtest"}, "parse error on line 2: noserver, if you intended to specify a negated option, use noserver=1 instead"},
		{"rpcpassword=a#b", []string{"-regtest"}, "using # in rpcpassword can be ambiguous"},
		{"", []string{"-regtest", "-conf=none.conf"}, "none.conf\" could not be opened."},
		{"regtest=1\nincludeconf=none.conf", nil, "Failed to include configuration file none.conf"},
		{"", []string{"-regtest", "-prune=100"}, "Prune configured below the minimum of 550 MiB.  Please use a higher number."},
		{"", []string{"-regtest", "-bind=127.0.0.1", "-listen=0"}, "Cannot set -bind or -whitebind together with -listen=0"},
		{"", []string{"-regtest", "-prune=1", "-reindex-chainstate"}, "Prune mode is incompatible with -reindex-chainstate. Use full -reindex instead."},
		{"", []string{"-regtest", "-prune=-1"}, "Prune cannot be configured with a negative value."},
		{"", []string{"-regtest", "-prune=1", "-txindex"}, "Prune mode is incompatible with -txindex."},
		{"", []string{"-regtest", "-testactivationheight=segwit"}, "Invalid format (segwit) for -testactivationheight=name@height."},
		{"", []string{"-regtest", "-testactivationheight=segwit@x"}, "Invalid height value (segwit@x)"},
		{"", []string{"-regtest", "-testactivationheight=moon@1"}, "Invalid name (moon@1)"},
		{"", []string{"-testactivationheight=segwit@1"}, "regtest only"},
		{"", []string{"-regtest", "-whitelist=king@127.0.0.1"}, "Invalid P2P permission: 'king'"},
	} {
		_, err := config.LoadCore(append([]string{"-datadir=" + coreDir(t, test.conf)}, test.args...))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q with %q: %v, want %q", test.args, test.conf, err, test.want)
		}
	}
	_, err := config.LoadCore([]string{"-datadir=/nowhere/at/all"})
	if err == nil || err.Error() != `Specified data directory "/nowhere/at/all" does not exist.` {
		t.Error(err)
	}
}

// TestCoreTests takes what Bitcoin Core's functional tests write into
// bitcoin.conf and onto the command line of every node.
func TestCoreTests(t *testing.T) {
	dir := coreDir(t, "regtest=1\n[regtest]\nport=11000\nrpcport=16000\nrpcdoccheck=1\nfallbackfee=0.0002\nserver=1\nkeypool=1\n"+
		"discover=0\ndnsseed=0\nfixedseeds=0\nlistenonion=0\npeertimeout=999999999\nprinttoconsole=0\nupnp=0\nnatpmp=0\n"+
		"shrinkdebugfile=0\nunsafesqlitesync=1\nbind=127.0.0.1\n")
	run, err := config.LoadCore([]string{
		"-datadir=" + dir, "-logtimemicros", "-debug", "-debugexclude=libevent", "-debugexclude=leveldb", "-debugexclude=rand",
		"-uacomment=testnode0", "-logthreadnames", "-logsourcelocations", "-loglevel=trace", "-v2transport=0",
		"-bind=0.0.0.0:11000", "-bind=127.0.0.1:11001=onion", "-disablewallet", "-testactivationheight=csv@432",
		"-rpcwhitelist=a:uptime", "-rpcwhitelistdefault=0", "-stopatheight=7", "-whitelist=127.0.0.1",
	})
	if err != nil {
		t.Fatal(err)
	}
	c := run.Config
	if len(c.Warnings) > 0 {
		t.Errorf("warnings %q", c.Warnings)
	}
	if !c.Store().CoreNames || c.Net.CSVHeight != 432 || c.StopAtHeight != 7 || c.P2P().HandshakeTimeout.Seconds() != 999999999 {
		t.Errorf("%+v", c.Settings)
	}
	if o := c.RPC(); len(o.Whitelist) != 1 || o.WhitelistDefault == nil || *o.WhitelistDefault {
		t.Errorf("whitelist %+v", o)
	}
	if w := c.P2P().Whitelist[0]; !w.NoBan || !w.SendTxs || !w.MemPool || !w.Download || w.ForceRelay || w.Addr {
		t.Errorf("rights %+v", w)
	}
}

func TestCoreWords(t *testing.T) {
	for _, word := range []string{"-h", "-?", "-help", "--help"} {
		if run, err := config.LoadCore([]string{word}); err != nil || !run.Help {
			t.Errorf("%s: %+v, %v", word, run, err)
		}
	}
	if run, err := config.LoadCore([]string{"-version"}); err != nil || !run.Version {
		t.Errorf("%+v, %v", run, err)
	}
}
