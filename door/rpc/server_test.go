package rpc

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"granary/params"
)

// TestRequestForms is the table of dependencies.md: what clients send and what
// they must get.
func TestRequestForms(t *testing.T) {
	w := newWorld(t, nil)
	genesis := w.net.GenesisHash().String()
	big := "[" + strings.Repeat(`{"method":"uptime"},`, params.MaxRPCBatch) + `{"method":"uptime"}]`
	for _, test := range []struct {
		name, body string
		status     int
		want       string
	}{
		{"no version", `{"method":"getblockcount","params":[],"id":1}`, 200, `{"result":0,"error":null,"id":1}`},
		{"version 1.0", `{"jsonrpc":"1.0","method":"getblockcount","params":[],"id":"curltest"}`, 200, `{"result":0,"error":null,"id":"curltest"}`},
		{"version 2.0", `{"jsonrpc":"2.0","method":"getblockcount","params":[],"id":{"a":[1.0]}}`, 200, `{"jsonrpc":"2.0","result":0,"id":{"a":[1.0]}}`},
		{"no params, no id", `{"method":"getblockcount"}`, 200, `{"result":0,"error":null,"id":null}`},
		{"null params", `{"method":"getblockcount","params":null,"id":null}`, 200, `{"result":0,"error":null,"id":null}`},
		{"empty object params", `{"method":"getblockcount","params":{}}`, 200, `{"result":0,"error":null,"id":null}`},
		{"named", `{"method":"getblockhash","params":{"height":0}}`, 200, `{"result":"` + genesis + `","error":null,"id":null}`},
		{"named with args", `{"method":"getblockheader","params":{"args":["` + genesis + `"],"verbose":false}}`, 200, `*`},
		{"boolean verbosity", `{"method":"getblock","params":["` + genesis + `",false]}`, 200, `*`},
		{"number verbosity", `{"method":"getblock","params":["` + genesis + `",0]}`, 200, `*`},
		{"alias", `{"method":"getblock","params":{"blockhash":"` + genesis + `","verbose":0}}`, 200, `*`},
		{"null result", `{"method":"gettxout","params":["` + genesis + `",0],"id":1}`, 200, `{"result":null,"error":null,"id":1}`},
		{"unknown method", `{"method":"getinfo","id":1}`, 404, `{"result":null,"error":{"code":-32601,"message":"Method not found"},"id":1}`},
		{"unknown method 2.0", `{"jsonrpc":"2.0","method":"getinfo","id":1}`, 200, `{"jsonrpc":"2.0","error":{"code":-32601,"message":"Method not found"},"id":1}`},
		{"error", `{"method":"getblockhash","params":[42],"id":1}`, 500, `{"result":null,"error":{"code":-8,"message":"Block height out of range"},"id":1}`},
		{"error 2.0", `{"jsonrpc":"2.0","method":"getblockhash","params":[42],"id":1}`, 200, `{"jsonrpc":"2.0","error":{"code":-8,"message":"Block height out of range"},"id":1}`},
		{"notification", `{"jsonrpc":"2.0","method":"getblockcount"}`, 204, ``},
		{"failing notification", `{"jsonrpc":"2.0","method":"nonsense"}`, 204, ``},
		{"null id is no notification", `{"jsonrpc":"2.0","method":"getblockcount","id":null}`, 200, `{"jsonrpc":"2.0","result":0,"id":null}`},
		{"parse error", `{"method":`, 500, `{"result":null,"error":{"code":-32700,"message":"Parse error"},"id":null}`},
		{"empty body", ``, 500, `{"result":null,"error":{"code":-32700,"message":"Parse error"},"id":null}`},
		{"scalar", `5`, 500, `{"result":null,"error":{"code":-32700,"message":"Top-level object parse error"},"id":null}`},
		{"too deep", strings.Repeat("[", 100_000), 500, `{"result":null,"error":{"code":-32700,"message":"Parse error"},"id":null}`},
		{"no method", `{"id":7}`, 400, `{"result":null,"error":{"code":-32600,"message":"Missing method"},"id":7}`},
		{"method of another type", `{"method":1,"id":7}`, 400, `{"result":null,"error":{"code":-32600,"message":"Method must be a string"},"id":7}`},
		{"params of another type", `{"method":"uptime","params":"x","id":7}`, 400, `{"result":null,"error":{"code":-32600,"message":"Params must be an array or object"},"id":7}`},
		{"version of another type", `{"jsonrpc":2,"method":"uptime","id":7}`, 400, `{"result":null,"error":{"code":-32600,"message":"jsonrpc field must be a string"},"id":7}`},
		{"unknown version", `{"jsonrpc":"3.0","method":"uptime","id":7}`, 400, `{"result":null,"error":{"code":-32600,"message":"JSON-RPC version not supported"},"id":7}`},
		{"keys are not folded", `{"Method":"uptime","id":7}`, 400, `{"result":null,"error":{"code":-32600,"message":"Missing method"},"id":7}`},
		{
			"batch", `[{"method":"getblockcount","id":1},{"jsonrpc":"2.0","method":"x","id":2},{"jsonrpc":"2.0","method":"uptime"},5]`, 200,
			`[{"result":0,"error":null,"id":1},{"jsonrpc":"2.0","error":{"code":-32601,"message":"Method not found"},"id":2},{"result":null,"error":{"code":-32600,"message":"Invalid Request object"},"id":null}]`,
		},
		{"empty batch", `[]`, 200, `[]`},
		{"batch of notifications", `[{"jsonrpc":"2.0","method":"uptime"},{"jsonrpc":"2.0","method":"x"}]`, 204, ``},
		{"batch of nonsense", `[null,[]]`, 200, `[{"result":null,"error":{"code":-32600,"message":"Invalid Request object"},"id":null},{"result":null,"error":{"code":-32600,"message":"Invalid Request object"},"id":null}]`},
		{"batch too large", big, 400, `{"result":null,"error":{"code":-32600,"message":"a batch holds at most 1000 calls"},"id":null}`},
	} {
		got := w.post(test.body, nil)
		if got.status != test.status || (test.want != "*" && got.body != test.want) {
			t.Errorf("%s:\n got %d %s\nwant %d %s", test.name, got.status, got.body, test.status, test.want)
		}
		if got.status == 200 && got.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: content type %q", test.name, got.header.Get("Content-Type"))
		}
		for name := range got.header {
			if strings.HasPrefix(name, "Access-Control") {
				t.Errorf("%s: header %s", test.name, name)
			}
		}
	}
}

func TestGuard(t *testing.T) {
	w := newDoor(t, Options{Hosts: []string{"node.example"}})
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	host := func(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }
	for _, test := range []struct {
		name   string
		change func(*http.Request)
		status int
	}{
		{"as it should be", nil, 500},
		{"localhost", host("localhost:8332"), 500},
		{"a name of ours", host("Node.Example:1"), 500},
		{"an address", host("[::1]:8332"), 500},
		{"rebound name", host("evil.example"), 403},
		{"rebound name that begins well", host("localhost.evil.example:8332"), 403},
		{"a page", header("Origin", "http://evil.example"), 403},
		{"a page of this machine", header("Origin", w.url), 403},
		{"a page without origin", header("Origin", "null"), 403},
		{"an empty origin", header("Origin", ""), 403},
		{"cross site", header("Sec-Fetch-Site", "cross-site"), 403},
		{"no password", func(r *http.Request) { r.Header.Del("Authorization") }, 401},
		{"wrong password", func(r *http.Request) { r.SetBasicAuth(testUser, "x") }, 401},
		{"wrong user", func(r *http.Request) { r.SetBasicAuth("x", testPass) }, 401},
		{"no colon", header("Authorization", "Basic Z3JhbmFyeQ=="), 401},
		{"bearer", header("Authorization", "Bearer x"), 401},
		{"bad base64", header("Authorization", "Basic !"), 401},
		{"lower case scheme", func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "Basic", "basic", 1))
		}, 500},
		{"get", func(r *http.Request) { r.Method = http.MethodGet }, 405},
		{"options", func(r *http.Request) { r.Method = http.MethodOptions }, 405},
		{"elsewhere", func(r *http.Request) { r.URL.Path = "/wallet/x" }, 404},
	} {
		got := w.post(`{"method":"uptime"}`, test.change)
		if got.status != test.status {
			t.Errorf("%s: status %d, want %d: %s", test.name, got.status, test.status, got.body)
		}
		if want := `Basic realm="jsonrpc"`; got.status == 401 && got.header.Get("WWW-Authenticate") != want {
			t.Errorf("%s: WWW-Authenticate %q", test.name, got.header.Get("WWW-Authenticate"))
		}
	}
}

func TestWarmup(t *testing.T) {
	w := newDoor(t, Options{})
	w.door.SetWarmup("Loading block index…")
	want := `{"result":null,"error":{"code":-28,"message":"Loading block index…"},"id":1}`
	if got := w.post(`{"method":"getblockcount","id":1}`, nil); got.status != 500 || got.body != want {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if got := w.post(`{"method":"no such","id":1}`, nil); got.body != want {
		t.Errorf("unknown method: %s", got.body)
	}
}

func TestCookie(t *testing.T) {
	path := cookiePath(t)
	w := newDoor(t, Options{CookiePath: path})
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("cookie file: %v %v", info, err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	user, password, _ := strings.Cut(string(text), ":")
	if user != CookieUser || len(password) != 64 {
		t.Fatalf("cookie %q", text)
	}
	login := func(r *http.Request) { r.SetBasicAuth(user, password) }
	if got := w.post(`{"method":"uptime"}`, login); got.status != 500 {
		t.Errorf("the cookie is refused: %d", got.status)
	}
	if got := w.post(`{"method":"uptime"}`, func(r *http.Request) { r.SetBasicAuth(user, "") }); got.status != 401 {
		t.Errorf("an empty password: %d", got.status)
	}
	w.closeDoor()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the cookie file is still there: %v", err)
	}
	if entries, _ := os.ReadDir(strings.TrimSuffix(path, "/.cookie")); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestCookieOfAnotherStaysAndLinksAreNotFollowed(t *testing.T) {
	path := cookiePath(t)
	w := newDoor(t, Options{CookiePath: path})
	if err := os.WriteFile(path, []byte("__cookie__:another"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.closeDoor()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("another process's cookie was removed: %v", err)
	}
	victim := path + ".victim"
	if err := os.WriteFile(victim, []byte("keep"), 0o644); err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(path)
	if err := os.Symlink(victim, path); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	newDoor(t, Options{CookiePath: path})
	if text, _ := os.ReadFile(victim); string(text) != "keep" {
		t.Errorf("the cookie went through a link: %q", text)
	}
}

func TestNoCookieBesideAPassword(t *testing.T) {
	path := cookiePath(t)
	newDoor(t, Options{CookiePath: path, User: testUser, Password: testPass})
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("a cookie file beside rpcpassword: %v", err)
	}
}

func rpcAuth(user, salt, password string) string {
	mac := hmac.New(sha256.New, []byte(salt))
	mac.Write([]byte(password))
	return user + ":" + salt + "$" + hex.EncodeToString(mac.Sum(nil))
}

func TestRPCAuthAndWhitelist(t *testing.T) {
	w := newDoor(t, Options{
		Auth: []string{
			rpcAuth("alice", "a1", "p:1"), rpcAuth("bob", "b2", "p2"),
			// From Bitcoin Core's documentation of its rpcauth script.
			"rt:93648e835a54c573682c2eb19f882535$7681e9c5b74bdd85e78166031d2058e1069b3ed7ed967c93fc63abba06f31144",
		},
		Whitelist: []string{"alice:getblockcount,uptime", "alice:uptime, stop"},
	})
	const password = "cA773lm788buwYe4g4WT+05pKyNruVKjQ25x3n0DQcM="
	for _, test := range []struct {
		user, password, method string
		status                 int
	}{
		{"alice", "p:1", "uptime", 500},
		{"alice", "p:1", "getblockcount", 403}, // in one list only
		{"alice", "p:1", "stop", 403},
		{"alice", "p2", "uptime", 401},
		{"bob", "p2", "uptime", 403}, // without a list
		{"rt", password, "uptime", 403},
		{"rt", password + "x", "uptime", 401},
		{"carol", "p2", "uptime", 401},
		{"", "", "uptime", 401},
	} {
		login := func(r *http.Request) { r.SetBasicAuth(test.user, test.password) }
		if got := w.post(`{"method":"`+test.method+`"}`, login); got.status != test.status {
			t.Errorf("%s %s %s: %d, want %d", test.user, test.password, test.method, got.status, test.status)
		}
	}
	login := func(r *http.Request) { r.SetBasicAuth("alice", "p:1") }
	if got := w.post(`[{"method":"uptime"},{"method":"stop"}]`, login); got.status != 403 {
		t.Errorf("a batch around the whitelist: %d %s", got.status, got.body)
	}
}

func TestBadOptionsAreOneLine(t *testing.T) {
	for _, o := range []Options{
		{User: "u"},
		{Password: "p"},
		{Auth: []string{"user:salt"}},
		{Auth: []string{"user:salt$zz"}},
		{Auth: []string{":salt$" + strings.Repeat("00", 32)}},
		{Whitelist: []string{":x"}},
		{AllowIPs: []string{"elephant"}},
		{AllowIPs: []string{"10.0.0.0/255.0.255.0"}},
		{AllowIPs: []string{"10.0.0.0/99"}},
		{CookiePath: "/dev/null/x/.cookie"},
	} {
		o.Net = params.RegTest()
		if _, err := New(o); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestAllowIP(t *testing.T) {
	s, err := New(Options{
		Net: params.RegTest(), User: "u", Password: "p",
		AllowIPs: []string{"192.168.1.7", "10.1.2.3/8", "172.16.0.0/255.240.0.0", "fd00::/8"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for remote, want := range map[string]bool{
		"127.0.0.1:5": true, "127.9.9.9:5": true, "[::1]:5": true, "[::ffff:127.0.0.1]:5": true,
		"192.168.1.7:5": true, "192.168.1.8:5": false, "10.255.0.1:5": true, "11.0.0.1:5": false,
		"172.31.255.255:5": true, "172.32.0.0:5": false, "[fd12::1]:5": true, "[fe80::1%eth0]:5": false,
		"[::ffff:10.0.0.1]:5": true, "8.8.8.8:5": false, "": false, "@": false,
	} {
		if got := s.addressAllowed(remote); got != want {
			t.Errorf("%s: %v, want %v", remote, got, want)
		}
	}
}

// TestBruteForceIsSlow: guesses are bounded together, and a right password
// does not wait behind them.
func TestBruteForceIsSlow(t *testing.T) {
	w := newDoor(t, Options{})
	const delay = 40 * time.Millisecond
	w.door.wrongDelay = delay
	const guesses = 5 * wrongSlots
	start := time.Now()
	var all sync.WaitGroup
	for range guesses {
		all.Go(func() {
			w.post(`{"method":"uptime"}`, func(r *http.Request) { r.SetBasicAuth(testUser, "guess") })
		})
	}
	time.Sleep(delay / 2)
	if got := w.post(`{"method":"uptime"}`, nil); got.status != 500 {
		t.Errorf("the right password: %d", got.status)
	}
	right := time.Since(start)
	all.Wait()
	if took := time.Since(start); took < guesses/wrongSlots*delay {
		t.Errorf("%d guesses took only %v", guesses, took)
	} else if right > took {
		t.Errorf("the right password waited %v of %v", right, took)
	}
}

func TestBodyBound(t *testing.T) {
	w := newDoor(t, Options{})
	// Without a password a body is not read at all.
	started := time.Now()
	got := w.post(strings.Repeat(" ", params.MaxRPCBodyBytes+1), nil)
	if got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a body above the bound: %d %s (%v)", got.status, got.body, time.Since(started))
	}
	if got := w.post(strings.Repeat(" ", 1<<20)+`{"method":"uptime"}`, nil); got.status != 500 {
		t.Errorf("a padded body: %d", got.status)
	}
}

// raw opens a connection and sends the beginning of a request.
func (w *world) raw(text string) net.Conn {
	w.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, text); err != nil {
		w.t.Fatal(err)
	}
	return conn
}

func TestSlowClientsAreLetGo(t *testing.T) {
	w := newDoor(t, Options{IdleSeconds: 1})
	head := "POST / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic Z3JhbmFyeTpzZWNyZXQ6d29yZA==\r\nContent-Length: 100\r\n\r\n"
	for name, text := range map[string]string{
		"silent": "", "half a header": "POST / HTTP/1.1\r\nHost:", "half a body": head + `{"method"`,
	} {
		conn := w.raw(text)
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.Copy(io.Discard, conn); err != nil {
			t.Errorf("%s: the door kept the connection: %v", name, err)
		}
	}
}

func TestHugeHeaderIsRefused(t *testing.T) {
	w := newDoor(t, Options{})
	conn := w.raw("POST / HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n")
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return // closed without an answer
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d", response.StatusCode)
	}
}

func TestQueueIsBoundedAndCloseWakesWaiters(t *testing.T) {
	w := newWorld(t, nil)
	w.door.slots = make(chan struct{}, 2)
	var waiting sync.WaitGroup
	for range 2 {
		waiting.Go(func() { w.post(`{"method":"waitfornewblock","params":[60000]}`, nil) })
	}
	for len(w.door.running.list()) < 2 {
		time.Sleep(time.Millisecond)
	}
	if got := w.post(`{"method":"uptime"}`, nil); got.status != 503 || !strings.Contains(got.body, "Work queue depth exceeded") {
		t.Errorf("beyond the queue: %d %s", got.status, got.body)
	}
	start := time.Now()
	w.closeDoor()
	waiting.Wait()
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("closing took %v", took)
	}
}

func TestConnectionsAreBoundedAndGoroutinesReturn(t *testing.T) {
	w := newDoor(t, Options{Connections: 3})
	before := runtime.NumGoroutine()
	for range 3 {
		w.raw("")
	}
	fourth := w.raw("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	_ = fourth.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if n, err := fourth.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Error("a connection beyond the bound was answered")
	}
	_ = fourth.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_ = w.door.Close(ctx)
	for i := 0; runtime.NumGoroutine() > before; i++ {
		if i > 200 {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// TestCloseWaitsForCalls: nothing touches the services once Close has returned.
func TestCloseWaitsForCalls(t *testing.T) {
	w := newWorld(t, nil)
	started, release, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	w.door.table["uptime"] = &Method{Name: "uptime", run: func(*call) (any, error) {
		close(started)
		<-release
		close(ended)
		return 1, nil
	}}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		r, _ := http.NewRequest(http.MethodPost, w.url, strings.NewReader(`{"method":"uptime"}`))
		r.SetBasicAuth(testUser, testPass)
		if response, err := w.client.Do(r); err == nil {
			_ = response.Body.Close()
		}
	}()
	<-started
	time.AfterFunc(100*time.Millisecond, func() { close(release) })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_ = w.door.Close(ctx)
	select {
	case <-ended:
	default:
		t.Error("Close returned while a call was at work")
	}
	<-gone
}

// TestCloseEndsMining: a call that would mine for ever does not hold the door.
func TestCloseEndsMining(t *testing.T) {
	w := newWorld(t, nil)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		w.post(`{"method":"generatetoaddress","params":[1000000,"`+opTrueAddress+`",1000000000]}`, nil)
	}()
	for len(w.door.running.list()) == 0 {
		time.Sleep(time.Millisecond)
	}
	start := time.Now()
	w.closeDoor()
	<-gone
	if took := time.Since(start); took > 4*time.Second {
		t.Errorf("closing took %v", took)
	}
}

func TestPruneMode(t *testing.T) {
	w := newWorld(t, nil)
	services := *w.door.services.Load()
	services.Prune, services.PruneTargetBytes = true, 550<<20
	w.door.Ready(services)
	var info struct {
		Pruned    bool
		Height    *int32 `json:"pruneheight"`
		Automatic *bool  `json:"automatic_pruning"`
		Target    int64  `json:"prune_target_size"`
	}
	w.must(&info, "getblockchaininfo", "")
	if !info.Pruned || info.Height == nil || *info.Height != 0 || info.Automatic == nil || !*info.Automatic || info.Target != 550<<20 {
		t.Errorf("getblockchaininfo %+v", info)
	}
	var height int32
	if w.must(&height, "pruneblockchain", "[0]"); height != -1 {
		t.Errorf("pruned to %d with nothing to delete", height)
	}
	w.fails(CodeInvalidParameter, "Negative block height", "pruneblockchain", "[-1]")
	w.fails(CodeInvalidParameter, "Blockchain is shorter", "pruneblockchain", "[1]")
	if w.must(&height, "pruneblockchain", "[1296688602]"); height != -1 {
		t.Errorf("pruned to %d by time", height)
	}
}

func TestABrokenMethodIsAnError(t *testing.T) {
	w := newWorld(t, nil)
	w.door.table["uptime"] = &Method{Name: "uptime", run: func(*call) (any, error) { panic("broken") }}
	if _, failure := w.call("uptime", ""); failure == nil || failure.Code != CodeInternal {
		t.Errorf("got %v", failure)
	}
	if _, failure := w.call("getblockcount", ""); failure != nil {
		t.Errorf("the next call: %v", failure)
	}
}

// hostile are strings that break careless programs.
var hostile = []string{
	"", " ", "\x00", "'; DROP TABLE blocks;--", `"><script>alert(1)</script>`, "../../etc/passwd", "%s%s%n", "{{.}}",
	"\u202e\ufeff", strings.Repeat("A", 200_000), strings.Repeat("\U0001f600", 5_000), "-1", "1e400", "NaN", "0x10",
	strings.Repeat("0", 64), strings.Repeat("f", 64), strings.Repeat("zz", 32), strings.Repeat("1", 5_000), "bc1q", "#", "raw()", "multi(", strings.Repeat("sh(", 500),
}

// TestHostileStrings puts each of them, and values of other types, in every
// parameter of every method: there is an answer, it is JSON, no handler
// breaks, and an error's text stays short.
func TestHostileStrings(t *testing.T) {
	w := newWorld(t, nil)
	var values []Value
	for _, text := range hostile {
		values = append(values, StringValue(text))
	}
	for _, text := range []string{
		`null`, `true`, `-1`, `0`, `1e3`, `9223372036854775808`, `0.5`, `[]`, `{}`, `[null]`, `[[]]`, `[{}]`, `[""]`,
		`[{"txid":"` + strings.Repeat("0", 64) + `","vout":-1}]`, `{"":1}`, `{"data":"zz"}`, `[{"data":1}]`, `[1,2,3]`, `[9,1]`, `[0,9999999999]`,
	} {
		v, err := ParseJSON([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, v)
	}
	services := w.door.services.Load()
	for _, m := range Methods() {
		switch m.Name {
		case "stop", "waitfornewblock", "waitforblock", "waitforblockheight", "setmocktime":
			continue // they act or wait; tried by themselves
		}
		for i := range m.Params {
			for _, v := range values {
				args := Value{kind: Array}
				for j := range m.Params[:i] {
					args.items = append(args.items, plausible(&m.Params[j]))
				}
				args.items = append(args.items, v)
				if m.Name == "generatetoaddress" || m.Name == "generatetodescriptor" {
					args.items[0] = Value{kind: Number, text: "0"}
				}
				for j := i + 1; j < m.required(); j++ {
					args.items = append(args.items, plausible(&m.Params[j]))
				}
				req := request{method: m.Name, params: args}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				result, failure := w.door.execute(ctx, testUser, &req)
				cancel()
				name := fmt.Sprintf("%s, parameter %d = %.80q", m.Name, i+1, v.AppendJSON(nil))
				if failure != nil && (failure.Code == CodeInternal || len(failure.Message) > 4_000) {
					t.Errorf("%s: error %d of %d characters: %.300s", name, failure.Code, len(failure.Message), failure.Message)
				}
				if raw := req.appendReply(nil, orNull(result), failure); !validJSON(raw) {
					t.Errorf("%s: the answer is no JSON: %.300q", name, raw)
				}
			}
		}
	}
	if services.Chain.Tip().Height > 1_000 {
		t.Errorf("hostile strings mined to height %d", services.Chain.Tip().Height)
	}
}

func orNull(raw []byte) []byte {
	if raw == nil {
		return []byte("null")
	}
	return raw
}

func plausible(p *Param) Value {
	switch p.Type {
	case Hash:
		return StringValue(strings.Repeat("0", 64))
	case Integer, Verbosity, Amount:
		return Value{kind: Number, text: "0"}
	case Boolean:
		return Value{kind: Bool}
	case List, ListOrDict:
		return Value{kind: Array}
	case Dict:
		return Value{kind: Object}
	}
	return StringValue("bcrt1qft5p2uhsdcdc3l2ua4ap5qqfg4pjaqlp250x7us7a8qqhrxrxfsqseac85")
}

func TestMiningIsRefused(t *testing.T) {
	script := StringValue("raw(51)")
	one := Value{kind: Number, text: "1"}
	for _, network := range []*params.Network{params.MainNet(), params.RegTest()} {
		_, failure := answerOf(t, network, "generatetodescriptor", one, script)
		if failure == nil || failure.Code != CodeMisc {
			t.Errorf("%s: %v", network.Name, failure)
		}
	}
}
