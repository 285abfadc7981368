package fire

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"granary/params"
	"granary/state"
	"granary/test/fleet"
	"granary/test/plays"
)

// lived makes the data directory of a node whose chain has a charter and a
// life of nearly every record behind it, and gives the charter's file.
func lived(t *testing.T, dir string, seed uint64, height int32) (charterFile string) {
	t.Helper()
	charter := plays.Charter(t, params.BaseRegtest)
	charterFile = filepath.Join(t.TempDir(), "charter.toml")
	if err := os.WriteFile(charterFile, charter.TOML(), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Run("chain", func(t *testing.T) {
		p := plays.OpenAt(t, filepath.Join(dir, "regtest"), charter, seed)
		p.Live(height)
		t.Logf("records: %v", p.Seen)
	})
	return charterFile
}

func TestMain(m *testing.M) {
	fleet.Become()
	goleak.VerifyTestMain(m)
}

// blockOf fetches a block over the node's own door.
func blockOf(n *fleet.Node, hash string) *state.Block {
	n.T.Helper()
	var text string
	n.Call("getblock", &text, hash, 0)
	raw, err := hex.DecodeString(text)
	if err != nil {
		n.T.Fatal(err)
	}
	block, err := state.DecodeBlock(raw)
	if err != nil {
		n.T.Fatal(err)
	}
	return block
}
