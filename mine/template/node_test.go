package template_test

import (
	"errors"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"granary/base/clock"
	"granary/chain"
	"granary/mempool"
	"granary/mine/template"
	"granary/node/stage"
	"granary/params"
	"granary/rules/block"
	"granary/rules/goods"
	"granary/rules/script"
	"granary/state"
	"granary/store"
)

var secret = []byte("template")

// node is a chain with a charter and everything that mining needs, and the
// people who hold its seats.
type node struct {
	t       testing.TB
	charter *params.Charter
	clock   *clock.Mock
	engine  *chain.Engine
	pool    *mempool.Pool
	vault   *template.Vault
	builder *template.Builder
	cast    *stage.Cast
	miner   stage.Person
	extra   uint64
}

// shortCharter is the demo's with windows of a few blocks.
func shortCharter(t testing.TB) *params.Charter {
	scripts := params.DemoScripts{}
	people := stage.New(nil, nil)
	for i, to := range []*[]byte{
		&scripts.Custodians[0], &scripts.Custodians[1], &scripts.Auditors[0], &scripts.Auditors[1], &scripts.Auditors[2], &scripts.Council,
	} {
		*to = people.Person(secret, "seat "+string(rune('a'+i))).Script
	}
	demo, err := params.DemoCharter(scripts)
	if err != nil {
		t.Fatal(err)
	}
	c := *demo
	c.Parameters.DeliveryWindowBlocks, c.Parameters.PickupWindowBlocks, c.Parameters.GraceWindowBlocks = 9, 4, 4
	c.Parameters.AmendmentDelayBlocks, c.Parameters.AttestationLifeBlocks = 18, 20
	c.Parameters.BlockReleaseCapUnits = 60 * params.UnitsPerCoin
	c.Low, c.High = c.Parameters, c.Parameters
	charter, err := params.NewCharter(c)
	if err != nil {
		t.Fatal(err)
	}
	return charter
}

func newNode(t testing.TB) *node {
	t.Helper()
	w := &node{t: t, charter: shortCharter(t), clock: &clock.Mock{}}
	net, err := w.charter.Network()
	w.must(err)
	w.clock.Set(net.Chain.GenesisBlock.Header.Timestamp.Add(48 * time.Hour))
	s, err := store.Open(store.Options{Dir: "data", FS: vfs.NewMem(), Net: net, CharterID: w.charter.ID(), CacheBytes: 16 << 20})
	w.must(err)
	rules := block.Rules{Net: net, Charter: w.charter}
	scripts := script.NewChecker(script.Options{Workers: 1, CacheBytes: 1 << 20})
	w.engine, err = chain.Open(chain.Options{Store: s, Rules: rules, Scripts: scripts, Clock: w.clock})
	w.must(err)
	t.Cleanup(func() {
		err := w.engine.Close()
		scripts.Close()
		if err := errors.Join(err, s.Close()); err != nil {
			t.Error(err)
		}
	})
	w.pool = mempool.New(mempool.Options{Chain: w.engine, Rules: rules, Scripts: scripts, Clock: w.clock, Standard: true})
	w.vault = template.NewVault(w.engine, w.charter)
	w.must(w.engine.Follow(t.Context(), w.pool, w.engine.Tip().Hash, nil))
	w.must(w.engine.Follow(t.Context(), w.vault, w.engine.Tip().Hash, nil))
	w.builder = template.NewBuilder(template.Options{
		Chain: w.engine, Pool: w.pool, Vault: w.vault, Rules: rules, Scripts: scripts, Clock: w.clock,
	})
	w.cast = stage.New(w.charter, w.engine)
	for i := range 6 {
		w.cast.Person(secret, "seat "+string(rune('a'+i)))
	}
	w.miner = w.cast.Person(secret, "miner")
	return w
}

func (w *node) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// next mines the block that the builder makes.
func (w *node) next() *wire.MsgBlock {
	w.t.Helper()
	w.extra++
	t, err := w.builder.Build(w.miner.Script, w.extra)
	w.must(err)
	target, _ := state.TargetOf(t.Block.Header.Bits)
	for id := t.Block.BlockHash(); !state.HashMeets(&id, &target); id = t.Block.BlockHash() {
		t.Block.Header.Nonce++
	}
	b := state.NewBlock(t.Block)
	if _, err := w.engine.AcceptBlock(b); err != nil {
		w.t.Fatalf("block %d: %v", t.Height, err)
	}
	if w.engine.Tip().Hash != b.Hash {
		w.t.Fatalf("block %d is not the tip", t.Height)
	}
	w.clock.Set(t.Block.Header.Timestamp.Add(10 * time.Minute))
	return t.Block
}

func (w *node) mine(n int) {
	w.t.Helper()
	for range n {
		w.next()
	}
}

func (w *node) receipts() (list []*state.Receipt) {
	w.t.Helper()
	w.must(w.engine.View(func(_ *state.Header, v state.View) error {
		return goods.RangeReceipts(v, func(r *state.Receipt) bool {
			list = append(list, r)
			return true
		})
	}))
	return list
}

func (w *node) pending(slot state.Slot) (p *state.Pending, err error) {
	err = w.engine.View(func(_ *state.Header, v state.View) error {
		p, err = goods.ReadPending(v, slot)
		return err
	})
	return p, err
}

func (w *node) checkVault() {
	w.t.Helper()
	problem, err := w.vault.Problem(template.NewVault(w.engine, w.charter))
	if err != nil || problem != "" {
		w.t.Fatal(problem, err)
	}
}
