package rpc

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseJSONTakesAndRefuses(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, text := range []string{
		`null`, ` true `, `-0`, `1.5e-8`, `"a\u00e9\ud83d\ude00\n"`, `{"a":1,"a":2}`, `[[],{}]`, `"\/"`,
		`123456789012345678901234567890`, deep(maxJSONDepth + 1),
	} {
		if _, err := ParseJSON([]byte(text)); err != nil {
			t.Errorf("refused %s", text)
		}
	}
	for _, text := range []string{
		``, ` `, `nul`, `truee`, `01`, `1.`, `.5`, `+1`, `1e`, `-`, `NaN`, `"a`, `"\x"`, `"\ud800"`, `"\ud800\u0041"`,
		`"\u12"`, "\"\x01\"", "\"a\nb\"", "\"\xff\"", "\"\\n\xff\"", `[1,]`, `[1 2]`, `{"a"}`, `{"a":}`, `{a:1}`, `{"a":1,}`, `{1:2}`,
		`[`, `{`, `{"a"`, `{"a":1`, `[1`, `1 2`, `{}{}`, "\xef\xbb\xbf{}", deep(maxJSONDepth + 2), `'a'`, `[1]]`, "[1\x00]",
	} {
		if v, err := ParseJSON([]byte(text)); err == nil {
			t.Errorf("took %q as %s", text, v.AppendJSON(nil))
		}
	}
}

func TestParseJSONBoundsTheNumberOfValues(t *testing.T) {
	if _, err := ParseJSON([]byte("[" + strings.Repeat("0,", maxJSONValues) + "0]")); err == nil {
		t.Fatal("took more values than the bound")
	}
}

func TestValueKeepsOrderAndText(t *testing.T) {
	const text = `{"z":1.10,"a":[true,null,"\u0001\"<&>"],"Z":{"k":-0e5}}`
	v, err := ParseJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(v.AppendJSON(nil)); got != text {
		t.Fatalf("%s became %s", text, got)
	}
	if _, folded := v.Get("A"); folded {
		t.Fatal("keys are folded")
	}
}

// FuzzParseJSON holds the parser against the standard one: what ours takes,
// theirs takes, and it means the same.
func FuzzParseJSON(f *testing.F) {
	for _, seed := range []string{`{"method":"x","params":[1,"a",null,{"b":[]}],"id":1e3}`, `"\ud83d\ude00"`, `[[[`, `-1.0E+2`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := ParseJSON(text)
		if err != nil {
			return
		}
		if !json.Valid(text) {
			t.Fatalf("took %q, which is no JSON", text)
		}
		decode := func(raw []byte) (out any) {
			d := json.NewDecoder(bytes.NewReader(raw))
			d.UseNumber()
			if err := d.Decode(&out); err != nil {
				t.Fatalf("%q: %v", raw, err)
			}
			return out
		}
		if diff := cmp.Diff(decode(text), decode(v.AppendJSON(nil))); diff != "" {
			t.Fatalf("%q changed its meaning:\n%s", text, diff)
		}
	})
}
