package node

import (
	"os"
	"path/filepath"
	"testing"
)

// TestForeignFeeFile: a file of fee estimates that is not ours keeps its bytes,
// under another name.
func TestForeignFeeFile(t *testing.T) {
	c := testConfig(t)
	if err := os.MkdirAll(c.NetDir, 0o700); err != nil {
		t.Fatal(err)
	}
	const foreign = "\x03\x00 what another program learned"
	path := filepath.Join(c.NetDir, feesFile)
	if err := os.WriteFile(path, []byte(foreign), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Run("life", func(t *testing.T) { running(t, c) }) // starts and stops
	kept, err := os.ReadFile(path + ".damaged")
	if err != nil || string(kept) != foreign {
		t.Fatalf("%q, %v", kept, err)
	}
	if own, err := os.ReadFile(path); err != nil || string(own) == foreign {
		t.Fatalf("our own was not written: %v", err)
	}
}
