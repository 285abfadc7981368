package template

import (
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

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

// checkVault holds the vault against one that reads the state now.
func (w *world) checkVault() {
	w.t.Helper()
	problem, err := w.vault.Problem(NewVault(w, w.rules.Charter))
	if err != nil || problem != "" {
		w.t.Error(problem, err)
	}
}
