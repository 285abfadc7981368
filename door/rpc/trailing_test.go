package rpc

import (
	"strings"
	"testing"
)

// TestTrailingBytes: what stands behind a block or a transaction is refused
// wherever one is taken in, and the same without it is taken: of others,
// submitblock and sendrawtransaction once took both.
func TestTrailingBytes(t *testing.T) {
	w := newWorld(t, nil)
	var hashes []string
	w.must(&hashes, "generatetodescriptor", `[2,"raw(51)"]`)
	block := w.text("getblock", `["`+hashes[1]+`",0]`)
	w.must(new(any), "invalidateblock", `["`+hashes[1]+`"]`)
	w.must(new(any), "reconsiderblock", `["`+hashes[1]+`"]`)
	for _, tail := range []string{"00", "ff", strings.Repeat("00", 100)} {
		if _, e := w.call("submitblock", `["`+block+tail+`"]`); e == nil || e.Code != CodeDeserialization {
			t.Errorf("submitblock of a block and %d bytes: %v", len(tail)/2, e)
		}
	}
	if got := w.text("submitblock", `["`+block+`"]`); got != "duplicate" {
		t.Errorf("submitblock without them: %q", got)
	}
	tx := "0200000001" + strings.Repeat("11", 32) + "0000000000ffffffff0110270000000000000151" + "00000000"
	_, plain := w.call("sendrawtransaction", `["`+tx+`"]`)
	if plain == nil || plain.Code == CodeDeserialization {
		t.Fatalf("sendrawtransaction without them: %v", plain)
	}
	for _, method := range []string{"sendrawtransaction", "decoderawtransaction", "testmempoolaccept"} {
		arg := `["` + tx + `00"]`
		if method == "testmempoolaccept" {
			arg = `[["` + tx + `00"]]`
		}
		if _, e := w.call(method, arg); e == nil || e.Code != CodeDeserialization {
			t.Errorf("%s of a transaction and a byte: %v", method, e)
		}
	}
}
