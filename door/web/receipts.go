package web

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	history "granary/index/goods"
	"granary/rules/goods"
	"granary/state"
)

// listRows is how many receipts or claims one page shows.
const listRows = 25

// receiptRow is a receipt in a list.
type receiptRow struct {
	Number     uint64
	Good       string
	Serial     string
	Custodian  uint16
	Name       string
	Amount     string // what is left of it
	Opened     string // what it opened with
	State      pill
	ValueUnits int64
	stock
}

type receiptsView struct {
	listView
	Rows []receiptRow
}

// listView is what lists of receipts and claims share.
type listView struct {
	Kept         bool // this node keeps a history: closed ones are known
	Filter       filterView
	Open, Closed uint64 // counts, where they are known
	Counted      bool
	First, Next  string // addresses, "" where there is none
	Newest       string
	Title        string
}

// filterView is the form above a list.
type filterView struct {
	Which      string // "open", "closed" or "all"
	Custodians []choice
	Goods      []choice
}

type choice struct {
	Value, Text string
	Chosen      bool
}

// listQuery is what an address asks of a list.
type listQuery struct {
	which           history.Which
	name            string // of which: open, closed, all
	custodian, good string
	from            uint64
}

// listQuery reads the filters; what is not there is an error for the person.
func (s *Server) listQuery(l *ledger, query url.Values) (q listQuery, err error) {
	q = listQuery{
		which: history.Which{Custodian: history.None, Good: history.None},
		name:  query.Get("show"), custodian: query.Get("custodian"), good: query.Get("good"),
	}
	switch q.name {
	case "", "open":
		q.name, q.which.Open = "open", true
	case "closed":
		q.which.Closed = true
	case "all":
		q.which.Open, q.which.Closed = true, true
	default:
		return q, notFound("%q is no list: show open, closed or all.", clip(q.name))
	}
	if q.custodian != "" {
		if q.which.Custodian, err = index(q.custodian, "custodian", len(l.custodians)); err != nil {
			return q, err
		}
	}
	if q.good != "" {
		if q.which.Good, err = index(q.good, "good", len(l.goods)); err != nil {
			return q, err
		}
	}
	if text := query.Get("from"); text != "" {
		if q.from, err = strconv.ParseUint(text, 10, 63); err != nil {
			return q, notFound("%q is not a number to begin a list at.", clip(text))
		}
	}
	if s.options.History == nil && (q.which.Closed || q.custodian != "" || q.good != "") {
		return q, notFound("This node keeps no goods history: it can only list what is open, by number.")
	}
	return q, nil
}

// url is the address of the list from a number on.
func (q *listQuery) url(path string, from uint64) string {
	values := url.Values{}
	if q.name != "open" {
		values.Set("show", q.name)
	}
	if q.custodian != "" {
		values.Set("custodian", q.custodian)
	}
	if q.good != "" {
		values.Set("good", q.good)
	}
	if from > 0 {
		values.Set("from", strconv.FormatUint(from, 10))
	}
	if len(values) == 0 {
		return path
	}
	return path + "?" + values.Encode()
}

// view fills in what the two lists share; last is the last number shown.
func (q *listQuery) view(s *Server, l *ledger, path string, last uint64, more bool, next uint64) listView {
	view := listView{Kept: s.options.History != nil, Filter: filterView{Which: q.name}}
	for i := range l.custodians {
		value := strconv.Itoa(i)
		view.Filter.Custodians = append(view.Filter.Custodians, choice{value, l.custodian(uint16(i)), value == q.custodian})
	}
	for i, g := range l.goods {
		value := strconv.Itoa(i)
		view.Filter.Goods = append(view.Filter.Goods, choice{value, g.Name, value == q.good})
	}
	if q.from > 0 {
		view.First = q.url(path, 0)
	}
	if more {
		view.Next = q.url(path, last+1)
		if next > listRows && q.name == "all" && q.custodian == "" && q.good == "" {
			view.Newest = q.url(path, next-listRows)
		}
	}
	return view
}

// receiptList gives one page of receipts, by number.
func (s *Server) receiptList(q *listQuery) (list []listedReceipt, more bool, err error) {
	err = s.options.Chain.View(func(_ *state.Header, view state.View) error {
		if s.options.History == nil {
			list, more, err = openReceipts(view, q.from, listRows)
			return err
		}
		refs, left, err := s.options.History.Receipts(q.which, q.from, listRows)
		more = left
		for _, ref := range refs {
			r, err := s.findReceipt(view, ref.Number)
			if err != nil {
				return err
			}
			if r.Receipt != nil {
				list = append(list, r)
			}
		}
		return err
	})
	return list, more, err
}

// listedReceipt is a receipt with how it ended, where it did.
type listedReceipt struct {
	*state.Receipt
	open  bool
	ended history.Ended
}

// findReceipt looks among the open receipts and the closed ones; its Receipt
// is nil where neither has it.
func (s *Server) findReceipt(view state.View, number uint64) (r listedReceipt, err error) {
	if r.Receipt, err = goods.ReadReceipt(view, number); err != nil || r.Receipt != nil {
		r.open = true
		return r, err
	}
	if s.options.History != nil {
		r.Receipt, r.ended, err = s.options.History.ClosedReceipt(number)
	}
	return r, err
}

// openReceipts reads up to count open receipts from a number on.
func openReceipts(view state.View, from uint64, count int) (list []listedReceipt, more bool, err error) {
	_, to := state.ReceiptKeys()
	var failed error
	err = view.GoodsRange(state.KeyReceipt(from), to, func(key, value []byte) bool {
		if more = len(list) == count; more {
			return false
		}
		var r *state.Receipt
		r, failed = state.DecodeReceipt(key, value)
		list = append(list, listedReceipt{Receipt: r, open: true})
		return failed == nil
	})
	if err == nil {
		err = failed
	}
	return list, more, err
}

func (s *Server) receipts(r *http.Request) (*page, error) {
	l, err := s.needCharter()
	if err != nil {
		return nil, err
	}
	if lot := r.URL.Query().Get("lot"); lot != "" {
		return s.receiptsOfLot(l, lot)
	}
	q, err := s.listQuery(l, r.URL.Query())
	if err != nil {
		return nil, err
	}
	list, more, err := s.receiptList(&q)
	if err != nil {
		return nil, err
	}
	last := uint64(0)
	if len(list) > 0 {
		last = list[len(list)-1].Number
	}
	view := &receiptsView{listView: q.view(s, l, "/receipts", last, more, l.receipts)}
	for i := range list {
		view.Rows = append(view.Rows, l.receiptRow(&list[i]))
	}
	if s.options.History != nil {
		if view.Open, view.Closed, err = s.options.History.ReceiptCounts(q.which); err != nil {
			return nil, err
		}
		view.Counted = true
	}
	return &page{Title: "Receipts", Template: "receipts", Section: "receipts", Body: view}, nil
}

// receiptsOfLot lists the receipts of a serial, whatever its registry.
func (s *Server) receiptsOfLot(l *ledger, serial string) (*page, error) {
	list, err := s.findLot(serial)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, notFound("No lot %s is known here: a lot is found while its receipt is open, or where goods of it were lost.", clip(serial))
	}
	view := &receiptsView{listView: listView{Kept: true, Title: "Lot " + clip(serial)}}
	for i := range list {
		view.Rows = append(view.Rows, l.receiptRow(&list[i]))
	}
	return &page{Title: "Lot " + clip(serial), Template: "receipts", Section: "receipts", Body: view}, nil
}

// findLot looks a serial up in every registry of the charter.
func (s *Server) findLot(serial string) (list []listedReceipt, err error) {
	serial = strings.ToUpper(serial)
	err = s.options.Chain.View(func(_ *state.Header, view state.View) error {
		for registry := range s.options.Charter.Registries {
			value, err := view.Goods(state.KeyLot(goods.LotCommitment(uint16(registry), serial)))
			if err != nil {
				return err
			}
			if value == nil {
				continue
			}
			number, err := state.DecodeNumber(value)
			if err != nil {
				return err
			}
			r, err := s.findReceipt(view, number)
			if err != nil {
				return err
			}
			if r.Receipt != nil {
				list = append(list, r)
			}
		}
		return nil
	})
	return list, err
}

// receiptRow is a receipt as lists show it.
func (l *ledger) receiptRow(r *listedReceipt) receiptRow {
	row := receiptRow{
		Number: r.Number, Good: l.good(r.Good).Name, Serial: r.Serial, Custodian: r.Custodian, Name: l.custodian(r.Custodian),
		Opened: l.quantity(r.Good, r.OpenedWith), State: l.receiptState(r), stock: l.stockOfReceipt(r),
	}
	row.Amount = measures(row.Whole, row.Measure)
	row.ValueUnits = row.WholeUnits
	return row
}

// stockOfReceipt is what a receipt is made of; nothing where it is closed.
func (l *ledger) stockOfReceipt(r *listedReceipt) stock {
	g := l.good(r.Good)
	a := stock{Measure: g.Measure, OwedKnown: true}
	if !r.open {
		return a
	}
	a.Whole, a.Free, a.Rest, a.Undrawn, a.Owed = r.Quantity(), r.Free, r.Undrawn+r.Owed, r.Undrawn, r.Owed
	a.WholeUnits = g.ValueUnits(a.Whole)
	switch {
	case !r.Fresh(l.next()):
		a.Stale = r.Free
	case !l.standing(r.Custodian).Counts():
		a.Held = r.Free
	default:
		a.Counted, a.CountedUnits = r.Free, g.LowUnits(r.Free)
	}
	a.share()
	return a
}

// receiptState is how a receipt stands, in a few words.
func (l *ledger) receiptState(r *listedReceipt) pill {
	standing := l.standing(r.Custodian)
	switch {
	case !r.open:
		return pill{"closed at " + count(r.ended.Height), "rest"}
	case standing.Defaulted:
		return pill{"custodian in default", "bad"}
	case standing.Suspended:
		return pill{"custodian suspended", "bad"}
	case !r.Fresh(l.next()):
		return pill{"stale since " + count(r.ValidUntil+1), "warn"}
	}
	return pill{"counts until " + count(r.ValidUntil), "good"}
}
