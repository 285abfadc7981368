package chain_test

import (
	"errors"
	"testing"
	"time"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"granary/base/clock"
	"granary/chain"
	"granary/mine/template"
	"granary/params"
	"granary/rules/block"
	"granary/rules/goods"
	"granary/state"
	"granary/store"
)

// charterWorld is an engine on a chain with a charter, mined by the template
// builder.
type charterWorld struct {
	t       *testing.T
	engine  *chain.Engine
	builder *template.Builder
	extra   uint64
	events  int
}

func demoCharter(t *testing.T) *params.Charter {
	anyone := func(seat byte) []byte { return []byte{txscript.OP_DATA_1, seat, txscript.OP_DROP, txscript.OP_TRUE} }
	charter, err := params.DemoCharter(params.DemoScripts{
		Custodians: [2][]byte{anyone(1), anyone(2)},
		Auditors:   [3][]byte{anyone(3), anyone(4), anyone(5)},
		Council:    anyone(6),
	})
	if err != nil {
		t.Fatal(err)
	}
	return charter
}

func newCharterWorld(t *testing.T, charter *params.Charter) *charterWorld {
	net, err := charter.Network()
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(store.Options{Dir: "data", FS: vfs.NewMem(), Net: net, CharterID: charter.ID(), CacheBytes: 16 << 20})
	if err != nil {
		t.Fatal(err)
	}
	now := &clock.Mock{}
	now.Set(net.Chain.GenesisBlock.Header.Timestamp.Add(48 * time.Hour))
	w := &charterWorld{t: t}
	rules := block.Rules{Net: net, Charter: charter}
	w.engine, err = chain.Open(chain.Options{Store: s, Rules: rules, Clock: now, Followers: []chain.Follower{w}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(w.engine.Close(), s.Close()); err != nil {
			t.Error(err)
		}
	})
	w.builder = template.NewBuilder(template.Options{Chain: w.engine, Rules: rules, Clock: now})
	return w
}

func (w *charterWorld) Connect(event *chain.Event) error {
	w.events += len(event.Goods)
	return nil
}
func (w *charterWorld) Disconnect(*chain.Event) error { return nil }
func (w *charterWorld) Prune(int32) error             { return nil }

// mine adds n blocks; each rotates a seat where rotate is set.
func (w *charterWorld) mine(n int, rotate bool) (blocks []*state.Block) {
	w.t.Helper()
	for i := range n {
		var txs []*state.Tx
		if rotate {
			txs = append(txs, w.rotate(i))
		}
		w.extra++
		t, err := w.builder.BuildWith([]byte{txscript.OP_TRUE}, w.extra, txs)
		if err != nil {
			w.t.Fatal(err)
		}
		target, _ := state.TargetOf(t.Block.Header.Bits)
		for id := t.Block.BlockHash(); !state.HashMeets(&id, &target); id = t.Block.BlockHash() {
			t.Block.Header.Nonce++
		}
		blocks = append(blocks, state.NewBlock(t.Block))
		w.accept(blocks[i])
	}
	return blocks
}

func (w *charterWorld) accept(blocks ...*state.Block) {
	w.t.Helper()
	for _, b := range blocks {
		if _, err := w.engine.AcceptBlock(b); err != nil {
			w.t.Fatal(err)
		}
	}
}

// rotate moves one of the seats.
func (w *charterWorld) rotate(n int) *state.Tx {
	var seats []state.Seat
	err := w.engine.View(func(_ *state.Header, v state.View) (err error) {
		seats, err = goods.ReadSeats(v)
		return err
	})
	if err != nil || len(seats) != 6 {
		w.t.Fatal(len(seats), err)
	}
	seat := seats[n%len(seats)]
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(&wire.TxIn{PreviousOutPoint: seat.Out, Sequence: wire.MaxTxInSequenceNum})
	tx.AddTxOut(wire.NewTxOut(0, seat.Script))
	tx.AddTxOut(wire.NewTxOut(0, goods.RecordScript(goods.Rotate{})))
	return state.NewTx(tx)
}

func (w *charterWorld) hash() string {
	w.t.Helper()
	if err := w.engine.Check(w.t.Context(), nil); err != nil {
		w.t.Fatal(err)
	}
	hash, err := w.engine.StateHash()
	if err != nil {
		w.t.Fatal(err)
	}
	return hash.String()
}

// TestCharterReorg goes to another branch and back on a chain with a charter,
// with seats that move on both branches: the goods state follows to the byte.
func TestCharterReorg(t *testing.T) {
	charter := demoCharter(t)
	w := newCharterWorld(t, charter)
	base := w.mine(102, false)
	atBase := w.hash()
	a := w.mine(9, true)
	atA := w.hash()
	if w.events < 102+6+9 {
		t.Errorf("only %d goods events", w.events)
	}
	if err := w.engine.Invalidate(a[0].Hash); err != nil {
		t.Fatal(err)
	}
	if got := w.hash(); got != atBase {
		t.Errorf("state %s after going back, was %s", got, atBase)
	}
	b := w.mine(12, true)
	atB := w.hash()
	fresh := newCharterWorld(t, charter)
	fresh.accept(base...)
	fresh.accept(b...)
	if got := fresh.hash(); got != atB {
		t.Errorf("a fresh sync gives state %s, the reorganised chain has %s", got, atB)
	}
	if err := errors.Join(w.engine.Reconsider(a[0].Hash), w.engine.Invalidate(b[0].Hash)); err != nil {
		t.Fatal(err)
	}
	if got := w.hash(); got != atA || w.engine.Tip().Hash != a[8].Hash {
		t.Errorf("state %s on the first branch again, was %s", got, atA)
	}
	if err := w.engine.VerifyChain(4, 0); err != nil {
		t.Error(err)
	}
}
