package sync

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	stdsync "sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"granary/base/check"
	"granary/base/clock"
	"granary/base/hash"
	"granary/chain"
	"granary/p2p/message"
	"granary/p2p/peer"
	"granary/params"
	"granary/rules/block"
	"granary/state"
	"granary/store"
)

// node is a Manager over a real engine on regtest, both in memory.
type node struct {
	tb     testing.TB
	net    *params.Network
	clock  *clock.Mock
	store  *store.Store
	engine *chain.Engine
	pool   fakePool
	m      *Manager
	lastID uint64

	mu    stdsync.Mutex
	posts []func()
}

// syncIntake answers within the call, for tests and simulations.
type syncIntake struct{ engine *chain.Engine }

func (s syncIntake) Submit(b *state.Block, done func(bool, error)) { done(s.engine.AcceptBlock(b)) }

func (s syncIntake) SubmitHeaders(raws []wire.BlockHeader, done func(*state.Header, int, error)) {
	added := 0
	for i := range raws {
		if s.engine.Header(raws[i].BlockHash()) == nil {
			added++
		}
	}
	last, err := s.engine.AcceptHeaders(raws)
	done(last, added, err)
}

// fakePool is a mempool of fixed content.
type fakePool map[chainhash.Hash]*state.Tx

func (p fakePool) Each(f func(*state.Tx)) {
	for _, tx := range p {
		f(tx)
	}
}

// epoch is when the worlds of this package begin.
var epoch = params.RegTest().Chain.GenesisBlock.Header.Timestamp.Add(time.Hour)

func newNode(tb testing.TB, change ...func(*Options)) *node {
	tb.Helper()
	n := &node{tb: tb, net: params.RegTest(), clock: &clock.Mock{}, pool: fakePool{}}
	n.clock.Set(epoch)
	var err error
	n.store, err = store.Open(store.Options{Dir: "data", FS: vfs.NewMem(), Net: n.net, CacheBytes: 16 << 20})
	if err != nil {
		tb.Fatal(err)
	}
	late := &lateFollower{}
	n.engine, err = chain.Open(chain.Options{
		Store: n.store, Rules: block.Rules{Net: n.net}, Clock: n.clock, Followers: []chain.Follower{late},
	})
	if err != nil {
		tb.Fatal(err)
	}
	o := Options{
		Net: n.net, Chain: n.engine, Intake: syncIntake{n.engine}, Txs: n.pool, Post: n.post,
		Clock: n.clock, Rand: clock.SeededRand(1),
	}
	for _, f := range change {
		f(&o)
	}
	n.m = New(o)
	late.Follower = n.m.Follower()
	n.engine.OnInvalid(n.m.Invalid)
	tb.Cleanup(func() {
		if err := n.engine.Close(); err != nil {
			tb.Error(err)
		}
		if err := n.store.Close(); err != nil {
			tb.Error(err)
		}
	})
	return n
}

// lateFollower is put in before the Manager is there.
type lateFollower struct{ chain.Follower }

func (n *node) post(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.posts = append(n.posts, f)
}

// drain does what was posted, and reports whether there was anything.
func (n *node) drain() bool {
	did := false
	for {
		n.mu.Lock()
		posts := n.posts
		n.posts = nil
		n.mu.Unlock()
		if len(posts) == 0 {
			return did
		}
		did = true
		for _, f := range posts {
			f()
		}
		n.m.Tick(n.clock.Now())
	}
}

// pass lets time go by, in steps as the Loop ticks.
func (n *node) pass(d time.Duration) {
	for end := n.clock.Now().Add(d); n.clock.Now().Before(end); {
		n.clock.Set(n.clock.Now().Add(200 * time.Millisecond))
		n.m.Tick(n.clock.Now())
		n.drain()
	}
}

// receive hands the manager a message as the Loop does.
func (n *node) receive(p *fakePeer, m message.Message) bool {
	taken := n.m.Receive(p, m)
	n.drain()
	n.m.Tick(n.clock.Now())
	n.drain()
	return taken
}

// mine accepts blocks from elsewhere, as a miner's.
func (n *node) mine(blocks ...*state.Block) {
	n.tb.Helper()
	for _, b := range blocks {
		if _, err := n.engine.AcceptBlock(b); err != nil {
			n.tb.Fatalf("block %v: %v", b.Hash, err)
		}
	}
	n.drain()
}

func (n *node) mustTip(want *state.Block) {
	n.tb.Helper()
	if tip := n.engine.Tip(); tip.Hash != want.Hash {
		n.tb.Fatalf("the tip is %d %v, want %v", tip.Height, tip.Hash, want.Hash)
	}
}

// fakePeer is the other end, played by a test.
type fakePeer struct {
	id      uint64
	facts   peer.Facts
	sent    []message.Message
	backlog int
	bytes   uint64
	ended   string
	blamed  string
	deliver func(m message.Message) // instead of sent
}

func (p *fakePeer) ID() uint64            { return p.id }
func (p *fakePeer) Facts() *peer.Facts    { return &p.facts }
func (p *fakePeer) SendBacklogBytes() int { return p.backlog }
func (p *fakePeer) ReceivedBytes() uint64 { return p.bytes }

func (p *fakePeer) Send(m message.Message) {
	if p.deliver != nil {
		p.deliver(m)
		return
	}
	p.sent = append(p.sent, m)
}

func (p *fakePeer) Disconnect(reason string) {
	if p.ended == "" {
		p.ended = reason
	}
}

func (p *fakePeer) Misbehaved(reason string) {
	p.blamed = reason
	p.Disconnect(reason)
}

const fullServices = message.ServiceNetwork | message.ServiceNetworkLimited | message.ServiceWitness

// connect adds a peer that has said hello.
func (n *node) connect(kind peer.Kind) *fakePeer {
	n.lastID++
	p := &fakePeer{id: n.lastID, facts: peer.Facts{Kind: kind, Version: message.ProtocolVersion, Services: fullServices}}
	n.m.Connected(p)
	n.drain()
	return p
}

func (n *node) disconnect(p *fakePeer) {
	n.m.Disconnected(p)
	n.drain()
}

// take gives what p was sent of type M since the last call, and forgets it.
func take[M message.Message](p *fakePeer) []M {
	var found []M
	var rest []message.Message
	for _, m := range p.sent {
		if of, ok := m.(M); ok {
			found = append(found, of)
		} else {
			rest = append(rest, m)
		}
	}
	p.sent = rest
	return found
}

// asked gives the hashes of the blocks that p was asked for since the last call.
func asked(p *fakePeer) []chainhash.Hash {
	var hashes []chainhash.Hash
	for _, m := range take[*message.GetData](p) {
		for _, item := range m.Items {
			hashes = append(hashes, item.Hash)
		}
	}
	return hashes
}

func headersOf(blocks ...*state.Block) *message.Headers {
	m := &message.Headers{}
	for _, b := range blocks {
		m.Headers = append(m.Headers, b.Msg.Header)
	}
	return m
}

// Building blocks.

var opTrue = []byte{txscript.OP_TRUE}

type draft struct {
	parent *state.Block
	height int32
	name   string
	txs    []*wire.MsgTx
	mess   func(*wire.MsgBlock)
	break_ func(*wire.MsgBlock) // after the Merkle root
	// seconds after the parent; 0 means 1
	seconds int64
}

var regtest = params.RegTest()

func genesis() *state.Block { return state.NewBlock(regtest.Chain.GenesisBlock) }

func makeBlock(d draft) *state.Block {
	msg := &wire.MsgBlock{Header: wire.BlockHeader{
		Version: 4, PrevBlock: d.parent.Hash, Bits: regtest.PowLimitBits,
		Timestamp: time.Unix(d.parent.Msg.Header.Timestamp.Unix()+max(d.seconds, 1), 0),
	}}
	msg.Transactions = append([]*wire.MsgTx{coinbase(d.name, d.height)}, d.txs...)
	if d.mess != nil {
		d.mess(msg)
	}
	ids := make([]chainhash.Hash, len(msg.Transactions))
	for i, tx := range msg.Transactions {
		ids[i] = tx.TxHash()
	}
	msg.Header.MerkleRoot, _ = hash.MerkleRoot(ids)
	if d.break_ != nil {
		d.break_(msg)
	}
	solve(&msg.Header)
	return state.NewBlock(msg)
}

func solve(h *wire.BlockHeader) {
	target, _ := state.TargetOf(h.Bits)
	for id := h.BlockHash(); !state.HashMeets(&id, &target); id = h.BlockHash() {
		h.Nonce++
	}
}

func coinbase(name string, height int32) *wire.MsgTx {
	h := fnv.New64a()
	h.Write([]byte(name))
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(&wire.TxIn{
		PreviousOutPoint: wire.OutPoint{Index: wire.MaxPrevOutIndex},
		SignatureScript:  append(block.HeightScript(height), binary.BigEndian.AppendUint64([]byte{8}, h.Sum64())...),
		Sequence:         wire.MaxTxInSequenceNum,
	})
	tx.AddTxOut(wire.NewTxOut(regtest.SubsidyUnits(height), opTrue))
	return tx
}

// branch builds n empty blocks on parent, which is at height.
func branch(name string, parent *state.Block, height int32, n int) []*state.Block {
	blocks := make([]*state.Block, n)
	for i := range blocks {
		blocks[i] = makeBlock(draft{parent: parent, height: height + 1 + int32(i), name: fmt.Sprint(name, i)})
		parent = blocks[i]
	}
	return blocks
}

// spend pays output 0 of tx on, with n outputs.
func spend(tx *wire.MsgTx, n int) *wire.MsgTx {
	out := wire.NewMsgTx(2)
	out.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Hash: tx.TxHash()}, Sequence: wire.MaxTxInSequenceNum})
	for range n {
		out.AddTxOut(wire.NewTxOut(tx.TxOut[0].Value/int64(n), opTrue))
	}
	return out
}

func ruleError(code check.Code) error { return check.Rule(code, "of a test") }
