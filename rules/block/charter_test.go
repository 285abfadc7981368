package block

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/params"
	"granary/rules/goods"
	"granary/rules/script"
	"granary/state"
)

// demoRules are the rules of the demo charter, whose keys nobody holds.
func demoRules(t testing.TB) Rules {
	t.Helper()
	n := byte(0)
	script := func() []byte {
		n++
		return append([]byte{txscript.OP_0, 20}, slices.Repeat([]byte{n}, 20)...)
	}
	charter, err := params.DemoCharter(params.DemoScripts{
		Custodians: [2][]byte{script(), script()},
		Auditors:   [3][]byte{script(), script(), script()},
		Council:    script(),
	})
	if err != nil {
		t.Fatal(err)
	}
	net, err := charter.Network()
	if err != nil {
		t.Fatal(err)
	}
	return Rules{Net: net, Charter: charter}
}

// charterTemplate makes a valid next block of a charter's chain.
func (l *ledger) charterTemplate() *wire.MsgBlock {
	l.t.Helper()
	msg := l.template()
	height := l.tip.Height + 1
	outs, err := goods.CoinbaseOutputs(l.rules.Charter, height, l.view, l.rules.Net.SubsidyUnits(height), 0, []byte{txscript.OP_TRUE})
	if err != nil {
		l.t.Fatal(err)
	}
	msg.Transactions[0].TxOut = outs
	AddWitnessCommitment(msg)
	return msg
}

// A charter's chain goes forward, every block of it valid for plain Bitcoin
// too, and back to nothing, byte for byte.
func TestCharterChainForwardAndBack(t *testing.T) {
	l := newLedger(t, demoRules(t))
	plain := newLedger(t, Rules{Net: l.rules.Net})
	past := []*memory{l.view.clone()}
	for range 20 {
		b := l.solve(l.charterTemplate())
		o, err := l.judge(b)
		if err != nil {
			t.Fatal(err)
		}
		if len(o.events) == 0 || len(o.delta.Goods) == 0 || len(o.delta.Nodes) == 0 {
			t.Fatalf("block %d: %d events, %d goods changes, %d nodes", o.head.Height, len(o.events), len(o.delta.Goods), len(o.delta.Nodes))
		}
		l.extend(b)
		plain.extend(b)
		past = append(past, l.view.clone())
	}
	if !maps.EqualFunc(l.view.coins, plain.view.coins, (*state.Coin).Equal) {
		t.Error("a stock node sees other coins")
	}
	for height := 19; height >= 0; height-- {
		l.retreat()
		if !sameState(l.view, past[height]) {
			t.Fatalf("going back to height %d did not lead to the state there was", height)
		}
	}
	if len(l.view.goods) > 0 || len(l.view.coins) > 0 {
		t.Error("something is left before block 1")
	}
}

// Goods rules come with their own codes, BIP54's with Bitcoin's kind, and a
// plain chain knows neither.
func TestCharterRules(t *testing.T) {
	l := newLedger(t, demoRules(t))
	for range 3 {
		l.extend(l.solve(l.charterTemplate()))
	}
	verdict := func(bend func(coinbase *wire.MsgTx)) error {
		msg := l.charterTemplate()
		bend(msg.Transactions[0])
		AddWitnessCommitment(msg)
		_, err := l.judge(l.solve(msg))
		return err
	}
	want(t, "as it should be", verdict(func(*wire.MsgTx) {}), "", 0)
	for name, bend := range map[string]func(*wire.MsgTx){
		"subsidy to the miner": func(c *wire.MsgTx) { c.TxOut[0].PkScript = []byte{txscript.OP_TRUE} },
		"subsidy not taken":    func(c *wire.MsgTx) { c.TxOut[0].Value-- },
		"no goods commitment":  func(c *wire.MsgTx) { c.TxOut = c.TxOut[:1] },
	} {
		if err := verdict(bend); !check.CodeOf(err).Goods() {
			t.Errorf("%s: %v", name, err)
		}
	}
	want(t, "too much is Bitcoin's matter", verdict(func(c *wire.MsgTx) { c.TxOut[0].Value++ }), "bad-cb-amount", check.Consensus)
	want(t, "lock time", verdict(func(c *wire.MsgTx) { c.LockTime = 0 }), "bad-cb-locktime", check.Consensus)
	want(t, "sequence", verdict(func(c *wire.MsgTx) { c.TxIn[0].Sequence = wire.MaxTxInSequenceNum }), "bad-cb-sequence", check.Consensus)
}

// Goods undo that does not fit is damaged data, not a broken rule.
func TestCharterDisconnectDetectsUncleanUndo(t *testing.T) {
	l := newLedger(t, demoRules(t))
	for range 2 {
		l.extend(l.solve(l.charterTemplate()))
	}
	undo := *l.undos[2]
	undo.Goods = slices.Clone(undo.Goods)
	undo.Goods[0].New = []byte("another")
	if _, err := l.rules.Disconnect(l.blocks[2], l.tip, &undo, l.view); !errors.Is(err, ErrUnclean) || check.AsRule(err) != nil {
		t.Errorf("%v", err)
	}
	l.retreat()
}

// seatRecord is a transaction of the seat that stands at out.
func seatRecord(out wire.OutPoint, script []byte, r goods.Record) *wire.MsgTx {
	tx := spend(one(out))
	tx.AddTxOut(wire.NewTxOut(0, script))
	tx.AddTxOut(wire.NewTxOut(0, goods.RecordScript(r)))
	return tx
}

// charterBlock is a valid next block with these transactions, which leave
// feesUnits.
func (l *ledger) charterBlock(feesUnits int64, txs ...*wire.MsgTx) *state.Block {
	l.t.Helper()
	msg := l.template(txs...)
	height := l.tip.Height + 1
	outs, err := goods.CoinbaseOutputs(l.rules.Charter, height, l.view, l.rules.Net.SubsidyUnits(height), feesUnits, []byte{txscript.OP_TRUE})
	if err != nil {
		l.t.Fatal(err)
	}
	msg.Transactions[0].TxOut = outs
	AddWitnessCommitment(msg)
	return l.solve(msg)
}

// Goods come in and coins go out through whole blocks: the draw opens the
// pool without a signature, its scripts pass Bitcoin's own check, a plain
// chain takes the same blocks, and all of it goes back byte for byte.
func TestDrawThroughBlocks(t *testing.T) {
	l := newLedger(t, demoRules(t))
	plain := newLedger(t, Rules{Net: l.rules.Net})
	extend := func(b *state.Block) {
		l.extend(b)
		plain.extend(b)
	}
	for range 101 {
		extend(l.charterBlock(0))
	}
	before := l.view.clone()
	payee := []byte{txscript.OP_TRUE}
	r := goods.Receive{
		Expiry: 110, Observed: goods.Observed{Height: 101, Hash: l.tip.Hash},
		Openings: []goods.Opening{{Serial: "A", Quantity: 10_000, Script: payee}},
	}
	seats, err := goods.ReadSeats(l.view)
	if err != nil {
		t.Fatal(err)
	}
	attest := goods.Attest{Proposals: []chainhash.Hash{goods.ProposalHash(l.rules.Charter.ID(), r)}}
	extend(l.charterBlock(0, seatRecord(seats[2].Out, seats[2].Script, attest), seatRecord(seats[3].Out, seats[3].Script, attest)))
	extend(l.charterBlock(0, seatRecord(seats[0].Out, seats[0].Script, r)))
	receipt, err := goods.ReadReceipt(l.view, 0)
	if err != nil || receipt == nil {
		t.Fatalf("receipt 0: %v %v", receipt, err)
	}
	draw := spend(one(l.coinbaseOut(1)))
	draw.AddTxOut(wire.NewTxOut(420_750_000, payee))
	draw.AddTxOut(wire.NewTxOut(4_575_000_000, goods.TreasuryScript(l.rules.Charter.ID())))
	draw.AddTxOut(wire.NewTxOut(0, goods.RecordScript(goods.Draw{ID: receipt.ID, Quantity: 10_000})))
	l.scripts = script.NewChecker(script.Options{Workers: 1})
	defer l.scripts.Close()
	extend(l.charterBlock(4_250_000, draw))
	if totals, err := goods.ReadTotals(l.view); err != nil || totals.CirculatingUnits != 425_000_000 {
		t.Errorf("%+v circulates after the draw: %v", totals, err)
	}
	if !maps.EqualFunc(l.view.coins, plain.view.coins, (*state.Coin).Equal) {
		t.Error("a stock node sees other coins")
	}
	for range 3 {
		l.retreat()
	}
	if !sameState(l.view, before) {
		t.Error("going back did not lead to the state there was")
	}
}
