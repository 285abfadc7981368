package sync

import (
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/p2p/message"
	"granary/p2p/peer"
	"granary/state"
)

// monkey plays peers that say anything at any time.
type monkey struct {
	t      *testing.T
	n      *node
	rand   *rand.Rand
	slow   *slowIntake
	blocks []*state.Block // of several branches, some invalid
	peers  []*fakePeer
}

func newMonkey(t *testing.T, seed uint64) *monkey {
	k := &monkey{t: t, n: newNode(t), rand: rand.New(rand.NewPCG(seed, 1))}
	k.slow = &slowIntake{syncIntake: syncIntake{k.n.engine}}
	k.n.m.Intake = k.slow
	ripe, full, txs := spending(6)
	k.n.pool.add(txs[:3]...)
	k.blocks = append(append(ripe, full), branch("end", full, 121, 12)...)
	k.blocks = append(k.blocks, branch("side", ripe[110], 111, 20)...)
	rich := func(msg *wire.MsgBlock) { msg.Transactions[0].TxOut[0].Value++ }
	bad := makeBlock(draft{parent: full, height: 122, name: "bad", mess: rich})
	k.blocks = append(append(k.blocks, bad), branch("onbad", bad, 122, 5)...)
	return k
}

func (k *monkey) block() *state.Block { return k.blocks[k.rand.IntN(len(k.blocks))] }

func (k *monkey) hash() chainhash.Hash {
	if k.rand.IntN(10) == 0 {
		return chainhash.Hash{byte(k.rand.Uint32())}
	}
	return k.block().Hash
}

func (k *monkey) items() []message.Item {
	types := []message.ItemType{
		message.ItemBlock, message.ItemWitnessBlock, message.ItemCompactBlock, message.ItemWTx, 3, 77,
	}
	items := make([]message.Item, k.rand.IntN(5))
	for i := range items {
		items[i] = message.Item{Type: types[k.rand.IntN(len(types))], Hash: k.hash()}
	}
	return items
}

// say makes any message of this package's.
func (k *monkey) say() message.Message {
	b := k.block()
	l := message.Locator{Hashes: []chainhash.Hash{k.hash(), k.hash()}[:k.rand.IntN(3)], Stop: k.hash()}
	switch k.rand.IntN(14) {
	case 0, 1, 2:
		from := k.rand.IntN(len(k.blocks))
		return headersOf(k.blocks[from:min(len(k.blocks), from+k.rand.IntN(60))]...)
	case 3, 4, 5:
		return &message.Block{Block: b}
	case 6:
		damaged := *b.Msg
		damaged.Transactions = []*wire.MsgTx{coinbase("damage", 1)}
		return &message.Block{Block: state.NewBlock(&damaged)}
	case 7:
		return &message.Inv{Items: k.items()}
	case 8:
		return &message.GetData{Items: k.items()}
	case 9:
		return &message.NotFound{Items: k.items()}
	case 10:
		if k.rand.IntN(2) == 0 {
			return &message.GetBlocks{Locator: l}
		}
		return &message.GetHeaders{Locator: l}
	case 11:
		return compactOf(b, k.rand.Uint64())
	case 12:
		m := &message.BlockTxn{Block: b.Hash}
		for i := 1; i < len(b.Txids); i++ {
			if k.rand.IntN(4) > 0 {
				m.Txs = append(m.Txs, b.Tx(i))
			}
		}
		return m
	}
	if k.rand.IntN(2) == 0 {
		return &message.SendCmpct{HighBandwidth: k.rand.IntN(2) == 0, Version: uint64(k.rand.IntN(3))}
	}
	return &message.GetBlockTxn{Block: b.Hash, Indexes: []uint32{uint32(k.rand.IntN(8))}}
}

// step does one thing of many.
func (k *monkey) step() {
	kinds := []peer.Kind{peer.Inbound, peer.OutboundFull, peer.BlockRelay, peer.Manual}
	switch at := k.rand.IntN(40); {
	case len(k.peers) == 0 || at == 0 && len(k.peers) < 12:
		k.peers = append(k.peers, k.n.connect(kinds[k.rand.IntN(len(kinds))]))
	case at == 1:
		k.slow.release()
		k.n.drain()
	case at == 2:
		k.n.pass(time.Duration(k.rand.IntN(4)) * time.Second)
	default:
		i := k.rand.IntN(len(k.peers))
		p := k.peers[i]
		if k.rand.IntN(3) == 0 {
			p.backlog = k.rand.IntN(2 << 20)
		}
		k.n.receive(p, k.say())
		p.sent = p.sent[:0]
	}
	for i := 0; i < len(k.peers); i++ {
		if p := k.peers[i]; p.ended != "" || k.rand.IntN(400) == 0 {
			k.n.disconnect(p)
			k.peers = append(k.peers[:i], k.peers[i+1:]...)
			i--
		}
	}
}

// check holds the manager's books against each other.
func (k *monkey) check() {
	m := k.n.m
	byPeer := 0
	for _, r := range m.peers {
		byPeer += len(r.flights)
		if len(r.flights) > flightsMax+2 || len(r.headers.queue) > headersQueued || len(r.requests.items) > requestsMax {
			k.t.Fatalf("peer %d: %d flights, %d queued", r.id, len(r.flights), len(r.headers.queue))
		}
		for _, f := range r.flights {
			if m.flightOf(r, f.hash) != f {
				k.t.Fatalf("peer %d: a flight is not in the books", r.id)
			}
		}
	}
	byBlock := 0
	for _, list := range m.flights {
		if byBlock += len(list); len(list) == 0 || len(list) > roadsMax+1 {
			k.t.Fatalf("%d roads for a block", len(list))
		}
	}
	if byPeer != byBlock || byBlock != m.flightCount {
		k.t.Fatalf("flights: %d by peer, %d by block, %d counted", byPeer, byBlock, m.flightCount)
	}
	if len(m.high) > highMax || m.intake.bytes < 0 || len(m.byID) != len(m.peers) {
		k.t.Fatalf("%d high, %d bytes at the engine, %d peers", len(m.high), m.intake.bytes, len(m.peers))
	}
}

// Whatever peers say, the books balance, and an honest peer at the end brings
// the best chain.
func TestAnythingAtAnyTime(t *testing.T) {
	seeds := uint64(8)
	if os.Getenv("GRANARY_LONG") != "" {
		seeds = 200
	}
	for seed := range seeds {
		k := newMonkey(t, seed)
		for range 1500 {
			k.step()
			k.check()
		}
		for len(k.slow.waiting) > 0 {
			k.slow.release()
			k.n.drain()
		}
		k.n.m.Intake = k.slow.syncIntake
		honest := k.n.connect(peer.OutboundFull)
		best := k.blocks[:133] // to the end of "end"
		byHash := map[chainhash.Hash]*state.Block{}
		for _, b := range best {
			byHash[b.Hash] = b
		}
		k.n.receive(honest, headersOf(best...))
		for range 120 {
			for _, hash := range asked(honest) {
				if b := byHash[hash]; b != nil {
					k.n.receive(honest, &message.Block{Block: b})
				}
			}
			k.n.pass(time.Second)
		}
		if k.n.engine.Tip().Hash != best[132].Hash {
			t.Fatalf("seed %d: at %d of 133, honest ended %q", seed, k.n.engine.Tip().Height, honest.ended)
		}
		if len(k.n.m.pending) != 0 || k.n.m.intake.bytes != 0 {
			t.Fatalf("seed %d: %d blocks are pending for ever", seed, len(k.n.m.pending))
		}
		k.check()
	}
}
