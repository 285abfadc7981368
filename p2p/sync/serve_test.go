package sync

import (
	"bytes"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/p2p/message"
	"granary/p2p/peer"
	"granary/state"
)

func locator(hashes ...chainhash.Hash) message.Locator { return message.Locator{Hashes: hashes} }

// getheaders and getblocks: from the first hash that is ours, up to the stop,
// no more than a message holds.
func TestServeHeaders(t *testing.T) {
	n := newNode(t)
	blocks := branch("a", genesis(), 0, 2200)
	n.mine(blocks...)
	p := n.connect(peer.Inbound)
	get := func(l message.Locator) []chainhash.Hash {
		n.receive(p, &message.GetHeaders{Locator: l})
		var hashes []chainhash.Hash
		for _, m := range take[*message.Headers](p) {
			for i := range m.Headers {
				hashes = append(hashes, m.Headers[i].BlockHash())
			}
		}
		return hashes
	}
	p.sent = nil
	got := get(locator(chainhash.Hash{9}, blocks[99].Hash))
	if len(got) != 2000 || got[0] != blocks[100].Hash {
		t.Fatalf("%d headers", len(got))
	}
	if got = get(locator(blocks[2198].Hash)); len(got) != 1 || got[0] != blocks[2199].Hash {
		t.Fatalf("%d headers", len(got))
	}
	if got = get(locator(chainhash.Hash{9})); len(got) != 2000 || got[0] != blocks[0].Hash {
		t.Fatal("an unknown locator begins at genesis")
	}
	l := locator(blocks[0].Hash)
	l.Stop = blocks[4].Hash
	if got = get(l); len(got) != 4 {
		t.Fatalf("%d headers to the stop", len(got))
	}
	if got = get(message.Locator{Stop: blocks[7].Hash}); len(got) != 1 || got[0] != blocks[7].Hash {
		t.Fatal("a locator without hashes names one header")
	}
	n.receive(p, &message.GetBlocks{Locator: locator(blocks[9].Hash)})
	inv := take[*message.Inv](p)
	if len(inv) != 1 || len(inv[0].Items) != 500 || inv[0].Items[0].Hash != blocks[10].Hash {
		t.Fatalf("%d invs", len(inv))
	}
	n.receive(p, &message.GetData{Items: []message.Item{{Type: message.ItemBlock, Hash: blocks[509].Hash}}})
	if inv = take[*message.Inv](p); len(inv) != 1 || inv[0].Items[0].Hash != blocks[2199].Hash {
		t.Fatal("the end of an inv did not lead on")
	}
	n.receive(p, &message.GetHeaders{Locator: locator(make([]chainhash.Hash, 102)...)})
	if p.ended == "" {
		t.Fatal("a locator of 102 hashes was answered")
	}
}

// getdata: in every form; a slow reader gets one at a time.
func TestServeBlocks(t *testing.T) {
	n := newNode(t)
	blocks := branch("a", genesis(), 0, 50)
	n.mine(blocks...)
	p := n.connect(peer.Inbound)
	p.sent = nil
	var items []message.Item
	for _, b := range blocks {
		items = append(items, message.Item{Type: message.ItemWitnessBlock, Hash: b.Hash})
	}
	p.backlog = 10 << 20
	if !n.receive(p, &message.GetData{Items: items}) {
		t.Fatal("a getdata of blocks is ours")
	}
	n.pass(time.Second)
	if got := take[*message.RawBlock](p); len(got) != 0 {
		t.Fatalf("%d blocks were queued behind a full queue", len(got))
	}
	p.backlog = 0
	n.pass(time.Second)
	got := take[*message.RawBlock](p)
	if len(got) != 50 || !bytes.Equal(got[49].Raw, blocks[49].Raw) {
		t.Fatalf("%d blocks", len(got))
	}
	n.receive(p, &message.GetData{Items: []message.Item{
		{Type: message.ItemBlock, Hash: blocks[3].Hash}, {Type: message.ItemBlock, Hash: chainhash.Hash{1}},
	}})
	if stripped := take[*message.Block](p); len(stripped) != 1 || !stripped[0].Stripped || stripped[0].Block.Hash != blocks[3].Hash {
		t.Fatal("no stripped block")
	}
	if n.receive(p, &message.GetData{Items: []message.Item{{Type: message.ItemWTx}, items[0]}}) {
		t.Fatal("a getdata with a transaction is somebody else's too")
	}
	if len(take[*message.RawBlock](p)) != 1 {
		t.Fatal("the block in it was not served")
	}
	for range 2 {
		p.backlog = 10 << 20
		n.receive(p, &message.GetData{Items: manyItems(items[0])})
	}
	if p.ended == "" {
		t.Fatal("a hundred thousand requests may wait")
	}
}

// Who does not read cannot make us keep its getblocktxn for ever: each may have
// 65,536 places, 50,000 of them were kept, 13 GB.
func TestServeTxsToWhoDoesNotRead(t *testing.T) {
	n := newNode(t)
	blocks := branch("a", genesis(), 0, 3)
	n.mine(blocks...)
	p := n.connect(peer.Inbound)
	p.backlog = 10 << 20
	sent := 0
	for ; sent < 100 && p.ended == ""; sent++ {
		n.receive(p, &message.GetBlockTxn{Block: blocks[2].Hash, Indexes: make([]uint32, 1<<16)})
	}
	if sent != 3 {
		t.Fatalf("the link ended after %d requests", sent)
	}
	if kept := len(n.m.byID[p.id].requests.items); kept != 0 {
		t.Fatalf("%d requests of a link that is over are kept", kept)
	}
	// An honest one asks for some places of some blocks and waits.
	p = n.connect(peer.Inbound)
	p.backlog = 10 << 20
	for range 100 {
		n.receive(p, &message.GetBlockTxn{Block: blocks[2].Hash, Indexes: []uint32{0}})
	}
	p.sent, p.backlog = nil, 0
	n.pass(time.Second)
	if got := take[*message.BlockTxn](p); len(got) != 100 || p.ended != "" {
		t.Fatalf("%d answers, ended %q", len(got), p.ended)
	}
	if n.m.byID[p.id].requests.indexes != 0 {
		t.Fatal("the places were not counted down")
	}
}

func manyItems(item message.Item) []message.Item {
	items := make([]message.Item, message.MaxItems)
	for i := range items {
		items[i] = item
	}
	return items
}

// A pruned node ends links that ask for old blocks, so does one that has sent
// enough for the day; a trusted peer is served all the same.
func TestServeLimits(t *testing.T) {
	blocks := branch("a", genesis(), 0, 320)
	old := message.Item{Type: message.ItemWitnessBlock, Hash: blocks[3].Hash}
	last := message.Item{Type: message.ItemWitnessBlock, Hash: blocks[319].Hash}
	far := makeBlock(draft{parent: blocks[319], height: 321, name: "far", seconds: 8 * 24 * 3600})
	for name, change := range map[string]func(*Options){
		"pruned": func(o *Options) { o.Pruned = true },
		"target": func(o *Options) { o.Uploads = usedUp{} },
	} {
		n := newNode(t, change)
		n.clock.Set(epoch.Add(9 * 24 * time.Hour))
		n.mine(append(append([]*state.Block(nil), blocks...), far)...)
		p, friend := n.connect(peer.Inbound), n.connect(peer.Inbound)
		friend.facts.Download = true
		n.receive(friend, &message.GetData{Items: []message.Item{old}})
		if len(take[*message.RawBlock](friend)) != 1 {
			t.Errorf("%s: the friend was not served", name)
		}
		if name == "pruned" {
			n.receive(p, &message.GetData{Items: []message.Item{last}})
			if len(take[*message.RawBlock](p)) != 1 || p.ended != "" {
				t.Errorf("%s: the last block was not served", name)
			}
		}
		n.receive(p, &message.GetData{Items: []message.Item{old}})
		if len(take[*message.RawBlock](p)) != 0 || p.ended == "" {
			t.Errorf("%s: an old block was served", name)
		}
	}
}

type usedUp struct{}

func (usedUp) Reached(bool) bool { return true }

// A block off the best chain is served while it is young, so that nobody
// learns what this node saw long ago.
func TestServeStale(t *testing.T) {
	n := newNode(t)
	side, best := branch("side", genesis(), 0, 2), branch("best", genesis(), 0, 3)
	n.mine(append(side, best...)...)
	p := n.connect(peer.Inbound)
	item := message.Item{Type: message.ItemWitnessBlock, Hash: side[1].Hash}
	n.receive(p, &message.GetData{Items: []message.Item{item}})
	if len(take[*message.RawBlock](p)) != 1 {
		t.Fatal("a young stale block was not served")
	}
	n.clock.Set(epoch.Add(40 * 24 * time.Hour))
	n.mine(makeBlock(draft{parent: best[2], height: 4, name: "late", seconds: 35 * 24 * 3600}))
	n.receive(p, &message.GetData{Items: []message.Item{item}})
	if len(take[*message.RawBlock](p)) != 0 {
		t.Fatal("an old stale block was served")
	}
}
