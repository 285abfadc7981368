package web

import (
	"fmt"
	"strings"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	history "granary/index/goods"
	"granary/state"
)

// link leads from a line to what it is about.
type link struct{ Text, URL string }

// lineView is one line of history for a person.
type lineView struct {
	Height    int32
	Time, Now time.Time // of the block, zero where it is not known
	Title     string
	Text      string
	Details   []string
	Lane      string // of the chart, "" where it does not move coverage
	TxURL     string
	Links     []link
	Backers   string // "First auditor at 140, ..."
	Document  string
	kind      history.Kind
	txid      chainhash.Hash
	// What coverage was around the block, where it moved; see moved.
	Before, After string
}

// subject is whose history it is.
type subject struct {
	history.Subject
	kind   byte
	number uint64
}

func ofReceipt(n uint64) subject   { return subject{history.OfReceipt(n), 'r', n} }
func ofClaim(n uint64) subject     { return subject{history.OfClaim(n), 'c', n} }
func ofCustodian(i uint16) subject { return subject{history.OfCustodian(i), 'w', uint64(i)} }
func ofAuditor(i uint16) subject   { return subject{history.OfAuditor(i), 'a', uint64(i)} }
func ofChanges() subject           { return subject{history.OfChanges(), 's', 0} }
func ofChain() subject             { return subject{history.OfChain(), 0, 0} }

// historyPage is how many lines one page shows.
const historyPage = 25

// linesView is one page of a history.
type linesView struct {
	Kept  bool  // this node keeps a history at all
	Since int32 // the first height that it tells of
	Lines []lineView
	More  string // address of the older lines, "" where there are none
	All   bool   // these are the newest
}

// lines gives a page of a history. at is the cursor in the address, "" for the
// newest; base is the address of the page.
func (s *Server) lines(l *ledger, of subject, base, at string) (linesView, error) {
	view := linesView{Kept: s.options.History != nil, All: at == ""}
	if !view.Kept {
		return view, nil
	}
	view.Since = s.options.History.Since()
	before, err := parseCursor(at)
	if err != nil {
		return view, err
	}
	events, more, err := s.options.History.Events(of.Subject, before, historyPage)
	if err != nil {
		return view, err
	}
	for i := range events {
		view.Lines = append(view.Lines, s.line(l, &events[i], of))
	}
	if more {
		last := &events[len(events)-1]
		view.More = withQuery(base, "before", fmt.Sprintf("%d-%d", last.Height, last.Seq))
	}
	return view, nil
}

func withQuery(base, key, value string) string {
	if strings.Contains(base, "?") {
		return base + "&" + key + "=" + value
	}
	return base + "?" + key + "=" + value
}

// parseCursor reads "height-seq".
func parseCursor(text string) (at history.Cursor, err error) {
	if text == "" {
		return at, nil
	}
	if n, err := fmt.Sscanf(text, "%d-%d", &at.Height, &at.Seq); n != 2 || err != nil || at.Height < 0 {
		return at, notFound("%q is no place in a history: go back to its newest lines.", clip(text))
	}
	return at, nil
}

// Lanes of the coverage chart, in order from above.
const (
	laneRelease = "release"
	laneRedeem  = "redeem"
	laneExpiry  = "expiry"
	laneTrouble = "trouble"
	laneChange  = "change"
)

// laneOf says what an event did to coverage.
func laneOf(e *history.Event) string {
	switch e.Kind {
	case history.KindDrawn:
		return laneRelease
	case history.KindRedeemed, history.KindLapsed:
		return laneRedeem
	case history.KindExpired:
		return laneExpiry
	case history.KindAudited:
		if e.Quantity > 0 {
			return laneExpiry
		}
	case history.KindSuspended, history.KindDefaulted, history.KindLifted, history.KindSettled, history.KindSlashed:
		return laneTrouble
	case history.KindChangeAnnounced, history.KindChangeWithdrawn, history.KindChangeEffective:
		if e.Slot == uint16(state.SlotAmend) {
			return laneChange
		}
	}
	return ""
}

// line says an event in words. of is whose history it stands in: what that is
// need not be said again.
func (s *Server) line(l *ledger, e *history.Event, of subject) lineView {
	view := lineView{
		Height: e.Height, Lane: laneOf(e), TxURL: s.txURL(e.Txid, e.Height), Backers: backers(l, e.Backers), Now: s.options.Clock.Now(),
		kind: e.Kind, txid: e.Txid,
	}
	if h := s.options.Chain.AtHeight(e.Height); h != nil {
		view.Time = h.Raw.Timestamp
	}
	if e.Kind == history.KindChangeEffective {
		view.TxURL = "" // the announcement's, in another block
	}
	view.Title, view.Text = s.say(l, e)
	if e.Document != (chainhash.Hash{}) {
		view.Document = hashText(e.Document)
	}
	view.Links = linksOf(l, e, of)
	return view
}

func backers(l *ledger, all []history.Backer) string {
	var words []string
	for _, b := range all {
		words = append(words, fmt.Sprintf("%s at %s", l.auditor(b.Auditor), count(b.Height)))
	}
	return strings.Join(words, ", ")
}

// linksOf leads to what an event is about, but to whose history this is.
func linksOf(l *ledger, e *history.Event, of subject) (links []link) {
	add := func(about subject, text, url string) {
		if about.kind != of.kind || about.number != of.number {
			links = append(links, link{text, url})
		}
	}
	if e.Receipt != history.NoNumber {
		add(ofReceipt(e.Receipt), fmt.Sprintf("receipt %d", e.Receipt), fmt.Sprintf("/receipt/%d", e.Receipt))
	}
	if e.Claim != history.NoNumber {
		add(ofClaim(e.Claim), fmt.Sprintf("claim %d", e.Claim), fmt.Sprintf("/claim/%d", e.Claim))
	}
	if e.Custodian != history.None {
		add(ofCustodian(e.Custodian), l.custodian(e.Custodian), fmt.Sprintf("/custodian/%d", e.Custodian))
	}
	if e.Auditor != history.None {
		add(ofAuditor(e.Auditor), l.auditor(e.Auditor), fmt.Sprintf("/auditor/%d", e.Auditor))
	}
	if e.Slot != history.None {
		add(ofChanges(), "all changes", "/changes")
	}
	return links
}

// say gives a title and a sentence for an event.
func (s *Server) say(l *ledger, e *history.Event) (title, text string) {
	goods, units := func() string { return l.of(e.Good, e.Quantity) }, s.money.text
	switch e.Kind {
	case history.KindRotated:
		return "Seat moved", "To its next output; nothing else changed."
	case history.KindAttested:
		return "Attested", fmt.Sprintf("Stands behind proposal %s up to block %s.", short(hashText(e.Proposal)), count(e.Until))
	case history.KindOpened:
		return "Goods received", goods() + " came in."
	case history.KindDrawn:
		return "Release", fmt.Sprintf("%s left the pool for %s, %s of it to the miner.", units(e.Units), goods(), units(e.FeeUnits))
	case history.KindReclaimed:
		return "Reclaim", "Its depositor asks for " + goods() + " whose coins never left the pool."
	case history.KindRedeemed:
		return "Redemption", fmt.Sprintf("A holder paid %s into escrow for %s.", units(e.Units), goods())
	case history.KindTendered:
		when := "in time"
		if e.Height > e.Until {
			when = "late, within the grace window"
		}
		return "Tender", fmt.Sprintf("The goods are ready, %s after the claim: %s.", plural(e.Height-int32(e.Stated), "block"), when)
	case history.KindDelivered:
		return "Delivery", s.sayDelivered(l, e)
	case history.KindLapsed:
		if e.Units == 0 {
			return "Lapse", "The claim lapsed, and the goods stay with the receipt."
		}
		return "Lapse", fmt.Sprintf("The claim lapsed: %s went back to its holder, %s to the pool; the goods stay.", units(e.Units), units(e.FeeUnits))
	case history.KindSettled:
		if e.Units == 0 { // a reclaim has no escrow
			return "Not delivered", fmt.Sprintf("Nobody tendered the goods: %s are undrawn again.", goods())
		}
		return "Not delivered", fmt.Sprintf("Nobody tendered the goods: %s went back to the holder, %s are written off.", units(e.Units), goods())
	case history.KindAssigned:
		return "Assigned", "The claim has another holder."
	case history.KindClosed:
		return "Closed", "Nothing is left of the receipt."
	case history.KindAudited:
		return s.sayAudited(l, e)
	}
	return s.sayCustody(l, e)
}

func (s *Server) sayDelivered(l *ledger, e *history.Event) string {
	how := "to whoever held the claim, who said so with its token"
	if e.Document != (chainhash.Hash{}) {
		how = "as the custodian and auditors say"
	}
	text := fmt.Sprintf("%s went out %s, %s after the claim.", l.of(e.Good, e.Quantity), how, plural(e.Height-int32(e.Stated), "block"))
	if e.Units > 0 {
		text += " The escrow of " + s.money.text(e.Units) + " became pool."
	}
	return text
}

func (s *Server) sayAudited(l *ledger, e *history.Event) (title, text string) {
	seen := fmt.Sprintf("as seen at block %s", count(e.Until))
	if e.Stated == 0 {
		return "Recount", "Nothing is missing, " + seen + "."
	}
	text = fmt.Sprintf("%s are missing, %s", l.quantity(e.Good, e.Stated), seen)
	if e.Quantity != e.Stated {
		text += fmt.Sprintf("; %s could be taken from the receipt", l.quantity(e.Good, e.Quantity))
	}
	return "Shortfall", text + ", worth " + s.money.text(e.ValueUnits) + " at par."
}

// sayCustody tells what happened to custodians and to what is in force.
func (s *Server) sayCustody(l *ledger, e *history.Event) (title, text string) {
	units := s.money.text
	switch e.Kind {
	case history.KindExpired:
		return "Expiry", l.of(e.Good, e.Quantity) + " count no more: nobody recounted them in time."
	case history.KindSuspended:
		return "Suspension", "The receipts of " + l.custodian(e.Custodian) + " stopped counting."
	case history.KindLifted:
		return "Suspension lifted", "The receipts of " + l.custodian(e.Custodian) + " count again."
	case history.KindDefaulted:
		return "Default", l.custodian(e.Custodian) + " is in default, for good: its debt was above its bonds for too long."
	case history.KindBonded:
		return "Bond", units(e.Units) + " were put up as a bond."
	case history.KindUnbondAnnounced:
		return "Unbond announced", units(e.Units) + " of the bonds are to go back."
	case history.KindUnbondWithdrawn:
		return "Unbond", units(e.Units) + " of the bonds went back."
	case history.KindUnbondCancelled:
		return "Unbond cancelled", "The bonds stay."
	case history.KindSlashed:
		return "Debt paid", units(e.Units) + " of the debt were paid into the pool."
	case history.KindDebt:
		return "Debt", fmt.Sprintf("Is %s, was %s.", units(e.Units), units(e.Stated))
	case history.KindChangeAnnounced:
		return "Change announced", slotWords(e.Slot) + fmt.Sprintf(", from block %s on.", count(e.Until))
	case history.KindChangeWithdrawn:
		return "Change withdrawn", slotWords(e.Slot) + ": what was announced does not come."
	case history.KindChangeEffective:
		return "Change in force", slotWords(e.Slot) + ": what was announced holds from this block on."
	}
	return e.Kind.String(), ""
}

func slotWords(slot uint16) string {
	switch state.Slot(slot) {
	case state.SlotReseat:
		return "A new holder of a seat"
	case state.SlotReseatCouncil:
		return "A new holder of the council's seat"
	}
	return "An amendment"
}
