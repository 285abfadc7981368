package rpc

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

// TestEveryRecordInWords: each type of record is told by fields of its own,
// none by its body alone.
func TestEveryRecordInWords(t *testing.T) {
	ref := goods.ClaimRef{Number: 3, ID: state.ObjectID{1}}
	at := goods.Observed{Height: 101}
	const id = `"id":"0100000000000000"`
	zero := strings.Repeat("0", 64)
	good := params.Good{Code: "RYE", Name: "Rye", Measure: "kg", ParNum: 1, ParDen: 2, HaircutBP: 3, MaxAgeBlocks: 4, MinReceipt: 5, MinRedemption: 6}
	allowance := params.Allowance{Good: 2, Limit: 9}
	for _, c := range []struct {
		record goods.Record
		want   string
	}{
		{goods.Reclaim{Receipt: 7, ID: ref.ID, Quantity: 5}, `"reclaim":{"receipt":7,` + id + `,"quantity":5}`},
		{goods.Redeem{Receipt: 7, ID: ref.ID, Quantity: 5}, `"redeem":{"receipt":7,` + id + `,"quantity":5}`},
		{goods.Tender{Custodian: 0, Expiry: 120, Claims: []goods.ClaimRef{ref}}, `"tender":{"custodian":0,"expiry":120,"claims":[{"claim":3,` + id + `}]}`},
		{goods.Deliver{ClaimRef: ref}, `"deliver":{"claims":[{"claim":3,` + id + `}]}`},
		{
			goods.DeliverAttested{Custodian: 1, Expiry: 120, Deliveries: []goods.Delivery{{ClaimRef: ref}}},
			`"deliver":{"custodian":1,"expiry":120,"claims":[{"claim":3,` + id + `,"document":"` + zero + `"}]}`,
		},
		{goods.Lapse{ClaimRef: ref}, `"lapse":{"claims":[{"claim":3,` + id + `}]}`},
		{goods.Settle{ClaimRef: ref}, `"settle":{"claims":[{"claim":3,` + id + `}]}`},
		{goods.Assign{ClaimRef: ref}, `"assign":{"claims":[{"claim":3,` + id + `}]}`},
		{goods.Slash{Custodian: 1}, `"slash":{"custodian":1}`},
		{
			goods.Audit{Auditor: 2, Expiry: 120, Observed: at, Audited: []goods.AuditedReceipt{{Receipt: 7, ID: ref.ID, Lost: 3, Loss: 4}}},
			`"audit":{"auditor":2,"expiry":120,"observed_height":101,"observed_hash":"` + zero + `","receipts":[{"receipt":7,` + id + `,"lost":3,"loss":4}]}`,
		},
		{goods.Suspend{Role: state.RoleCouncil, Expiry: 120, Custodian: 1}, `"suspend":{"seat":"council","expiry":120,"custodian":1}`},
		{goods.Lift{Auditor: 2, Expiry: 120, Custodian: 1, SuspendedAt: 99}, `"lift":{"seat":"auditor 2","expiry":120,"custodian":1,"suspended_at":99}`},
		{goods.Bond{Custodian: 1, ReturnScript: []byte{0x51}}, `"bond":{"custodian":1,"return_script":"51"}`},
		{goods.Unbond{Step: goods.UnbondAnnounce, Custodian: 1, Units: 150_000_000}, `"unbond":{"step":"announce","custodian":1,"amount":1.50000000}`},
		{goods.Unbond{Step: goods.UnbondCancel, Custodian: 1}, `"unbond":{"step":"cancel","custodian":1}`},
		{
			goods.Amend{
				Parameters: []goods.ParameterChange{{Parameter: 9, Value: 70}}, Goods: []goods.GoodChange{{Index: 3, Good: good}},
				Allowances: []goods.AllowanceChange{{Custodian: 1, Allowance: allowance}},
				Custodians: []goods.NewCustodian{{Name: "South silo", Allowances: []params.Allowance{allowance}}}, Auditors: []string{"Fourth auditor"},
			},
			`"amend":{"step":"announce","parameters":{"redemption_fee_bp":70},"goods":[{"index":3,"code":"RYE","name":"Rye","measure":"kg",` +
				`"par_num":1,"par_den":2,"haircut_bp":3,"max_age_blocks":4,"min_receipt":5,"min_redemption":6}],` +
				`"allowances":[{"custodian":1,"good":2,"limit":9}],"custodians":[{"name":"South silo","allowances":[{"good":2,"limit":9}]}],` +
				`"auditors":["Fourth auditor"]}`,
		},
		{goods.Amend{Withdraw: true, ID: ref.ID}, `"amend":{"step":"withdraw",` + id + `}`},
		{
			goods.Reseat{Step: goods.ReseatAnnounce, Role: state.RoleAuditor, Index: 2, Script: []byte{0x51}},
			`"reseat":{"step":"announce","by":"council","seat":"auditor 2","script":"51"}`,
		},
		{
			goods.Reseat{Step: goods.ReseatAnnounceCouncil, Auditor: 1, Expiry: 120, Script: []byte{0x51}},
			`"reseat":{"step":"announce","by":"auditor 1","expiry":120,"seat":"council","script":"51"}`,
		},
		{goods.Reseat{Step: goods.ReseatWithdraw, ID: ref.ID}, `"reseat":{"step":"withdraw","by":"council",` + id + `}`},
	} {
		msg := wire.NewMsgTx(2)
		msg.AddTxOut(wire.NewTxOut(0, goods.RecordScript(c.record)))
		got, err := json.Marshal(goodsOf(msg))
		want := `{"n":0,"record":"` + c.record.Type().String() + `","body":"` + hexOf(c.record.Body()) + `",` + c.want + `}`
		if err != nil || string(got) != want {
			t.Errorf("%s: %s %v, want %s", c.record.Type(), got, err, want)
		}
	}
}
