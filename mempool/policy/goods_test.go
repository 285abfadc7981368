package policy

import (
	"testing"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/rules/goods"
	"granary/state"
)

// TestGoodsOutputs says of each record which outputs may hold nothing, which
// one may be small, and which nobody may spend before it is confirmed.
func TestGoodsOutputs(t *testing.T) {
	treasury := program(txscript.OP_16, 32)
	const seat, token, spend, wait = goods.CodeSeatTwice, goods.CodeTokenTwice, goods.CodeTreasurySpend, goods.CodePendingSpend
	type codes [4]check.Code
	cases := []struct {
		record goods.Record
		empty  [4]bool
		change int
		bound  codes // of four treasury outputs
	}{
		{goods.Rotate{}, [4]bool{true}, -1, codes{seat}},
		{goods.Draw{Quantity: 1}, [4]bool{}, 1, codes{}},
		{goods.Reclaim{Quantity: 1}, [4]bool{true}, -1, codes{token}},
		{goods.Redeem{Quantity: 1}, [4]bool{true}, -1, codes{token, spend}},
		{goods.Tender{Claims: []goods.ClaimRef{{}}}, [4]bool{true}, -1, codes{seat}},
		{goods.Deliver{}, [4]bool{}, -1, codes{}},
		{goods.DeliverAttested{Deliveries: []goods.Delivery{{}}}, [4]bool{true}, -1, codes{seat}},
		{goods.Lapse{}, [4]bool{}, 1, codes{}},
		{goods.Settle{}, [4]bool{}, -1, codes{}},
		{goods.Slash{}, [4]bool{}, 1, codes{"", spend}},
		{goods.Assign{}, [4]bool{true}, -1, codes{token}},
		{goods.Suspend{Role: state.RoleAuditor}, [4]bool{true}, -1, codes{seat}},
		{goods.Lift{}, [4]bool{true}, -1, codes{seat}},
		{goods.Bond{ReturnScript: []byte{0x51}}, [4]bool{true}, -1, codes{seat, spend}},
		{goods.Unbond{Step: goods.UnbondAnnounce, Units: 5}, [4]bool{true}, -1, codes{seat}},
		{goods.Unbond{Step: goods.UnbondWithdraw}, [4]bool{true}, 2, codes{seat, "", spend}},
		{goods.Amend{Withdraw: true}, [4]bool{true}, -1, codes{seat}},
		{goods.Amend{Auditors: []string{"A", "B"}}, [4]bool{true, true, true}, -1, codes{seat, wait, wait}},
		{goods.Reseat{Step: goods.ReseatAnnounce, Role: state.RoleAuditor, Script: []byte{0x51}}, [4]bool{true, true}, -1, codes{seat, wait}},
		{goods.Reseat{Step: goods.ReseatAnnounceCouncil, Script: []byte{0x51}}, [4]bool{true, true}, -1, codes{seat, wait}},
		{goods.Reseat{Step: goods.ReseatWithdraw}, [4]bool{true}, -1, codes{seat}},
	}
	for _, c := range cases {
		msg := wire.NewMsgTx(2)
		for range 4 {
			msg.AddTxOut(wire.NewTxOut(1, treasury))
		}
		msg.AddTxOut(wire.NewTxOut(0, goods.RecordScript(c.record)))
		g := ReadGoods(treasury, msg)
		if g.what() == nil {
			t.Errorf("%+v is not read", c.record)
			continue
		}
		for i, out := range msg.TxOut[:4] {
			if got := g.mayBeEmpty(i); got != c.empty[i] {
				t.Errorf("%+v: output %d may be empty: %v", c.record, i, got)
			}
			if got := g.isChange(i, out); got != (i == c.change) {
				t.Errorf("%+v: output %d is change: %v", c.record, i, got)
			}
			if got := g.Bound(i, out); got != c.bound[i] {
				t.Errorf("%+v: output %d is bound by %q, want %q", c.record, i, got, c.bound[i])
			}
		}
		out := wire.NewTxOut(1, p2wpkh)
		if i := c.change; i >= 0 && (g.isChange(i, out) || g.Bound(i, out) != "") {
			t.Errorf("%+v: anybody's output %d is taken for the treasury's", c.record, i)
		}
	}
}

// TestNoGoods: without a charter or a record there is nothing to it.
func TestNoGoods(t *testing.T) {
	msg := plain()
	msg.AddTxOut(wire.NewTxOut(0, goods.RecordScript(goods.Slash{})))
	for _, g := range []*Goods{ReadGoods(nil, msg), ReadGoods([]byte{1}, plain()), ReadGoods([]byte{1}, wire.NewMsgTx(2))} {
		if g != nil || g.Due() || g.Object().Kind != NoObject || g.mayBeEmpty(0) || g.Bound(0, msg.TxOut[0]) != "" {
			t.Errorf("got %+v", g)
		}
	}
	if g := ReadGoods([]byte{1}, msg); !g.Due() || g.Object() != (Object{OfDebt, 0}) {
		t.Errorf("got %+v", g)
	}
}

// TestChangeMayBeSmall: what the rules fix to the unit is not held to the bound
// of dust, but to something.
func TestChangeMayBeSmall(t *testing.T) {
	treasury := program(txscript.OP_16, 32)
	for units, want := range []string{"dust", "", ""} {
		msg := plain()
		msg.AddTxOut(wire.NewTxOut(int64(units), treasury))
		msg.AddTxOut(wire.NewTxOut(0, goods.RecordScript(goods.Lapse{})))
		wantCode(t, "change", checkPaying(state.NewTx(msg), ReadGoods(treasury, msg)), want)
		msg.TxOut[1].PkScript = p2wpkh
		wantCode(t, "other", checkPaying(state.NewTx(msg), ReadGoods(treasury, msg)), "dust")
	}
}
