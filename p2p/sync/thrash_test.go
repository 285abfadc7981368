package sync

import (
	"fmt"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/p2p/message"
	"granary/p2p/peer"
	"granary/state"
)

// Short messages that ask for single transactions of large blocks in turns make
// us decode four megabytes in a tenth of a second, not thirty blocks for each of
// a hundred peers; all are answered in the end, and who asks for the tip's
// transactions at once.
func TestDecodingIsBounded(t *testing.T) {
	n := newNode(t)
	n.m.catching.Store(false)
	parent := genesis()
	var blocks []*state.Block
	for i := range 3 {
		parent = makeBlock(draft{parent: parent, height: int32(i) + 1, name: fmt.Sprint(i), mess: func(msg *wire.MsgBlock) {
			for range 20_000 {
				msg.Transactions[0].AddTxOut(wire.NewTxOut(0, make([]byte, 30)))
			}
		}})
		blocks = append(blocks, parent)
	}
	n.mine(blocks...)
	liars := []*fakePeer{n.connect(peer.Inbound), n.connect(peer.Inbound), n.connect(peer.Inbound)}
	honest := n.connect(peer.Inbound)
	ask := func(p *fakePeer, b *state.Block) {
		n.m.Receive(p, &message.GetBlockTxn{Block: b.Hash, Indexes: []uint32{0}})
	}
	for _, liar := range liars {
		for i := range 20 {
			ask(liar, blocks[i%2])
		}
	}
	ask(honest, blocks[2])
	if len(take[*message.BlockTxn](honest)) != 1 {
		t.Error("the tip's transactions were not served at once")
	}
	answers := func() (count int) {
		for _, liar := range liars {
			count += len(take[*message.BlockTxn](liar))
		}
		return count
	}
	if got, most := answers(), decodeBytesMax/len(blocks[0].Raw)+1; got > most || got == 0 {
		t.Errorf("%d answers at once, at most %d", got, most)
	}
	for range 100 {
		n.m.Tick(n.clock.Now()) // much goes on, and no time passes
	}
	if got := answers(); got != 0 {
		t.Errorf("%d answers although no time has passed", got)
	}
	n.pass(5 * time.Second)
	if got := answers(); got < 50 {
		t.Errorf("%d answers in the end", got)
	}
}
