package peers

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"granary/base/clock"
	"granary/chain"
	"granary/mempool"
	"granary/mine/cpu"
	"granary/mine/template"
	"granary/params"
	"granary/rules/block"
	"granary/rules/goods"
	"granary/rules/script"
	"granary/state"
	"granary/store"
	"granary/test/fleet"
)

func TestMain(m *testing.M) {
	fleet.Become()
	goleak.VerifyTestMain(m)
}

// world is our own node without doors: store, engine, pool and miner, as node
// puts them together, on a file system in memory.
type world struct {
	t       *testing.T
	rules   block.Rules
	clock   *clock.Mock
	store   *store.Store
	engine  *chain.Engine
	pool    *mempool.Pool
	builder *template.Builder
	miner   *cpu.Miner
	extra   uint64
}

// chainBegin is when the chains of these tests begin. Regtest's genesis is of
// 2011, but btcd turns P2SH on by a block's time (April 2012), not by height as
// Bitcoin Core does, and refuses any witness before: a chain whose blocks
// pretended to be older would lose it.
var chainBegin = time.Date(2024, time.January, 1, 0, 0, 0, 0, time.UTC)

func newWorld(t *testing.T, rules block.Rules) *world {
	t.Helper()
	w := &world{t: t, rules: rules, clock: &clock.Mock{}, extra: 1 << 32}
	w.clock.Set(chainBegin)
	options := store.Options{Dir: "data", FS: vfs.NewMem(), Net: rules.Net, CacheBytes: 16 << 20}
	if rules.Charter != nil {
		options.CharterID = rules.Charter.ID()
	}
	scripts := script.NewChecker(script.Options{Workers: 2, CacheBytes: 1 << 20})
	t.Cleanup(scripts.Close)
	var err error
	if w.store, err = store.Open(options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.must(w.store.Close()) })
	if w.engine, err = chain.Open(chain.Options{Store: w.store, Rules: rules, Scripts: scripts, Clock: w.clock}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.must(w.engine.Close()) })
	w.pool = mempool.New(mempool.Options{Chain: w.engine, Rules: rules, Scripts: scripts, Clock: w.clock, Standard: true})
	w.must(w.engine.Follow(context.Background(), w.pool, w.engine.Tip().Hash, nil))
	w.builder = template.NewBuilder(template.Options{Chain: w.engine, Pool: w.pool, Rules: rules, Scripts: scripts, Clock: w.clock})
	w.miner = cpu.NewMiner(cpu.Options{Builder: w.builder, Chain: w.engine, Clock: w.clock})
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) tip() chainhash.Hash { return w.engine.Tip().Hash }

// take hands over blocks that must all be accepted.
func (w *world) take(blocks ...*state.Block) {
	w.t.Helper()
	for _, b := range blocks {
		if _, err := w.engine.AcceptBlock(b); err != nil {
			w.t.Fatalf("we refuse block %v: %v", b.Hash, err)
		}
	}
}

// minerScript is whom coinbases pay.
func (w *world) minerScript() []byte { return newHolder(w.t, "miner", 0).script }

// mineTries bounds the search for one block: nearly a thousand times the work
// to expect of a signet at its lowest difficulty.
const mineTries = 1 << 32

// mine makes blocks of what waits in the pool, ten minutes apart.
func (w *world) mine(count int) []*state.Block {
	w.t.Helper()
	blocks := make([]*state.Block, 0, count)
	for range count {
		w.tick()
		ids, err := w.miner.Generate(w.t.Context(), 1, w.minerScript(), mineTries)
		w.must(err)
		if len(ids) != 1 {
			w.t.Fatalf("no block within %d hashes", int64(mineTries))
		}
		blocks = append(blocks, w.block(ids[0]))
	}
	return blocks
}

// mineWith makes one block of exactly these transactions.
func (w *world) mineWith(txs ...*state.Tx) *state.Block {
	w.t.Helper()
	w.tick()
	b, err := w.miner.GenerateBlock(w.t.Context(), w.minerScript(), txs, true)
	w.must(err)
	return b
}

func (w *world) tick() {
	now := w.engine.Tip().Raw.Timestamp
	if clock := w.clock.Now(); clock.After(now) {
		now = clock
	}
	w.clock.Set(now.Add(10 * time.Minute))
}

func (w *world) block(hash chainhash.Hash) *state.Block {
	w.t.Helper()
	b, err := w.engine.Block(w.engine.Header(hash))
	w.must(err)
	return b
}

// draft is a valid block on the tip, to be changed before it is sealed.
func (w *world) draft(txs ...*state.Tx) *wire.MsgBlock {
	w.t.Helper()
	w.tick()
	w.extra++
	made, err := w.builder.BuildWith(w.minerScript(), w.extra, txs)
	w.must(err)
	return made.Block
}

// commit makes the coinbase and the header name the transactions as they are.
func commit(msg *wire.MsgBlock) { block.AddWitnessCommitment(msg) }

// seal finds the work for a block that the house's miner would not make.
func (w *world) seal(msg *wire.MsgBlock) *state.Block {
	w.t.Helper()
	target, ok := state.TargetOf(msg.Header.Bits)
	if !ok {
		w.t.Fatalf("bits %08x", msg.Header.Bits)
	}
	found, err := cpu.Solve(w.t.Context(), &msg.Header, &target)
	w.must(err)
	if !found {
		w.t.Fatal("no nonce solves the block")
	}
	return state.NewBlock(msg)
}

// demo is the demo charter on a base network with the keys of its seats. Keys
// of later seats are added as the seats rotate.
type demo struct {
	t       *testing.T
	rules   block.Rules
	holders map[string]*holder // by script
}

func newDemo(t *testing.T, base params.NetworkBase) *demo {
	t.Helper()
	d := &demo{t: t, holders: make(map[string]*holder)}
	seat := func(n int) []byte { return d.holder(fmt.Sprint("seat ", n), n).script }
	charter, err := params.DemoCharter(params.DemoScripts{
		Custodians: [2][]byte{seat(0), seat(1)}, Auditors: [3][]byte{seat(2), seat(3), seat(4)}, Council: seat(5),
	})
	if err != nil {
		t.Fatal(err)
	}
	onBase := *charter
	onBase.Base = params.CharterNetwork{Base: base}
	if charter, err = params.NewCharter(onBase); err != nil {
		t.Fatal(err)
	}
	net, err := charter.Network()
	if err != nil {
		t.Fatal(err)
	}
	d.rules = block.Rules{Net: net, Charter: charter}
	return d
}

// holder makes somebody new and remembers the keys.
func (d *demo) holder(name string, n int) *holder {
	d.t.Helper()
	h := newHolder(d.t, name, n)
	d.holders[string(h.script)] = h
	return h
}

// seats lists the seats as they stand on w's tip.
func (d *demo) seats(w *world) []state.Seat {
	d.t.Helper()
	var seats []state.Seat
	err := w.engine.View(func(_ *state.Header, v state.View) (err error) {
		seats, err = goods.ReadSeats(v)
		return err
	})
	w.must(err)
	if len(seats) != d.rules.Charter.SeatCount() {
		d.t.Fatalf("there are %d seats, the charter has %d", len(seats), d.rules.Charter.SeatCount())
	}
	return seats
}

// spend signs a transaction of the seat's holder with these outputs.
func (d *demo) spend(seat *state.Seat, outputs ...*wire.TxOut) *state.Tx {
	d.t.Helper()
	msg := wire.NewMsgTx(2)
	msg.AddTxIn(wire.NewTxIn(&seat.Out, nil, nil))
	msg.TxOut = outputs
	if err := d.holders[string(seat.Script)].sign(msg, 0); err != nil {
		d.t.Fatal(err)
	}
	return state.NewTx(msg)
}

// rotate moves a seat to somebody new with another kind of script each time.
func (d *demo) rotate(seat *state.Seat, name string) *state.Tx {
	d.t.Helper()
	to := d.holder(fmt.Sprint(seat.ID(), " ", name), len(d.holders))
	return d.spend(seat, wire.NewTxOut(0, to.script), rotateRecord())
}

func rotateRecord() *wire.TxOut { return wire.NewTxOut(0, goods.RecordScript(goods.Rotate{})) }
