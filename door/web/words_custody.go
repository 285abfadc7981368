package web

import (
	"fmt"
	"strings"

	"granary/rules/goods"
	"granary/state"
)

// tellClaim says what happens to claims that are open.
func (sp *speech) tellClaim(record goods.Record) {
	w := sp.w
	switch r := record.(type) {
	case goods.Tender:
		who := sp.l.custodian(r.Custodian)
		w.Title, w.Attested = "Tender", true
		w.Short = fmt.Sprintf("%s tenders %s", who, plural(len(r.Claims), "claim"))
		w.say("%s has the goods of %s ready, as a quorum of auditors attested. The pickup window begins.", who, sp.claims(r.Claims))
		w.leadCustodian(sp.l, r.Custodian)
	case goods.Deliver:
		w.Title, w.Short = "Delivery", fmt.Sprintf("delivery of claim %d", r.Number)
		w.say("The holder of claim %d says with the token that %s were handed over.%s", r.Number, sp.claimed(r.Number), sp.escrowBecomesPool(r.Number))
		w.leadClaim(r.Number)
	case goods.DeliverAttested:
		sp.deliverAttested(r)
	case goods.Lapse:
		sp.lapse(r)
	case goods.Settle:
		w.Title, w.Short = "Not delivered", fmt.Sprintf("settlement of claim %d", r.Number)
		sp.settle(r.Number)
		w.leadClaim(r.Number)
		sp.leadCustodianOf(r.Number)
	case goods.Assign:
		w.Title, w.Short = "Assignment", fmt.Sprintf("claim %d goes to another holder", r.Number)
		w.say("The token of claim %d goes on at output 0: whoever holds that holds the claim on %s.", r.Number, sp.claimed(r.Number))
		w.leadClaim(r.Number)
	}
}

// settle says what becomes of escrow and goods that nobody tendered.
func (sp *speech) settle(number uint64) {
	w, c := sp.w, sp.f.claim(number)
	w.say("Nobody tendered the goods of claim %d in time.", number)
	switch {
	case c == nil:
		w.say("Escrow, if there was any, goes back to the holder; the custodian is suspended and owes a penalty.")
	case c.Kind == state.ClaimReclaim:
		w.say("There was no escrow: %s are undrawn again; their custodian is suspended and owes a penalty.", sp.claimed(number))
	default:
		w.say("The whole escrow of %s goes back to the holder.", sp.s.money.text(c.EscrowUnits))
		w.say("%s are written off; their custodian is suspended and owes their value and a penalty.", titled(sp.claimed(number)))
	}
}

// claims names the claims of a list and leads to them.
func (sp *speech) claims(refs []goods.ClaimRef) string {
	var names []string
	for i, ref := range refs {
		sp.w.leadClaim(ref.Number)
		if i < maxNamed {
			names = append(names, fmt.Sprint(ref.Number))
		}
	}
	text := "claims " + strings.Join(names, ", ")
	if len(refs) == 1 {
		text = "claim " + names[0]
	}
	if more := len(refs) - maxNamed; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// claimed says what a claim is on.
func (sp *speech) claimed(claim uint64) string {
	c := sp.f.claim(claim)
	if c == nil {
		return "the goods"
	}
	return sp.goodsOf(c.Receipt, c.Quantity)
}

func (sp *speech) escrowBecomesPool(claim uint64) string {
	if c := sp.f.claim(claim); c != nil && c.Kind == state.ClaimRedemption {
		return " The escrow of " + sp.s.money.text(c.EscrowUnits) + " is pool from now on."
	}
	return ""
}

func (sp *speech) leadCustodianOf(claim uint64) {
	if c := sp.f.claim(claim); c != nil {
		sp.w.leadCustodian(sp.l, c.Custodian)
	}
}

func (sp *speech) deliverAttested(r goods.DeliverAttested) {
	w, who := sp.w, sp.l.custodian(r.Custodian)
	refs := make([]goods.ClaimRef, len(r.Deliveries))
	for i := range refs {
		refs[i] = r.Deliveries[i].ClaimRef
	}
	w.Title, w.Attested = "Delivery", true
	w.Short = fmt.Sprintf("%s delivered %s", who, plural(len(refs), "claim"))
	w.say("%s handed out the goods of %s, as a quorum of auditors attested; the holders did not spend their tokens.", who, sp.claims(refs))
	for i := range r.Deliveries[:min(len(r.Deliveries), maxNamed)] {
		w.say("Claim %d: %s; delivery note %s.", r.Deliveries[i].Number, sp.claimed(r.Deliveries[i].Number), hashText(r.Deliveries[i].Document))
	}
	w.say("Escrows are pool from now on.")
	w.leadCustodian(sp.l, r.Custodian)
}

func (sp *speech) lapse(r goods.Lapse) {
	w := sp.w
	w.Title, w.Short = "Lapse", fmt.Sprintf("claim %d lapses", r.Number)
	w.say("%s were ready and were not collected: claim %d is over, and the goods stay with their receipt.", titled(sp.claimed(r.Number)), r.Number)
	if c := sp.f.claim(r.Number); c != nil && c.Kind == state.ClaimRedemption {
		paid, rest := goods.LapseUnits(c)
		w.say("%s go back to the holder, %s stay in the pool as the redemption fee.", sp.s.money.text(paid), sp.s.money.text(rest))
	}
	w.leadClaim(r.Number)
}

// tellCustody says what custodians and auditors do about custody.
func (sp *speech) tellCustody(record goods.Record) {
	w, units := sp.w, sp.s.money.text
	switch r := record.(type) {
	case goods.Audit:
		sp.audit(r)
	case goods.Suspend:
		who := sp.l.custodian(r.Custodian)
		w.Title, w.Short, w.Attested = "Suspension", "suspension of "+who, true
		w.say("The receipts of %s stop counting, on the word of %s and a quorum of auditors. No release can be made on them until that is lifted; redemption stays open.", who, sp.who)
		w.leadCustodian(sp.l, r.Custodian)
	case goods.Lift:
		who := sp.l.custodian(r.Custodian)
		w.Title, w.Short, w.Attested = "Suspension lifted", "suspension of "+who+" lifted", true
		w.say("The receipts of %s count again, on the word of %s and a quorum of auditors. It has no debt and no overdue claim.", who, sp.l.auditor(r.Auditor))
		w.leadCustodian(sp.l, r.Custodian)
	case goods.Bond:
		who := sp.l.custodian(r.Custodian)
		w.Title, w.Short = "Bond", "bond of "+who
		if len(sp.tx.TxOut) > 2 {
			w.Short = fmt.Sprintf("%s puts up %s", who, units(sp.tx.TxOut[1].Value))
			w.say("%s puts up %s that the rules take if it owes something. A bond in the chain's own coin is worth least when it is needed most.", who, units(sp.tx.TxOut[1].Value))
		}
		w.leadCustodian(sp.l, r.Custodian)
	case goods.Unbond:
		sp.unbond(r)
	case goods.Slash:
		who := sp.l.custodian(r.Custodian)
		w.Title, w.Short = "Slash", "slash of "+who
		w.say("What %s owes is paid into the pool, out of its bonds or by somebody else. Fewer coins circulate afterwards, over the same goods.", who)
		w.leadCustodian(sp.l, r.Custodian)
	}
}

func (sp *speech) audit(r goods.Audit) {
	w, losses := sp.w, 0
	w.Title, w.Attested = "Recount", true
	w.say("%s and a quorum of auditors recounted %s, as seen at block %s. What they saw counts afresh from there; receipts that changed in between are passed over.", sp.l.auditor(r.Auditor), plural(len(r.Audited), "receipt"), count(r.Observed.Height))
	for i := range r.Audited {
		a := &r.Audited[i]
		w.leadReceipt(a.Receipt)
		if a.Loss == 0 {
			continue
		}
		if losses++; losses <= maxNamed {
			w.say("Receipt %d: %s are missing. The custodian owes their value.", a.Receipt, sp.goodsOf(a.Receipt, a.Loss))
		}
	}
	w.Short = fmt.Sprintf("recount of %s by %s", plural(len(r.Audited), "receipt"), sp.l.auditor(r.Auditor))
	if losses == 0 {
		w.say("Nothing is missing.")
	} else {
		w.Short += ": " + plural(losses, "shortfall")
	}
	w.leadAuditor(sp.l, r.Auditor)
}

func (sp *speech) unbond(r goods.Unbond) {
	w, who := sp.w, sp.l.custodian(r.Custodian)
	w.Title = "Unbond"
	switch r.Step {
	case goods.UnbondAnnounce:
		w.Short = fmt.Sprintf("%s announces to take %s of its bonds back", who, sp.s.money.text(r.Units))
		w.say("%s wants %s of its bonds back. They count for nothing but debts from now on, and may be taken after the delivery and the grace window, if nothing is owed then.", who, sp.s.money.text(r.Units))
	case goods.UnbondWithdraw:
		w.Short = who + " takes bonds back"
		w.say("%s takes back what it announced: nothing is owed and no claim is overdue.", who)
	default:
		w.Short = who + " keeps its bonds"
		w.say("%s takes its announcement back: the bonds stay.", who)
	}
	w.leadCustodian(sp.l, r.Custodian)
}

func (sp *speech) amend(r goods.Amend) {
	w := sp.w
	w.Title, w.Short = "Amendment", "an amendment is announced"
	if r.Withdraw {
		w.Title, w.Short = "Amendment withdrawn", "an amendment is withdrawn"
		w.say("The council takes back what it announced: nothing changes.")
		w.lead("All changes", "/changes")
		return
	}
	w.Lines = append(w.Lines, sp.s.announcedWords(sp.l, r)...)
	sp.effective()
	if len(r.Goods) > 0 {
		w.say("%s", parWaits)
	}
}

// effective says from when on an announced change holds.
func (sp *speech) effective() {
	if sp.f != nil {
		if p := sp.f.announced[sp.txid]; p != nil {
			sp.w.say("It holds from block %s on, if it is not withdrawn before.", count(p.Effective))
		}
	}
	sp.w.lead("All changes", "/changes")
}

func (sp *speech) reseat(r goods.Reseat) {
	w := sp.w
	who := "auditors, all of them,"
	if !r.OfCouncil() {
		who = "the council"
	}
	if !r.Announces() {
		w.Title, w.Short = "Change of a seat withdrawn", "a change of a seat is withdrawn"
		w.say("%s take back what was announced: the seat stays where it is.", titled(who))
		w.lead("All changes", "/changes")
		return
	}
	w.Title, w.Short, w.Attested = "Change of a seat", "a seat is to go to another holder", r.OfCouncil()
	w.say("By the word of %s a seat is to go to another holder.", who)
	w.Lines = append(w.Lines, sp.s.changeWords(sp.l, r)...)
	sp.effective()
}
