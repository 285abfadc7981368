package txrelay

import (
	"fmt"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"pgregory.net/rapid"

	"granary/base/check"
	"granary/mempool"
	"granary/p2p/message"
	"granary/p2p/peer"
	"granary/state"
)

// TestHostilePeers lets peers say anything in any order: the bounds and the
// book-keeping hold after every step, and what an honest peer has to give
// arrives.
func TestHostilePeers(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, nil)
		honest := w.connect(peer.OutboundFull, nil)
		var hostile []*fakePeer
		join := func(rt *rapid.T) {
			kind := rapid.SampledFrom([]peer.Kind{peer.Inbound, peer.OutboundFull, peer.BlockRelay, peer.Manual}).Draw(rt, "kind")
			byWtxid, relays := rapid.Bool().Draw(rt, "wtxid"), rapid.Bool().Draw(rt, "relay")
			hostile = append(hostile, w.connect(kind, func(f *peer.Facts) { f.WTxIDRelay, f.Relay = byWtxid, relays }))
		}
		join(rt)
		// Transactions that they know: a graph, some refused for good.
		coins := []wire.OutPoint{w.coin(), w.coin(), w.coin()}
		var txs []*state.Tx
		for i := range 20 {
			op := rapid.SampledFrom(coins).Draw(rt, "spends")
			tx := makeTx(fmt.Sprint("tx", i), op) // some differ in their witness alone
			if rapid.Bool().Draw(rt, "another") {
				tx.Msg.TxOut[0].Value += int64(i)
				tx = state.NewTx(tx.Msg)
			}
			coins = append(coins, out(tx, 0), out(tx, 1), out(tx, 7))
			txs = append(txs, tx)
			switch rapid.IntRange(0, 5).Draw(rt, "fate") {
			case 0:
				w.pool.refuse[tx.Wtxid] = check.RuleKind(check.Policy, "dust", "")
			case 1:
				w.pool.feeUnits[tx.Wtxid] = 0
			case 2:
				w.pool.refuse[tx.Wtxid] = check.RuleKind(check.Mutated, "bad", "")
			}
		}
		anyTx := rapid.SampledFrom(txs)
		anyPeer := func(rt *rapid.T) *fakePeer { return rapid.SampledFrom(hostile).Draw(rt, "peer") }
		anyItems := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) message.Item {
			tx := anyTx.Draw(rt, "tx")
			return message.Item{
				Type: rapid.SampledFrom([]message.ItemType{message.ItemTx, message.ItemWTx, message.ItemWitnessTx, message.ItemBlock, 99}).Draw(rt, "type"),
				Hash: rapid.SampledFrom([]chainhash.Hash{tx.Txid, tx.Wtxid, {1}}).Draw(rt, "hash"),
			}
		}), 0, 30)
		rt.Repeat(map[string]func(*rapid.T){
			"join":     join,
			"inv":      func(rt *rapid.T) { w.receive(anyPeer(rt), &message.Inv{Items: anyItems.Draw(rt, "items")}) },
			"getdata":  func(rt *rapid.T) { w.receive(anyPeer(rt), &message.GetData{Items: anyItems.Draw(rt, "items")}) },
			"notfound": func(rt *rapid.T) { w.receive(anyPeer(rt), &message.NotFound{Items: anyItems.Draw(rt, "items")}) },
			"tx":       func(rt *rapid.T) { w.send(anyPeer(rt), anyTx.Draw(rt, "tx")) },
			"mempool":  func(rt *rapid.T) { w.receive(anyPeer(rt), &message.MemPool{}) },
			"fee": func(rt *rapid.T) {
				w.receive(anyPeer(rt), &message.FeeFilter{UnitsPerKVB: rapid.Int64().Draw(rt, "fee")})
			},
			"backlog": func(rt *rapid.T) { anyPeer(rt).backlog = rapid.IntRange(0, 8<<20).Draw(rt, "bytes") },
			"time":    func(rt *rapid.T) { w.pass(time.Duration(rapid.IntRange(1, 90_000).Draw(rt, "ms")) * time.Millisecond) },
			"leave": func(rt *rapid.T) {
				if len(hostile) > 1 {
					w.relay.Disconnected(hostile[0])
					hostile = hostile[1:]
				}
			},
			"block": func(rt *rapid.T) {
				if len(w.pool.entries) > 0 {
					w.mine(w.pool.entries[0].Tx)
				}
			},
			"evict": func(rt *rapid.T) {
				if n := len(w.pool.entries); n > 0 {
					w.pool.remove(w.pool.entries[n-1].Tx, mempool.ForRoom)
				}
			},
			"": func(rt *rapid.T) { checkRelay(t, rt, w.relay) },
		})
		// The honest peer has a parent that pays nothing, and its child.
		parent := makeTx("honest parent", w.coin())
		child := makeTx("honest child", out(parent, 0))
		w.pool.feeUnits[parent.Wtxid] = 0
		give := map[chainhash.Hash]*state.Tx{parent.Txid: parent, parent.Wtxid: parent, child.Wtxid: child, child.Txid: child}
		w.inv(honest, child)
		for range 40 {
			w.pass(time.Second)
			for _, item := range itemsIn[*message.GetData](honest.take()) {
				if tx := give[item.Hash]; tx != nil {
					w.send(honest, tx)
				}
			}
		}
		if w.pool.byTxid[child.Txid] == nil || w.pool.byTxid[parent.Txid] == nil {
			rt.Fatalf("the honest peer's package did not arrive")
		}
		if honest.closed != "" {
			rt.Fatalf("the honest peer was disconnected: %s", honest.closed)
		}
	})
}

func checkRelay(t *testing.T, rt *rapid.T, r *Relay) {
	checkRequests(rt, r.requests)
	checkOrphans(t, r.orphans)
	if len(r.items.byTxid) != len(r.items.byWtxid) {
		rt.Fatalf("%d items by txid, %d by wtxid", len(r.items.byTxid), len(r.items.byWtxid))
	}
	for _, l := range r.peers {
		if len(l.wanted) > maxWanted || len(l.queue) > maxQueued {
			rt.Fatalf("peer %d: %d wanted, %d queued", l.ID(), len(l.wanted), len(l.queue))
		}
		if p := l.Peer.(*fakePeer); p.held > 1 || p.held == 1 && len(l.wanted) == 0 {
			rt.Fatalf("peer %d is held back %d times, with %d wanted", p.id, p.held, len(l.wanted))
		}
		for i := range l.queue {
			if parent := (i - 1) / 2; i > 0 && sooner(l.queue[i], l.queue[parent]) < 0 {
				rt.Fatalf("a queue is no heap")
			}
		}
		if !l.told && (len(l.queue) > 0 || len(l.wanted) > 0) {
			rt.Fatalf("a peer that hears nothing has a queue")
		}
	}
}
