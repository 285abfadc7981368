package goods_test

import (
	"math/rand/v2"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

// DrawQuantity against trying every quantity.
func TestDrawQuantity(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	for range 3_000 {
		good := goods.Good{GoodInForce: state.GoodInForce{Good: params.Good{ParNum: 1 + rng.Int64N(40), ParDen: 1 + rng.Int64N(40)}}}
		receipt := &state.Receipt{Undrawn: rng.Int64N(300), HaircutBP: uint32(rng.IntN(10_001))}
		p := &params.Parameters{MinDrawUnits: 1 + rng.Int64N(40), MinerShareBP: rng.Int64N(1_001)}
		room := rng.Int64N(400) - 20
		var want, wantRelease int64
		for q := int64(1); q <= receipt.Undrawn; q++ {
			release := goods.CreditUnits(receipt, &good, q)
			whole := q == receipt.Undrawn
			smallest := whole || goods.CreditUnits(receipt, &good, q-1) < release
			if release <= room && smallest && (whole || release >= p.MinDrawUnits) && release > goods.DrawFeeUnits(release, p.MinerShareBP) {
				want, wantRelease = q, release
			}
		}
		got, gotRelease := goods.DrawQuantity(receipt, &good, p, room)
		if got != want || gotRelease != wantRelease {
			t.Fatalf("%+v %+v %+v room %d: %d for %d, want %d for %d", good, receipt, p, room, got, gotRelease, want, wantRelease)
		}
	}
}

// What DrawTx makes is valid: a part within a room, then all the rest from the
// first one's change.
func TestDrawTx(t *testing.T) {
	w := newWorld(t)
	w.open()
	p := &w.charter.Parameters
	receipt, err := goods.ReadReceipt(w, 0)
	if err != nil {
		t.Fatal(err)
	}
	good, err := goods.ReadGood(w, 0)
	if err != nil {
		t.Fatal(err)
	}
	pool := []wire.OutPoint{*w.outpoint(nil, []string{"treasury", "2"})}
	held := w.coins[pool[0]].ValueUnits
	a := w.begin()
	for _, room := range []int64{100 * 1e6, params.MaxMoneyUnits} {
		measures, release := goods.DrawQuantity(receipt, good, p, room)
		msg, err := goods.DrawTx(w.charter.ID(), receipt, p, measures, release, pool, held)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.tx(msg); err != nil {
			t.Fatal(err)
		}
		receipt.Undrawn -= measures
		held -= release
		pool = []wire.OutPoint{{Hash: msg.TxHash(), Index: 1}}
	}
	if receipt.Undrawn != 0 {
		t.Errorf("%d kg are left undrawn", receipt.Undrawn)
	}
	if _, err := a.finish(a.coinbase()); err != nil {
		t.Fatal(err)
	}
	w.check()
	if _, err := goods.DrawTx(w.charter.ID(), receipt, p, 1, held+1, pool, held); err == nil {
		t.Error("a draw beyond the pool was made")
	}
	if _, err := goods.DrawTx(w.charter.ID(), receipt, p, 1, 0, nil, 0); err == nil {
		t.Error("a draw without inputs was made")
	}
}
