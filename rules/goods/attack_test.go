package goods_test

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

const (
	maxIndex    = math.MaxUint16
	maxNumber   = math.MaxUint64
	maxMeasures = math.MaxInt64
)

// extremeRecords name what is not there, and as much of it as a body can hold.
// Those that must be attested are valid to the next block but one, so that they
// get past their expiry.
func (w *world) extremeRecords() map[string][]goods.Record {
	expiry, seen := w.height+2, goods.Observed{Height: w.height, Hash: w.tip.Hash}
	deep := goods.Observed{Height: math.MaxInt32}
	ref := goods.ClaimRef{Number: maxNumber}
	opening := func(good, registry uint16, quantity int64, script []byte) []goods.Opening {
		return []goods.Opening{{Good: good, Registry: registry, Serial: "X", Quantity: quantity, Script: script}}
	}
	huge := someGood("HUGE")
	huge.ParNum, huge.ParDen, huge.MinReceipt, huge.MinRedemption = maxMeasures, maxMeasures, maxMeasures, maxMeasures
	return map[string][]goods.Record{
		"anyone": {
			goods.Draw{Receipt: maxNumber, Quantity: maxMeasures},
			goods.Draw{Receipt: 0, ID: w.receipt(0).ID, Quantity: maxMeasures},
			goods.Reclaim{Receipt: maxNumber, Quantity: maxMeasures},
			goods.Reclaim{ID: w.receipt(0).ID, Quantity: maxMeasures},
			goods.Redeem{Receipt: maxNumber, Quantity: maxMeasures},
			goods.Redeem{ID: w.receipt(0).ID, Quantity: maxMeasures},
			goods.Deliver{ClaimRef: ref},
			goods.Lapse{ClaimRef: ref},
			goods.Settle{ClaimRef: ref},
			goods.Assign{ClaimRef: ref},
			goods.Slash{Custodian: maxIndex},
			goods.Slash{Custodian: 0},
		},
		"custodian": {
			goods.Receive{Custodian: 0, Expiry: math.MaxInt32, Observed: seen, Openings: opening(0, 0, 10_000, keyScript(1))},
			goods.Receive{Custodian: 0, Expiry: expiry, Observed: deep, Openings: opening(0, 0, 10_000, keyScript(1))},
			goods.Receive{Custodian: 0, Expiry: expiry, Observed: seen, Openings: opening(0, 0, maxMeasures, keyScript(1))},
			goods.Receive{Custodian: 0, Expiry: expiry, Observed: seen, Openings: opening(maxIndex, 0, 10_000, keyScript(1))},
			goods.Receive{Custodian: 0, Expiry: expiry, Observed: seen, Openings: opening(0, maxIndex, 10_000, keyScript(1))},
			goods.Receive{Custodian: 0, Expiry: expiry, Observed: seen, Openings: opening(0, 0, 10_000, nil)},
			goods.Tender{Custodian: 0, Expiry: expiry, Claims: []goods.ClaimRef{ref}},
			goods.DeliverAttested{Custodian: 0, Expiry: expiry, Deliveries: []goods.Delivery{{ClaimRef: ref}}},
			goods.Bond{Custodian: maxIndex},
			goods.Bond{Custodian: 0},
			goods.Unbond{Step: goods.UnbondAnnounce, Units: maxMeasures},
			goods.Unbond{Step: goods.UnbondWithdraw},
			goods.Unbond{Step: goods.UnbondCancel},
		},
		"auditor": {
			goods.Audit{Expiry: expiry, Observed: seen, Audited: []goods.AuditedReceipt{{Receipt: maxNumber, Lost: maxMeasures, Loss: maxMeasures}}},
			goods.Audit{Expiry: expiry, Observed: deep, Audited: []goods.AuditedReceipt{{ID: w.receipt(0).ID, Loss: maxMeasures}}},
			goods.Suspend{Role: state.RoleAuditor, Expiry: expiry, Custodian: maxIndex},
			goods.Lift{Expiry: expiry, Custodian: maxIndex, SuspendedAt: math.MaxInt32},
			goods.Lift{Expiry: expiry, SuspendedAt: math.MaxInt32},
			goods.Reseat{Step: goods.ReseatAnnounceCouncil, Expiry: math.MaxInt32},
			goods.Reseat{Step: goods.ReseatWithdrawCouncil, Expiry: expiry},
		},
		"council": {
			goods.Suspend{Role: state.RoleCouncil, Expiry: expiry, Custodian: maxIndex},
			goods.Amend{Withdraw: true},
			goods.Amend{Parameters: []goods.ParameterChange{{Parameter: uint8(params.ParameterCount - 1), Value: maxMeasures}}},
			goods.Amend{Goods: []goods.GoodChange{{Index: maxIndex, Good: huge}}},
			goods.Amend{Goods: []goods.GoodChange{{Index: 3, Good: huge}}}, // it would come next, but is worth too little
			goods.Amend{Allowances: []goods.AllowanceChange{{Custodian: maxIndex, Allowance: params.Allowance{Limit: maxMeasures}}}},
			goods.Amend{Allowances: []goods.AllowanceChange{{Allowance: params.Allowance{Good: maxIndex, Limit: maxMeasures}}}},
			goods.Amend{Custodians: []goods.NewCustodian{{Name: "x", Allowances: []params.Allowance{{Good: maxIndex, Limit: maxMeasures}}}}},
			goods.Amend{Auditors: []string{""}},
			goods.Amend{Auditors: []string{"x"}}, // no output
			goods.Reseat{Role: state.RoleCustodian, Index: maxIndex},
			goods.Reseat{Role: state.RoleAuditor, Index: 0},
			goods.Reseat{Step: goods.ReseatWithdraw},
		},
	}
}

// The largest numbers that a body can hold, indices that nothing has and
// outputs that are not there are refused by a rule: none reaches a panic, or an
// error that would stop a node.
func TestExtremeRecordsAreRefused(t *testing.T) {
	w := newWorld(t)
	w.mine(100)
	w.stock(0, goods.Opening{Good: 0, Serial: "A", Quantity: 10_000, Script: keyScript(30)})
	records := w.extremeRecords()
	var all []goods.Record
	for _, who := range []string{"custodian", "auditor", "council"} {
		all = append(all, records[who]...)
	}
	attest := goods.NewAttest(w.charter.ID(), all...)
	w.blockOf(w.attestTx(0, attest.Proposals...), w.attestTx(1, attest.Proposals...), w.attestTx(2, attest.Proposals...))
	seats := map[string]state.Role{"custodian": state.RoleCustodian, "auditor": state.RoleAuditor, "council": state.RoleCouncil}
	coin := w.grant(1_000)
	for who, list := range records {
		for _, r := range list {
			msg := wire.NewMsgTx(2)
			if role, acts := seats[who]; acts {
				msg = w.seatTx(role, 0, r)
			} else {
				msg.AddTxIn(wire.NewTxIn(&coin, nil, nil))
				msg.AddTxOut(wire.NewTxOut(0, goods.RecordScript(r)))
			}
			what := fmt.Sprintf("%s: %v %.80v", who, r.Type(), fmt.Sprintf("%+v", r))
			if err := w.begin().tx(msg); check.AsRule(err) == nil {
				t.Errorf("%s: %v", what, err)
			}
			// The record alone, with nothing in front of it.
			msg.TxOut = msg.TxOut[len(msg.TxOut)-1:]
			if err := w.begin().tx(msg); check.AsRule(err) == nil {
				t.Errorf("%s, alone: %v", what, err)
			}
		}
	}
}

// Next judges each transaction as the only one of its block: what it judged
// before moves nothing, not even two that could not stand in one block, and the
// state below stays as it is.
func TestNextJudgesEachAlone(t *testing.T) {
	w := claimsWorld(t)
	w.mine(100)
	w.stock(0, goods.Opening{Good: 0, Serial: "A", Quantity: 10_000, Script: keyScript(30)})
	w.blockOf(w.drawTx(0, 9_000))
	op, units := w.purse()
	first, _, _ := w.redeemTx(0, 5_000, 40, op, units)
	second, _, _ := w.redeemTx(0, 5_000, 41, op, units)
	late, _, _ := w.redeemTx(0, 5_000, 42, op, units)
	late.TxOut[1].Value--
	rotate := w.rotateTx(state.RoleCouncil, 0, 50)
	txs := []*wire.MsgTx{first, second, w.drawTx(0, 1_000), late, rotate, w.seatTx(state.RoleCouncil, 0, goods.Rotate{}), second, first}
	next, err := goods.BeginNext(w.charter, w.tip, w)
	if err != nil {
		t.Fatal(err)
	}
	before := maps.Clone(w.goods)
	for i, msg := range txs {
		spent := []*state.Coin{w.coins[msg.TxIn[0].PreviousOutPoint]}
		alone := goods.CheckTx(w.charter, w.tip, w, txOf(msg), spent)
		if got := next.CheckTx(txOf(msg), spent); check.CodeOf(got) != check.CodeOf(alone) || (got == nil) != (alone == nil) {
			t.Errorf("transaction %d: %v, alone %v", i, got, alone)
		}
		if valid := msg != late; (alone == nil) != valid {
			t.Errorf("transaction %d: %v", i, alone)
		}
	}
	if !maps.EqualFunc(before, w.goods, bytes.Equal) {
		t.Error("asking changed the state")
	}
}
