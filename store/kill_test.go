package store

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	killDir  = "GRANARY_STORE_KILL_DIR"
	killSeed = "GRANARY_STORE_KILL_SEED"
)

func killOptions(dir string) Options {
	o := crashOptions(vfs.Default)
	o.Dir = dir
	return o
}

// TestKills kills a process with SIGKILL while it lives, again and again on
// one directory, and checks what it left against what it had acknowledged.
func TestKills(t *testing.T) {
	if dir := os.Getenv(killDir); dir != "" {
		killed(t, dir)
		return
	}
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	acknowledged := 0
	for range seeds(6, 500) {
		seed := rng.Uint64()
		dir := t.TempDir()
		acks := runAndKill(t, dir, seed, time.Duration(20+rng.IntN(250))*time.Millisecond)
		acknowledged += len(acks)
		// The child's life follows from its seed: live it again in memory to
		// know every state it went through.
		h := newHistory(seed)
		if err := h.live(crashOptions(vfs.NewMem()), killSteps); err != nil {
			t.Fatal(err)
		}
		// The commit after the last acknowledged one may be through as well.
		allowed := append([]chainhash.Hash{h.blockAt0()}, h.tips...)[len(acks):]
		allowed = allowed[:min(2, len(allowed))]
		if err := h.verify(killOptions(dir), allowed); err != nil {
			t.Fatalf("seed %d, killed after %d commits: %v", seed, len(acks), err)
		}
	}
	t.Logf("%d commits acknowledged", acknowledged)
}

const killSteps = 200

// killed is the child: it lives and says which commits it got through.
func killed(t *testing.T, dir string) {
	seed, err := strconv.ParseUint(os.Getenv(killSeed), 10, 64)
	must(t, err)
	h := newHistory(seed)
	h.onAck = func(tip chainhash.Hash) { fmt.Println("ack", tip) }
	must(t, h.live(killOptions(dir), killSteps))
	fmt.Println("done")
	time.Sleep(time.Minute)
}

func runAndKill(t *testing.T, dir string, seed uint64, after time.Duration) (acks []string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKills$")
	cmd.Env = append(os.Environ(), killDir+"="+dir, killSeed+"="+strconv.FormatUint(seed, 10))
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	kill := time.AfterFunc(after, func() { cmd.Process.Kill() }) //nolint:errcheck // it may be gone
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if tip, ok := strings.CutPrefix(lines.Text(), "ack "); ok && len(tip) == 64 {
			acks = append(acks, tip)
		} else {
			kill.Reset(0) // done, or failed
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("the child ended by itself: %v", err)
	}
	return acks
}
