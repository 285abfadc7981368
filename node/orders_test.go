package node

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/chain"
	"granary/config"
	"granary/state"
)

// TestOrders: a block at the height to stop at stops the node, and every block
// runs the command with its hash.
func TestOrders(t *testing.T) {
	told := filepath.Join(t.TempDir(), "told")
	stopped := false
	n := &Node{
		Config: &config.Config{Settings: config.Settings{StopAtHeight: 7, BlockNotify: "echo %s > " + told}},
		Log:    slog.New(slog.NewTextHandler(io.Discard, nil)), cancel: func(error) { stopped = true },
	}
	o := &orders{node: n}
	hash := chainhash.Hash{1}
	if err := o.Connect(&chain.Event{Header: &state.Header{Height: 6, Hash: hash}}); err != nil || stopped {
		t.Fatal("stopped at 6", err)
	}
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if text, _ := os.ReadFile(told); string(text) == hash.String()+"\n" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the command did not run")
		}
	}
	if err := o.Connect(&chain.Event{Header: &state.Header{Height: 7, Hash: hash}}); err != nil || !stopped {
		t.Error("went on at 7", err)
	}
}
