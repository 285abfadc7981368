package goods_test

import (
	"bytes"
	"math"
	"testing"

	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

// recordSeeds are records of the types of claims, custody and changes, of every
// step that they have.
func recordSeeds() []goods.Record {
	ref, script := goods.ClaimRef{Number: 1, ID: state.ObjectID{2}}, []byte{0x51}
	return []goods.Record{
		goods.Reclaim{Receipt: 1, Quantity: 2},
		goods.Redeem{Receipt: 1, Quantity: math.MaxInt64},
		goods.Tender{Expiry: 3, Claims: []goods.ClaimRef{{}, ref}},
		goods.Deliver{ClaimRef: ref},
		goods.DeliverAttested{Expiry: 3, Deliveries: []goods.Delivery{{}, {ClaimRef: ref}}},
		goods.Lapse{ClaimRef: ref},
		goods.Settle{ClaimRef: ref},
		goods.Slash{Custodian: 1},
		goods.Assign{ClaimRef: ref},
		goods.Audit{Expiry: 3, Audited: []goods.AuditedReceipt{{Lost: 1}, {Receipt: 1, Lost: 2, Loss: 4}}},
		goods.Suspend{Role: state.RoleCouncil, Expiry: 3},
		goods.Lift{Expiry: 3, SuspendedAt: 2},
		goods.Bond{ReturnScript: script},
		goods.Unbond{Step: goods.UnbondAnnounce, Units: 1},
		goods.Unbond{Step: goods.UnbondWithdraw},
		goods.Unbond{Step: goods.UnbondCancel},
		goods.Amend{
			Parameters: []goods.ParameterChange{{Parameter: 1, Value: 2}},
			Goods:      []goods.GoodChange{{Index: 1, Good: someGood("A")}},
			Allowances: []goods.AllowanceChange{{Allowance: params.Allowance{Good: 1, Limit: 2}}},
			Custodians: []goods.NewCustodian{{Name: "Shed", Allowances: []params.Allowance{{Limit: 1}}}},
			Auditors:   []string{"Fourth"},
		},
		goods.Amend{Withdraw: true, ID: ref.ID},
		goods.Reseat{Role: state.RoleAuditor, Script: script},
		goods.Reseat{Step: goods.ReseatWithdraw, ID: ref.ID},
		goods.Reseat{Step: goods.ReseatAnnounceCouncil, Expiry: 3, Script: script},
		goods.Reseat{Step: goods.ReseatWithdrawCouncil, Expiry: 3, ID: ref.ID},
	}
}

// Every type of record has a seed, and every seed is read as it was written.
func TestRecordSeeds(t *testing.T) {
	seen := map[goods.RecordType]bool{goods.TypeRotate: true, goods.TypeAttest: true, goods.TypeReceive: true, goods.TypeDraw: true}
	for _, r := range recordSeeds() {
		seen[r.Type()] = true
		script := goods.RecordScript(r)
		if back, ok, err := goods.DecodeRecord(script); !ok || err != nil || !bytes.Equal(goods.RecordScript(back), script) {
			t.Errorf("%v: %v, %v", r.Type(), ok, err)
		}
	}
	for kind := goods.TypeRotate; kind.String() != "unknown"; kind++ {
		if !seen[kind] {
			t.Errorf("no seed for %v", kind)
		}
	}
}
