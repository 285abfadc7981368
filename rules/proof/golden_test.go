package proof_test

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestGolden holds the bytes of the files still: what was written once is read
// for ever. GRANARY_REWRITE=1 writes them anew.
func TestGolden(t *testing.T) {
	w := newWorld(t, 1, 6)
	for name, file := range map[string][]byte{
		"receipt-3.proof.hex": w.prove(3, 1).Encode(),
		"six.audit.hex":       w.audit(1 << 20),
		"three.headers.hex":   headerFile(t, w.charter, 3),
	} {
		path := filepath.Join("testdata", name)
		if os.Getenv("GRANARY_REWRITE") != "" {
			if err := os.WriteFile(path, []byte(lines(file)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want, err := hex.DecodeString(strings.ReplaceAll(string(text), "\n", ""))
		if err != nil || !bytes.Equal(want, file) {
			t.Errorf("%s is not what is written today (%v)", name, err)
		}
	}
}

// lines gives hex in lines of 48 bytes.
func lines(b []byte) string {
	var out strings.Builder
	for len(b) > 0 {
		n := min(48, len(b))
		out.WriteString(hex.EncodeToString(b[:n]) + "\n")
		b = b[n:]
	}
	return out.String()
}
