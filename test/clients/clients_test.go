package clients

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"granary/test/fleet"
)

func TestMain(m *testing.M) {
	fleet.Become()
	os.Exit(m.Run())
}

// anyone is the address, on regtest, of the script OP_TRUE behind its hash.
const anyone = "bcrt1qft5p2uhsdcdc3l2ua4ap5qqfg4pjaqlp250x7us7a8qqhrxrxfsqseac85"

// patience is how long a client may take, on a busy machine.
const patience = 60 * time.Second

// absent skips a test whose client is missing, or fails it where it has to be
// there.
func absent(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("GRANARY_REQUIRE_CLIENTS") == "1" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// run starts a client and gives what it says.
func run(t *testing.T, cmd *exec.Cmd) (stdout, stderr string, err error) {
	t.Helper()
	var out, bad strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &bad
	fleet.EndWithUs(cmd)
	timer := time.AfterFunc(patience, func() {
		if cmd.Process != nil {
			cmd.Process.Kill() //nolint:errcheck // it may be gone
		}
	})
	defer timer.Stop()
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return strings.TrimSpace(out.String()), strings.TrimSpace(bad.String()), err
}

// TestNpmBitcoinCore: the npm package, over RPC and REST.
func TestNpmBitcoinCore(t *testing.T) {
	modules, err := filepath.Abs(filepath.Join("..", "..", "bin", "clients", "node_modules"))
	if err != nil {
		t.Fatal(err)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		absent(t, "Node.js is not here, so no npm package is tried: install it and run make clients")
	}
	if _, err := os.Stat(filepath.Join(modules, "bitcoin-core")); err != nil {
		absent(t, "the npm package bitcoin-core is not here, so it is not tried: run make clients")
	}
	ours := fleet.New(t, "ours", "", "--rest=1", "--txindex=1")
	ours.Start()
	url := "http://127.0.0.1:" + strconv.Itoa(ours.RPCPort)
	cmd := exec.Command(node, "bitcoin-core.js", url, "fire", "fire", anyone)
	cmd.Env = append(os.Environ(), "NODE_PATH="+modules, "NODE_NO_WARNINGS=1")
	if out, bad, err := run(t, cmd); err != nil || out != "all well" {
		t.Errorf("%v\n%s\n%s", err, out, bad)
	}
	ours.Stop()
}

// commandLine is litecoin-cli pointed at a node.
type commandLine struct {
	t    *testing.T
	path string
	ours *fleet.Node
}

func (c *commandLine) try(args ...string) (stdout, stderr string, err error) {
	c.t.Helper()
	base := []string{"-regtest", "-datadir=" + c.ours.Dir, "-rpcport=" + strconv.Itoa(c.ours.RPCPort), "-rpcuser=fire", "-rpcpassword=fire"}
	return run(c.t, exec.Command(c.path, append(base, args...)...))
}

// says wants an answer that fits all the patterns.
func (c *commandLine) says(args string, patterns ...string) {
	c.t.Helper()
	out, bad, err := c.try(strings.Fields(args)...)
	if err != nil {
		c.t.Errorf("%s: %v\n%s", args, err, bad)
		return
	}
	for _, pattern := range patterns {
		if !regexp.MustCompile(pattern).MatchString(out) {
			c.t.Errorf("%s: no %s in\n%s", args, pattern, out)
		}
	}
}

// fails wants an error with a code and, in its message, a text.
func (c *commandLine) fails(args, code, text string) {
	c.t.Helper()
	if out, bad, err := c.try(strings.Fields(args)...); err == nil || !strings.Contains(bad, "error code: "+code+"\n") || !strings.Contains(bad, text) {
		c.t.Errorf("%s: %v %s\n%s", args, err, out, bad)
	}
}

// TestCommandLineOnANetwork: the command line's own pages about a node with
// peers, each of which it makes of several calls.
func TestCommandLineOnANetwork(t *testing.T) {
	path, err := exec.LookPath("litecoin-cli")
	if err != nil {
		absent(t, "litecoin-cli is not installed (Debian package litecoind), so a foreign command line is not tried")
	}
	ours, other := fleet.New(t, "ours", ""), fleet.New(t, "other", "")
	ours.Start()
	other.Start()
	ours.Call("generatetoaddress", nil, 3, anyone)
	ours.Connect(other)
	other.Wait(patience, "synchronises", func() bool { return other.Tip() == ours.Tip() })
	for c, in := range map[*commandLine]bool{{t, path, ours}: false, {t, path, other}: true} {
		c.pages(in)
		c.calls()
	}
	ours.Stop()
	other.Stop()
}

// pages looks at -getinfo and -netinfo of a node with one link, in or out.
func (c *commandLine) pages(in bool) {
	c.t.Helper()
	incoming, outgoing := "0", "1"
	if in {
		incoming, outgoing = "1", "0"
	}
	c.says("-getinfo",
		`"version": 280100`, `"blocks": 3`, `"headers": 3`, `"chain": "regtest"`, `"relayfee": 0.00001000`,
		`"in": `+incoming+`,\s+"out": `+outgoing+`,\s+"total": 1`)
	// This old page counts addresses that can be reached from everywhere only,
	// and loopback is none: the door's tests show it others.
	c.says("-netinfo", `(?m)^Litecoin Core v\S+ regtest - 70016/Satoshi:28\.1\.0`, `(?m)^total +0 +0 +0 +0`)
}

// calls tries the ways of giving arguments, and errors.
func (c *commandLine) calls() {
	c.t.Helper()
	c.says("-rpcwait getblockcount", `^3$`)
	c.says("-named getblockstats hash_or_height=3 stats=[\"height\",\"txs\"]", `"height": 3`, `"txs": 1`)
	c.says("getblockheader "+c.ours.Tip()+" false", `^[0-9a-f]{160}$`)
	c.says("getnodeaddresses 0", `^\[\s*\]$`) // of these -addrinfo is made
	c.says("generatetodescriptor 0 raw(51)", `^\[\s*\]$`)
	c.says("getmempoolinfo", `"loaded": true`, `"unbroadcastcount": 0`, `"fullrbf": true`)
	c.says("estimatesmartfee 6", `Insufficient data or no feerate found`)
	c.says("uptime", `^\d+$`)
	c.fails("getblockhash 77", "-8", "Block height out of range")
	c.fails("getblock nonsense", "-8", "must be of length 64")
	c.fails("nonsense", "-32601", "Method not found")
	c.fails("getblockcount 1", "-1", "getblockcount")
	c.fails("generate 1", "-32601", "")
	c.fails("-generate 1", "-32601", "") // asks a wallet for an address first
}
