package rpc

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

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
