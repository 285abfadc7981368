package sync

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"granary/p2p/message"
	"granary/p2p/peer"
)

// cable joins two nodes; messages go through the codec and wait in order.
type cable struct {
	ends  [2]*node
	peers [2]*fakePeer // ends[0] sees peers[0], which is ends[1]
	queue [2][]message.Message
	cut   bool
}

func join(a, b *node) *cable {
	c := &cable{ends: [2]*node{a, b}}
	for i, n := range c.ends {
		n.lastID++
		kind := peer.OutboundFull
		if i == 1 {
			kind = peer.Inbound
		}
		c.peers[i] = &fakePeer{
			id:    n.lastID,
			facts: peer.Facts{Kind: kind, Version: message.ProtocolVersion, Services: fullServices},
			deliver: func(m message.Message) {
				c.queue[1-i] = append(c.queue[1-i], m) // for the other end
			},
		}
	}
	for i, n := range c.ends {
		n.m.Connected(c.peers[i])
		n.drain()
	}
	return c
}

// carry delivers one message each way and reports whether there was any.
func (c *cable) carry(t *testing.T) bool {
	did := false
	for i, n := range c.ends {
		if c.cut || len(c.queue[i]) == 0 {
			continue
		}
		did = true
		m := c.queue[i][0]
		c.queue[i] = c.queue[i][1:]
		command, payload := message.Encode(m)
		decoded, err := message.Decode(command, append([]byte(nil), payload...))
		if err != nil {
			t.Fatalf("%s: %v", command, err)
		}
		n.receive(c.peers[i], decoded)
		if c.peers[i].ended != "" {
			t.Fatalf("a link ended at %s: %s", command, c.peers[i].ended)
		}
	}
	return did
}

func (c *cable) unplug() {
	c.cut = true
	for i, n := range c.ends {
		n.disconnect(c.peers[i])
	}
}

// settle carries messages until all is quiet for some time.
func settle(t *testing.T, nodes []*node, cables []*cable) {
	t.Helper()
	for quiet, rounds := 0, 0; quiet < 5; rounds++ {
		if rounds > 100_000 {
			t.Fatal("the network does not come to rest")
		}
		did := false
		for _, c := range cables {
			did = c.carry(t) || did
		}
		if did {
			quiet = 0
			continue
		}
		quiet++
		for _, n := range nodes {
			n.pass(1e9)
		}
	}
}

// Three nodes in a row: the last learns the first's chain, follows new blocks
// both ways, and a partition heals to the branch with more work.
func TestThreeNodes(t *testing.T) {
	nodes := []*node{newNode(t), newNode(t), newNode(t)}
	chainA := branch("a", genesis(), 0, 300)
	nodes[0].mine(chainA...)
	cables := []*cable{join(nodes[1], nodes[0]), join(nodes[2], nodes[1])}
	settle(t, nodes, cables)
	for i, n := range nodes {
		n.mustTip(chainA[299])
		if n.m.InitialBlockDownload() {
			t.Errorf("node %d still catches up", i)
		}
	}
	next := branch("b", chainA[299], 300, 3)
	for i, b := range next { // every block from another node
		nodes[i].mine(b)
		settle(t, nodes, cables)
		for _, n := range nodes {
			n.mustTip(b)
		}
	}
	cables[1].unplug()
	short, long := branch("short", next[2], 303, 18), branch("long", next[2], 303, 20)
	nodes[0].mine(short...)
	nodes[2].mine(long...)
	settle(t, nodes, cables)
	nodes[1].mustTip(short[17])
	cables[1] = join(nodes[2], nodes[1])
	settle(t, nodes, cables)
	for _, n := range nodes {
		n.mustTip(long[19])
	}
}

// A long chain comes from three sources at a time, each of which does a share.
func TestParallelDownload(t *testing.T) {
	blocks := branch("a", genesis(), 0, 1500)
	nodes := []*node{newNode(t), newNode(t), newNode(t), newNode(t)}
	var cables []*cable
	served := map[int]int{}
	for i, n := range nodes[1:] {
		n.mine(blocks...)
		c := join(nodes[0], n)
		send := c.peers[1].deliver
		c.peers[1].deliver = func(m message.Message) {
			if _, ok := m.(*message.RawBlock); ok {
				served[i]++
			}
			send(m)
		}
		cables = append(cables, c)
	}
	settle(t, nodes, cables)
	nodes[0].mustTip(blocks[1499])
	total := 0
	for i := range 3 {
		if served[i] < 200 {
			t.Errorf("source %d gave %d blocks only", i, served[i])
		}
		total += served[i]
	}
	if total != 1500 {
		t.Errorf("%d blocks came for 1,500", total)
	}
}

// The same seed gives the same messages in the same order: nothing here depends
// on a map's order or the machine's clock.
func TestSameSeedSameTrace(t *testing.T) {
	blocks, full, txs := spending(20)
	ends := branch("end", full, 121, 12)
	run := func() [32]byte {
		trace := sha256.New()
		nodes := []*node{newNode(t), newNode(t), newNode(t), newNode(t)}
		var cables []*cable
		for i := range nodes {
			for j := range i {
				c := join(nodes[i], nodes[j])
				for end := range c.peers {
					send := c.peers[end].deliver
					c.peers[end].deliver = func(m message.Message) {
						command, payload := message.Encode(m)
						fmt.Fprintf(trace, "%d %d %d %s %x\n", i, j, end, command, payload)
						send(m)
					}
				}
				cables = append(cables, c)
			}
			nodes[i].pool.add(txs[:5*i]...)
		}
		nodes[0].mine(blocks...)
		settle(t, nodes, cables)
		nodes[2].mine(full)
		settle(t, nodes, cables)
		nodes[3].mine(ends...)
		settle(t, nodes, cables)
		for _, n := range nodes {
			n.mustTip(ends[11])
		}
		return [32]byte(trace.Sum(nil))
	}
	want := run()
	for range 4 {
		if got := run(); got != want {
			t.Fatal("two runs differ")
		}
	}
}
