package txrelay

import (
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/base/clock"
	"granary/mempool"
	"granary/mempool/policy"
	"granary/p2p/message"
	"granary/p2p/peer"
	"granary/params"
	"granary/state"
)

// fakePool is a mempool whose judgement a test decides: it knows the coins of
// confirmed, asks for the relay fee, and refuses what it is told to.
type fakePool struct {
	entries   []*mempool.Entry
	byTxid    map[chainhash.Hash]*mempool.Entry
	confirmed map[chainhash.Hash]bool
	feeUnits  map[chainhash.Hash]int64 // by wtxid; else plenty
	refuse    map[chainhash.Hash]error // by wtxid
	free      map[chainhash.Hash]bool  // by wtxid: in the seat lane
	watch     func(mempool.Change)
	minimum   int64
	own       []chainhash.Hash
	accepts   int // calls
	packages  int
}

const plentyUnits = 1_000_000

func (p *fakePool) vbytes(tx *state.Tx) int64 { return (tx.Weight() + 3) / 4 }

func (p *fakePool) feeOf(tx *state.Tx) int64 {
	if fee, ok := p.feeUnits[tx.Wtxid]; ok {
		return fee
	}
	return plentyUnits
}

func (p *fakePool) judge(tx *state.Tx, with map[chainhash.Hash]bool) error {
	if err := p.refuse[tx.Wtxid]; err != nil {
		return err
	}
	if p.byTxid[tx.Txid] != nil {
		return check.RuleKind(check.Policy, "txn-same-nonwitness-data-in-mempool", "")
	}
	for _, in := range tx.Msg.TxIn {
		txid := in.PreviousOutPoint.Hash
		if p.byTxid[txid] == nil && !p.confirmed[txid] && !with[txid] {
			return check.RuleKind(check.Unconnected, "bad-txns-inputs-missingorspent", "")
		}
	}
	return nil
}

func (p *fakePool) Accept(tx *state.Tx) (*mempool.Entry, error) {
	p.accepts++
	if err := p.judge(tx, nil); err != nil {
		return nil, err
	}
	if !p.free[tx.Wtxid] && p.feeOf(tx) < policy.FeeAt(p.minimum, p.vbytes(tx)) {
		return nil, check.RuleKind(check.Policy, "mempool min fee not met", "")
	}
	return p.insert(tx), nil
}

func (p *fakePool) insert(tx *state.Tx) *mempool.Entry {
	e := &mempool.Entry{Tx: tx, FeeUnits: p.feeOf(tx), VBytes: p.vbytes(tx), Seat: p.free[tx.Wtxid]}
	p.entries, p.byTxid[tx.Txid] = append(p.entries, e), e
	p.watch(mempool.Change{Entry: e, Added: true})
	return e
}

func (p *fakePool) remove(tx *state.Tx, why mempool.Reason) {
	e := p.byTxid[tx.Txid]
	delete(p.byTxid, tx.Txid)
	for i := range p.entries {
		if p.entries[i] == e {
			p.entries = append(p.entries[:i], p.entries[i+1:]...)
			break
		}
	}
	p.watch(mempool.Change{Entry: e, Why: why})
}

func (p *fakePool) AcceptPackage(txs []*state.Tx) ([]error, error) {
	p.packages++
	errs := make([]error, len(txs))
	var fee, vbytes int64
	with := map[chainhash.Hash]bool{}
	bad := false
	for i, tx := range txs {
		errs[i] = p.judge(tx, with)
		bad = bad || errs[i] != nil
		fee, vbytes = fee+p.feeOf(tx), vbytes+p.vbytes(tx)
		with[tx.Txid] = true
	}
	if !bad && fee < policy.FeeAt(p.minimum, vbytes) {
		for i := range errs {
			errs[i] = check.RuleKind(check.Policy, "mempool min fee not met", "")
		}
		bad = true
	}
	for i, tx := range txs {
		if !bad {
			p.insert(tx)
		} else if errs[i] == nil {
			errs[i] = check.RuleKind(check.Policy, "mempool min fee not met", "")
		}
	}
	return errs, nil
}

func (p *fakePool) Entries() []*mempool.Entry { return append([]*mempool.Entry(nil), p.entries...) }

func (p *fakePool) Watch(f func(mempool.Change)) func() {
	p.watch = f
	return func() { p.watch = nil }
}

func (p *fakePool) Info() mempool.Info {
	return mempool.Info{MinUnitsPerKVB: max(p.minimum, 1000), RelayUnitsPerKVB: 1000, IncrementalUnitsPerKVB: 1000}
}

func (p *fakePool) Unbroadcast() []chainhash.Hash { return append([]chainhash.Hash(nil), p.own...) }

func (p *fakePool) RemoveUnbroadcast(txid chainhash.Hash) {
	for i := range p.own {
		if p.own[i] == txid {
			p.own = append(p.own[:i:i], p.own[i+1:]...)
			return
		}
	}
}

// fakePeer writes down what it is sent.
type fakePeer struct {
	id      uint64
	facts   peer.Facts
	sent    []message.Message
	backlog int
	closed  string // why it was disconnected
	blamed  string // why it was discouraged
	held    int    // how often its next message was held back and not let go
}

// Hold implements peer.Holder.
func (p *fakePeer) Hold() func() {
	p.held++
	return func() { p.held-- }
}

func (p *fakePeer) ID() uint64             { return p.id }
func (p *fakePeer) Facts() *peer.Facts     { return &p.facts }
func (p *fakePeer) Send(m message.Message) { p.sent = append(p.sent, m) }
func (p *fakePeer) SendBacklogBytes() int  { return p.backlog }
func (p *fakePeer) Disconnect(why string)  { p.closed = why }
func (p *fakePeer) Misbehaved(why string)  { p.blamed, p.closed = why, why }

// take gives what was sent since the last call.
func (p *fakePeer) take() []message.Message {
	sent := p.sent
	p.sent = nil
	return sent
}

// itemsIn are the items of the messages of one type.
func itemsIn[M message.Message](messages []message.Message) (items []message.Item) {
	for _, m := range messages {
		if _, ok := m.(M); !ok {
			continue
		}
		switch m := m.(type) {
		case *message.Inv:
			items = append(items, m.Items...)
		case *message.GetData:
			items = append(items, m.Items...)
		case *message.NotFound:
			items = append(items, m.Items...)
		}
	}
	return items
}

// world is a relay with a pool and peers of a test's making.
type world struct {
	t       *testing.T
	clock   *clock.Mock
	pool    *fakePool
	relay   *Relay
	peers   uint64
	syncing bool
	coins   uint16
}

func newWorld(t *testing.T, edit func(*Options)) *world {
	t.Helper()
	w := &world{t: t, clock: &clock.Mock{}, pool: &fakePool{
		byTxid: map[chainhash.Hash]*mempool.Entry{}, confirmed: map[chainhash.Hash]bool{},
		feeUnits: map[chainhash.Hash]int64{}, refuse: map[chainhash.Hash]error{}, free: map[chainhash.Hash]bool{},
		minimum: 1000,
	}}
	w.clock.Set(time.Unix(1_700_000_000, 0))
	o := Options{
		Pool: w.pool, Packages: w.pool, Own: w.pool, Clock: w.clock, Rand: clock.SeededRand(7),
		Syncing: func() bool { return w.syncing },
	}
	if edit != nil {
		edit(&o)
	}
	w.relay = New(o)
	t.Cleanup(w.relay.Close)
	return w
}

// connect makes a peer of today's kind; edit may change its facts.
func (w *world) connect(kind peer.Kind, edit func(*peer.Facts)) *fakePeer {
	w.peers++
	p := &fakePeer{id: w.peers, facts: peer.Facts{
		Kind: kind, Version: message.ProtocolVersion, Relay: true, WTxIDRelay: true,
		Services: message.ServiceNetwork | message.ServiceWitness,
	}}
	if edit != nil {
		edit(&p.facts)
	}
	w.relay.Connected(p)
	return p
}

// pass lets time pass in steps of a fifth of a second.
func (w *world) pass(d time.Duration) {
	const step = 200 * time.Millisecond
	for ; d > 0; d -= step {
		w.clock.Set(w.clock.Now().Add(min(step, d)))
		w.relay.Tick(w.clock.Now())
	}
}

// coin is the outpoint of a confirmed coin that was not used yet.
func (w *world) coin() wire.OutPoint {
	w.coins++
	op := wire.OutPoint{Hash: chainhash.Hash{0xc0, byte(w.coins), byte(w.coins >> 8)}}
	w.pool.confirmed[op.Hash] = true
	return op
}

// tx spends outpoints into two outputs, with a witness.
func (w *world) tx(ops ...wire.OutPoint) *state.Tx { return makeTx("sig", ops...) }

func makeTx(witness string, ops ...wire.OutPoint) *state.Tx {
	msg := wire.NewMsgTx(2)
	for _, op := range ops {
		in := &wire.TxIn{PreviousOutPoint: op, Sequence: wire.MaxTxInSequenceNum}
		if witness != "" {
			in.Witness = wire.TxWitness{[]byte(witness)}
		}
		msg.AddTxIn(in)
	}
	for range 2 {
		msg.AddTxOut(wire.NewTxOut(1000, []byte{0, 1, 2, 3}))
	}
	return state.NewTx(msg)
}

func out(tx *state.Tx, i uint32) wire.OutPoint { return wire.OutPoint{Hash: tx.Txid, Index: i} }

// inv announces transactions by wtxid.
func (w *world) inv(p *fakePeer, txs ...*state.Tx) {
	m := &message.Inv{}
	for _, tx := range txs {
		m.Items = append(m.Items, message.Item{Type: message.ItemWTx, Hash: tx.Wtxid})
	}
	w.receive(p, m)
}

func (w *world) send(p *fakePeer, tx *state.Tx) { w.receive(p, &message.Tx{Tx: tx}) }

func (w *world) receive(p *fakePeer, m message.Message) {
	w.relay.Receive(p, m)
	w.relay.Tick(w.clock.Now())
}

// mine tells of a block with the transactions in it.
func (w *world) mine(txs ...*state.Tx) *state.Block {
	w.coins++
	coinbase := wire.NewMsgTx(2)
	coinbase.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Index: wire.MaxPrevOutIndex}, SignatureScript: []byte{2, byte(w.coins), byte(w.coins >> 8)}})
	coinbase.AddTxOut(wire.NewTxOut(params.UnitsPerCoin, []byte{0x51}))
	msg := &wire.MsgBlock{Header: wire.BlockHeader{Timestamp: w.clock.Now()}, Transactions: []*wire.MsgTx{coinbase}}
	for _, tx := range txs {
		msg.Transactions = append(msg.Transactions, tx.Msg)
		w.pool.confirmed[tx.Txid] = true
		if w.pool.byTxid[tx.Txid] != nil {
			w.pool.remove(tx, mempool.Confirmed)
		}
	}
	b := state.NewBlock(msg)
	w.relay.BlockConnected(b)
	return b
}

func (w *world) wantAsked(p *fakePeer, hashes ...chainhash.Hash) {
	w.t.Helper()
	got := itemsIn[*message.GetData](p.take())
	if len(got) != len(hashes) {
		w.t.Fatalf("peer %d is asked for %d transactions, want %d", p.id, len(got), len(hashes))
	}
	for i := range got {
		if got[i].Hash != hashes[i] {
			w.t.Fatalf("peer %d is asked for another transaction at %d", p.id, i)
		}
	}
}

func (w *world) wantPool(txs ...*state.Tx) {
	w.t.Helper()
	if len(w.pool.entries) != len(txs) {
		w.t.Fatalf("%d transactions in the pool, want %d", len(w.pool.entries), len(txs))
	}
	for _, tx := range txs {
		if w.pool.byTxid[tx.Txid] == nil {
			w.t.Fatalf("%v is not in the pool", tx.Txid)
		}
	}
}
