package rpc

import (
	"strings"
	"testing"
)

// sample is a method with parameters of several kinds.
var sample = Method{
	Name: "sample", Summary: "For tests.", Result: "null",
	Params: []Param{
		{Name: "hash", Type: Hash, Help: "h"},
		{Name: "n", Alias: "number", Type: Integer, Optional: true, Help: "n"},
		{Name: "flag", Type: Boolean, Optional: true, Help: "f"},
		{Name: "list", Type: List, Optional: true, Help: "l"},
		{Name: "any", Type: Anything, Optional: true, Help: "a"},
	},
}

func TestBind(t *testing.T) {
	for _, test := range []struct {
		params, want string
		code         int
	}{
		{`["a"]`, `["a",null,null,null,null]`, 0},
		{`["a",1,true,[2],{}]`, `["a",1,true,[2],{}]`, 0},
		{`["a",null,null]`, `["a",null,null,null,null]`, 0},
		{`[]`, "sample \"hash\"", CodeMisc},
		{`["a",1,true,[],0,0]`, "Arguments:", CodeMisc},
		{`[1]`, `"Position 1 (hash)": "JSON value of type number is not of expected type string"`, CodeType},
		{`[null]`, `JSON value of type null is not of expected type string`, CodeType},
		{`["a","1"]`, `"Position 2 (n)": "JSON value of type string is not of expected type number"`, CodeType},
		{`["a",1,1,{}]`, `"Position 4 (list)": "JSON value of type object is not of expected type array"`, CodeType},
		{`["a",1,0]`, `JSON value of type number is not of expected type bool`, CodeType},
		{`{"hash":"a"}`, `["a",null,null,null,null]`, 0},
		{`{"hash":"a","list":[]}`, `["a",null,null,[],null]`, 0},
		{`{"hash":"a","number":5}`, `["a",5,null,null,null]`, 0},
		{`{"args":["a"],"flag":true}`, `["a",null,true,null,null]`, 0},
		{`{"args":["a",2]}`, `["a",2,null,null,null]`, 0},
		{`{"args":["a",2],"n":3}`, "Parameter n specified twice both as positional and named argument", CodeInvalidParameter},
		{`{"hash":"a","hash":"b"}`, "Parameter hash specified multiple times", CodeInvalidParameter},
		{`{"hash":"a","Hash":"b"}`, "Unknown named parameter Hash", CodeInvalidParameter},
		{`{"hash":"a","args":5}`, "Unknown named parameter args", CodeInvalidParameter},
		{`{"args":[],"args":[]}`, "Parameter args specified multiple times", CodeInvalidParameter},
	} {
		v, err := ParseJSON([]byte(test.params))
		if err != nil {
			t.Fatal(test.params)
		}
		args, failure := sample.bind(v)
		if failure != nil {
			if failure.Code != test.code || !strings.Contains(failure.Message, test.want) {
				t.Errorf("%s: error %d %s, want %d %s", test.params, failure.Code, failure.Message, test.code, test.want)
			}
			continue
		}
		if got := string(Value{kind: Array, items: args}.AppendJSON(nil)); test.code != 0 || got != test.want {
			t.Errorf("%s: %s, want %s", test.params, got, test.want)
		}
	}
}

func TestConvertArgs(t *testing.T) {
	const hash = "00000000000000000000000000000000000000000000000000000000000000aa"
	for _, test := range []struct {
		method string
		words  []string
		want   string
	}{
		{"getblock", []string{hash, "2"}, `["` + hash + `",2]`},
		{"getblock", []string{"12", "true"}, `["12",true]`},
		{"getblockhash", []string{"12"}, `[12]`},
		{"gettxoutsetinfo", []string{"muhash", hash}, `["muhash","` + hash + `"]`},
		{"sendrawtransaction", []string{"00", "0.1"}, `["00",0.1]`},
		{"createrawtransaction", []string{"[]", `{"a":1}`}, `[[],{"a":1}]`},
		{"echo", []string{"1"}, `["1"]`},
		{"unknown", []string{"1", "x"}, `[1,"x"]`},
		{"getblockcount", []string{"1"}, `[1]`},
	} {
		v, err := ConvertArgs(test.method, test.words)
		if got := string(v.AppendJSON(nil)); err != nil || got != test.want {
			t.Errorf("%s %v: %s %v, want %s", test.method, test.words, got, err, test.want)
		}
	}
	if _, err := ConvertArgs("getblockhash", []string{"twelve"}); err == nil || !strings.Contains(err.Error(), "height") {
		t.Errorf("a word for a number: %v", err)
	}
	named, err := ConvertNamedArgs("getblock", []string{hash, "verbosity=2"})
	if got := string(named.AppendJSON(nil)); err != nil || got != `{"verbosity":2,"args":["`+hash+`"]}` {
		t.Errorf("named: %s %v", got, err)
	}
}

// FuzzRequest: whatever comes, every call is answered or refused by a code,
// and the answer is JSON.
func FuzzRequest(f *testing.F) {
	f.Add([]byte(`{"jsonrpc":"2.0","method":"getblock","params":["00",{"a":1}],"id":"x"}`))
	f.Add([]byte(`{"method":"createrawtransaction","params":{"args":[[]],"outputs":[{"data":"00"}]}}`))
	f.Add([]byte(`{"jsonrpc":"1.0","method":1}`))
	table := methodTable()
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := ParseJSON(text)
		if err != nil {
			return
		}
		var req request
		failure := req.parse(v)
		if failure == nil {
			if m := table[req.method]; m != nil {
				_, failure = m.bind(req.params)
			}
		}
		if raw := req.appendReply(nil, []byte("1"), failure); !validJSON(raw) {
			t.Fatalf("%q is answered with %q", text, raw)
		}
	})
}

func validJSON(raw []byte) bool {
	_, err := ParseJSON(raw)
	return err == nil
}

func TestHelpSaysEverything(t *testing.T) {
	families := map[string]bool{}
	seen := map[string]bool{}
	for _, m := range Methods() {
		families[m.Family] = true
		if seen[m.Name] {
			t.Errorf("%s is in the table twice", m.Name)
		}
		seen[m.Name] = true
		if m.Summary == "" || m.Result == "" || m.Family == "" || m.run == nil || !strings.HasSuffix(m.Summary, ".") {
			t.Errorf("%s lacks summary, result, family or handler", m.Name)
		}
		optional := false
		for _, p := range m.Params {
			if p.Help == "" || strings.Contains(p.Help, "\n") {
				t.Errorf("%s: parameter %s has no help of one line", m.Name, p.Name)
			}
			if optional && !p.Optional {
				t.Errorf("%s: parameter %s is required behind an optional one", m.Name, p.Name)
			}
			optional = p.Optional
		}
		if help := m.Help(); !strings.HasPrefix(help, m.Name) || !strings.Contains(help, "granary rpc "+m.Name) {
			t.Errorf("help of %s:\n%s", m.Name, help)
		}
	}
	list := overview(Methods())
	for family := range families {
		if strings.Count(list, "== "+family+" ==") != 1 {
			t.Errorf("family %s does not stand once in the overview", family)
		}
	}
	for _, absent := range []string{"getinfo", "generate"} {
		if seen[absent] {
			t.Errorf("%s must not exist", absent)
		}
	}
}
