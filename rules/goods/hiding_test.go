package goods_test

import (
	"testing"

	"granary/rules/goods"
	"granary/state"
)

// priceOf is what a quantity costs in the next block.
func (w *world) priceOf(receipt uint64, quantity int64) int64 {
	w.t.Helper()
	units, err := goods.ReadPrice(w, w.receipt(receipt), quantity)
	if err != nil {
		w.t.Fatal(err)
	}
	return units
}

// More coins than goods: who puts coins aside in the escrow of a small
// redemption, to take them back by a lapse or a settlement, does not make
// other goods cheaper for the rest of his coins meanwhile.
func TestEscrowHidesNoCoins(t *testing.T) {
	w := claimsWorld(t)
	w.mine(100)
	w.stock(0, goods.Opening{Good: 0, Serial: "A", Quantity: 10_000, Script: keyScript(30)})
	w.blockOf(w.drawTx(0, 10_000))
	w.grant(575_000_000) // L is twice D
	before := w.priceOf(0, 100)
	op, units := w.purse()
	tx, _, _ := w.redeemTx(0, 100, 40, op, units)
	tx.TxOut[1].Value, tx.TxOut[2].Value = 400_000_000, units-400_000_000
	w.blockOf(tx)
	w.check()
	if now := w.priceOf(0, 100); now != before {
		t.Errorf("100 kg cost %d, after coins were hidden %d", before, now)
	}
	w.tender(0)
	w.blockOf(goods.LapseTx(w.charter.ID(), w.claim(0), true))
	// The fee of the escrow is gone for good, which lowers what circulates.
	if now, paid := w.priceOf(0, 100), int64(1_990_050*100/500*2); now > before || now < before-paid {
		t.Errorf("100 kg cost %d, after the lapse %d", before, now)
	}
}

// Nor does a redemption from a custodian in default, whose goods are priced
// with its own and who will not deliver, make those of others cheaper.
func TestDefaultHidesNoCoins(t *testing.T) {
	w := claimsWorld(t)
	w.mine(100)
	w.stock(0, goods.Opening{Good: 0, Serial: "A", Quantity: 10_000, Script: keyScript(30)})
	w.stock(1, goods.Opening{Good: 2, Serial: "C", Quantity: 1_000, Script: keyScript(30)})
	w.blockOf(w.drawTx(0, 10_000))
	w.blockOf(w.drawTx(1, 1_000))
	w.owe(0, 1)
	w.mine(3)
	before := w.priceOf(1, 100)
	op, units := w.purse()
	tx, _, _ := w.redeemTx(0, 8_000, 40, op, units)
	w.blockOf(tx)
	w.check()
	if now := w.priceOf(1, 100); now != before {
		t.Errorf("100 g cost %d, after coins were hidden %d", before, now)
	}
	w.mine(7)
	w.blockOf(goods.SettleTx(w.claim(0)))
	if now := w.priceOf(1, 100); now != before {
		t.Errorf("100 g cost %d, after the settlement %d", before, now)
	}
}

// Claims that were opened at par before goods were lost do not soften the loss
// for who redeems next: he pays as if they were delivered.
func TestClaimsHideNoLoss(t *testing.T) {
	w := claimsWorld(t)
	w.mine(100)
	w.stock(0, goods.Opening{Good: 0, Serial: "A", Quantity: 10_000, Script: keyScript(30)})
	w.blockOf(w.drawTx(0, 10_000))
	op, units := w.purse()
	tx, _, _ := w.redeemTx(0, 5_000, 40, op, units)
	w.blockOf(tx)
	audit := goods.Audit{Auditor: 2, Expiry: w.height + 2, Observed: goods.Observed{Height: w.height, Hash: w.tip.Hash}}
	audit.Audited = []goods.AuditedReceipt{{Receipt: 0, ID: w.receipt(0).ID, Lost: w.receipt(0).Lost, Loss: 4_000}}
	w.attested(audit, state.RoleAuditor, 2)
	totals, err := goods.ReadTotals(w)
	if err != nil {
		t.Fatal(err)
	}
	// 1,000 kg are free, worth 50,000,000 units.
	if want, now := goods.PriceUnits(5_000_000, totals.CirculatingUnits, 50_000_000, 50), w.priceOf(0, 100); now != want || now < 15_000_000 {
		t.Errorf("100 kg cost %d, not %d", now, want)
	}
}
