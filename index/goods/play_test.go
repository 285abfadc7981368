package goods

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"granary/chain"
	"granary/params"
	rules "granary/rules/goods"
	"granary/state"
)

// lines tells a history in words, the oldest first.
func (p *play) lines(of Subject) []string {
	p.t.Helper()
	var all []Event
	for before := (Cursor{}); ; {
		page, more, err := p.index.Events(of, before, 3)
		p.must(err)
		all = append(all, page...)
		if !more {
			break
		}
		last := page[len(page)-1]
		before = Cursor{last.Height, last.Seq}
	}
	slices.Reverse(all)
	var out []string
	for i := range all {
		e := &all[i]
		line := e.Kind.String()
		if e.Quantity != 0 {
			line += fmt.Sprint(" ", e.Quantity)
		}
		if len(e.Backers) > 0 {
			line += " by"
			for _, b := range e.Backers {
				line += fmt.Sprint(" ", b.Auditor)
			}
		}
		out = append(out, line)
	}
	return out
}

func (p *play) mustTell(of Subject, want ...string) {
	p.t.Helper()
	if got := p.lines(of); !slices.Equal(got, want) {
		p.t.Errorf("history:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// quick shortens the windows and asks for no bonds.
func quick(c *params.Charter) {
	c.Parameters.DeliveryWindowBlocks, c.Parameters.PickupWindowBlocks, c.Parameters.GraceWindowBlocks = 6, 4, 3
	c.Parameters.AmendmentDelayBlocks = 12
	c.Low, c.High = c.Parameters, c.Parameters
	c.High.RedemptionFeeBP = 10_000
}

// perform plays a whole history: three receipts, and claims of every kind that
// come to every end.
func perform(p *play) {
	holder := p.who("holder")
	p.receive(0, 0, 20_000, "holder") // receipt 0
	p.mine(1)
	p.receive(1, 1, 5_000, "holder") // receipt 1
	p.mine(1)
	for range 4 { // claims 0 to 3
		p.give(p.Cast.Redeem(holder, p.receipt(0), 500))
		p.mine(1)
	}
	tender := rules.Tender{Custodian: 0, Expiry: p.expiry(), Claims: []rules.ClaimRef{ref(p.claim(0)), ref(p.claim(1)), ref(p.claim(2))}}
	p.attested(state.RoleCustodian, 0, tender)
	p.give(p.Cast.Assign(holder, p.claim(0), p.who("friend")))
	p.mine(1)
	p.give(p.Cast.Pay(holder, p.who("friend"), 1_000_000))
	p.give(p.Cast.Lapse(holder, p.claim(1)))
	p.mine(1)
	p.give(p.Cast.Deliver(p.who("friend"), p.claim(0)))
	p.mine(1)
	p.mineTo(p.claim(2).PickupEnd())
	c := p.claim(2)
	for auditor := range uint16(2) {
		p.give(p.Cast.Attest(auditor, delivery(p, c)))
	}
	deliver := delivery(p, c)
	p.mine(1)
	p.give(p.Cast.Act(state.RoleCustodian, 0, deliver))
	p.mine(1)
	p.mineTo(p.claim(3).GraceEnd())
	p.give(p.Cast.Settle(p.claim(3)))
	p.mine(1)
}

func delivery(p *play, c *state.Claim) rules.DeliverAttested {
	return rules.DeliverAttested{Custodian: 0, Expiry: c.PickupGraceEnd(), Deliveries: []rules.Delivery{
		{ClaimRef: ref(c), Document: [32]byte{7}},
	}}
}

// TestHistory tells what the whole play was, by subject.
func TestHistory(t *testing.T) {
	p := openPlay(t, quick)
	perform(p)
	p.mustTell(OfReceipt(0), "receipt opened 20000 by 0 1", "drawn 20000", "redeemed 500", "redeemed 500", "redeemed 500", "redeemed 500",
		"tendered 500 by 0 1", "tendered 500 by 0 1", "tendered 500 by 0 1", "assigned 500", "lapsed 500", "delivered 500",
		"delivered 500 by 0 1", "settled 500")
	p.mustTell(OfClaim(0), "redeemed 500", "tendered 500 by 0 1", "assigned 500", "delivered 500")
	p.mustTell(OfClaim(3), "redeemed 500", "settled 500")
	p.mustTell(OfCustodian(1), "receipt opened 5000 by 0 1", "drawn 5000")
	p.mustTell(OfAuditor(0), "attested", "attested", "attested", "attested")
	r, err := p.index.Custodian(0)
	p.must(err)
	if r.Redemptions != 4 || r.TenderedInTime != 3 || r.TenderedLate != 0 || r.Delivered != 1 || r.DeliveredByToken != 1 ||
		r.Lapsed != 1 || r.Settled != 1 || r.OpenClaims != 0 || r.Suspensions != 1 || r.SuspendedSince == 0 ||
		r.Tender.Count != 3 || r.Delivery.Count != 2 || r.Tender.Min == 0 || r.Tender.Max > 6 || r.DebtPeakUnits == 0 || r.SettledUnits == 0 {
		t.Errorf("the custodian's record is %+v", r)
	}
	last, ended, err := p.index.EndedClaim(2)
	if err != nil || last == nil || ended.Kind != KindDelivered || last.Tendered == 0 {
		t.Errorf("claim 2 ended %+v as %+v, %v", ended, last, err)
	}
	p.mustHoldCoverage()
	all := Which{None, None, true, true}
	refs, more, err := p.index.Claims(all, 1, 2)
	if err != nil || !more || !slices.Equal(refs, []ClaimRef{{1, false}, {2, false}}) {
		t.Errorf("claims %v %v %v", refs, more, err)
	}
	if len(p.past) < int(p.Height())-1 {
		t.Errorf("only %d blocks were held against the state", len(p.past))
	}
}

// mustHoldCoverage compares the last figures with the state.
func (p *play) mustHoldCoverage() {
	p.t.Helper()
	figures, err := p.index.Coverage(1, p.Height(), 1, 10_000)
	p.must(err)
	if len(figures) != int(p.Height()) {
		p.t.Fatalf("%d figures at height %d", len(figures), p.Height())
	}
	got := figures[len(figures)-1]
	p.must(p.Chain.View(func(_ *state.Header, v state.View) error {
		totals, err := rules.ReadTotals(v)
		p.must(err)
		reserve, err := rules.ReadReserve(v)
		p.must(err)
		bonds := int64(0)
		for i := range uint16(2) {
			s, err := rules.ReadStanding(v, i)
			p.must(err)
			bonds += s.BondUnits()
		}
		want := got
		want.takeTotals(totals)
		want.takeReserve(reserve)
		want.BondUnits, want.MinCoverageBP = bonds, p.Charter.Parameters.MinCoverageBP
		if got != want {
			p.t.Errorf("coverage is %+v, the state has %+v", got, want)
		}
		return nil
	}))
}

// TestCustody: bonds, losses, suspensions, debts, reclaims and what closes.
func TestCustody(t *testing.T) {
	p := openPlay(t, quick)
	holder := p.who("holder")
	p.receive(0, 0, 20_000, "holder")
	p.mine(1)
	p.give(p.Cast.Pay(holder, p.who("north"), 100_000_000))
	p.mine(1)
	p.give(p.Cast.Bond(p.who("north"), 0, 30_000_000))
	p.mine(1)
	p.mustHoldCoverage()
	p.give(p.Cast.Act(state.RoleCustodian, 0, rules.Unbond{Step: rules.UnbondAnnounce, Custodian: 0, Units: 1_000_000}))
	p.mine(1)
	p.give(p.Cast.Act(state.RoleCustodian, 0, rules.Unbond{Step: rules.UnbondCancel, Custodian: 0}))
	p.mine(1)
	observed, err := p.Cast.Observed()
	p.must(err)
	r := p.receipt(0)
	p.attestedByAuditor(rules.Audit{Auditor: 2, Expiry: p.expiry(), Observed: observed, Audited: []rules.AuditedReceipt{{Receipt: 0, ID: r.ID, Lost: r.Lost, Loss: 100}}})
	if debt := p.standing(0).DebtUnits; debt != 0 { // the template slashes by itself
		t.Fatalf("the custodian owes %d", debt)
	}
	p.attestedByAuditor(rules.Suspend{Role: state.RoleAuditor, Index: 2, Expiry: p.expiry(), Custodian: 0})
	p.attestedByAuditor(rules.Lift{Auditor: 2, Expiry: p.expiry(), Custodian: 0, SuspendedAt: p.standing(0).SuspendedAt})
	p.mustTell(OfCustodian(0), "receipt opened 20000 by 0 1", "drawn 20000", "bonded", "unbond announced", "unbond cancelled",
		"audited 100 by 0 1 2", "slashed", "suspended by 0 1 2", "lifted by 0 1 2")
	p.mustTell(OfAuditor(2), "audited 100 by 0 1 2", "suspended by 0 1 2", "lifted by 0 1 2")
	record, err := p.index.Auditor(2)
	p.must(err)
	if record.Audits != 1 || record.Receipts != 1 || record.LossReceipts != 1 || record.LossUnits != 100*50_000 || record.FirstAudit == 0 {
		t.Errorf("the auditor's record is %+v", record)
	}
	opened, audited, err := p.index.Attested(0)
	if err != nil || opened == nil || opened.Kind != KindOpened || audited == nil || audited.Quantity != 100 || len(audited.Backers) != 3 {
		t.Errorf("attested %+v, %+v, %v", opened, audited, err)
	}
	custodian, err := p.index.Custodian(0)
	p.must(err)
	if custodian.Suspensions != 1 || custodian.Lifts != 1 || custodian.SuspendedSince != 0 || custodian.SuspendedBlocksBefore == 0 ||
		custodian.LossUnits != 100*50_000 || custodian.DebtPaidUnits == 0 {
		t.Errorf("the custodian's record is %+v", custodian)
	}
	p.mustHoldCoverage()
}

func (p *play) standing(custodian uint16) *state.Standing {
	p.t.Helper()
	s, err := p.Cast.Standing(custodian)
	p.must(err)
	return s
}

// attestedByAuditor lets two auditors attest and the third act.
func (p *play) attestedByAuditor(record rules.Record) {
	p.t.Helper()
	p.attested(state.RoleAuditor, 2, record)
}

// TestClose: a depositor takes undrawn goods back, a holder the rest, and the
// receipt closes.
func TestClose(t *testing.T) {
	p := openPlay(t, quick)
	p.receive(0, 0, 20_000, "holder")
	p.mine(1)
	p.receive(0, 0, 1_000, "holder")
	holder := p.who("holder")
	reclaim, err := p.Cast.Reclaim(holder, p.receipt(1), 300)
	p.must(err)
	_, err = p.MineWith(t.Context(), reclaim) // before the template draws
	p.must(err)
	p.mine(1)
	gone, closing := ref(p.claim(0)), p.receipt(1)
	p.give(p.Cast.Deliver(holder, p.claim(0)))
	p.mine(1)
	p.give(p.Cast.Redeem(holder, p.receipt(1), 700))
	p.mine(1)
	// A list passes over what is gone by now.
	p.attested(state.RoleCustodian, 0, rules.Tender{Custodian: 0, Expiry: p.expiry(), Claims: []rules.ClaimRef{gone, ref(p.claim(1))}})
	p.give(p.Cast.Deliver(holder, p.claim(1)))
	p.mine(1)
	p.mustTell(OfReceipt(1), "receipt opened 1000 by 0 1", "reclaimed 300", "drawn 700", "delivered 300", "redeemed 700",
		"tendered 700 by 0 1", "delivered 700", "receipt closed")
	observed, err := p.Cast.Observed()
	p.must(err)
	p.attestedByAuditor(rules.Audit{Auditor: 2, Expiry: p.expiry(), Observed: observed, Audited: []rules.AuditedReceipt{
		{Receipt: 0, ID: p.receipt(0).ID, Lost: p.receipt(0).Lost}, {Receipt: 1, ID: closing.ID, Lost: closing.Lost},
	}})
	p.mustTell(OfAuditor(2), "audited by 0 1 2")
	last, ended, err := p.index.ClosedReceipt(1)
	if err != nil || last == nil || last.Delivered != 1_000 || last.Quantity() != 0 || ended.Height != p.Height()-2 || ended.Txid == [32]byte{} {
		t.Errorf("closed %+v as %+v, %v", ended, last, err)
	}
	open, closed, err := p.index.ReceiptCounts(Which{0, 0, true, true})
	if err != nil || open != 1 || closed != 1 {
		t.Errorf("%d open and %d closed, %v", open, closed, err)
	}
	for _, list := range []struct {
		which Which
		want  []ReceiptRef
	}{
		{Which{None, None, true, true}, []ReceiptRef{{0, true}, {1, false}}},
		{Which{0, None, true, false}, []ReceiptRef{{0, true}}},
		{Which{None, 0, false, true}, []ReceiptRef{{1, false}}},
		{Which{1, None, true, true}, nil},
		{Which{None, 1, true, true}, nil},
	} {
		if got, more, err := p.index.Receipts(list.which, 0, 10); err != nil || more || !slices.Equal(got, list.want) {
			t.Errorf("%+v: %v %v %v", list.which, got, more, err)
		}
	}
	fresh := p.open(vfs.NewMem())
	p.must(fresh.Sync(t.Context(), p.Chain, nil))
	mustEqual(t, dump(t, fresh), dump(t, p.index), "an index that was built late")
}

// TestReorganisation goes back block by block and forward again: the index is
// to the byte what it was, and what one built late is.
func TestReorganisation(t *testing.T) {
	p := openPlay(t, quick)
	at := map[int32]map[string][]byte{}
	start := p.Height()
	at[start] = dump(t, p.index)
	perform(p)
	p.mineTo(params.GoodsStartHeight + 50) // past an inspection draw
	end, tip := dump(t, p.index), p.Chain.Tip()
	late := p.open(vfs.NewMem())
	p.must(late.Sync(t.Context(), p.Chain, nil))
	mustEqual(t, dump(t, late), end, "an index that was built late")
	for _, back := range []int32{1, 7, 20, tip.Height - start} {
		first := tip.Ancestor(tip.Height - back + 1)
		p.must(p.Chain.Invalidate(first.Hash))
		if back == tip.Height-start {
			mustEqual(t, dump(t, p.index), at[start], "the index taken back to its beginning")
		}
		fresh := p.open(vfs.NewMem())
		p.must(fresh.Sync(t.Context(), p.Chain, nil))
		mustEqual(t, dump(t, p.index), dump(t, fresh), fmt.Sprint("the index taken back by ", back))
		p.must(p.Chain.Reconsider(first.Hash))
		mustEqual(t, dump(t, p.index), end, fmt.Sprint("the index after going back by ", back, " and forth"))
	}
	if !maps.EqualFunc(dump(t, late), end, slices.Equal[[]byte]) {
		t.Error("the late index did not follow")
	}
}

// TestCrash loses what was not written; the next start goes on from there.
func TestCrash(t *testing.T) {
	p := openPlay(t, quick)
	fs := vfs.NewCrashableMem()
	x := p.open(fs)
	p.must(x.Sync(t.Context(), p.Chain, nil))
	crashed := fs.CrashClone(vfs.CrashCloneCfg{})
	perform(p)
	again := p.open(crashed)
	if _, height := again.Tip(); height != params.GoodsStartHeight {
		t.Fatalf("after the crash the index stands at %d", height)
	}
	p.must(again.Sync(t.Context(), p.Chain, nil))
	mustEqual(t, dump(t, again), dump(t, p.index), "the index after a crash")
}

// TestBeginAtTip: where the blocks are gone the history begins now, with all
// that is open.
func TestBeginAtTip(t *testing.T) {
	p := openPlay(t, quick)
	p.receive(0, 0, 20_000, "holder")
	p.mine(1)
	holder := p.who("holder")
	p.give(p.Cast.Redeem(holder, p.receipt(0), 500))
	p.mine(1)
	x := p.open(vfs.NewMem())
	p.must(x.beginAtTip(p.Chain))
	if x.Since() != p.Height()+1 {
		t.Errorf("the history begins at %d", x.Since())
	}
	tip, _ := x.Tip()
	p.must(p.Chain.Follow(t.Context(), x, tip, nil))
	p.give(p.Cast.Deliver(holder, p.claim(0)))
	p.mine(1)
	p.index = x
	p.mustTell(OfClaim(0), "delivered 500")
	record, err := x.Custodian(0)
	if err != nil || record.OpenClaims != 0 || record.DeliveredByToken != 1 {
		t.Errorf("the record is %+v, %v", record, err)
	}
	open, closed, err := x.ReceiptCounts(Which{0, None, true, true})
	if err != nil || open != 1 || closed != 0 {
		t.Errorf("%d open and %d closed, %v", open, closed, err)
	}
	// Below its beginning it cannot go; it begins anew.
	p.must(p.Chain.Invalidate(p.Chain.AtHeight(p.Height() - 2).Hash))
	if hash, _ := x.Tip(); hash != [32]byte{} || !x.idle {
		t.Errorf("the index stands at %v", hash)
	}
}

// pruned is a chain whose block files were deleted.
type pruned struct{ *chain.Engine }

func (pruned) Status(*state.Header) chain.HeaderStatus { return chain.HeaderStatus{} }

// TestPruned: an empty index begins at the tip, one that missed deleted blocks
// begins anew there.
func TestPruned(t *testing.T) {
	p := openPlay(t, quick)
	p.receive(0, 0, 20_000, "holder")
	fs := vfs.NewMem()
	x := p.open(fs)
	p.must(x.Sync(t.Context(), pruned{p.Chain}, nil))
	if x.Since() != p.Height()+1 {
		t.Errorf("an empty index begins at %d", x.Since())
	}
	p.must(x.Close())
	p.mine(3)
	x = p.open(fs)
	p.must(x.Sync(t.Context(), pruned{p.Chain}, nil))
	if _, height := x.Tip(); height != p.Height() || x.Since() != height+1 {
		t.Errorf("an index that missed blocks begins at %d", x.Since())
	}
	p.mine(1)
	figures, err := x.Coverage(0, 1<<30, 1, 10)
	if err != nil || len(figures) != 1 || figures[0].Height != p.Height() || figures[0].ReserveUnits == 0 {
		t.Errorf("figures %+v, %v", figures, err)
	}
}

// TestGiveUp: a block that the history cannot tell ends it; the chain goes on.
func TestGiveUp(t *testing.T) {
	p := openPlay(t, quick)
	p.receive(0, 0, 20_000, "holder")
	x := p.index
	x.mu.Lock()
	x.rows.set(custodianTable.Key(0), []byte{1}) // damaged
	x.mu.Unlock()
	height := p.Height()
	p.mine(2) // the first has a draw
	if _, at := x.Tip(); at != height || !x.idle || p.Height() != height+2 {
		t.Errorf("the history is at %d, the chain at %d", at, p.Height())
	}
}

// TestChanges: goods grow old, a custodian falls into default, bonds go back,
// the council changes the fee and gives a seat to somebody else, whose
// predecessor's word counts no more.
func TestChanges(t *testing.T) {
	p := openPlay(t, func(c *params.Charter) {
		quick(c)
		c.Goods = slices.Clone(c.Goods)
		c.Goods[0].MaxAgeBlocks = 25
	})
	holder, north := p.who("holder"), p.who("north")
	p.receive(0, 0, 20_000, "holder")
	p.receive(1, 1, 60, "holder")
	p.mine(1)
	p.give(p.Cast.Pay(holder, north, 100_000_000))
	p.mine(1)
	p.give(p.Cast.Bond(north, 0, 30_000_000))
	p.mine(1)
	p.give(p.Cast.Act(state.RoleCustodian, 0, rules.Unbond{Step: rules.UnbondAnnounce, Custodian: 0, Units: 10_000_000}))
	p.give(p.Cast.Act(state.RoleCouncil, 0, rules.Amend{Parameters: []rules.ParameterChange{{Parameter: 9, Value: 70}}}))
	p.mine(1)
	p.mineTo(p.standing(0).ReadyAt - 1)
	withdraw, err := p.Cast.WithdrawBonds(0)
	p.must(err)
	_, err = p.MineWith(t.Context(), withdraw)
	p.must(err)
	p.mine(10)
	p.mustHoldCoverage()
	p.mineTo(p.receipt(0).ValidUntil + 1)
	p.mustTell(OfCustodian(0), "receipt opened 20000 by 0 1", "drawn 20000", "bonded", "unbond announced", "unbond withdrawn", "expired 20000")
	all := p.lines(OfChain())
	if !slices.Contains(all, "change announced") || !slices.Contains(all, "change effective") {
		t.Errorf("the chain's history is %q", all)
	}
	observed, err := p.Cast.Observed()
	p.must(err)
	p.attestedByAuditor(rules.Audit{Auditor: 2, Expiry: p.expiry(), Observed: observed, Audited: []rules.AuditedReceipt{
		{Receipt: 1, ID: p.receipt(1).ID, Lost: p.receipt(1).Lost, Loss: 61},
	}})
	p.mine(6) // past the grace window: no bonds pay its debt
	got := p.lines(OfCustodian(1))
	if want := []string{"audited 60 by 0 1 2", "suspended by 0 1 2", "receipt closed", "debt", "defaulted"}; len(got) < 5 || !slices.Equal(got[len(got)-5:], want) {
		t.Errorf("the history of the other custodian is %q", got)
	}
	p.mustHoldCoverage()
	fresh := p.open(vfs.NewMem())
	p.must(fresh.Sync(t.Context(), p.Chain, nil))
	mustEqual(t, dump(t, fresh), dump(t, p.index), "an index that was built late")
}
