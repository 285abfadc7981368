package rpc

import (
	"fmt"

	history "granary/index/goods"
	"granary/rules/goods"
	"granary/state"
)

// receiptHelp explains the fields of a receipt.
const receiptHelp = "A receipt has number, id (hex), status (open or closed), custodian, name, good, measure, quantity, undrawn, free, owed, opened_with, delivered, lost (measures), released, credit and free_value (coins), haircut_bp, opened, observed and valid_until (heights), counts (whether it is in the reserve), scriptPubKey, attested (lot, registry, document, location: what people said), label."

func receiptMethods() []Method {
	return []Method{
		{
			Name: "listreceipts", Family: familyGoods,
			Summary: "Lists warehouse receipts by number.",
			Detail:  receiptHelp,
			Params: []Param{
				{Name: "custodian", Type: Anything, Optional: true, Help: `Only those of this custodian (name or index); "" for any.`},
				{Name: "good", Type: Anything, Optional: true, Help: `Only those of this good (code or index); "" for any.`},
				statusParam(),
				{Name: "from", Type: Integer, Optional: true, Default: "0", Help: "The first number."},
				pageParam(),
			},
			Result: "An object: height, open and closed (how many there are of that custodian and good), receipts (an array of objects), next (give it as from to see more; absent on the last page).",
			run:    listReceipts,
		},
		{
			Name: "getreceipt", Family: familyGoods,
			Summary: "Gives a warehouse receipt, open or closed, with its history.",
			Detail:  receiptHelp + " " + eventHelp,
			Params: []Param{
				{Name: "number", Type: Integer, Help: "The receipt's number."},
				pageParam(), beforeParam(),
			},
			Result: "The receipt, with closed (height, txid) where it is, history (events, the newest first) and next (give it as before to see more; absent on the last page).",
			run:    getReceipt,
		},
	}
}

// listed is a receipt for an answer.
type listed struct {
	*state.Receipt
	ended *history.Ended // nil while it is open
}

func listReceipts(c *call) (any, error) {
	x, err := c.history()
	if err != nil {
		return nil, err
	}
	count, err := c.pageArg()
	if err != nil {
		return nil, err
	}
	from, err := c.numberArg("from", 0)
	if err != nil {
		return nil, err
	}
	which := history.Which{}
	if which.Open, which.Closed, err = c.statusArg(); err != nil {
		return nil, err
	}
	err = c.goodsView(func(b *book, _ state.View) error {
		if which.Custodian, err = c.custodianArg("custodian", b, history.None); err != nil {
			return err
		}
		which.Good, err = c.goodArg("good", b, history.None)
		return err
	})
	if err != nil {
		return nil, err
	}
	refs, more, err := x.Receipts(which, from, count)
	if err != nil {
		return nil, err
	}
	open, closed, err := x.ReceiptCounts(which)
	if err != nil {
		return nil, err
	}
	numbers := make([]uint64, len(refs))
	for i := range refs {
		numbers[i] = refs[i].Number
	}
	b, receipts, err := c.receipts(x, numbers)
	if err != nil {
		return nil, err
	}
	list := []object{}
	for _, r := range receipts {
		o, err := c.receiptJSON(b, x, r)
		if err != nil {
			return nil, err
		}
		list = append(list, o)
	}
	out := object{{"height", b.tip.Height}, {"open", open}, {"closed", closed}, {"receipts", list}}
	if more {
		out = append(out, member{"next", numbers[len(numbers)-1] + 1})
	}
	return out, nil
}

// receipts reads receipts, open ones from the state and closed ones from the
// history, with the book of one moment. One that neither knows is left out.
func (c *call) receipts(x *history.Index, numbers []uint64) (*book, []listed, error) {
	b, found, err := readNumbered(c, numbers, goods.ReadReceipt)
	if err != nil {
		return nil, nil, err
	}
	var all []listed
	for i, r := range found {
		if r != nil {
			all = append(all, listed{r, nil})
			continue
		}
		last, ended, err := x.ClosedReceipt(numbers[i])
		if err != nil {
			return nil, nil, err
		}
		if last != nil {
			all = append(all, listed{last, &ended})
		}
	}
	return b, all, nil
}

func (c *call) receiptJSON(b *book, x *history.Index, r listed) (object, error) {
	if int(r.Good) >= len(b.goods) {
		return nil, fmt.Errorf("receipt %d is of good %d, which is unknown", r.Number, r.Good)
	}
	good, status := b.goods[r.Good], "open"
	if r.ended != nil {
		status = "closed"
	}
	o := object{
		{"number", r.Number},
		{"id", hexOf(r.ID[:])},
		{"status", status},
		{"custodian", r.Custodian},
		{"name", b.custodian(r.Custodian)},
		{"good", good.Code},
		{"measure", good.Measure},
		{"quantity", r.Quantity()},
		{"undrawn", r.Undrawn},
		{"free", r.Free},
		{"owed", r.Owed},
		{"opened_with", r.OpenedWith},
		{"delivered", r.Delivered},
		{"lost", r.Lost},
		{"released", amount(r.ReleasedUnits)},
		{"credit", amount(goods.CreditUnits(r.Receipt, good, r.Undrawn))},
		{"free_value", amount(good.LowUnits(r.Free))},
		{"haircut_bp", r.HaircutBP},
		{"opened", r.Opened},
		{"observed", r.Observed},
		{"valid_until", r.ValidUntil},
		{"counts", r.ended == nil && r.Fresh(b.tip.Height) && b.stands(r.Custodian)},
		{"scriptPubKey", newScriptJSON(r.Script, c.server.opts.Net.Chain, true)},
	}
	attested, err := c.attestedJSON(b, x, r.Receipt)
	if err != nil {
		return nil, err
	}
	o = append(o, member{"attested", attested})
	if e := r.ended; e != nil {
		o = append(o, member{"closed", endedJSON(e)})
	}
	return append(o, member{"label", proved}), nil
}

// endedJSON says where something came to its end.
func endedJSON(e *history.Ended) object {
	o := object{{"height", e.Height}}
	if e.Txid != [32]byte{} {
		o = append(o, member{"txid", e.Txid.String()})
	}
	return append(o, member{"event", e.Kind.String()})
}

// attestedJSON is what people said of the goods of a receipt, with who stands
// for it: at the opening for lot, document, location and the quantity then, and
// at the last audit for what is there.
func (c *call) attestedJSON(b *book, x *history.Index, r *state.Receipt) (object, error) {
	opened, audited, err := x.Attested(r.Number)
	if err != nil {
		return nil, err
	}
	registry := ""
	if charter := c.Rules.Charter; int(r.Registry) < len(charter.Registries) {
		registry = charter.Registries[r.Registry]
	}
	o := object{
		{"lot", r.Serial},
		{"registry", registry},
		{"document", hexOf(r.Document[:])},
		{"location", r.Location},
		{"quantity", r.OpenedWith},
	}
	var backers []history.Backer
	if opened != nil {
		backers = opened.Backers
		o = append(o, member{"proposal", hexOf(opened.Proposal[:])}, member{"by", b.backers(backers)})
	}
	if audited != nil {
		o = append(o, member{"audit", object{
			{"height", audited.Height},
			{"txid", audited.Txid.String()},
			{"observed", audited.Until},
			{"loss", audited.Stated},
			{"by", b.backers(audited.Backers)},
			{"label", b.attestedLabel(audited.Backers)},
		}})
	}
	return append(o, member{"label", b.attestedLabel(backers)}), nil
}

func getReceipt(c *call) (any, error) {
	x, count, before, err := c.historyPage()
	if err != nil {
		return nil, err
	}
	number, err := c.numberArg("number", 0)
	if err != nil {
		return nil, err
	}
	b, receipts, err := c.receipts(x, []uint64{number})
	if err != nil {
		return nil, err
	}
	if len(receipts) == 0 {
		return nil, errorf(CodeInvalidAddress, "there is no receipt %d", number)
	}
	o, err := c.receiptJSON(b, x, receipts[0])
	if err != nil {
		return nil, err
	}
	return c.withHistory(o, b, history.OfReceipt(number), before, count)
}

// withHistory adds a page of a history to what it is of.
func (c *call) withHistory(o object, b *book, of history.Subject, before history.Cursor, count int) (object, error) {
	list, next, err := c.events(b, of, before, count)
	if err != nil {
		return nil, err
	}
	if o = append(o, member{"history", list}); next != "" {
		o = append(o, member{"next", next})
	}
	return o, nil
}
