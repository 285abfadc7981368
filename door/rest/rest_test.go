package rest

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"granary/base/clock"
	"granary/chain"
	"granary/door/rpc"
	"granary/index/filter"
	"granary/index/tx"
	"granary/mempool"
	"granary/mine/cpu"
	"granary/mine/template"
	"granary/params"
	"granary/rules/block"
	"granary/rules/script"
	"granary/state"
	"granary/store"
)

// world is a node on regtest behind its door, REST mounted.
type world struct {
	t      *testing.T
	engine *chain.Engine
	pool   *mempool.Pool
	door   *rpc.Server
	url    string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	network := params.RegTest()
	rules := block.Rules{Net: network}
	fs, mock := vfs.NewMem(), &clock.Mock{}
	mock.Set(time.Unix(network.Chain.GenesisBlock.Header.Timestamp.Unix()+30*24*3600, 0))
	st, err := store.Open(store.Options{Dir: "data", FS: fs, Net: network, CacheBytes: 16 << 20})
	must(err)
	scripts := script.NewChecker(script.Options{Workers: 1, CacheBytes: 1 << 20})
	engine, err := chain.Open(chain.Options{Store: st, Rules: rules, Scripts: scripts, Clock: mock})
	must(err)
	pool := mempool.New(mempool.Options{Chain: engine, Rules: rules, Scripts: scripts, Clock: mock, Standard: true})
	index, err := tx.Open(tx.Options{Dir: "txindex", FS: fs, Net: network})
	must(err)
	must(index.Sync(t.Context(), engine, nil))
	filters, err := filter.Open(filter.Options{Dir: "filters", FS: fs, Net: network})
	must(err)
	must(filters.Sync(t.Context(), engine, nil))
	must(engine.Follow(t.Context(), pool, engine.Tip().Hash, nil))
	door, err := rpc.New(rpc.Options{Net: network, Version: "0.1", User: "u", Password: "p"})
	must(err)
	door.MountREST(New(door))
	server := httptest.NewServer(door)
	builder := template.NewBuilder(template.Options{Chain: engine, Pool: pool, Rules: rules, Clock: mock})
	w := &world{t, engine, pool, door, server.URL}
	if status, body := w.get("chaininfo.json"); status != http.StatusServiceUnavailable || !strings.Contains(body, "temporarily unavailable: Starting") {
		t.Errorf("while it starts: %d %q", status, body)
	}
	door.Ready(rpc.Services{
		Chain: engine, Pool: pool, Rules: rules, Clock: mock, TxIndex: index, Filters: filters,
		Miner: cpu.NewMiner(cpu.Options{Builder: builder, Chain: engine, Clock: mock}),
	})
	t.Cleanup(func() {
		server.Close()
		must(door.Close(context.Background()))
		must(engine.Close())
		must(index.Close())
		must(filters.Close())
		scripts.Close()
		must(st.Close())
	})
	return w
}

func (w *world) get(path string) (status int, body string) { return w.send(http.MethodGet, path, "") }

func (w *world) send(method, path, body string) (status int, answer string) {
	w.t.Helper()
	r, err := http.NewRequest(method, w.url+"/rest/"+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return response.StatusCode, string(raw)
}

// ok asks for something that must be there.
func (w *world) ok(path string) string {
	w.t.Helper()
	status, body := w.get(path)
	if status != http.StatusOK {
		w.t.Fatalf("%s: %d %s", path, status, body)
	}
	return body
}

// both asks for .bin and .hex, which must say the same.
func (w *world) both(path string) []byte {
	w.t.Helper()
	at, query, _ := strings.Cut(path, "?")
	if query != "" {
		query = "?" + query
	}
	raw, text := w.ok(at+".bin"+query), w.ok(at+".hex"+query)
	if hex.EncodeToString([]byte(raw))+"\n" != text {
		w.t.Errorf("%s: .bin and .hex differ", path)
	}
	return []byte(raw)
}

func (w *world) json(result any, path string) {
	w.t.Helper()
	if err := json.Unmarshal([]byte(w.ok(path)), result); err != nil {
		w.t.Fatalf("%s: %v", path, err)
	}
}

func (w *world) call(result any, method string, args ...rpc.Value) {
	w.t.Helper()
	raw, e := w.door.Call(w.t.Context(), method, args...)
	if e != nil {
		w.t.Fatalf("%s: %v", method, e)
	}
	if err := json.Unmarshal(raw, result); err != nil {
		w.t.Fatal(err)
	}
}

const payTo = "bcrt1qft5p2uhsdcdc3l2ua4ap5qqfg4pjaqlp250x7us7a8qqhrxrxfsqseac85" // OP_TRUE behind P2WSH

// mine makes blocks and gives their hashes.
func (w *world) mine(n int64) (hashes []string) {
	w.t.Helper()
	w.call(&hashes, "generatetoaddress", rpc.IntValue(n), rpc.StringValue(payTo))
	return hashes
}

func TestBlocksAndHeaders(t *testing.T) {
	w := newWorld(t)
	hashes := w.mine(10)
	b, err := w.engine.Block(w.engine.AtHeight(4))
	if err != nil {
		t.Fatal(err)
	}
	if got := w.both("block/" + hashes[3]); !bytes.Equal(got, b.Raw) {
		t.Error("the block's bytes differ")
	}
	var shown struct {
		Hash string
		Tx   []any
	}
	if w.json(&shown, "block/notxdetails/"+hashes[3]+".json"); shown.Hash != hashes[3] || shown.Tx[0] != b.Txids[0].String() {
		t.Errorf("notxdetails gave %+v", shown)
	}
	if w.json(&shown, "block/"+hashes[3]+".json"); shown.Tx[0].(map[string]any)["txid"] != b.Txids[0].String() {
		t.Errorf("the block is %+v", shown)
	}
	var headers []struct{ Hash string }
	if w.json(&headers, "headers/"+hashes[3]+".json"); len(headers) != 5 || headers[4].Hash != hashes[7] {
		t.Errorf("headers gave %+v", headers)
	}
	if got := w.both("headers/" + hashes[3] + "?count=3"); len(got) != 3*state.HeaderBytes || !bytes.Equal(got[:80], b.Raw[:80]) {
		t.Errorf("headers gave %d bytes", len(got))
	}
	if old := w.ok("headers/3/" + hashes[3] + ".bin"); len(old) != 3*state.HeaderBytes {
		t.Errorf("the old form of headers gave %d bytes", len(old))
	}
	if got := w.ok("headers/" + strings.Repeat("0", 64) + ".json"); got != "[]\n" {
		t.Errorf("unknown headers are %q", got)
	}
	if got := w.ok("blockhashbyheight/4.bin"); got != string(b.Hash[:]) {
		t.Errorf("blockhashbyheight gave %x", got)
	}
	if got := w.ok("blockhashbyheight/4.hex"); got != hashes[3]+"\n" {
		t.Errorf("blockhashbyheight gave %s", got)
	}
	if got := w.ok("blockhashbyheight/4.json"); got != `{"blockhash":"`+hashes[3]+"\"}\n" {
		t.Errorf("blockhashbyheight gave %s", got)
	}
	var info struct{ Blocks int }
	if w.json(&info, "chaininfo.json"); info.Blocks != 10 {
		t.Errorf("chaininfo gave %+v", info)
	}
	var deployments struct{ Height int }
	if w.json(&deployments, "deploymentinfo/"+hashes[2]+".json"); deployments.Height != 3 {
		t.Errorf("deploymentinfo gave %+v", deployments)
	}
}

func TestFilters(t *testing.T) {
	w := newWorld(t)
	hashes := w.mine(3)
	var want struct{ Filter, Header string }
	w.call(&want, "getblockfilter", rpc.StringValue(hashes[1]))
	encoded, _ := hex.DecodeString(want.Filter)
	hash, _ := chainhash.NewHashFromStr(hashes[1])
	expected := append(append([]byte{0}, hash[:]...), byte(len(encoded)))
	if got := w.both("blockfilter/basic/" + hashes[1]); !bytes.Equal(got, append(expected, encoded...)) {
		t.Errorf("the filter is %x", got)
	}
	if got := w.ok("blockfilter/basic/" + hashes[1] + ".json"); got != `{"filter":"`+want.Filter+"\"}\n" {
		t.Errorf("the filter is %s", got)
	}
	var headers []string
	if w.json(&headers, "blockfilterheaders/basic/"+hashes[0]+".json"); len(headers) != 3 || headers[1] != want.Header {
		t.Errorf("filter headers are %v", headers)
	}
	if got := w.both("blockfilterheaders/basic/" + hashes[0] + "?count=2"); len(got) != 64 {
		t.Errorf("filter headers have %d bytes", len(got))
	}
}

// TestUnspent asks for outputs that are there, that are spent in the mempool,
// and that wait there, in every form.
func TestUnspent(t *testing.T) {
	w := newWorld(t)
	w.mine(101)
	b, err := w.engine.Block(w.engine.AtHeight(1))
	if err != nil {
		t.Fatal(err)
	}
	spend := wire.NewMsgTx(2)
	spend.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Hash: b.Txids[0]}, Witness: wire.TxWitness{{0x51}}})
	spend.AddTxOut(wire.NewTxOut(b.Msg.Transactions[0].TxOut[0].Value-1_000, b.Msg.Transactions[0].TxOut[0].PkScript))
	tx := state.NewTx(spend)
	if _, err := w.pool.Accept(tx); err != nil {
		t.Fatal(err)
	}
	if got := w.both("tx/" + tx.Txid.String()); !bytes.Equal(got, tx.Raw) {
		t.Error("the transaction's bytes differ")
	}
	var shown struct{ Txid string }
	if w.json(&shown, "tx/"+b.Txids[0].String()+".json"); shown.Txid != b.Txids[0].String() {
		t.Errorf("tx gave %+v", shown)
	}
	old, young := b.Txids[0].String()+"-0", tx.Txid.String()+"-0"
	type answer struct {
		Height int32  `json:"chainHeight"`
		Tip    string `json:"chaintipHash"`
		Bitmap string
		UTXOs  []struct {
			Height int64
			Value  json.Number
		}
	}
	var got answer
	w.json(&got, "getutxos/"+old+"/"+young+".json")
	if got.Bitmap != "10" || got.Height != 101 || got.Tip != w.engine.Tip().Hash.String() ||
		len(got.UTXOs) != 1 || got.UTXOs[0].Height != 1 || got.UTXOs[0].Value != "50.00000000" {
		t.Errorf("confirmed only: %+v", got)
	}
	got = answer{}
	w.json(&got, "getutxos/checkmempool/"+old+"/"+young+".json")
	if got.Bitmap != "01" || len(got.UTXOs) != 1 || got.UTXOs[0].Height != mempoolHeight {
		t.Errorf("with the mempool: %+v", got)
	}
	byPath := w.both("getutxos/checkmempool/" + young)
	question := append([]byte{1, 1}, tx.Txid[:]...)
	question = binary.LittleEndian.AppendUint32(question, 0)
	status, byBody := w.send(http.MethodPost, "getutxos.bin", string(question))
	if status != http.StatusOK || byBody != string(byPath) {
		t.Errorf("the question as bytes: %d, %x, by path %x", status, byBody, byPath)
	}
	if status, _ := w.send(http.MethodPost, "getutxos/"+old+".bin", string(question)); status != http.StatusBadRequest {
		t.Errorf("both questions at once: %d", status)
	}
	var contents map[string]any
	if w.json(&contents, "mempool/contents.json"); contents[tx.Txid.String()] == nil {
		t.Errorf("the mempool holds %v", contents)
	}
	var list []string
	if w.json(&list, "mempool/contents.json?verbose=false"); len(list) != 1 {
		t.Errorf("the mempool holds %v", list)
	}
	var info struct{ Size int }
	if w.json(&info, "mempool/info.json"); info.Size != 1 {
		t.Errorf("mempool/info gave %+v", info)
	}
}

// TestRefusals: what is asked wrongly, or is not there, has its status and one
// line of text.
func TestRefusals(t *testing.T) {
	w := newWorld(t)
	zero := strings.Repeat("0", 64)
	var many []string
	for i := range 16 {
		many = append(many, fmt.Sprintf("%s-%d", zero, i))
	}
	for path, want := range map[string]string{
		"":                                              "404 no such resource",
		"nonsense.json":                                 "404 no such resource",
		"tx/" + zero:                                    "404 output format",
		"tx/" + zero + ".json":                          "404 " + zero + " not found",
		"tx/zz.json":                                    "400 Invalid hash: zz",
		"block/" + zero + ".json":                       "404 " + zero + " not found",
		"block/notxdetails/.json":                       "400 Invalid hash: ",
		"headers/" + zero + "/1/2.json":                 "400 Invalid URI format",
		"headers/0/" + zero + ".json":                   "400 Header count is invalid or out of acceptable range (1-2000): 0",
		"headers/" + zero + ".json?count=2001":          "400 Header count is invalid or out of acceptable range (1-2000): 2001",
		"headers/1/x.json":                              "400 Invalid hash: x",
		"blockhashbyheight/-1.json":                     "400 Invalid height: -1",
		"blockhashbyheight/9.json":                      "404 Block height out of range",
		"chaininfo.bin":                                 "404 output format not found (available: json)",
		"deploymentinfo/" + zero + ".json":              "400 Block not found",
		"mempool/contents.json?verbose=x":               `400 The "verbose" query parameter must be either "true" or "false".`,
		"mempool/contents.json?mempool_sequence=true":   "400 Verbose results cannot contain",
		"mempool/nonsense.json":                         "400 Invalid URI format",
		"getutxos.json":                                 "400 Error: empty request",
		"getutxos/checkmempool.json":                    "400 Error: empty request",
		"getutxos/" + zero + ".json":                    "400 Parse error",
		"getutxos/" + zero + "--1.json":                 "400 Parse error",
		"getutxos/" + strings.Join(many, "/") + ".json": "400 Error: max outpoints exceeded (max: 15, tried: 16)",
		"blockfilter/other/" + zero + ".json":           "400 Unknown filtertype other",
		"blockfilter/basic/" + zero + ".json":           "404 " + zero + " not found",
		"tx/%0d%0aX-Bad:1.json":                         "400 Invalid hash: ??X-Bad:1",
		"tx/" + strings.Repeat("a", 5_000):              "400 Invalid URI format",
	} {
		status, body := w.get(path)
		if got := fmt.Sprintf("%d %s", status, body); !strings.HasPrefix(got, want) || strings.Count(body, "\n") != 1 {
			t.Errorf("%.80s: %q, want %q", path, got, want)
		}
	}
	if status, _ := w.send(http.MethodDelete, "chaininfo.json", ""); status != http.StatusMethodNotAllowed {
		t.Errorf("DELETE: %d", status)
	}
	for _, body := range []string{"\x00", "\x00\x01", "\x01\xfd\xff\xff", strings.Repeat("x", 100_000)} {
		if status, _ := w.send(http.MethodPost, "getutxos.bin", body); status != http.StatusBadRequest {
			t.Errorf("a body of %d bytes: %d", len(body), status)
		}
	}
	r, _ := http.NewRequest(http.MethodGet, w.url+"/rest/chaininfo.json", nil)
	r.Host = "evil.example"
	if response, err := http.DefaultClient.Do(r); err != nil || response.StatusCode != http.StatusForbidden {
		t.Errorf("a foreign name was answered: %v", err)
	} else {
		response.Body.Close()
	}
}
