package rpc

import (
	"context"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"granary/base/rpcclient"
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

// TestCoreCommandLine: an unmodified command line of the Core family.
func TestCoreCommandLine(t *testing.T) {
	path, err := exec.LookPath("litecoin-cli")
	if err != nil {
		absent(t, "litecoin-cli is not installed (Debian package litecoind): a foreign command line is not tried")
	}
	w := newWorld(t, nil)
	at, err := url.Parse(w.url)
	if err != nil {
		t.Fatal(err)
	}
	base := []string{
		"-regtest", "-datadir=" + t.TempDir(), "-rpcconnect=127.0.0.1", "-rpcport=" + at.Port(),
		"-rpcuser=" + testUser, "-rpcpassword=" + testPass,
	}
	cli := func(args ...string) string {
		out, err := run(t, path, append(base[:len(base):len(base)], args...)...)
		if err != nil {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
		return out
	}
	cli("generatetoaddress", "3", opTrueAddress)
	if got := cli("getblockcount"); got != "3" {
		t.Errorf("getblockcount: %s", got)
	}
	hash := cli("getblockhash", "3")
	if got := cli("-named", "getblockheader", "blockhash="+hash, "verbose=true"); !strings.Contains(got, `"height": 3`) {
		t.Errorf("getblockheader: %s", got)
	}
	if got := cli("getblock", hash, "2"); !strings.Contains(got, `"value": 50.00000000`) {
		t.Errorf("getblock: %s", got)
	}
	if got := cli("-getinfo"); !strings.Contains(got, `"blocks": 3`) || !strings.Contains(got, "280100") {
		t.Errorf("-getinfo: %s", got)
	}
	if got := cli("help"); !strings.Contains(got, "== Blockchain ==") {
		t.Errorf("help: %s", got)
	}
	out, err := run(t, path, append(base[:len(base):len(base)], "getblockhash", "77")...)
	if err == nil || !strings.Contains(out, "error code: -8") {
		t.Errorf("getblockhash 77: %v %s", err, out)
	}
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
