package txrelay

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"granary/base/clock"
	"granary/chain"
	"granary/mempool"
	"granary/mempool/policy"
	"granary/p2p/message"
	"granary/p2p/peer"
	"granary/params"
	"granary/rules/block"
	"granary/state"
	"granary/store"
)

var net = params.RegTest()

// node is a relay over a real mempool and chain. Its peers are ends of wires
// that carry bytes.
type node struct {
	t      *testing.T
	engine *chain.Engine
	pool   *mempool.Pool
	relay  *Relay
	ends   []*end
}

// end is a peer as a node sees it: what it sends waits at the other end.
type end struct {
	id      uint64
	facts   peer.Facts
	owner   *node
	other   *end
	inbox   []parcel
	closed  string
	carried map[string]int // messages sent, by command
}

type parcel struct {
	command string
	payload []byte
}

func (e *end) ID() uint64            { return e.id }
func (e *end) Facts() *peer.Facts    { return &e.facts }
func (e *end) SendBacklogBytes() int { return 0 }
func (e *end) Disconnect(why string) { e.closed = why }
func (e *end) Misbehaved(why string) { e.closed = why }
func (e *end) Send(m message.Message) {
	command, payload := message.Encode(m)
	e.other.inbox = append(e.other.inbox, parcel{command, payload})
	e.carried[command]++
}

// network is some nodes under one clock and one seed.
type network struct {
	t     *testing.T
	clock *clock.Mock
	nodes []*node
	tip   *state.Block
	at    int32
	links uint64
}

func newNetwork(t *testing.T, nodes int) *network {
	w := &network{t: t, clock: &clock.Mock{}, tip: state.NewBlock(net.Chain.GenesisBlock)}
	w.clock.Set(net.Chain.GenesisBlock.Header.Timestamp.AddDate(0, 1, 0))
	for i := range nodes {
		w.nodes = append(w.nodes, w.newNode(uint64(i)))
	}
	return w
}

func (w *network) newNode(seed uint64) *node {
	s, err := store.Open(store.Options{Dir: "data", FS: vfs.NewMem(), Net: net, CacheBytes: 8 << 20})
	if err != nil {
		w.t.Fatal(err)
	}
	rules := block.Rules{Net: net}
	e, err := chain.Open(chain.Options{Store: s, Rules: rules, Clock: w.clock})
	if err != nil {
		w.t.Fatal(err)
	}
	n := &node{t: w.t, engine: e, pool: mempool.New(mempool.Options{Chain: e, Rules: rules, Clock: w.clock})}
	n.relay = New(Options{Pool: n.pool, Packages: n.pool, Own: n.pool, Clock: w.clock, Rand: clock.SeededRand(seed)})
	if err := e.Follow(w.t.Context(), n.pool, chainhash.Hash{}, nil); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		n.relay.Close()
		if err := errors.Join(e.Close(), s.Close()); err != nil {
			w.t.Error(err)
		}
	})
	return n
}

// join links two nodes; the first dials.
func (w *network) join(a, b *node) {
	w.links++
	facts := peer.Facts{
		Kind: peer.OutboundFull, Version: message.ProtocolVersion, Relay: true, WTxIDRelay: w.links%3 != 0,
		Services: message.ServiceNetwork | message.ServiceWitness,
	}
	one := &end{id: w.links, facts: facts, owner: a, carried: map[string]int{}}
	facts.Kind = peer.Inbound
	two := &end{id: w.links, facts: facts, owner: b, other: one, carried: map[string]int{}}
	one.other = two
	for _, e := range []*end{one, two} {
		e.owner.ends = append(e.owner.ends, e)
		e.owner.relay.Connected(e)
	}
}

// run lets time pass and carries what is sent.
func (w *network) run(d time.Duration) {
	w.t.Helper()
	for ; d > 0; d -= peer.TickInterval {
		w.clock.Set(w.clock.Now().Add(peer.TickInterval))
		for _, n := range w.nodes {
			for _, e := range n.ends {
				w.carry(n, e)
			}
			n.relay.Tick(w.clock.Now())
		}
	}
}

func (w *network) carry(n *node, e *end) {
	inbox := e.inbox
	e.inbox = nil
	for _, p := range inbox {
		m, err := message.Decode(p.command, p.payload)
		if err != nil {
			w.t.Fatalf("a %s cannot be read: %v", p.command, err)
		}
		n.relay.Receive(e, m)
	}
	if e.closed != "" {
		w.t.Fatalf("an honest peer was disconnected: %s", e.closed)
	}
}

// mine gives every node the next block.
func (w *network) mine(txs ...*wire.MsgTx) *state.Block {
	w.t.Helper()
	w.at++
	coinbase := wire.NewMsgTx(2)
	coinbase.AddTxIn(&wire.TxIn{
		PreviousOutPoint: wire.OutPoint{Index: wire.MaxPrevOutIndex}, Sequence: wire.MaxTxInSequenceNum,
		SignatureScript: append(block.HeightScript(w.at), 1, 7),
	})
	coinbase.AddTxOut(wire.NewTxOut(net.SubsidyUnits(w.at), []byte{txscript.OP_TRUE}))
	msg := &wire.MsgBlock{
		Header: wire.BlockHeader{
			Version: 4, PrevBlock: w.tip.Hash, Bits: net.PowLimitBits,
			Timestamp: time.Unix(w.tip.Msg.Header.Timestamp.Unix()+60, 0),
		},
		Transactions: append([]*wire.MsgTx{coinbase}, txs...),
	}
	block.SetMerkleRoot(msg)
	for target, _ := state.TargetOf(msg.Header.Bits); ; msg.Header.Nonce++ {
		if id := msg.BlockHash(); state.HashMeets(&id, &target) {
			break
		}
	}
	w.tip = state.NewBlock(msg)
	for _, n := range w.nodes {
		if _, err := n.engine.AcceptBlock(w.tip); err != nil {
			w.t.Fatal(err)
		}
		n.relay.BlockConnected(w.tip)
	}
	return w.tip
}

// pay spends outpoints of the given value into two outputs.
func pay(valueUnits, feeUnits int64, ops ...wire.OutPoint) *state.Tx {
	msg := wire.NewMsgTx(2)
	for _, op := range ops {
		msg.AddTxIn(&wire.TxIn{PreviousOutPoint: op, Sequence: wire.MaxTxInSequenceNum})
	}
	msg.AddTxOut(wire.NewTxOut((valueUnits-feeUnits)/2, []byte{txscript.OP_TRUE}))
	msg.AddTxOut(wire.NewTxOut((valueUnits-feeUnits)/2, []byte{txscript.OP_TRUE}))
	return state.NewTx(msg)
}

func version3(tx *state.Tx) *state.Tx {
	tx.Msg.Version = policy.TRUCVersion
	return state.NewTx(tx.Msg)
}

func (w *network) wantEverywhere(what string, txs ...*state.Tx) {
	w.t.Helper()
	for i, n := range w.nodes {
		if got := n.pool.Info().Count; got != len(txs) {
			w.t.Fatalf("%s: node %d has %d transactions, want %d", what, i, got, len(txs))
		}
		for j, tx := range txs {
			if n.pool.Get(tx.Txid) == nil {
				w.t.Fatalf("%s: node %d lacks transaction %d", what, i, j)
			}
		}
		if len(n.relay.Orphans()) != 0 || len(n.relay.requests.byHash) != 0 {
			w.t.Fatalf("%s: node %d has %d orphans and %d requests left", what, i, len(n.relay.Orphans()), len(n.relay.requests.byHash))
		}
	}
}

// TestNodes runs a line of nodes with real mempools: own transactions, chains,
// and a parent that pays nothing with its child reach the far end, and a block
// clears them.
func TestNodes(t *testing.T) {
	w := newNetwork(t, 4)
	for i := range w.nodes[1:] {
		w.join(w.nodes[i], w.nodes[i+1])
	}
	var coins []wire.OutPoint
	for range 3 {
		coins = append(coins, wire.OutPoint{Hash: w.mine().Txids[0]})
	}
	for range params.CoinbaseMaturity {
		w.mine()
	}
	value := net.SubsidyUnits(1)
	first, last := w.nodes[0], w.nodes[len(w.nodes)-1]
	w.run(time.Second) // fee filters

	own := pay(value, 1_000, coins[0])
	chained := pay(value/2-500, 1_000, out(own, 0))
	for _, tx := range []*state.Tx{own, chained} {
		if _, err := first.pool.Accept(tx); err != nil {
			t.Fatal(err)
		}
		first.pool.AddUnbroadcast(tx.Txid)
	}
	w.run(3 * time.Minute)
	w.wantEverywhere("own and chained", own, chained)
	if left := first.pool.Unbroadcast(); len(left) != 0 {
		t.Errorf("%d own transactions nobody asked for", len(left))
	}

	poor := version3(pay(value, 0, coins[1])) // version 2 pays for its own relay
	rich := version3(pay(value/2, 5_000, out(poor, 0)))
	if refusals, err := last.pool.AcceptPackage([]*state.Tx{poor, rich}); err != nil || errors.Join(refusals...) != nil {
		t.Fatal(refusals, err)
	}
	w.run(5 * time.Minute)
	w.wantEverywhere("package", own, chained, poor, rich)

	w.mine(own.Msg, chained.Msg, poor.Msg, rich.Msg)
	w.run(time.Second)
	w.wantEverywhere("block")
	for i, n := range w.nodes {
		if len(n.relay.items.byTxid) != 0 {
			t.Errorf("node %d remembers %d items", i, len(n.relay.items.byTxid))
		}
	}
}

// TestNodesFlood spreads many transactions: everybody gets all of them, each
// sent once to each node.
func TestNodesFlood(t *testing.T) {
	run := func() (trace []string) {
		w := newNetwork(t, 3)
		w.join(w.nodes[0], w.nodes[1])
		w.join(w.nodes[1], w.nodes[2])
		w.join(w.nodes[2], w.nodes[0])
		coin := wire.OutPoint{Hash: w.mine().Txids[0]}
		for range params.CoinbaseMaturity {
			w.mine()
		}
		const n = 300
		fan := wire.NewMsgTx(2)
		fan.AddTxIn(&wire.TxIn{PreviousOutPoint: coin, Sequence: wire.MaxTxInSequenceNum})
		for range n {
			fan.AddTxOut(wire.NewTxOut(1_000_000, []byte{txscript.OP_TRUE}))
		}
		w.mine(fan)
		var txs []*state.Tx
		for i := range uint32(n) {
			tx := pay(1_000_000, 1_000+int64(i*37%100), wire.OutPoint{Hash: fan.TxHash(), Index: i})
			txs = append(txs, tx)
			if _, err := w.nodes[i%3].pool.Accept(tx); err != nil {
				t.Fatal(err)
			}
			w.run(200 * time.Millisecond)
		}
		w.run(3 * time.Minute)
		w.wantEverywhere("flood", txs...)
		sent := 0
		for i, node := range w.nodes {
			for _, e := range node.ends {
				sent += e.carried["tx"]
				trace = append(trace, fmt.Sprint(i, e.id, e.carried["tx"], e.carried["inv"], e.carried["getdata"]))
			}
		}
		if sent != 2*n {
			t.Errorf("%d transactions were sent, each of %d should reach two nodes once", sent, n)
		}
		return trace
	}
	if first := run(); !slices.Equal(first, run()) {
		t.Error("one seed, two traces")
	}
}
