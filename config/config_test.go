package config

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// read loads with the given file, environment and command line.
func read(t *testing.T, file string, environ []string, args ...string) (*Config, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, FileName), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	AddFlags(flags)
	if err := flags.Parse(append([]string{"--datadir", dir}, args...)); err != nil {
		return nil, err
	}
	return Load(flags, environ)
}

func mustRead(t *testing.T, file string, environ []string, args ...string) *Config {
	t.Helper()
	c, err := read(t, file, environ, args...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLaterSourcesOverride(t *testing.T) {
	file := "dbcache=100\nregtest=1\n[regtest]\ndbcache=200\nrpcport=1111\n[main]\nrpcport=2222\n"
	if c := mustRead(t, file, nil); c.DBCacheMiB != 200 || c.RPCPort != 1111 || c.Net.Name != "regtest" {
		t.Errorf("file alone: dbcache %d port %d on %s", c.DBCacheMiB, c.RPCPort, c.Net.Name)
	}
	env := []string{"GRANARY_DBCACHE=300", "PATH=x"}
	if c := mustRead(t, file, env); c.DBCacheMiB != 300 {
		t.Errorf("the environment does not override the file: %d", c.DBCacheMiB)
	}
	if c := mustRead(t, file, env, "--dbcache=400"); c.DBCacheMiB != 400 {
		t.Errorf("flags do not override the environment: %d", c.DBCacheMiB)
	}
	if c := mustRead(t, file, nil, "--network", "mainnet"); c.DBCacheMiB != 100 || c.RPCPort != 2222 || c.Net.Name != "mainnet" {
		t.Errorf("a flag's network: dbcache %d port %d on %s", c.DBCacheMiB, c.RPCPort, c.Net.Name)
	}
	if c := mustRead(t, file, []string{"GRANARY_NETWORK=signet"}, "--testnet4"); c.Net.Name != "testnet4" {
		t.Errorf("the flag's network loses to the environment's: %s", c.Net.Name)
	}
}

func TestListsAddUp(t *testing.T) {
	c := mustRead(t, "rpcallowip=10.0.0.0/8\n", []string{"GRANARY_RPCALLOWIP=10.1.0.0/16"}, "--rpcallowip", "::1", "--rpcallowip=1.2.3.4")
	if got := strings.Join(c.RPCAllowIP, " "); got != "10.0.0.0/8 10.1.0.0/16 ::1 1.2.3.4" {
		t.Errorf("rpcallowip is %q", got)
	}
}

func TestPortsAboveTheSectionsAreMainnets(t *testing.T) {
	c := mustRead(t, "rpcport=7777\n", nil, "--regtest")
	if c.RPCPort != 18443 || len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0], ":1: rpcport") {
		t.Errorf("port %d, warnings %q", c.RPCPort, c.Warnings)
	}
	if c := mustRead(t, "rpcport=7777\n", nil); c.RPCPort != 7777 || len(c.Warnings) != 0 {
		t.Errorf("mainnet: port %d, warnings %q", c.RPCPort, c.Warnings)
	}
}

func TestNegatedSwitches(t *testing.T) {
	if c := mustRead(t, "noserver=1\nnoweb=0\n", nil); c.Server || !c.Web {
		t.Errorf("server %v, web %v", c.Server, c.Web)
	}
}

func TestFoldersFollowTheNetwork(t *testing.T) {
	for network, folder := range map[string]string{"mainnet": "", "testnet4": "testnet4", "signet": "signet", "regtest": "regtest"} {
		c := mustRead(t, "", nil, "--network="+network)
		if want := filepath.Join(c.DataDir, folder); c.NetDir != want {
			t.Errorf("%s lives in %s, want %s", network, c.NetDir, want)
		}
		if want := filepath.Join(c.NetDir, ".cookie"); c.RPCCookieFile != want {
			t.Errorf("%s has its cookie at %s, want %s", network, c.RPCCookieFile, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		file string
		env  []string
		args []string
		want string // a regular expression
	}{
		"unknown key":       {file: "\nfoo=1\n", want: `granary\.conf:2: unknown key "foo"`},
		"unknown section":   {file: "[moon]\n", want: `granary\.conf:1: unknown section \[moon\]`},
		"no equals":         {file: "server\n", want: `granary\.conf:1: "server" is not of the form`},
		"bad number":        {file: "dbcache=much\n", want: `granary\.conf:1: dbcache "much" is not a whole number`},
		"number too small":  {file: "dbcache=0\n", want: `granary\.conf:1: dbcache "0" is not a whole number from 4`},
		"bad switch":        {file: "server=maybe\n", want: `granary\.conf:1: server "maybe" is not 0 or 1`},
		"network below":     {file: "[main]\nregtest=1\n", want: `granary\.conf:2: regtest must stand above`},
		"reindex in file":   {file: "reindex=1\n", want: `granary\.conf:1: reindex works as a flag`},
		"bad other section": {file: "[signet]\nprune=5\n", want: `granary\.conf:2: prune "5" is not`},
		"not text":          {file: "\xff\xfe", want: `not UTF-8`},
		"two networks":      {args: []string{"--regtest", "--signet"}, want: `several networks were chosen`},
		"unknown network":   {args: []string{"--network=moon"}, want: `unknown network "moon"`},
		"custom alone":      {args: []string{"--network=custom"}, want: `needs a charter`},
		"unknown env":       {env: []string{"GRANARY_FOO=1"}, want: `unknown option GRANARY_FOO`},
		"bad env":           {env: []string{"GRANARY_PAR=x"}, want: `GRANARY_PAR: par "x"`},
		"bad flag":          {args: []string{"--prune=100"}, want: `"100" is not 0`},
		"half a login":      {args: []string{"--rpcuser=a"}, want: `rpcuser and rpcpassword go together`},
		"prune and index":   {args: []string{"--prune=550", "--txindex"}, want: `prune and txindex exclude`},
		"nonstandard main":  {args: []string{"--acceptnonstdtxn"}, want: `mainnet refuses`},
		"challenge":         {args: []string{"--signetchallenge=51"}, want: `signetchallenge is for network=signet`},
		"challenge not hex": {args: []string{"--signet", "--signetchallenge=5"}, want: `is not hex`},
		"no charter":        {args: []string{"--charter=none.toml"}, want: `cannot read the charter`},
		"conf missing":      {args: []string{"--conf=other.conf"}, want: `cannot read the configuration file`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read(t, test.file, test.env, test.args...)
			if err == nil {
				t.Fatal("accepted")
			}
			if !regexp.MustCompile(test.want).MatchString(err.Error()) {
				t.Errorf("says %q, want %s", err, test.want)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("says more than a line: %q", err)
			}
		})
	}
}

// TestSampleMatchesTheFlags: whatever --help names is in the sample file with
// the same words and default, and nothing else is.
func TestSampleMatchesTheFlags(t *testing.T) {
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	AddFlags(flags)
	help, sample := strings.Join(strings.Fields(flags.FlagUsages()), " "), Sample()
	for _, option := range Table() {
		if !strings.Contains(help, "--"+option.Name+" ") || !strings.Contains(help, option.Help) {
			t.Errorf("--help lacks %s", option.Name)
		}
		inSample := strings.Contains(sample, "\n#"+option.Name+"=")
		if inSample == option.flagOnly {
			t.Errorf("%s in the sample: %v", option.Name, inSample)
		}
		if inSample && !strings.Contains(sample, option.Help) {
			t.Errorf("the sample says something else of %s", option.Name)
		}
	}
	keys := tableByName()
	for _, line := range strings.Split(sample, "\n") {
		key, _, isKey := strings.Cut(strings.TrimPrefix(line, "#"), "=")
		if isKey && strings.HasPrefix(line, "#") && !strings.Contains(key, " ") && keys[key] == nil {
			t.Errorf("the sample has a key of its own: %q", line)
		}
	}
}

// TestSampleShowsDefaults: with every plain line of the sample active, nothing
// changes.
func TestSampleShowsDefaults(t *testing.T) {
	active := regexp.MustCompile(`(?m)^#(\w+=[^<\n]*)$`).ReplaceAllString(Sample(), "$1")
	if active == Sample() {
		t.Fatal("no line was made active")
	}
	plain, full := mustRead(t, "", nil), mustRead(t, active, nil)
	full.DataDir, full.NetDir, full.ConfPath = plain.DataDir, plain.NetDir, plain.ConfPath
	full.DebugLogFile, full.PIDFile, full.RPCCookieFile = plain.DebugLogFile, plain.PIDFile, plain.RPCCookieFile
	if plain.DBCacheMiB != full.DBCacheMiB || plain.MaxMempoolMB != full.MaxMempoolMB || plain.PruneMiB != full.PruneMiB ||
		plain.Server != full.Server || plain.Web != full.Web ||
		plain.LogLevel != full.LogLevel || plain.PrintToConsole != full.PrintToConsole || plain.Par != full.Par ||
		plain.RPCPort != full.RPCPort || plain.TxIndex != full.TxIndex {
		t.Errorf("the sample's values are not the defaults:\n%+v\n%+v", plain.Settings, full.Settings)
	}
}

func FuzzParseFile(f *testing.F) {
	f.Add([]byte(Sample()))
	f.Add([]byte("[regtest]\nrpcport=1\n#\nnoserver=1"))
	table := tableByName()
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := parseFile(table, "f", text)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than a line: %q", err)
			}
			return
		}
		settings := defaults()
		if _, err := file.apply(&settings, "regtest"); err != nil {
			t.Errorf("parsed, but cannot be applied: %v", err)
		}
	})
}
