package template

import (
	"bytes"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

// goodsWorld is a charter's world with some coins in the pool that are ripe,
// and a player on it.
func goodsWorld(t testing.TB) (*world, *player) {
	w := charterWorld(t)
	w.mine(120)
	return w, &player{t: t, charter: w.rules.Charter, chain: w}
}

// give puts transactions into the pool.
func (w *world) give(list ...*wire.MsgTx) {
	w.t.Helper()
	for _, msg := range list {
		w.accept(state.NewTx(msg))
	}
}

// open opens receipts: two auditors attest, the custodian receives.
func (w *world) open(p *player, r goods.Receive) {
	w.t.Helper()
	w.give(p.attest(0, r), p.attest(1, r))
	w.mine(1)
	w.give(p.act(state.RoleCustodian, r.Custodian, r))
	w.mine(1)
}

// drawsOf lists the draws of a block.
func drawsOf(t *Template) (list []goods.Draw) {
	for _, msg := range t.Block.Transactions[1:] {
		record, _, _ := goods.DecodeRecord(msg.TxOut[len(msg.TxOut)-1].PkScript)
		if draw, ok := record.(goods.Draw); ok {
			list = append(list, draw)
		}
	}
	return list
}

// TestOwnDraws: receipts are drawn without anybody's doing, the oldest first,
// block by block up to the cap, and the miner gets the share.
func TestOwnDraws(t *testing.T) {
	w, p := goodsWorld(t)
	// 0.0005 coins a kilogram less 20 per cent: 10, 100 and 240 coins.
	w.open(p, p.receive(0, 0, 25_000, 250_000, 600_000))
	var fees int64
	for _, want := range [][]uint64{{0, 1, 2}, {2}, {}} {
		next := w.build()
		draws := drawsOf(next)
		if len(draws) != len(want) {
			t.Fatalf("%d draws, want those of %v", len(draws), want)
		}
		for i, draw := range draws {
			if draw.Receipt != want[i] {
				t.Errorf("draw %d is of receipt %d, want %d", i, draw.Receipt, want[i])
			}
		}
		fees += next.FeesUnits
		if err := w.connect(next.Block); err != nil {
			t.Fatal(err)
		}
	}
	var released int64
	for _, r := range p.receipts() {
		released += r.ReleasedUnits
		if r.Undrawn != 0 {
			t.Errorf("receipt %d has %d undrawn", r.Number, r.Undrawn)
		}
	}
	if released == 0 || fees < released/100 || fees > released/100+10 {
		t.Errorf("fees of %d for %d released", fees, released)
	}
	w.checkVault()
}

// TestPoolDrawsFirst: a draw that waits in the pool comes before the builder's
// own, which takes the rest of the receipt from other outputs.
func TestPoolDrawsFirst(t *testing.T) {
	w, p := goodsWorld(t)
	w.open(p, p.receive(0, 0, 25_000))
	in, err := goods.ReadParameters(w)
	if err != nil {
		t.Fatal(err)
	}
	var good *goods.Good
	if good, err = goods.ReadGood(w, 0); err != nil {
		t.Fatal(err)
	}
	r := p.receipts()[0]
	measures, units := goods.DrawQuantity(&r, good, &in, 3*params.UnitsPerCoin)
	treasury := wire.OutPoint{Hash: w.blocks[w.tip.Ancestor(9)].Txids[0]}
	msg, err := goods.DrawTx(w.rules.Charter.ID(), &r, &in, measures, units, []wire.OutPoint{treasury}, w.coins[treasury].ValueUnits)
	if err != nil {
		t.Fatal(err)
	}
	w.give(msg)
	next := w.build()
	draws := drawsOf(next)
	if len(draws) != 2 || draws[0].Quantity != measures || draws[1].Quantity != r.Undrawn-measures {
		t.Errorf("draws %+v", draws)
	}
	if next.Block.Transactions[1].TxHash() != msg.TxHash() {
		t.Error("the pool's draw is not the first")
	}
	if err := w.connect(next.Block); err != nil {
		t.Fatal(err)
	}
	if n := w.pool.Info().Count; n != 0 {
		t.Errorf("%d transactions are left", n)
	}
	w.checkVault()
}

// TestWithoutVault: a builder without one leaves draws and slashes to others.
func TestWithoutVault(t *testing.T) {
	w, p := goodsWorld(t)
	w.open(p, p.receive(0, 0, 25_000))
	alone := NewBuilder(Options{Chain: w, Pool: w.pool, Rules: w.rules, Clock: w.clock})
	got, err := alone.Build(anyone, 1)
	if err != nil {
		t.Fatal(err)
	}
	wantTxs(t, got)
}

// TestDrawsInFullBlocks: the dearest transactions do not keep coins from
// depositors, and what the draws leave over is theirs.
func TestDrawsInFullBlocks(t *testing.T) {
	w, p := goodsWorld(t)
	w.open(p, p.receive(0, 0, 250_000))
	w.mine(1)
	first := wire.OutPoint{Index: 0}
	for op, coin := range w.coins {
		if bytes.Equal(coin.Script, holderScript(1)) {
			first = op
		}
	}
	fan := w.accept(w.spend(10_000, 110, first))
	w.mine(1)
	r := p.receive(0, 0, 25_000)
	w.give(p.attest(0, r), p.attest(1, r))
	w.mine(1)
	w.give(p.act(state.RoleCustodian, 0, r))
	w.mine(1)
	const wide, middle = 2_500, 100 // outputs: a thirteenth of a block, and a 300th
	for i := range 110 {
		switch {
		case i < 14:
			w.accept(w.spend(50_000_000, wide, out(fan, i)))
		case i < 40:
			w.accept(w.spend(1_000_000, middle, out(fan, i)))
		default:
			w.accept(w.spend(200, 1, out(fan, i)))
		}
	}
	next := w.build()
	if len(drawsOf(next)) != 1 {
		t.Errorf("%d draws", len(drawsOf(next)))
	}
	count := map[int]int{}
	for _, msg := range next.Block.Transactions[1:] {
		count[len(msg.TxOut)]++
	}
	if count[wide] != 12 || count[middle] < 18 || count[1] < 20 || next.Weight < params.MaxBlockWeight-reserveWeight-500 {
		t.Errorf("transactions by outputs %v, weight %d", count, next.Weight)
	}
	if err := w.connect(next.Block); err != nil {
		t.Fatal(err)
	}
}

// TestSlashes: what a custodian owes leaves its bonds in the block in which the
// debt comes up, and the miner has a share.
func TestSlashes(t *testing.T) {
	w, p := goodsWorld(t)
	w.open(p, p.receive(0, 0, 250_000))
	w.mine(1)
	var op wire.OutPoint
	for at, coin := range w.coins {
		if bytes.Equal(coin.Script, holderScript(1)) {
			op = at
		}
	}
	const bondUnits = 5 * params.UnitsPerCoin
	bond, record := goods.BondOutputs(w.rules.Charter.ID(), 0, bondUnits, anyone)
	r, _, _ := goods.DecodeRecord(record.PkScript)
	msg := p.act(state.RoleCustodian, 0, r, bond, wire.NewTxOut(w.coins[op].ValueUnits-bondUnits-10_000, anyone))
	msg.AddTxIn(wire.NewTxIn(&op, nil, nil))
	w.give(msg)
	w.mine(1)

	observed, expiry := p.observed()
	receipt := p.receipts()[0]
	audit := goods.Audit{
		Auditor: 0, Expiry: expiry, Observed: observed,
		Audited: []goods.AuditedReceipt{{Receipt: receipt.Number, ID: receipt.ID, Lost: receipt.Lost, Loss: 3_000}}, // 1.5 coins
	}
	w.give(p.attest(1, audit))
	w.mine(1)
	w.give(p.act(state.RoleAuditor, 0, audit))
	next := w.build()
	if err := w.connect(next.Block); err != nil {
		t.Fatal(err)
	}
	last := next.Block.Transactions[len(next.Block.Transactions)-1]
	slash, _, _ := goods.DecodeRecord(last.TxOut[len(last.TxOut)-1].PkScript)
	if slash != (goods.Slash{Custodian: 0}) || next.FeesUnits != 3*params.UnitsPerCoin/200 {
		t.Errorf("last record %+v, fees %d", slash, next.FeesUnits)
	}
	standing, err := goods.ReadStanding(w, 0)
	if err != nil || standing.DebtUnits != 0 || standing.BondUnits() != bondUnits-3*params.UnitsPerCoin/2 {
		t.Errorf("standing %+v, %v", standing, err)
	}
	w.checkVault()
	w.mine(3)
}

// TestSmallRests: what is too little to draw is not looked at again, until its
// par changes.
func TestSmallRests(t *testing.T) {
	w, p := goodsWorld(t)
	w.open(p, p.receive(0, 0, 25_000))
	w.mine(1)
	hint := &w.vault.receipts.list[0]
	r := p.receipts()[0]
	r.Undrawn, r.Free, r.HaircutBP = 1, r.Free-1, 10_000 // without any credit
	w.goods[string(r.Key())] = r.Encode()
	if got := w.build(); len(drawsOf(got)) != 0 || !hint.small {
		t.Errorf("%d draws, small: %v", len(drawsOf(got)), hint.small)
	}
	r.HaircutBP = 0
	w.goods[string(r.Key())] = r.Encode()
	if got := w.build(); len(drawsOf(got)) != 0 {
		t.Error("it was looked at again")
	}
	good, err := w.Goods(state.KeyGood(0))
	if err != nil {
		t.Fatal(err)
	}
	change := state.GoodsChange{Key: state.KeyGood(0), Old: good, New: good}
	if err := w.vault.followGoods(&change, true); err != nil || hint.small {
		t.Error("a change of the good is not noticed", err)
	}
}

// checkVault holds the vault against one that reads the state now.
func (w *world) checkVault() {
	w.t.Helper()
	problem, err := w.vault.Problem(NewVault(w, w.rules.Charter))
	if err != nil || problem != "" {
		w.t.Error(problem, err)
	}
}
