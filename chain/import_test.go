package chain

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"granary/base/check"
	"granary/base/clock"
	"granary/params"
	"granary/state"
	"granary/test/vectors"
)

// write puts bytes into a file of the test's own folder.
func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestImportMainnet imports the first 14,131 blocks of Bitcoin twice: all of
// them, and again, when all are known.
func TestImportMainnet(t *testing.T) {
	path := vectors.Module(t, "github.com/btcsuite/btcd", "blockchain", "testdata", "blk_0_to_14131.dat")
	w := bareWorld(t, vfs.Default, t.TempDir())
	w.net = params.MainNet()
	w.rules.Net = w.net
	w.clock = &clock.Mock{Base: clock.Real{}}
	w.open()
	var last Progress
	tip, err := w.engine.Import(t.Context(), []string{path}, func(p Progress) { last = p })
	if err != nil {
		t.Fatal(err)
	}
	const want = "14131 00000000b3e750f37fdb42e1018799a9f44b546d393b130b369590a072430a1c"
	if got := fmt.Sprint(tip.Height, " ", tip.Hash); got != want {
		t.Fatalf("tip %s, want %s", got, want)
	}
	if last.Blocks != 14131 || last.Height != 14131 || last.BytesRead != last.BytesTotal || last.Refused != 0 || last.Signatures == 0 {
		t.Errorf("progress %+v", last)
	}
	t.Logf("%.0f blocks/s, %d signatures", last.BlocksPerSecond(), last.Signatures)
	before := w.stateHash()
	if _, err := w.engine.Import(t.Context(), []string{path}, func(p Progress) { last = p }); err != nil {
		t.Fatal(err)
	}
	if last.Blocks != 0 || last.Skipped != 14132 || w.stateHash() != before {
		t.Errorf("second import: %+v", last)
	}
	w.close()
	w.open()
	if got := w.engine.Tip(); got.Hash != tip.Hash || w.stateHash() != before {
		t.Errorf("after reopening: %d %v", got.Height, got.Hash)
	}
}

// importChain is a chain with spends and a losing fork inside.
func importChain(w *world) (blocks []*state.Block, tip *state.Block) {
	base := w.run("base", w.genesis(), 0, 130)
	top := w.branch("top", base, base[129], 130, 20)
	fork := w.run("fork", base[119], 120, 15)
	blocks = append(append(append(blocks, base...), fork...), top...)
	return blocks, top[19]
}

// TestImportOutOfOrder shuffles a whole chain, twice over, into two files with
// padding and noise.
func TestImportOutOfOrder(t *testing.T) {
	w := newWorld(t)
	blocks, tip := importChain(w)
	ordered := newWorld(t)
	ordered.accept(blocks...)
	want := ordered.stateHash()
	for seed := range uint64(3) {
		w := newWorld(t)
		shuffled := append([]*state.Block(nil), blocks...)
		rng := rand.New(rand.NewPCG(seed, 3))
		rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		magic := w.net.Magic()
		one := append(blockFile(magic, shuffled[:80]...), make([]byte, 5000)...)
		one = append(one, blockFile(magic, w.genesis())...)
		two := append([]byte("noise before the first record"), blockFile(magic, shuffled[60:]...)...)
		follower := &recorder{}
		if err := w.engine.Follow(t.Context(), follower, w.genesis().Hash, nil); err != nil {
			t.Fatal(err)
		}
		got, err := w.engine.Import(t.Context(), []string{write(t, "blk00000.dat", one), write(t, "blk00001.dat", two)}, nil)
		if err != nil || got.Hash != tip.Hash {
			t.Fatalf("seed %d: tip %d %v, %v", seed, got.Height, got.Hash, err)
		}
		if w.stateHash() != want || follower.tip.Hash != tip.Hash {
			t.Errorf("seed %d: another state", seed)
		}
	}
}

// TestImportXor reads a folder of files that are obfuscated as Bitcoin Core
// writes them.
func TestImportXor(t *testing.T) {
	w := newWorld(t)
	blocks := w.run("a", w.genesis(), 0, 40)
	key := []byte{1, 2, 3, 4, 5, 6, 7, 0xff}
	dir := t.TempDir()
	for i, part := range [][]*state.Block{blocks[20:], blocks[:20]} {
		data := blockFile(w.net.Magic(), part...)
		for j := range data {
			data[j] ^= key[j%8]
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("blk%05d.dat", i)), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "xor.dat"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	if tip, err := w.engine.Import(t.Context(), []string{dir}, nil); err != nil || tip.Height != 40 {
		t.Fatalf("tip %d, %v", tip.Height, err)
	}
}

// TestImportDamaged: a truncated file gives what is whole; a flipped bit costs
// the block it is in, and its descendants wait.
func TestImportDamaged(t *testing.T) {
	w := newWorld(t)
	blocks := w.run("a", w.genesis(), 0, 30)
	file := blockFile(w.net.Magic(), blocks...)
	record := len(file) / 30
	for _, c := range []struct {
		name   string
		file   []byte
		height int32
		says   string
	}{
		{"truncated", file[:record*10+record/2], 10, ""},
		{"only magic", file[:record*10+4], 10, ""},
		{"header bit", flip(file, record*10+8+40), 10, "have no known ancestor"},
		{"body bit", flip(file, record*10+8+80+30), 10, "bad-txnmrklroot"},
		{"length", flip(file, record*10+4), 10, "no known ancestor"},
		{"magic", flip(file, record*10), 10, "have no known ancestor"},
		{"empty", nil, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			tip, err := w.engine.Import(t.Context(), []string{write(t, "blk.dat", c.file)}, nil)
			if tip.Height != c.height {
				t.Errorf("tip %d, want %d", tip.Height, c.height)
			}
			var refused *RefusedError
			if c.says != "" && (!errors.As(err, &refused) || !strings.Contains(err.Error(), c.says)) || c.says == "" && err != nil {
				t.Errorf("the result is %v", err)
			}
			// The whole file makes up for it.
			if tip, err := w.engine.Import(t.Context(), []string{write(t, "blk.dat", file)}, nil); err != nil || tip.Height != 30 {
				t.Errorf("then: tip %d, %v", tip.Height, err)
			}
		})
	}
}

func flip(file []byte, at int) []byte {
	file = bytes.Clone(file)
	file[at] ^= 0x04
	return file
}

// TestImportInvalid: a block that breaks a rule is reported and its branch is
// left; the rest of the file counts.
func TestImportInvalid(t *testing.T) {
	w := newWorld(t)
	good := w.run("a", w.genesis(), 0, 10)
	bad := w.make(draft{parent: good[9], height: 11, name: "bad", fees: 1})
	above := w.run("above", bad, 11, 5)
	other := w.run("other", good[9], 10, 3)
	file := append(append(append([]*state.Block(nil), good...), bad), above...)
	path := write(t, "blk.dat", blockFile(w.net.Magic(), append(file, other...)...))
	tip, err := w.engine.Import(t.Context(), []string{path}, nil)
	var refused *RefusedError
	if !errors.As(err, &refused) || refused.Refused != 6 || check.CodeOf(refused.First) != "bad-cb-amount" ||
		strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "blk.dat at byte") {
		t.Errorf("the result is %v", err)
	}
	if tip.Hash != other[2].Hash {
		t.Errorf("tip %d %v", tip.Height, tip.Hash)
	}
	if _, err := w.engine.Import(t.Context(), []string{filepath.Join(t.TempDir(), "none.dat")}, nil); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("a missing file gives %v", err)
	}
}

// TestImportStopped goes on where a stopped import left off.
func TestImportStopped(t *testing.T) {
	w := newWorld(t)
	blocks := w.run("a", w.genesis(), 0, 400)
	path := write(t, "blk.dat", blockFile(w.net.Magic(), blocks...))
	ctx, cancel := context.WithCancel(t.Context())
	w.engine.moved = func(_ bool, h *state.Header) {
		if h.Height == 50 {
			cancel()
		}
	}
	_, err := w.engine.Import(ctx, []string{path}, nil)
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	w.close()
	w.open()
	if tip := w.engine.Tip(); tip.Height < 50 {
		t.Errorf("the stopped import left %d blocks", tip.Height)
	}
	if tip, err := w.engine.Import(t.Context(), []string{path}, nil); err != nil || tip.Height != 400 {
		t.Errorf("tip %d, %v", tip.Height, err)
	}
}

// TestFailedBlockLeavesNoWork: when a block fails, no script check of it goes
// on (CVE-2024-52911).
func TestFailedBlockLeavesNoWork(t *testing.T) {
	w := newWorld(t)
	base := w.run("base", w.genesis(), 0, 130)
	w.accept(base...)
	// Many signature checks against a key that is none of theirs, the first
	// of which fails.
	fan := wire.NewMsgTx(2)
	fan.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Hash: base[0].Txids[0]}, Sequence: wire.MaxTxInSequenceNum})
	key := append([]byte{2}, bytes.Repeat([]byte{0x79}, 32)...)
	lock, err := txscript.NewScriptBuilder().AddData(key).AddOp(txscript.OP_CHECKSIG).AddOp(txscript.OP_NOT).Script()
	if err != nil {
		t.Fatal(err)
	}
	const n = 1000
	for range n {
		fan.AddTxOut(wire.NewTxOut(base[0].Msg.Transactions[0].TxOut[0].Value/n, lock))
	}
	b := w.make(draft{parent: base[129], height: 131, name: "fan", txs: []*wire.MsgTx{fan}})
	w.accept(b)
	gather := wire.NewMsgTx(2)
	for i := range uint32(n) {
		in := &wire.TxIn{PreviousOutPoint: wire.OutPoint{Hash: fan.TxHash(), Index: i}, Sequence: wire.MaxTxInSequenceNum}
		in.SignatureScript = []byte{txscript.OP_0}
		if i == 0 {
			in.SignatureScript = []byte{txscript.OP_RETURN}
		}
		gather.AddTxIn(in)
	}
	gather.AddTxOut(wire.NewTxOut(1, opTrue))
	bad := w.make(draft{parent: b, height: 132, name: "bad", txs: []*wire.MsgTx{gather}})
	if _, err := w.engine.AcceptBlock(bad); check.CodeOf(err) != "mandatory-script-verify-flag-failed" {
		t.Fatalf("got %v", err)
	}
	for range 20 {
		if stacks := goroutinesIn("granary/rules/script."); len(stacks) > 0 {
			t.Fatalf("a script check outlives its block:\n%s", stacks[0])
		}
		if err := w.engine.Reconsider(bad.Hash); err != nil { // it fails again
			t.Fatal(err)
		}
		w.mustTip(b)
		if !w.engine.Status(w.engine.Header(bad.Hash)).Failed() {
			t.Fatal("the block did not fail again")
		}
	}
}

// goroutinesIn gives the stacks of goroutines that name any of the functions.
func goroutinesIn(names ...string) (stacks []string) {
	all := make([]byte, 1<<20)
	all = all[:runtime.Stack(all, true)]
	for _, stack := range strings.Split(string(all), "\n\n") {
		for _, name := range names {
			if strings.Contains(stack, name) {
				stacks = append(stacks, stack)
				break
			}
		}
	}
	return stacks
}
