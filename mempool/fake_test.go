package mempool

import (
	"encoding/binary"
	"sync"
	"time"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/base/clock"
	"granary/chain"
	"granary/params"
	"granary/rules/block"
	"granary/state"
)

// tester is *testing.T, *testing.B or *rapid.T.
type tester interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
	Errorf(string, ...any)
}

// fakeChain is a chain without rules: blocks do what they say. It can tell of
// its steps at once or later, as the engine may.
type fakeChain struct {
	state.Empty
	t     tester
	mu    sync.RWMutex
	tip   *state.Header
	coins map[wire.OutPoint]*state.Coin
	goods map[string][]byte
	// blocks and undo are by header.
	blocks map[*state.Header]*state.Block
	undo   map[*state.Header]map[wire.OutPoint]*state.Coin

	pool   *Pool
	held   []*chain.Event
	hold   bool
	nonce  uint32
	fanout int // outputs of a coinbase
}

const (
	startUnix  = 1_700_000_000
	coinUnits  = 1_000_000
	blockSpace = 600
)

func newFakeChain(t tester) *fakeChain {
	net := params.RegTest()
	genesis := net.Chain.GenesisBlock.Header
	genesis.Timestamp = time.Unix(startUnix, 0)
	return &fakeChain{
		t: t, tip: state.NewHeader(&genesis, nil), coins: map[wire.OutPoint]*state.Coin{},
		blocks: map[*state.Header]*state.Block{}, undo: map[*state.Header]map[wire.OutPoint]*state.Coin{},
		fanout: 1,
	}
}

func (c *fakeChain) Coin(op wire.OutPoint) (*state.Coin, error) { return c.coins[op], nil }

func (c *fakeChain) Goods(key []byte) ([]byte, error) { return c.goods[string(key)], nil }

func (c *fakeChain) View(f func(tip *state.Header, v state.View) error) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return f(c.tip, c)
}

// now is the time of the tip.
func (c *fakeChain) now() time.Time { return c.tip.Raw.Timestamp }

// mine connects a block with a coinbase and the given transactions.
func (c *fakeChain) mine(txs ...*state.Tx) *state.Block {
	c.nonce++
	coinbase := wire.NewMsgTx(2)
	tag := binary.LittleEndian.AppendUint32([]byte{4}, c.nonce)
	coinbase.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Index: 0xffffffff}, SignatureScript: tag})
	for range c.fanout {
		coinbase.AddTxOut(wire.NewTxOut(coinUnits, anyone))
	}
	msg := &wire.MsgBlock{Header: wire.BlockHeader{
		PrevBlock: c.tip.Hash, Bits: c.tip.Raw.Bits, Nonce: c.nonce,
		Timestamp: c.now().Add(blockSpace * time.Second),
	}}
	msg.Transactions = append(msg.Transactions, coinbase)
	for _, tx := range txs {
		msg.Transactions = append(msg.Transactions, tx.Msg)
	}
	c.connect(msg)
	return c.blocks[c.tip]
}

func (c *fakeChain) connect(msg *wire.MsgBlock) {
	c.mu.Lock()
	h := state.NewHeader(&msg.Header, c.tip)
	b := state.NewBlock(msg)
	spent := map[wire.OutPoint]*state.Coin{}
	for i, tx := range msg.Transactions {
		for _, in := range tx.TxIn {
			if i == 0 {
				break
			}
			coin := c.coins[in.PreviousOutPoint]
			if coin == nil {
				c.t.Fatalf("the test's block spends %v, which is not there", in.PreviousOutPoint)
			}
			spent[in.PreviousOutPoint] = coin
			delete(c.coins, in.PreviousOutPoint)
		}
		for j, out := range tx.TxOut {
			c.coins[wire.OutPoint{Hash: b.Txids[i], Index: uint32(j)}] = &state.Coin{
				ValueUnits: out.Value, Script: out.PkScript, Height: h.Height, Coinbase: i == 0,
			}
		}
	}
	c.blocks[h], c.undo[h], c.tip = b, spent, h
	c.mu.Unlock()
	c.tell(&chain.Event{Connected: true, Header: h, Block: b})
}

// drop disconnects the tip.
func (c *fakeChain) drop() *state.Block {
	c.mu.Lock()
	h := c.tip
	b := c.blocks[h]
	for op, coin := range c.undo[h] {
		c.coins[op] = coin
	}
	for i, tx := range b.Msg.Transactions {
		for j := range tx.TxOut {
			delete(c.coins, wire.OutPoint{Hash: b.Txids[i], Index: uint32(j)})
		}
	}
	c.tip = h.Parent
	c.mu.Unlock()
	c.tell(&chain.Event{Header: h, Block: b})
	return b
}

func (c *fakeChain) tell(ev *chain.Event) {
	c.held = append(c.held, ev)
	if !c.hold {
		c.release()
	}
}

// release tells the pool what was held back.
func (c *fakeChain) release() {
	held := c.held
	c.held, c.hold = nil, false
	for _, ev := range held {
		var err error
		switch {
		case c.pool == nil:
		case ev.Connected:
			err = c.pool.Connect(ev)
		default:
			err = c.pool.Disconnect(ev)
		}
		if err != nil {
			c.t.Fatal(err)
		}
	}
}

// anyone is a script that any signature script satisfies; its kind is not
// looked at where scripts are not checked.
var anyone = append([]byte{txscript.OP_0, 20}, make([]byte, 20)...)

// world is a pool on a fake chain with some ripe coins.
type world struct {
	*fakeChain
	pool  *Pool
	clock *clock.Mock
	ripe  []wire.OutPoint
}

func newWorld(t tester, ripe int, edit func(*Options)) *world {
	c := newFakeChain(t)
	w := &world{fakeChain: c, clock: &clock.Mock{}}
	o := Options{Chain: c, Rules: block.Rules{Net: params.RegTest()}, Clock: w.clock, Standard: true}
	if edit != nil {
		edit(&o)
	}
	w.pool = New(o)
	c.fanout = ripe
	first := c.mine()
	c.fanout = 1
	for i := range ripe {
		w.ripe = append(w.ripe, wire.OutPoint{Hash: first.Txids[0], Index: uint32(i)})
	}
	for range params.CoinbaseMaturity {
		c.mine()
	}
	c.pool = w.pool
	w.clock.Set(c.now())
	return w
}

// spend makes a transaction that spends outpoints into n equal outputs and
// leaves a fee.
func (w *world) spend(feeUnits int64, n int, ops ...wire.OutPoint) *state.Tx {
	return state.NewTx(w.spendMsg(feeUnits, n, ops...))
}

func (w *world) spendMsg(feeUnits int64, n int, ops ...wire.OutPoint) *wire.MsgTx {
	var value int64
	msg := wire.NewMsgTx(2)
	for _, op := range ops {
		value += w.valueOf(op)
		msg.AddTxIn(&wire.TxIn{PreviousOutPoint: op, Sequence: wire.MaxTxInSequenceNum})
	}
	for range n {
		msg.AddTxOut(wire.NewTxOut((value-feeUnits)/int64(n), anyone))
	}
	msg.TxOut[0].Value += (value - feeUnits) % int64(n)
	return msg
}

func (w *world) valueOf(op wire.OutPoint) int64 {
	if coin := w.coins[op]; coin != nil {
		return coin.ValueUnits
	}
	if e := w.pool.Get(op.Hash); e != nil {
		return e.Tx.Msg.TxOut[op.Index].Value
	}
	w.t.Fatalf("no coin at %v", op)
	return 0
}

func (w *world) accept(tx *state.Tx) *Entry {
	w.t.Helper()
	e, err := w.pool.Accept(tx)
	if err != nil {
		w.t.Fatalf("accept %v: %v", tx.Txid, err)
	}
	return e
}

func (w *world) refused(tx *state.Tx, want string) {
	w.t.Helper()
	if _, err := w.pool.Accept(tx); string(check.CodeOf(err)) != want {
		w.t.Errorf("got %v, want %q", err, want)
	}
}

func (w *world) want(txs ...*state.Tx) {
	w.t.Helper()
	if got := w.pool.Info().Count; got != len(txs) {
		w.t.Errorf("%d transactions in the pool, want %d", got, len(txs))
	}
	for i, tx := range txs {
		if w.pool.Get(tx.Txid) == nil {
			w.t.Errorf("transaction %d of those wanted is not in the pool", i)
		}
	}
	checkPool(w.t, w.pool)
}

func out(tx *state.Tx, i int) wire.OutPoint { return wire.OutPoint{Hash: tx.Txid, Index: uint32(i)} }
