package rpc

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"granary/params"
)

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

// TestWhitelistDefault: rpcwhitelistdefault says whether a user without a list
// is shut out, whether or not there are lists.
func TestWhitelistDefault(t *testing.T) {
	for _, test := range []struct {
		lists  []string
		shut   bool
		status int
	}{{[]string{"alice:uptime"}, false, 500}, {nil, true, 403}} {
		w := newDoor(t, Options{Auth: []string{rpcAuth("bob", "b2", "p2")}, Whitelist: test.lists, WhitelistDefault: &test.shut})
		login := func(r *http.Request) { r.SetBasicAuth("bob", "p2") }
		if got := w.post(`{"method":"uptime"}`, login); got.status != test.status {
			t.Errorf("%+v: %d", test, got.status)
		}
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
