package rpcclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"granary/base/rpcclient"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve answers each JSON-RPC call with what answer gives (raw JSON for the
// members beside id).
func serve(t *testing.T, answer func(method string, params json.RawMessage) string) string {
	t.Helper()
	type call struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
		Params json.RawMessage `json:"params"`
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, pass, _ := r.BasicAuth(); user != "u" || pass != "p:w" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		one := func(c call) string {
			return `{"jsonrpc":"2.0",` + answer(c.Method, c.Params) + `,"id":` + string(c.ID) + `}`
		}
		if body[0] == '[' {
			var calls []call
			_ = json.Unmarshal(body, &calls)
			var out []string
			for i := len(calls) - 1; i >= 0; i-- { // another order than asked
				out = append(out, one(calls[i]))
			}
			_, _ = io.WriteString(w, "["+strings.Join(out, ",")+"]")
			return
		}
		var c call
		_ = json.Unmarshal(body, &c)
		_, _ = io.WriteString(w, one(c))
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func client(t *testing.T, o rpcclient.Options) *rpcclient.Client {
	t.Helper()
	c, err := rpcclient.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestCall(t *testing.T) {
	url := serve(t, func(method string, params json.RawMessage) string {
		if method == "fail" {
			return `"error":{"code":-8,"message":"no such thing"}`
		}
		return `"result":{"method":"` + method + `","params":` + string(params) + `}`
	})
	c := client(t, rpcclient.Options{URL: url, User: "u", Password: "p:w"})
	var got struct {
		Method string
		Params []int
	}
	if err := c.Call(context.Background(), "m", []int{1, 2}, &got); err != nil || got.Method != "m" || len(got.Params) != 2 {
		t.Fatalf("got %+v, %v", got, err)
	}
	if err := c.Call(context.Background(), "m", nil, &got); err != nil || len(got.Params) != 0 {
		t.Fatalf("nil params: %+v, %v", got, err)
	}
	err := c.Call(context.Background(), "fail", nil, nil)
	var answer *rpcclient.Error
	if !errors.As(err, &answer) || answer.Code != -8 || err.Error() != "error -8: no such thing" {
		t.Fatalf("error answer: %v", err)
	}
	var text string
	if err := c.Call(context.Background(), "m", nil, &text); err == nil || rpcclient.CodeOf(err) != 0 {
		t.Fatalf("an object decoded into a string: %v", err)
	}
}

func TestBatchMatchesByID(t *testing.T) {
	url := serve(t, func(method string, _ json.RawMessage) string {
		if method == "b" {
			return `"error":{"code":-5,"message":"b is unknown"}`
		}
		return `"result":"` + method + `"`
	})
	c := client(t, rpcclient.Options{URL: url, User: "u", Password: "p:w"})
	var a, z string
	calls := []*rpcclient.Request{{Method: "a", Result: &a}, {Method: "b"}, {Method: "z", Result: &z}}
	if err := c.Batch(context.Background(), calls); err != nil {
		t.Fatal(err)
	}
	if a != "a" || z != "z" || rpcclient.CodeOf(calls[1].Err) != -5 || calls[0].Err != nil {
		t.Fatalf("a=%q z=%q errors %v %v %v", a, z, calls[0].Err, calls[1].Err, calls[2].Err)
	}
	if err := c.Batch(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	url := serve(t, func(string, json.RawMessage) string { return `"result":1` })
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<html>")
	}))
	defer page.Close()
	junk := filepath.Join(t.TempDir(), "junk")
	if err := os.WriteFile(junk, []byte("no colon"), 0o600); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name string
		o    rpcclient.Options
		want string
	}{
		{"wrong password", rpcclient.Options{URL: url, User: "u", Password: "x"}, "refused the user or password"},
		{"nobody there", rpcclient.Options{URL: "127.0.0.1:1", User: "u", Password: "x"}, "is the node running?"},
		{"no cookie", rpcclient.Options{URL: url, CookiePath: filepath.Join(t.TempDir(), ".cookie")}, "is the node running?"},
		{"bad cookie", rpcclient.Options{URL: url, CookiePath: junk}, "is not a cookie file"},
		{"no way in", rpcclient.Options{URL: url}, "give a user and password"},
		{"a web page", rpcclient.Options{URL: page.URL, User: "u", Password: "x"}, "answered 200 OK: <html>"},
	}
	for _, test := range cases {
		err := client(t, test.o).Call(context.Background(), "m", nil, nil)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line with %q", test.name, err, test.want)
		}
	}
	if _, err := rpcclient.New(rpcclient.Options{URL: "ftp://x"}); err == nil {
		t.Error("ftp taken for a node's address")
	}
}

func TestCookieAndURLUser(t *testing.T) {
	url := serve(t, func(string, json.RawMessage) string { return `"result":1` })
	path := filepath.Join(t.TempDir(), ".cookie")
	if err := os.WriteFile(path, []byte("u:p:w\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, o := range []rpcclient.Options{
		{URL: url, CookiePath: path},
		{URL: strings.Replace(url, "://", "://u:p%3Aw@", 1)},
		{URL: strings.TrimPrefix(url, "http://"), User: "u", Password: "p:w"},
	} {
		if err := client(t, o).Call(context.Background(), "m", nil, nil); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestWaitsForWarmup(t *testing.T) {
	var calls atomic.Int32
	url := serve(t, func(string, json.RawMessage) string {
		if calls.Add(1) < 3 {
			return `"error":{"code":-28,"message":"Loading"}`
		}
		return `"result":1`
	})
	impatient := client(t, rpcclient.Options{URL: url, User: "u", Password: "p:w"})
	if err := impatient.Call(context.Background(), "m", nil, nil); rpcclient.CodeOf(err) != rpcclient.CodeInWarmup {
		t.Fatalf("without waiting: %v", err)
	}
	patient := client(t, rpcclient.Options{URL: url, User: "u", Password: "p:w", WarmupWait: 10 * time.Second})
	if err := patient.Call(context.Background(), "m", nil, nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	nobody := client(t, rpcclient.Options{URL: "127.0.0.1:1", User: "u", Password: "x", WarmupWait: time.Hour})
	start := time.Now()
	if err := nobody.Call(ctx, "m", nil, nil); err == nil || time.Since(start) > 5*time.Second {
		t.Fatalf("the context did not end the wait: %v", err)
	}
}

func TestTimeoutSaysSo(t *testing.T) {
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer s.Close()
	defer close(release)
	c := client(t, rpcclient.Options{URL: s.URL, User: "u", Password: "p", Timeout: 50 * time.Millisecond})
	if err := c.Call(context.Background(), "m", nil, nil); err == nil || !strings.Contains(err.Error(), "did not answer in time") {
		t.Fatalf("got %v", err)
	}
}
