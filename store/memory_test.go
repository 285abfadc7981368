package store

import (
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"granary/params"
)

const peakDir = "GRANARY_STORE_PEAK_DIR"

// TestPeakMemory (long) imports eight million coins through a cache of 128 MiB
// in a process of its own and reads the peak of its memory from the system.
func TestPeakMemory(t *testing.T) {
	const cacheBytes = 128 << 20
	if dir := os.Getenv(peakDir); dir != "" {
		growCoins(t, dir, cacheBytes)
		return
	}
	if !long {
		t.Skip("set GRANARY_LONG=1 to import eight million coins")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestPeakMemory$", "-test.v")
	cmd.Env = append(os.Environ(), peakDir+"="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var peakKB int
	_, line, _ := strings.Cut(string(out), "VmHWM:")
	if _, err := fmt.Sscan(line, &peakKB); err != nil {
		t.Skipf("this system does not tell its peak memory: %s", out)
	}
	t.Logf("peak %d MiB with a cache of %d MiB", peakKB>>10, cacheBytes>>20)
	if peakKB<<10 > cacheBytes+300<<20 {
		t.Errorf("peak is %d MiB", peakKB>>10)
	}
}

func growCoins(t *testing.T, dir string, cacheBytes int64) {
	// As node does for the whole process.
	debug.SetMemoryLimit(cacheBytes + 200<<20)
	s, _ := mustOpen(t, Options{Dir: dir, FS: vfs.Default, Net: params.RegTest(), CacheBytes: cacheBytes})
	w := newWorld(1)
	l := &ledger{}
	for l.made < 8_000_000 {
		h, raw := mintLarge(s, w)
		l.connect(t, s, h, raw, l.block(0, 10_000))
		if s.PendingBytes() > s.PendingBudgetBytes() {
			must(t, s.Commit())
		}
		clear(w.undos)
		for hash := range w.states {
			if hash != h.Hash {
				delete(w.states, hash)
			}
		}
	}
	must(t, s.Commit())
	status, err := os.ReadFile("/proc/self/status")
	if err == nil {
		fmt.Println(string(status))
	}
	must(t, s.Close())
}
