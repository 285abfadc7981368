package txrelay

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/p2p/message"
	"granary/p2p/peer"
	"granary/state"
)

func heapBytes() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestMemory floods a relay from all its peers at once and weighs it.
func TestMemory(t *testing.T) {
	if os.Getenv("GRANARY_LONG") == "" {
		t.Skip("set GRANARY_LONG=1 to weigh a flooded relay")
	}
	const peers = 125
	w := newWorld(t, nil)
	var all []*fakePeer
	for range peers {
		all = append(all, w.connect(peer.Inbound, nil))
	}
	weigh := func(what string, mostBytes int64, flood func(i int, p *fakePeer)) {
		before := heapBytes()
		for i, p := range all {
			flood(i, p)
		}
		grown := heapBytes() - before
		t.Logf("%s of %d peers: %.1f MB", what, peers, float64(grown)/1e6)
		if grown > mostBytes {
			t.Errorf("%s takes %d bytes, at most %d", what, grown, mostBytes)
		}
	}
	weigh("announcements", 200<<20, func(i int, p *fakePeer) {
		m := &message.Inv{}
		for j := range message.MaxItems {
			m.Items = append(m.Items, message.Item{Type: message.ItemWTx, Hash: chainhash.Hash{1, byte(i), byte(j), byte(j >> 8)}})
		}
		w.relay.Receive(p, m)
	})
	weigh("small orphans", maxTotalOrphanBytes*5/4, func(i int, p *fakePeer) {
		for j := range 2 * maxPeerOrphans {
			w.relay.Receive(p, &message.Tx{Tx: w.tx(wire.OutPoint{Hash: chainhash.Hash{2, byte(i)}, Index: uint32(j)})})
		}
	})
	weigh("orphans of many small pieces", maxTotalOrphanBytes*5/4+100*maxSpareBytes, func(i int, p *fakePeer) {
		for j := range 3 {
			tx := w.tx(wire.OutPoint{Hash: chainhash.Hash{3, byte(i)}, Index: uint32(j)}).Msg
			tx.TxIn[0].Witness = make(wire.TxWitness, 30_000)
			w.relay.Receive(p, &message.Tx{Tx: state.NewTx(tx)})
		}
	})
	weigh("requests", 80<<20, func(_ int, p *fakePeer) {
		p.backlog = 8 << 20
		m := &message.GetData{Items: make([]message.Item, maxWanted)}
		for j := range m.Items {
			m.Items[j].Type = message.ItemWTx
		}
		w.relay.Receive(p, m)
		w.relay.Receive(p, m)
	})
}

// BenchmarkInv takes an inv of 50,000 transactions that are known, the dearest
// kind.
func BenchmarkInv(b *testing.B) {
	t := &testing.T{}
	w := newWorld(t, nil)
	p := w.connect(peer.Inbound, nil)
	m := &message.Inv{}
	for j := range message.MaxItems {
		hash := chainhash.Hash{1, byte(j), byte(j >> 8)}
		w.relay.rejects.add(hash)
		m.Items = append(m.Items, message.Item{Type: message.ItemWTx, Hash: hash})
	}
	for b.Loop() {
		w.relay.Receive(p, m)
	}
}

// BenchmarkTick is a tick with 125 peers that have little to say.
func BenchmarkTick(b *testing.B) {
	t := &testing.T{}
	w := newWorld(t, nil)
	for i := range 125 {
		p := w.connect(peer.Inbound, nil)
		w.inv(p, makeTx(fmt.Sprint(i), w.coin()))
	}
	for b.Loop() {
		w.relay.Tick(w.clock.Now())
	}
}
