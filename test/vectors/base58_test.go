package vectors_test

import (
	"encoding/hex"
	"encoding/json"
	"testing"

	"github.com/btcsuite/btcd/address/v2/base58"

	"granary/test/vectors"
)

// TestBase58 holds the base58 that addresses go through to Core's vectors.
func TestBase58(t *testing.T) {
	var pairs [][2]string
	if err := json.Unmarshal(vectors.Shared(t, "base58_encode_decode.json"), &pairs); err != nil {
		t.Fatal(err)
	}
	for _, pair := range pairs {
		raw, err := hex.DecodeString(pair[0])
		if err != nil {
			t.Fatal(err)
		}
		if got := base58.Encode(raw); got != pair[1] {
			t.Errorf("%s encodes to %s, want %s", pair[0], got, pair[1])
		}
		if got := base58.Decode(pair[1]); hex.EncodeToString(got) != pair[0] {
			t.Errorf("%s decodes to %x, want %s", pair[1], got, pair[0])
		}
	}
	t.Logf("%d pairs", len(pairs))
}
