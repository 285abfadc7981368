package rpc

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"granary/base/rpcclient"
	"granary/params"
	"granary/state"
	"granary/test/vectors"
)

func networkOf(t *testing.T, chain string) *params.Network {
	switch chain {
	case "main":
		return params.MainNet()
	case "test", "signet": // the same prefixes
		return params.TestNet4()
	case "regtest":
		return params.RegTest()
	}
	t.Fatalf("a vector of chain %q", chain)
	return nil
}

// answerOf runs one method without a node: for those that need no service.
func answerOf(t *testing.T, network *params.Network, method string, args ...Value) (json.RawMessage, *Error) {
	t.Helper()
	s := &Server{opts: Options{Net: network}, table: methodTable()}
	s.services.Store(&Services{})
	raw, failure := s.execute(t.Context(), "", &request{method: method, params: Value{kind: Array, items: args}})
	return raw, failure
}

// TestAddressVectors: every address of Bitcoin Core's key_io vectors is read
// on its own chain and shown for its script, and none of the invalid ones is.
func TestAddressVectors(t *testing.T) {
	var rows [][3]json.RawMessage
	if err := json.Unmarshal(vectors.Shared(t, "key_io_valid.json"), &rows); err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, row := range rows {
		var text, script string
		var facts struct {
			Chain     string
			IsPrivkey bool
		}
		for i, target := range []any{&text, &script, &facts} {
			if err := json.Unmarshal(row[i], target); err != nil {
				t.Fatal(err)
			}
		}
		if facts.IsPrivkey {
			continue // no method takes private keys
		}
		tried++
		network := networkOf(t, facts.Chain)
		raw, failure := answerOf(t, network, "validateaddress", StringValue(text))
		var got addressJSON
		if failure != nil || json.Unmarshal(raw, &got) != nil || !got.Valid || got.ScriptPubKey != script || got.Address != text {
			t.Errorf("%s on %s: %s %v", text, facts.Chain, raw, failure)
		}
	}
	if tried < 40 {
		t.Errorf("only %d addresses", tried)
	}
	var bad [][]string
	if err := json.Unmarshal(vectors.Shared(t, "key_io_invalid.json"), &bad); err != nil {
		t.Fatal(err)
	}
	for _, row := range bad {
		for _, network := range []*params.Network{params.MainNet(), params.TestNet4(), params.RegTest()} {
			raw, failure := answerOf(t, network, "validateaddress", StringValue(row[0]))
			if failure != nil || !strings.HasPrefix(string(raw), `{"isvalid":false,`) {
				t.Errorf("%q on %s: %s %v", row[0], network.Name, raw, failure)
			}
		}
	}
}

// hexStrings collects every hex string of a vector file that is long enough to
// be a transaction.
func hexStrings(t *testing.T, name string) (out []string) {
	v, err := ParseJSON(vectors.Shared(t, name))
	if err != nil {
		t.Fatal(err)
	}
	var walk func(v Value)
	walk = func(v Value) {
		if v.kind == String && len(v.text) >= 20 && len(v.text)%2 == 0 && strings.Trim(v.text, "0123456789abcdefABCDEF") == "" {
			out = append(out, v.text)
		}
		for i := range v.items {
			walk(v.items[i])
		}
	}
	walk(v)
	return out
}

// TestDecodesVectors: transactions of the vectors are taken apart, and what is
// shown has their ids and their own bytes again; nothing else breaks.
func TestDecodesVectors(t *testing.T) {
	network := params.MainNet()
	for name, least := range map[string]int{
		"tx_valid.json": 100, "tx_invalid.json": 80, "sighash.json": 450, "psbt.json": 0, "bip341_wallet_vectors.json": 1,
	} {
		decoded := 0
		for _, text := range hexStrings(t, name) {
			raw, failure := answerOf(t, network, "decoderawtransaction", StringValue(text))
			if failure != nil {
				if failure.Code != CodeDeserialization {
					t.Fatalf("%s: %.80s: %d %s", name, text, failure.Code, failure.Message)
				}
			} else {
				decoded++
				checkDecoded(t, name, text, raw)
			}
			if _, failure := answerOf(t, network, "decodescript", StringValue(text)); failure != nil {
				t.Errorf("%s: decodescript %.80s: %s", name, text, failure.Message)
			}
		}
		if decoded < least {
			t.Errorf("%s: only %d transactions", name, decoded)
		}
	}
}

func checkDecoded(t *testing.T, name, text string, raw json.RawMessage) {
	t.Helper()
	tx, ok := decodeTxHex(text, true, true)
	var shown struct {
		Txid, Hash string
		Size       int
		Vin, Vout  []json.RawMessage
	}
	if err := json.Unmarshal(raw, &shown); !ok || err != nil {
		t.Fatalf("%s: %.80s: %v", name, text, err)
	}
	if shown.Txid != tx.Msg.TxHash().String() || shown.Hash != tx.Msg.WitnessHash().String() || shown.Size != len(text)/2 ||
		len(shown.Vin) != len(tx.Msg.TxIn) || len(shown.Vout) != len(tx.Msg.TxOut) {
		t.Errorf("%s: %.80s is shown as %.200s", name, text, raw)
	}
}

// TestFirstPayment is the first transaction of the main network that paid
// somebody, as Bitcoin Core shows it.
func TestFirstPayment(t *testing.T) {
	const (
		sig   = "304402204e45e16932b8af514961a1d3a1a25fdf3f4f7732e9d624c6c61548ab5fb8cd410220181522ec8eca07de4860a4acdd12909d831cc56cbbac4622082221a8768d1d09"
		first = "04ae1a62fe09c5f51b13905f07f06b99a2f7159b2225f374cd378d71302fa28414e7aab37397f554a7df5f142c21c1b7303b8a0626f1baded5c72a704f7e6cd84c"
		raw   = "0100000001c997a5e56e104102fa209c6a852dd90660a20b2d9c352423edce25857fcd3704000000004847" + sig + "01ffffffff0200ca9a3b000000004341" + first +
			"ac00286bee00000000434104" + "11db93e1dcdb8a016b49840f8c53bc1eb68a382e97b1482ecad7b148a6909a5cb2e0eaddfb84ccf9744464f82e160bfa9b8b64f9d4c03f999b8643f656b412a3ac00000000"
	)
	out, failure := answerOf(t, params.MainNet(), "decoderawtransaction", StringValue(raw))
	if failure != nil {
		t.Fatal(failure)
	}
	for _, want := range []string{
		`"txid":"f4184fc596403b9d638783cf57adfe4c75c605f6356fbc91338530e9831e9e16"`,
		`"asm":"` + sig + `[ALL]"`, `"vout":0`, `"value":10.00000000`, `"value":40.00000000`,
		`"asm":"` + first + ` OP_CHECKSIG"`, `"desc":"pk(` + first + `)#`, `"type":"pubkey"`, `"vsize":275`, `"weight":1100`, `"sequence":4294967295`,
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %s in %s", want, out)
		}
	}
}

// TestRealBlock shows a full block of the main network transaction by
// transaction.
func TestRealBlock(t *testing.T) {
	block, err := state.DecodeBlock(vectors.Shared(t, "block413567.raw"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range block.Txids {
		raw, err := marshal(newTxJSON(block.Tx(i), txDetail{chain: params.MainNet().Chain, hex: true}))
		if err != nil || !validJSON(raw) {
			t.Fatalf("transaction %d: %v", i, err)
		}
	}
}

// TestAgainstCore compares the decoder with a node of Bitcoin Core's family on
// a full block: the fields that both have must be the same.
func TestAgainstCore(t *testing.T) {
	if os.Getenv("GRANARY_LONG") == "" {
		t.Skip("set GRANARY_LONG=1 to compare with litecoind")
	}
	path, err := exec.LookPath("litecoind")
	if err != nil {
		t.Skip("litecoind is not installed (Debian package of that name): nothing to compare with")
	}
	block, err := state.DecodeBlock(vectors.Shared(t, "block413567.raw"))
	if err != nil {
		t.Fatal(err)
	}
	c := startCore(t, path)
	chain := params.RegTest().Chain
	for from := 1; from < len(block.Txids); from += 200 {
		var calls []*rpcclient.Request
		for i := from; i < min(from+200, len(block.Txids)); i++ {
			calls = append(calls, &rpcclient.Request{
				Method: "decoderawtransaction", Params: []any{hexOf(block.Tx(i).Raw)}, Result: new(json.RawMessage),
			})
		}
		if err := c.Batch(t.Context(), calls); err != nil {
			t.Fatal(err)
		}
		for i, call := range calls {
			ours, err := marshal(newTxJSON(block.Tx(from+i), txDetail{chain: chain}))
			if err != nil || call.Err != nil {
				t.Fatal(err, call.Err)
			}
			sameFields(t, fmt.Sprint("transaction ", from+i), *call.Result.(*json.RawMessage), ours)
		}
	}
}

// startCore runs a node without peers until the test ends.
func startCore(t *testing.T, path string) *rpcclient.Client {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := listener.Addr().(*net.TCPAddr)
	_ = listener.Close()
	dir := t.TempDir()
	node := exec.Command(path, "-regtest", "-datadir="+dir, "-server", "-listen=0", fmt.Sprint("-rpcport=", at.Port))
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = node.Process.Kill()
		_ = node.Wait()
	})
	c, err := rpcclient.New(rpcclient.Options{
		URL: at.String(), CookiePath: filepath.Join(dir, "regtest", ".cookie"), WarmupWait: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// sameFields walks two JSON values and compares what both have.
func sameFields(t *testing.T, at string, theirs, ours []byte) {
	a, err := ParseJSON(theirs)
	if err != nil {
		t.Fatal(err)
	}
	b, err := ParseJSON(ours)
	if err != nil {
		t.Fatal(err)
	}
	var walk func(at string, a, b Value)
	walk = func(at string, a, b Value) {
		switch {
		case a.kind == Object && b.kind == Object:
			for i, key := range a.keys {
				if other, ok := b.Get(key); ok {
					walk(at+"."+key, a.items[i], other)
				}
			}
		case a.kind == Array && b.kind == Array && a.Len() == b.Len():
			for i := range a.items {
				walk(fmt.Sprint(at, ".", i), a.items[i], b.items[i])
			}
		case string(a.AppendJSON(nil)) != string(b.AppendJSON(nil)):
			t.Errorf("%s: theirs %s, ours %s", at, a.AppendJSON(nil), b.AppendJSON(nil))
		}
	}
	walk(at, a, b)
}
