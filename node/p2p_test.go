package node

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"granary/config"
	"granary/p2p/message"
)

// running starts a node and gives it once it is up; it stops with the test.
func running(t *testing.T, c *config.Config) *Node {
	t.Helper()
	up := make(chan *Node, 1)
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	var console bytes.Buffer
	go func() {
		ended <- Run(ctx, c, Options{Version: "test", Console: &console, Work: func(ctx context.Context, n *Node) error {
			up <- n
			<-ctx.Done()
			return nil
		}})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("%s says:\n%s", c.NetDir, console.String())
		}
	})
	select {
	case n := <-up:
		return n
	case err := <-ended:
		ended <- err
		t.Fatal("it did not start: ", err)
	}
	return nil
}

func (n *Node) mine(t *testing.T, blocks int) {
	t.Helper()
	if _, err := n.Miner.Generate(context.Background(), blocks, []byte{0x51}, 1<<40); err != nil {
		t.Fatal(err)
	}
}

// sameTip waits until all nodes have the first one's tip.
func sameTip(t *testing.T, first *Node, others ...*Node) {
	t.Helper()
	end := time.Now().Add(60 * time.Second)
	for _, n := range others {
		for n.Chain.Tip().Hash != first.Chain.Tip().Hash {
			if time.Now().After(end) {
				t.Fatalf("one stands at %d, the other at %d", first.Chain.Tip().Height, n.Chain.Tip().Height)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
}

func (n *Node) listensAt() string { return n.Peers.Network.ListenAddresses()[0].String() }

func quiet(t *testing.T, args ...string) *config.Config {
	return testConfig(t, append([]string{"--web=0", "--server=0"}, args...)...)
}

// TestNodesFollowEachOther: a fresh node syncs a chain from another, new blocks
// go both ways, and the longer of two branches wins after they meet again.
func TestNodesFollowEachOther(t *testing.T) {
	one := running(t, quiet(t))
	one.mine(t, 150)
	two := running(t, quiet(t, "--addnode", one.listensAt()))
	sameTip(t, one, two)
	one.mine(t, 1)
	sameTip(t, one, two)
	two.mine(t, 2)
	sameTip(t, two, one)

	two.Peers.Network.SetActive(false)
	one.mine(t, 3)
	two.mine(t, 5)
	if one.Chain.Tip().Hash == two.Chain.Tip().Hash {
		t.Fatal("nothing is apart")
	}
	two.Peers.Network.SetActive(true)
	sameTip(t, two, one)
	if two.Chain.Tip().Height != 158 {
		t.Errorf("the tip is at %d", two.Chain.Tip().Height)
	}
}

// TestLinkSaysWhatIsServed: encrypted, with filters where they are on.
func TestLinkSaysWhatIsServed(t *testing.T) {
	server := running(t, quiet(t, "--blockfilterindex", "--peerblockfilters", "--uacomment=one"))
	server.mine(t, 3)
	client := running(t, quiet(t, "--connect", server.listensAt()))
	sameTip(t, server, client)
	seen := client.Peers.Network.Peers()[0]
	want := message.ServiceNetwork | message.ServiceWitness | message.ServiceNetworkLimited | message.ServiceCompactFilters | message.ServiceV2
	if seen.Services != want || seen.Transport != 2 || !strings.HasSuffix(seen.UserAgent, "(granary:test)(one)/") {
		t.Errorf("services %#x, transport %d, agent %s", uint64(seen.Services), seen.Transport, seen.UserAgent)
	}
	if len(client.Peers.Network.ListenAddresses()) != 1 {
		t.Error("bind was given and nobody listens")
	}
	if at := client.door(); at == nil || at.Details(seen.ID).SyncedHeaders != 3 {
		t.Errorf("the door sees %+v", at.Details(seen.ID))
	}
}

// TestFilesOutliveAStop: what a stop writes, the next start reads.
func TestFilesOutliveAStop(t *testing.T) {
	c := quiet(t)
	for range 2 {
		if err := Run(context.Background(), c, Options{Console: &bytes.Buffer{}, Work: func(_ context.Context, n *Node) error {
			n.Stop()
			return nil
		}}); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{mempoolFile, feesFile, "peers.dat"} {
			if _, err := os.Stat(filepath.Join(c.NetDir, name)); err != nil {
				t.Error(err)
			}
		}
	}
}
