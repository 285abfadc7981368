package web

import (
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

// charter is the one that granary charter new prints.
func charter(t *testing.T) *params.Charter {
	t.Helper()
	c, err := params.ParseCharter([]byte(params.TemplateCharter()))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// ledgerOf is a ledger of what a charter says.
func ledgerOf(c *params.Charter) *ledger {
	l := &ledger{
		tip: &state.Header{Height: 200}, params: c.Parameters, limits: map[place]int64{{0, 0}: 4_000_000},
		custodians: []string{"North silo", "Harbour vault"}, auditors: []string{"First auditor", "Second auditor", "Third auditor"},
	}
	for i := range c.Goods {
		l.goods = append(l.goods, &goods.Good{GoodInForce: state.GoodInForce{Good: c.Goods[i], Since: 1}})
	}
	return l
}

// TestRecordsInWords says every record, with what its block tells and without.
func TestRecordsInWords(t *testing.T) {
	c := charter(t)
	s := &Server{options: Options{Charter: c, Net: params.RegTest()}, money: money{"GRN", 8}}
	l := ledgerOf(c)
	claim := &state.Claim{Number: 3, Receipt: 4, Custodian: 1, Quantity: 40, EscrowUnits: 1_005_000, FeeBP: 50}
	f := newFacts()
	f.receipts[4] = &state.Receipt{Number: 4, Good: 0, Custodian: 1}
	f.claims[3] = claim
	f.claims[8] = &state.Claim{Number: 8, Receipt: 4, Custodian: 1, Quantity: 20, Kind: state.ClaimReclaim}
	ref := goods.ClaimRef{Number: 3}
	dearer := c.Goods[0]
	dearer.ParNum *= 2
	said := map[goods.RecordType]bool{}
	for _, test := range []struct {
		record   goods.Record
		attested bool
		want     []string
	}{
		{goods.Rotate{}, false, []string{"Rotation", "holds the office now"}},
		{goods.Attest{Proposals: []chainhash.Hash{{1}, {2}, {3}}}, true, []string{"Attestation", "3 proposals", "the auditor's word"}},
		{
			goods.Receive{Openings: []goods.Opening{{Good: 0, Serial: "LOT-7", Quantity: 500}, {Good: 999, Serial: "X", Quantity: 1}}},
			true,
			[]string{"Goods received", "North silo", "500\u00a0kg of Milling wheat", "lot LOT-7 of Demo lot registry", "1\u00a0measures of good 999"},
		},
		{goods.Draw{Receipt: 4, Quantity: 9}, false, []string{"Release", "receipt 4", "9\u00a0kg of Milling wheat", "Nobody signs", "0.07\u00a0GRN"}},
		{goods.Draw{Receipt: 5, Quantity: 9}, false, []string{"receipt 5: 9 measures"}},
		{goods.Reclaim{Receipt: 4, Quantity: 40}, false, []string{"Reclaim", "40\u00a0kg of Milling wheat", "nothing to pay"}},
		{goods.Redeem{Receipt: 4, Quantity: 40}, false, []string{"Redemption", "0.08\u00a0GRN go into escrow", "Output 0 is the token"}},
		{goods.Tender{Custodian: 1, Claims: []goods.ClaimRef{ref, {Number: 9}}}, true, []string{"Tender", "Harbour vault", "claims 3, 9", "pickup window"}},
		{goods.Deliver{ClaimRef: ref}, false, []string{"Delivery", "claim 3", "40\u00a0kg of Milling wheat", "0.01005\u00a0GRN is pool"}},
		{
			goods.DeliverAttested{Custodian: 1, Deliveries: []goods.Delivery{{ClaimRef: ref, Document: chainhash.Hash{0xab}}}},
			true,
			[]string{"Delivery", "delivery note ab00", "did not spend their tokens"},
		},
		{goods.Lapse{ClaimRef: ref}, false, []string{"Lapse", "0.01\u00a0GRN go back", "0.00005\u00a0GRN stay"}},
		{goods.Settle{ClaimRef: ref}, false, []string{"Not delivered", "0.01005\u00a0GRN goes back", "written off", "penalty"}},
		{goods.Settle{ClaimRef: goods.ClaimRef{Number: 8}}, false, []string{"Not delivered", "no escrow", "20\u00a0kg of Milling wheat are undrawn again", "owes a penalty"}},
		{goods.Slash{Custodian: 1}, false, []string{"Slash", "Harbour vault", "paid into the pool"}},
		{goods.Assign{ClaimRef: ref}, false, []string{"Assignment", "token of claim 3"}},
		{
			goods.Audit{Auditor: 2, Audited: []goods.AuditedReceipt{{Receipt: 4, Loss: 7}, {Receipt: 6}}},
			true,
			[]string{"Recount", "Third auditor", "2 receipts", "Receipt 4: 7\u00a0kg of Milling wheat are missing", "1 shortfall"},
		},
		{goods.Audit{Auditor: 2, Audited: []goods.AuditedReceipt{{Receipt: 4}}}, true, []string{"Nothing is missing"}},
		{goods.Suspend{Role: state.RoleCouncil, Custodian: 0}, true, []string{"Suspension", "North silo", "redemption stays open"}},
		{goods.Lift{Auditor: 1, Custodian: 0}, true, []string{"Suspension lifted", "Second auditor"}},
		{goods.Bond{Custodian: 0}, false, []string{"Bond", "0.08\u00a0GRN", "worth least"}},
		{goods.Unbond{Step: goods.UnbondAnnounce, Custodian: 0, Units: 5}, false, []string{"Unbond", "North silo", "0.00000005\u00a0GRN"}},
		{goods.Unbond{Step: goods.UnbondWithdraw, Custodian: 0}, false, []string{"takes back"}},
		{goods.Unbond{Step: goods.UnbondCancel, Custodian: 0}, false, []string{"the bonds stay"}},
		{
			goods.Amend{
				Parameters: []goods.ParameterChange{{Parameter: 9, Value: 75}}, Goods: []goods.GoodChange{{Index: 0, Good: dearer}},
				Allowances: []goods.AllowanceChange{{Custodian: 0, Allowance: params.Allowance{Good: 0}}},
				Custodians: []goods.NewCustodian{{Name: "New shed"}}, Auditors: []string{"Fourth auditor"},
			},
			false,
			[]string{"Amendment", "Fee on redemption: 0.75", "Milling wheat: 1\u00a0kg = 0.001\u00a0GRN", "North silo: no Milling wheat", "New shed joins", "Fourth auditor joins"},
		},
		{goods.Amend{Withdraw: true}, false, []string{"Amendment withdrawn", "nothing changes"}},
		{goods.Reseat{Role: state.RoleAuditor, Index: 1, Script: []byte{0x51}}, false, []string{"Change of a seat", "Second auditor", "another holder"}},
		{goods.Reseat{Step: goods.ReseatAnnounceCouncil, Script: []byte{0x51}}, true, []string{"auditors, all of them", "seat of the council"}},
		{goods.Reseat{Step: goods.ReseatWithdraw}, false, []string{"withdrawn", "stays where it is"}},
	} {
		said[test.record.Type()] = true
		tx := wire.NewMsgTx(2)
		tx.AddTxOut(wire.NewTxOut(7_000_000, []byte{0x51}))
		tx.AddTxOut(wire.NewTxOut(8_000_000, []byte{0x52}))
		tx.AddTxOut(wire.NewTxOut(0, goods.RecordScript(test.record)))
		sp := &speech{s: s, l: l, f: f, txid: tx.TxHash(), tx: tx}
		words := sp.say(test.record)
		text := words.Title + " " + words.Short + " " + strings.Join(words.Lines, " ")
		for _, want := range test.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q is not said in %q", test.record.Type(), want, text)
			}
		}
		if words.Attested != test.attested {
			t.Errorf("%s: attested %v", test.record.Type(), words.Attested)
		}
		if words.Short == "" || len(words.Lines) == 0 {
			t.Errorf("%s is not told: %+v", test.record.Type(), words)
		}
		blind := &speech{s: s, l: &ledger{}, txid: tx.TxHash(), tx: tx}
		if words := blind.say(test.record); words.Short == "" || len(words.Lines) == 0 {
			t.Errorf("%s is not told where nothing is known: %+v", test.record.Type(), words)
		}
	}
	for kind := goods.TypeRotate; kind <= goods.TypeReseat; kind++ {
		if !said[kind] {
			t.Errorf("%s is not tried", kind)
		}
	}
}

// TestPendingChangesInWords: against what is in force.
func TestPendingChangesInWords(t *testing.T) {
	c := charter(t)
	s := &Server{options: Options{Charter: c, Net: params.RegTest()}, money: money{"GRN", 8}}
	dearer, more := c.Goods[0], c.Goods[1]
	dearer.ParNum, dearer.HaircutBP = 55_000, 2_000
	more.Name, more.Code = "Cocoa", "COCOA"
	text := strings.Join(s.changeWords(ledgerOf(c), goods.Amend{
		Parameters: []goods.ParameterChange{{Parameter: 9, Value: 75}},
		Goods:      []goods.GoodChange{{Index: 0, Good: dearer}, {Index: 3, Good: more}},
		Allowances: []goods.AllowanceChange{{Custodian: 0, Allowance: params.Allowance{Good: 0, Limit: 5_000_000}}},
	}), " ")
	for _, want := range []string{
		"Fee on redemption: 0.75\u202f% instead of 0.5\u202f%", "par: 1\u00a0kg = 0.00055\u00a0GRN instead of 1\u00a0kg = 0.0005\u00a0GRN",
		"haircut: 20\u202f% instead of 15\u202f%", "Cocoa (COCOA) joins the goods", "North silo may hold up to 5\u202f000\u202f000\u00a0kg of Milling wheat, instead of up to 4",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not said in %q", want, text)
		}
	}
}

// TestWhetherAReceiptCounts: what is said of the height agrees with the
// custodian's standing.
func TestWhetherAReceiptCounts(t *testing.T) {
	l := ledgerOf(charter(t))
	for want, test := range map[string]struct {
		standing   state.Standing
		validUntil int32
	}{
		"it stops counting in 12 blocks":           {state.Standing{}, 211},
		"it stops counting in 2 blocks":            {state.Standing{}, 201},
		"it does not count until auditors recount": {state.Standing{}, 200},
		"it counts no more: its custodian is in d": {state.Standing{Suspended: true, Defaulted: true}, 211},
		"it does not count while its custodian is": {state.Standing{Suspended: true}, 211},
	} {
		l.standings = []*state.Standing{&test.standing}
		r := &listedReceipt{Receipt: &state.Receipt{ValidUntil: test.validUntil}, open: true}
		if got := l.countsWords(r); !strings.HasPrefix(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
