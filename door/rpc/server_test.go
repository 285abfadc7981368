package rpc

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
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
