package chain

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"granary/state"
)

// childDirEnv and childSeedEnv tell the test binary that it is the child that
// TestKill kills.
const (
	childDirEnv  = "GRANARY_CHAIN_KILL_DIR"
	childSeedEnv = "GRANARY_CHAIN_KILL_SEED"
)

// TestKill kills a process that imports, extends and reorganises, again and
// again on the same data. It must open without a flag, know every block that
// it acknowledged, and have the state that its own blocks give.
func TestKill(t *testing.T) {
	rounds, checkEvery := 24, 6
	if testing.Short() {
		rounds = 10
	}
	if os.Getenv("GRANARY_LONG") != "" {
		rounds = 500
	}
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv(childSeedEnv); text != "" {
		seed, _ = strconv.ParseUint(text, 10, 64)
	}
	t.Logf("%s=%d", childSeedEnv, seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	dir := t.TempDir()
	writeKillFile(t, filepath.Join(dir, "import.dat"))
	var height int32
	for round := range rounds {
		acked := killOne(t, dir, rng.Uint64(), time.Duration(rng.IntN(250))*time.Millisecond)
		w := bareWorld(t, vfs.Default, filepath.Join(dir, "data"))
		if err := w.tryOpen(); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		for _, hash := range acked {
			if h := w.engine.Header(hash); h == nil || !w.engine.Status(h).Have() {
				t.Fatalf("round %d: acknowledged block %v is lost", round, hash)
			}
		}
		if tip := w.engine.Tip(); tip.Height < height {
			t.Fatalf("round %d: height %d after %d", round, tip.Height, height)
		} else {
			height = tip.Height
		}
		if round%checkEvery == checkEvery-1 || round == rounds-1 {
			if err := w.engine.Check(t.Context(), nil); err != nil {
				t.Fatalf("round %d, height %d: %v", round, height, err)
			}
		}
		w.close()
	}
	if height < 20 {
		t.Errorf("only %d blocks in %d rounds", height, rounds)
	}
	t.Logf("%d kills, height %d", rounds, height)
}

// killOne starts the child, kills it after a while, and gives the blocks that
// it acknowledged as its tip.
func killOne(t *testing.T, dir string, seed uint64, after time.Duration) (acked []chainhash.Hash) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDirEnv+"="+dir, childSeedEnv+"="+fmt.Sprint(seed))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	started := make(chan struct{})
	go func() {
		<-started
		time.Sleep(after)
		cmd.Process.Kill() //nolint:errcheck // it may have ended by itself, which is an error below
	}()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		switch word {
		case "open":
			close(started)
		case "tip":
			if hash, err := chainhash.NewHashFromStr(rest); err == nil && len(rest) == 64 {
				acked = append(acked, *hash)
			}
		}
	}
	if err := cmd.Wait(); err == nil || stderr.Len() > 0 {
		t.Fatalf("the child ended by itself: %v\n%s", err, stderr.Bytes())
	}
	return acked
}

// writeKillFile writes a chain with forks inside, parents not always first.
func writeKillFile(t *testing.T, path string) {
	w := bareWorld(t, vfs.NewMem(), "none")
	blocks := w.run("import", w.genesis(), 0, 300)
	var file []*state.Block
	for i := 0; i < len(blocks); i += 20 {
		file = append(file, blocks[i:i+20]...)
		fork := w.run(fmt.Sprint("fork", i), blocks[i+10], int32(i+11), 11)
		file = append(file, fork...)
	}
	rand.New(rand.NewPCG(7, 7)).Shuffle(100, func(i, j int) { file[i], file[j] = file[j], file[i] })
	if err := os.WriteFile(path, blockFile(w.net.Magic(), file...), 0o600); err != nil {
		t.Fatal(err)
	}
}

// runChild works until it is killed.
func runChild(dir string) int {
	seed, _ := strconv.ParseUint(os.Getenv(childSeedEnv), 10, 64)
	w := &childWorld{rng: rand.New(rand.NewPCG(seed, 2))}
	if err := w.work(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

type childWorld struct {
	world
	rng *rand.Rand
}

func (w *childWorld) work(dir string) error {
	bare := bareWorld(childTB{}, vfs.Default, filepath.Join(dir, "data"))
	w.world = *bare //nolint:govet // nothing is locked yet
	if err := w.tryOpen(); err != nil {
		return err
	}
	fmt.Println("open")
	w.engine.batchBytes = 1 << w.rng.IntN(20)
	if w.rng.IntN(2) == 0 {
		if _, err := w.engine.Import(context.Background(), []string{filepath.Join(dir, "import.dat")}, nil); err != nil {
			return err
		}
		fmt.Println("tip", w.engine.Tip().Hash)
	}
	for round := 0; ; round++ {
		if err := w.grow(fmt.Sprintf("%x-%d-", w.rng.Uint64(), round)); err != nil {
			return err
		}
	}
}

// grow adds blocks to the tip or on a fork some blocks below.
func (w *childWorld) grow(name string) error {
	tip := w.engine.Tip()
	depth := int32(0)
	if w.rng.IntN(2) == 0 {
		depth = min(tip.Height, w.rng.Int32N(11))
	}
	from := tip.Ancestor(tip.Height - depth)
	parent, err := w.engine.Block(from)
	if err != nil {
		return err
	}
	for i := range depth + 1 {
		d := draft{parent: parent, height: from.Height + 1 + i, name: fmt.Sprint(name, i)}
		if err := w.spendOld(&d); err != nil {
			return err
		}
		parent = w.make(d)
		if _, err := w.engine.AcceptBlock(parent); err != nil {
			return err
		}
		if now := w.engine.Tip(); now.Hash == parent.Hash {
			fmt.Println("tip", now.Hash)
		}
	}
	return nil
}

// spendOld lets a draft spend the coinbase that has just become mature.
func (w *childWorld) spendOld(d *draft) error {
	h := w.engine.Header(d.parent.Hash).Ancestor(d.height - 100)
	if h == nil || h.Height == 0 {
		return nil
	}
	old, err := w.engine.Block(h)
	if err != nil {
		return err
	}
	d.txs, d.fees = append(d.txs, spend(old.Msg.Transactions[0], 0)), 0
	return nil
}

// childTB is the little of testing.TB that a world needs in the child, where
// there is no test.
type childTB struct{ testing.TB }

func (childTB) Helper()        {}
func (childTB) Cleanup(func()) {}
