package rpc

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"granary/base/rpcclient"
	"granary/p2p"
)

const opTrueAddress = "bcrt1qft5p2uhsdcdc3l2ua4ap5qqfg4pjaqlp250x7us7a8qqhrxrxfsqseac85"

// TestOurClient drives the door by the house's own client.
func TestOurClient(t *testing.T) {
	w := newWorld(t, nil)
	c, err := rpcclient.New(rpcclient.Options{URL: w.url, User: testUser, Password: testPass})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	ctx := t.Context()
	var hashes []string
	if err := c.Call(ctx, "generatetoaddress", []any{2, opTrueAddress}, &hashes); err != nil || len(hashes) != 2 {
		t.Fatal(hashes, err)
	}
	var best string
	var count int
	calls := []*rpcclient.Request{
		{Method: "getbestblockhash", Result: &best},
		{Method: "getblockhash", Params: map[string]int{"height": 9}},
		{Method: "getblockcount", Result: &count},
	}
	if err := c.Batch(ctx, calls); err != nil {
		t.Fatal(err)
	}
	if best != hashes[1] || count != 2 || rpcclient.CodeOf(calls[1].Err) != CodeInvalidParameter {
		t.Errorf("batch: %s %d %v", best, count, calls[1].Err)
	}
	args, err := ConvertArgs("getblock", []string{best, "0"})
	if err != nil {
		t.Fatal(err)
	}
	var raw string
	if err := c.Call(ctx, "getblock", args, &raw); err != nil || len(raw) < 160 {
		t.Errorf("converted arguments: %q %v", raw, err)
	}
	if err := c.Call(ctx, "nonsense", nil, nil); rpcclient.CodeOf(err) != CodeMethodNotFound {
		t.Errorf("unknown method: %v", err)
	}
}

// absent skips a test whose client is not installed, or fails it where
// GRANARY_REQUIRE_CLIENTS says that it has to be.
func absent(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("GRANARY_REQUIRE_CLIENTS") == "1" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// run starts a foreign client and gives what it printed.
func run(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out)), err
}

// cli is an unmodified command line of the Core family, pointed at a world.
type cli struct {
	t    *testing.T
	path string
	base []string
}

func (w *world) cli(t *testing.T) *cli {
	t.Helper()
	path, err := exec.LookPath("litecoin-cli")
	if err != nil {
		absent(t, "litecoin-cli is not installed (Debian package litecoind): a foreign command line is not tried")
	}
	at, err := url.Parse(w.url)
	if err != nil {
		t.Fatal(err)
	}
	return &cli{t: t, path: path, base: []string{
		"-regtest", "-datadir=" + t.TempDir(), "-rpcconnect=127.0.0.1", "-rpcport=" + at.Port(),
		"-rpcuser=" + testUser, "-rpcpassword=" + testPass,
	}}
}

func (c *cli) try(args ...string) (string, error) {
	c.t.Helper()
	return run(c.t, c.path, append(c.base[:len(c.base):len(c.base)], args...)...)
}

// says wants an answer that fits all patterns, and gives it.
func (c *cli) says(args []string, patterns ...string) string {
	c.t.Helper()
	out, err := c.try(args...)
	if err != nil {
		c.t.Errorf("%v: %v\n%s", args, err, out)
		return out
	}
	for _, pattern := range patterns {
		if !regexp.MustCompile("(?m)" + pattern).MatchString(out) {
			c.t.Errorf("%v: no %s in\n%s", args, pattern, out)
		}
	}
	return out
}

// TestCoreCommandLine: blocks, errors and -getinfo.
func TestCoreCommandLine(t *testing.T) {
	w := newWorld(t, nil)
	c := w.cli(t)
	c.says([]string{"generatetoaddress", "3", opTrueAddress})
	c.says([]string{"getblockcount"}, "^3$")
	hash := c.says([]string{"getblockhash", "3"})
	c.says([]string{"-named", "getblockheader", "blockhash=" + hash, "verbose=true"}, `"height": 3`)
	c.says([]string{"getblock", hash, "2"}, `"value": 50.00000000`)
	c.says([]string{"-getinfo"}, `"blocks": 3`, "280100")
	c.says([]string{"help"}, "== Blockchain ==")
	if out, err := c.try("getblockhash", "77"); err == nil || !strings.Contains(out, "error code: -8") {
		t.Errorf("getblockhash 77: %v %s", err, out)
	}
}

// TestCoreCommandLineOnline: -netinfo at all its levels, with links to peers
// of several networks, all of which end at one node.
func TestCoreCommandLineOnline(t *testing.T) {
	a, b := newWorld(t, nil), newWorld(t, nil)
	c := a.cli(t)
	end := b.online(t, "127.0.0.1:0").ListenAddresses()[0].String()
	network := a.online(t, "", func(o *p2p.Options) {
		o.Dial = func(ctx context.Context, _ netip.AddrPort) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", end)
		}
	})
	for _, address := range []string{"8.8.8.8:18444", "9.9.9.9:18444", "[2600::1]:18444", "[fc12::1]:18444"} {
		c.says([]string{"addnode", address, "onetry"}, "^$")
	}
	for stop := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, out := network.Connections(); out == 4 {
			break
		}
		if time.Now().After(stop) {
			t.Fatal("no connections in time")
		}
	}
	c.says([]string{"-getinfo"}, `"in": 0,\s+"out": 4,\s+"total": 4`)
	counts := []string{
		`^Litecoin Core v\S+ regtest - 70016/Satoshi:28\.1\.0`,
		`^in +0 +0 +0 +0 +0$`, `^out +2 +1 +0 +3 +0$`, `^total +2 +1 +0 +3 +0$`, `^Local addresses`,
	}
	c.says([]string{"-netinfo"}, counts...)
	for level, more := range map[string][]string{
		"1": {`^out +\S+ +ipv4 `, `^out +\S+ +ipv6 `},
		"2": {`8\.8\.8\.8:18444`, `\[2600::1\]:18444`},
		"3": {`70016/Satoshi:28\.1\.0`},
		"4": {`9\.9\.9\.9:18444`, `70016/Satoshi:28\.1\.0`},
	} {
		c.says([]string{"-netinfo", level}, append(more, counts...)...)
	}
	// Newer command lines make -addrinfo of this.
	c.says([]string{"addpeeraddress", "1.2.3.4", "18444"}, `"success": true`)
	c.says([]string{"getnodeaddresses", "0"}, `"address": "1.2.3.4"`, `"network": "ipv4"`)
	c.says([]string{"getaddrmaninfo"}, `"ipv4": \{\s+"new": 1,\s+"tried": 0,\s+"total": 1`)
}

// TestPythonBitcoinlib: a client that sends no jsonrpc key of version 2.
func TestPythonBitcoinlib(t *testing.T) {
	const python = "/usr/bin/python3"
	if _, err := exec.Command(python, "-c", "import bitcoin.rpc").CombinedOutput(); err != nil {
		absent(t, "python3-bitcoinlib is not installed (Debian package of that name): it is not tried")
	}
	w := newWorld(t, nil)
	script := `
import sys, bitcoin, bitcoin.rpc
bitcoin.SelectParams("regtest")
p = bitcoin.rpc.Proxy(service_url=sys.argv[1])
p.call("generatetoaddress", 2, sys.argv[2])
h = p.getblockhash(2)
b = p.getblock(h)
assert b.GetHash() == h == p.getbestblockhash(), "hash"
assert p.getblockcount() == 2
assert p.getblockheader(h).hashPrevBlock == p.getblockhash(1)
tx = b.vtx[0]
assert p.getrawtransaction(tx.GetTxid()).GetTxid() == tx.GetTxid()
assert p.gettxout(bitcoin.core.COutPoint(tx.GetTxid(), 0))["txout"].nValue == 50 * 10**8
assert p.getrawmempool() == []
try:
    p.getblockhash(99)
    sys.exit("no error")
except IndexError:
    pass
print("all well")
`
	// The library does not undo the escapes of a URL.
	service := strings.Replace(w.url, "://", "://"+testUser+":"+testPass+"@", 1)
	if out, err := run(t, python, "-c", script, service, opTrueAddress); err != nil || out != "all well" {
		t.Errorf("%v\n%s", err, out)
	}
}
