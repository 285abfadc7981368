package sync

import (
	"testing"
	"time"

	"granary/p2p/message"
	"granary/p2p/peer"
	"granary/state"
)

// What is too far ahead is so by this node's own clock, whatever peers say of
// theirs (CVE-2024-52912): the block is not taken, nobody is blamed, and it is
// taken when its time has come.
func TestOnlyTheOwnClockCounts(t *testing.T) {
	n := newNode(t)
	first := branch("a", genesis(), 0, 1)
	n.mine(first...)
	ahead := n.clock.Now().Add(2*time.Hour + 10*time.Second)
	seconds := ahead.Unix() - first[0].Msg.Header.Timestamp.Unix()
	early := makeBlock(draft{parent: first[0], height: 2, name: "early", seconds: seconds})
	var peers []*fakePeer
	for range 20 { // all of them would have it be later
		p := n.connect(peer.OutboundFull)
		n.receive(p, &message.Headers{Headers: headersOf(early).Headers})
		n.receive(p, &message.Block{Block: early})
		peers = append(peers, p)
	}
	n.mustTip(first[0])
	for _, p := range peers {
		if p.ended != "" {
			t.Fatal(p.ended)
		}
	}
	n.clock.Set(n.clock.Now().Add(20 * time.Second))
	n.receive(peers[0], headersOf(early))
	n.receive(peers[0], &message.Block{Block: state.NewBlock(early.Msg)})
	n.mustTip(early)
}
