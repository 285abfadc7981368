package fire

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"granary/test/fleet"
)

// TestPartition cuts a network of nodes in two again and again, at random,
// while both sides mine; healed, all of them have one tip and one state.
func TestPartition(t *testing.T) {
	size, splits := 4, 2
	if fleet.Long() {
		size, splits = 10, 30
	}
	rng := fleet.Seed(t)
	net := newSpaces(t, size)
	nodes := make([]*fleet.Node, size)
	for i := range nodes {
		nodes[i] = fleet.New(t, fmt.Sprintf("node%d", i), "")
		net.put(nodes[i], i)
		nodes[i].P2PPort = 18444
	}
	charter := lived(t, nodes[0].Dir, rng.Uint64()%1_000, 420)
	for i, n := range nodes {
		n.Charter = charter
		// A ring with chords: no cut leaves a side in pieces for long, as
		// every node knows all others.
		for step := 1; step < size; step++ {
			n.Args = append(n.Args, "--addnode="+nodes[(i+step)%size].Addr())
		}
		if i > 0 {
			if err := os.CopyFS(filepath.Join(n.Dir, "regtest"), os.DirFS(nodes[0].NetDir())); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, n := range nodes {
		n.Start()
	}
	agree(t, nodes)
	for split := range splits {
		sides := cut(net, nodes, rng.IntN)
		mined := []int{1 + rng.IntN(6), 1 + rng.IntN(6)}
		for side, members := range sides {
			members[rng.IntN(len(members))].Mine(mined[side])
		}
		time.Sleep(time.Duration(500+rng.IntN(1500)) * time.Millisecond)
		for i := range nodes {
			net.move(i, 0)
		}
		if mined[0] == mined[1] { // neither side has more work
			nodes[rng.IntN(size)].Mine(1)
		}
		agree(t, nodes)
		t.Logf("split %d: %d and %d nodes mined %d and %d blocks; height %d", split, len(sides[0]), len(sides[1]), mined[0], mined[1], nodes[0].Height())
	}
	for _, n := range nodes {
		n.Stop()
	}
}

// cut moves a random part of the nodes to the other bridge and gives both.
func cut(net *spaces, nodes []*fleet.Node, intN func(int) int) (sides [2][]*fleet.Node) {
	for len(sides[0]) == 0 || len(sides[1]) == 0 {
		sides = [2][]*fleet.Node{}
		for i, n := range nodes {
			side := intN(2)
			net.move(i, side)
			sides[side] = append(sides[side], n)
		}
	}
	return sides
}

// agree waits for one tip and wants one state.
func agree(t *testing.T, nodes []*fleet.Node) {
	t.Helper()
	end := time.Now().Add(3 * time.Minute)
	for {
		tips := make([]string, len(nodes))
		for i, n := range nodes {
			tips[i] = n.Tip()
		}
		if first := tips[0]; first != "" && !slices.ContainsFunc(tips, func(tip string) bool { return tip != first }) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("no agreement within three minutes: %q\n%s", tips, nodes[0].Tail())
		}
		time.Sleep(50 * time.Millisecond)
	}
	want := nodes[0].Stands()
	for _, n := range nodes[1:] {
		if got := n.Stands(); got != want {
			t.Fatalf("%s stands at %+v, %s at %+v", n.Name, got, nodes[0].Name, want)
		}
	}
}
