package fire

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"granary/test/fleet"
)

// TestCrash kills a node again and again while it synchronises a chain with
// every goods record from another, and while that one reorganises by one to
// ten blocks under it. It must open without a flag each time, catch up, and in
// the end stand where the other stands; its own blocks must give its state.
func TestCrash(t *testing.T) {
	kills, freshEvery := 12, 6
	if fleet.Long() {
		kills, freshEvery = 500, 10
	}
	rng := fleet.Seed(t)
	source := fleet.New(t, "source", "")
	source.Charter = lived(t, source.Dir, rng.Uint64()%1_000, 420)
	source.Start()
	victim := fleet.New(t, "victim", source.Charter, "--connect="+source.Addr())
	caughtUp := 0
	for kill := range kills {
		if kill%freshEvery == 0 {
			if err := os.RemoveAll(victim.NetDir()); err != nil {
				t.Fatal(err)
			}
		}
		victim.Launch()
		time.Sleep(time.Duration(rng.IntN(1200)) * time.Millisecond)
		if rng.IntN(2) == 0 {
			reorganise(source, 1+rng.IntN(10))
			time.Sleep(time.Duration(rng.IntN(300)) * time.Millisecond)
		}
		if victim.Tip() == source.Tip() {
			caughtUp++
		}
		victim.Kill()
	}
	victim.Start()
	follow(victim, source)
	t.Logf("%d kills, %d of them after it had caught up; height %d", kills, caughtUp, source.Height())
	if want, got := source.Stands(), victim.Stands(); got != want {
		t.Fatalf("the victim stands at %+v, the source at %+v", got, want)
	}
	victim.Stop()
	if out, err := victim.Command("check").CombinedOutput(); err != nil {
		t.Fatalf("granary check: %v\n%s", err, out)
	}
	if _, err := os.Stat(filepath.Join(victim.NetDir(), "bitcoind.pid")); err == nil {
		t.Error("a process id was left behind")
	}
}

// reorganise takes depth blocks away from a node and mines one more in their
// place; the transactions come again from its mempool.
func reorganise(n *fleet.Node, depth int) {
	n.T.Helper()
	var hash string
	n.Call("getblockhash", &hash, n.Height()-int32(depth)+1)
	n.Call("invalidateblock", nil, hash)
	n.Mine(depth + 1)
}

// follow waits until a has the tip of b.
func follow(a, b *fleet.Node) {
	a.T.Helper()
	a.Wait(2*time.Minute, "follows "+b.Name, func() bool { tip := b.Tip(); return tip != "" && a.Tip() == tip })
}
