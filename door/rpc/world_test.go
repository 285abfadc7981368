package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"granary/base/clock"
	"granary/chain"
	"granary/index/filter"
	history "granary/index/goods"
	txindex "granary/index/tx"
	"granary/mempool"
	"granary/mempool/fees"
	"granary/mine/cpu"
	"granary/mine/template"
	"granary/params"
	"granary/rules/block"
	"granary/rules/script"
	"granary/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a node on regtest in this process, behind a door on a real socket.
type world struct {
	t       testing.TB
	net     *params.Network
	clock   *clock.Mock
	door    *Server
	url     string
	stopped chan struct{}
	serving chan error
	client  *http.Client
}

const (
	testUser = "granary"
	testPass = "secret:word"
)

// newDoor opens a door that has no services yet.
func newDoor(t testing.TB, o Options) *world {
	t.Helper()
	w := &world{
		t: t, net: o.Net, clock: &clock.Mock{}, stopped: make(chan struct{}), serving: make(chan error, 1),
		client: &http.Client{Transport: &http.Transport{}},
	}
	if w.net == nil {
		w.net = params.RegTest()
		o.Net = w.net
	}
	if o.Password == "" && o.CookiePath == "" && o.Auth == nil {
		o.User, o.Password = testUser, testPass
	}
	o.Version = "0.1"
	o.Stop = func() { close(w.stopped) }
	door, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	door.wrongDelay = time.Millisecond
	w.door = door
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.url = "http://" + listener.Addr().String()
	go func() { w.serving <- door.Serve(listener) }()
	t.Cleanup(w.closeDoor)
	return w
}

func (w *world) closeDoor() {
	w.client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := w.door.Close(ctx); err != nil {
		w.t.Error("closing the door:", err)
	}
	if err := <-w.serving; err != nil {
		w.t.Error("serving:", err)
	}
	w.serving <- nil
}

// newWorld is a whole node; charter may be nil.
func newWorld(t testing.TB, charter *params.Charter) *world {
	t.Helper()
	network := params.RegTest()
	var id params.CharterID
	if charter != nil {
		var err error
		if network, err = charter.Network(); err != nil {
			t.Fatal(err)
		}
		id = charter.ID()
	}
	w := newDoor(t, Options{Net: network})
	w.clock.Set(time.Unix(network.Chain.GenesisBlock.Header.Timestamp.Unix()+30*24*3600, 0))
	rules := block.Rules{Net: network, Charter: charter}
	fs := vfs.NewMem()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	st, err := store.Open(store.Options{Dir: "data", FS: fs, Net: network, CharterID: id, CacheBytes: 16 << 20})
	must(err)
	scripts := script.NewChecker(script.Options{Workers: 1, CacheBytes: 1 << 20})
	engine, err := chain.Open(chain.Options{Store: st, Rules: rules, Scripts: scripts, Clock: w.clock})
	must(err)
	estimator := fees.New()
	pool := mempool.New(mempool.Options{Fees: estimator, Chain: engine, Rules: rules, Scripts: scripts, Clock: w.clock, Standard: true})
	index, err := txindex.Open(txindex.Options{Dir: "txindex", FS: fs, Net: network, CharterID: id})
	must(err)
	must(index.Sync(t.Context(), engine, nil))
	filters, err := filter.Open(filter.Options{Dir: "filters", FS: fs, Net: network, CharterID: id})
	must(err)
	must(filters.Sync(t.Context(), engine, nil))
	var goods *history.Index
	if charter != nil {
		goods, err = history.Open(history.Options{Dir: "goods", FS: fs, Net: network, CharterID: id})
		must(err)
		must(goods.Sync(t.Context(), engine, nil))
	}
	must(engine.Follow(t.Context(), pool, engine.Tip().Hash, nil))
	must(engine.Follow(t.Context(), w.door, engine.Tip().Hash, nil))
	builder := template.NewBuilder(template.Options{Chain: engine, Pool: pool, Rules: rules, Scripts: scripts, Clock: w.clock})
	w.door.Ready(Services{
		Chain: engine, Pool: pool, Rules: rules, Clock: w.clock, TxIndex: index, Filters: filters, Goods: goods,
		Fees: estimator,
		SaveMempool: func() (string, error) {
			_, err := pool.Save(fs, "", "mempool.dat")
			return "mempool.dat", err
		},
		ImportMempool: func(ctx context.Context, path string, o mempool.LoadOptions) (mempool.Loaded, error) {
			return pool.Load(ctx, fs, path, o)
		},
		Scripts: scripts, Templates: builder, Miner: cpu.NewMiner(cpu.Options{Builder: builder, Chain: engine, Clock: w.clock}),
	})
	// Cleanups run in reverse: the door, opened first, would close last.
	t.Cleanup(func() {
		w.closeDoor()
		must(engine.Close())
		must(index.Close())
		must(filters.Close())
		if goods != nil {
			must(goods.Close())
		}
		scripts.Close()
		must(st.Close())
	})
	return w
}

// answer is what came back over HTTP.
type answer struct {
	status int
	header http.Header
	body   string
}

// post sends a body as it is, with the right password unless change says
// otherwise.
func (w *world) post(body string, change func(*http.Request)) answer {
	w.t.Helper()
	r, err := http.NewRequest(http.MethodPost, w.url, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.SetBasicAuth(testUser, testPass)
	if change != nil {
		change(r)
	}
	response, err := w.client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, strings.TrimSuffix(string(raw), "\n")}
}

// call runs a method with params in JSON and gives the raw result or the
// error.
func (w *world) call(method, paramsJSON string) (json.RawMessage, *Error) {
	w.t.Helper()
	if paramsJSON == "" {
		paramsJSON = "[]"
	}
	got := w.post(`{"jsonrpc":"2.0","id":1,"method":"`+method+`","params":`+paramsJSON+`}`, nil)
	var reply struct {
		Result json.RawMessage
		Error  *Error
	}
	if err := json.Unmarshal([]byte(got.body), &reply); err != nil {
		w.t.Fatalf("%s %s: status %d, body %q", method, paramsJSON, got.status, got.body)
	}
	return reply.Result, reply.Error
}

// must runs a method that has to succeed and decodes the result.
func (w *world) must(result any, method, paramsJSON string) {
	w.t.Helper()
	raw, failure := w.call(method, paramsJSON)
	if failure != nil {
		w.t.Fatalf("%s %s: %d %s", method, paramsJSON, failure.Code, failure.Message)
	}
	if result == nil {
		return
	}
	if err := json.Unmarshal(raw, result); err != nil {
		w.t.Fatalf("%s %s: %v in %s", method, paramsJSON, err, raw)
	}
}

// text runs a method whose result is a string.
func (w *world) text(method, paramsJSON string) string {
	w.t.Helper()
	var out string
	w.must(&out, method, paramsJSON)
	return out
}

// fails runs a method that has to fail with a code and a part of a message.
func (w *world) fails(code int, message, method, paramsJSON string) {
	w.t.Helper()
	raw, failure := w.call(method, paramsJSON)
	if failure == nil {
		w.t.Errorf("%s %s gave %s, want error %d", method, paramsJSON, raw, code)
	} else if failure.Code != code || !strings.Contains(failure.Message, message) {
		w.t.Errorf("%s %s: error %d %q, want %d %q", method, paramsJSON, failure.Code, failure.Message, code, message)
	}
}

func indent(raw []byte) string {
	var out bytes.Buffer
	if json.Indent(&out, raw, "", "  ") != nil {
		return string(raw)
	}
	return out.String()
}

func cookiePath(t testing.TB) string { return filepath.Join(t.TempDir(), "regtest", ".cookie") }
