package rpc

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/btcsuite/btcd/chainhash/v2"

	history "granary/index/goods"
	"granary/state"
)

// errNoHistory: a node without the index, which keeps no history.
var errNoHistory = errorf(CodeMisc, "this node keeps no history of the goods")

// history gives the goods index.
func (c *call) history() (*history.Index, error) {
	switch {
	case c.Rules.Charter == nil:
		return nil, errNoCharter
	case c.Goods == nil:
		return nil, errNoHistory
	}
	return c.Goods, nil
}

// historyPage reads what every method that pages through the history takes.
func (c *call) historyPage() (x *history.Index, count int, before history.Cursor, err error) {
	if x, err = c.history(); err != nil {
		return nil, 0, before, err
	}
	if count, err = c.pageArg(); err != nil {
		return nil, 0, before, err
	}
	before, err = c.beforeArg()
	return x, count, before, err
}

// beforeParam is the parameter that beforeArg reads.
func beforeParam() Param {
	return Param{Name: "before", Type: Text, Optional: true, Help: "What next of the page before was; without it the newest come."}
}

// beforeArg reads a cursor, written height:place.
func (c *call) beforeArg() (history.Cursor, error) { return cursorOf(c.text("before", "")) }

func cursorOf(text string) (history.Cursor, error) {
	if text == "" {
		return history.Cursor{}, nil
	}
	height, place, _ := strings.Cut(text, ":")
	h, errHeight := strconv.ParseUint(height, 10, 31)
	p, errPlace := strconv.ParseUint(place, 10, 32)
	if errHeight != nil || errPlace != nil {
		return history.Cursor{}, errorf(CodeInvalidParameter, "a page goes on from what next of another page was, not from %q", clip(text))
	}
	return history.Cursor{Height: int32(h), Seq: uint32(p)}, nil
}

func cursorText(height int32, place uint32) string { return fmt.Sprintf("%d:%d", height, place) }

// eventHelp explains the events of an answer.
const eventHelp = "Events have height, event (the word for what happened) and, where they apply: txid, seat (who acted), receipt, claim, custodian, auditor, slot, good, quantity (in measure), amount and fee (coins), value (coins, at the par in force), stated (measures that an audit misses), document and proposal (hex), until (a height: of an attestation its last, of a tender the deadline, of a change the first), observed (the height at which an audit saw the goods), attested (who stood behind it, with the heights), label."

// events gives a page of a history as JSON, the newest first, and the cursor
// of the next page, "" on the last.
func (c *call) events(b *book, of history.Subject, before history.Cursor, count int) (list []object, next string, err error) {
	x, err := c.history()
	if err != nil {
		return nil, "", err
	}
	events, more, err := x.Events(of, before, count)
	list = []object{}
	for i := range events {
		list = append(list, b.event(&events[i]))
	}
	if more {
		last := &events[len(events)-1]
		next = cursorText(last.Height, last.Seq)
	}
	return list, next, err
}

// event tells one line of the history.
func (b *book) event(e *history.Event) object {
	o := object{{"height", e.Height}, {"event", e.Kind.String()}}
	add := func(is bool, key string, value any) {
		if is {
			o = append(o, member{key, value})
		}
	}
	add(e.Txid != chainhash.Hash{}, "txid", e.Txid.String())
	add(e.Role != 0, "seat", seatName(e.Role, e.Seat))
	add(e.Receipt != history.NoNumber, "receipt", e.Receipt)
	add(e.Claim != history.NoNumber, "claim", e.Claim)
	add(e.Custodian != history.None, "custodian", e.Custodian)
	add(e.Auditor != history.None, "auditor", e.Auditor)
	add(e.Slot != history.None, "slot", slotName(state.Slot(e.Slot)))
	if e.Good != history.None {
		code, measure := b.good(e.Good)
		add(true, "good", code)
		add(e.Quantity != 0 || e.Kind == history.KindAudited, "quantity", e.Quantity)
		add(e.Quantity != 0 || e.Kind == history.KindAudited, "measure", measure)
	}
	add(e.Kind == history.KindAudited, "stated", e.Stated)
	add(e.Kind == history.KindAudited, "value", amount(e.ValueUnits))
	add(e.Units != 0 || e.Kind == history.KindDebt, "amount", amount(e.Units))
	add(e.Kind == history.KindDebt, "before", amount(e.Stated))
	add(e.FeeUnits != 0, "fee", amount(e.FeeUnits))
	add(e.Until != 0 && e.Kind != history.KindAudited, "until", e.Until)
	add(e.Kind == history.KindAudited, "observed", e.Until)
	add(e.Document != chainhash.Hash{}, "document", hexOf(e.Document[:]))
	add(e.Proposal != chainhash.Hash{}, "proposal", hexOf(e.Proposal[:]))
	add(len(e.Backers) > 0, "attested", b.backers(e.Backers))
	add(true, "label", b.eventLabel(e))
	return o
}

// eventLabel says what a line stands on: that it happened the chain proves;
// what people said of goods it does not.
func (b *book) eventLabel(e *history.Event) string {
	switch e.Kind {
	case history.KindOpened, history.KindAudited, history.KindSuspended, history.KindLifted, history.KindTendered:
		if len(e.Backers) > 0 {
			return b.attestedLabel(e.Backers)
		}
	case history.KindDelivered:
		if len(e.Backers) > 0 {
			return b.attestedLabel(e.Backers)
		}
		return "claimed by who holds the claim"
	}
	return proved
}

type backerJSON struct {
	Auditor uint16 `json:"auditor"`
	Name    string `json:"name"`
	Height  int32  `json:"height"`
}

func (b *book) backers(backers []history.Backer) (list []backerJSON) {
	for _, x := range backers {
		list = append(list, backerJSON{x.Auditor, b.auditor(x.Auditor), x.Height})
	}
	return list
}

// attestedLabel names who stands for a statement, and when.
func (b *book) attestedLabel(backers []history.Backer) string {
	if len(backers) == 0 {
		return "claimed: this node knows no attestation of it"
	}
	words := make([]string, len(backers))
	for i, x := range backers {
		words[i] = fmt.Sprintf("%s at height %d", b.auditor(x.Auditor), x.Height)
	}
	return "attested by " + strings.Join(words, ", ")
}

func slotName(slot state.Slot) string {
	switch slot {
	case state.SlotAmend:
		return "amend"
	case state.SlotReseat:
		return "reseat"
	}
	return "reseat council"
}

func historyMethods() []Method {
	return []Method{
		{
			Name: "listgoodsevents", Family: familyGoods,
			Summary: "Lists what happened to the goods, the newest first.",
			Detail:  eventHelp,
			Params: []Param{
				{Name: "subject", Type: Text, Optional: true, Default: `"chain"`, Help: `Whose history: "chain", "receipt", "claim", "custodian", "auditor" or "proposal".`},
				{Name: "id", Type: Anything, Optional: true, Help: "The number of the receipt or claim, name or index of the person, hash of the proposal (hex, in the order of its bytes); nothing for the chain."},
				pageParam(), beforeParam(),
			},
			Result: "An object: height (the last block of the history), since (its first), events (an array of objects), next (give it as before to see more; absent on the last page).",
			run:    listGoodsEvents,
		},
	}
}

func listGoodsEvents(c *call) (any, error) {
	x, count, before, err := c.historyPage()
	if err != nil {
		return nil, err
	}
	var b *book
	var of history.Subject
	err = c.goodsView(func(found *book, _ state.View) error {
		b = found
		of, err = c.historySubject(b)
		return err
	})
	if err != nil {
		return nil, err
	}
	list, next, err := c.events(b, of, before, count)
	if err != nil {
		return nil, err
	}
	_, height := x.Tip()
	out := object{{"height", height}, {"since", x.Since()}, {"events", list}}
	if next != "" {
		out = append(out, member{"next", next})
	}
	return out, nil
}

// historySubject reads subject and id.
func (c *call) historySubject(b *book) (of history.Subject, err error) {
	id := c.arg("id")
	switch subject := c.text("subject", "chain"); subject {
	case "chain":
		return history.OfChain(), nil
	case "receipt", "claim":
		number, err := strconv.ParseUint(id.text, 10, 63)
		if err != nil {
			return of, errorf(CodeInvalidParameter, "id must be the number of a %s", subject)
		}
		if subject == "claim" {
			return history.OfClaim(number), nil
		}
		return history.OfReceipt(number), nil
	case "custodian", "auditor":
		if id.absent() {
			return of, errorf(CodeInvalidParameter, "id must be the name or index of the %s", subject)
		}
		if subject == "custodian" {
			index, err := c.custodianArg("id", b, history.None)
			return history.OfCustodian(index), err
		}
		index, err := c.auditorArg("id", b, history.None)
		return history.OfAuditor(index), err
	case "proposal":
		hash, err := proposalArg(id)
		return history.OfProposal(hash), err
	default:
		return of, errorf(CodeInvalidParameter, "there is no history of %q", clip(subject))
	}
}

// proposalArg reads a proposal hash, which is written in the order of its
// bytes.
func proposalArg(v Value) (hash chainhash.Hash, err error) {
	raw, err := v.bytes("proposal")
	if err == nil && len(raw) != len(hash) {
		err = errorf(CodeInvalidParameter, "a proposal hash has 64 hex digits")
	}
	copy(hash[:], raw)
	return hash, err
}
