package web

import (
	"fmt"
	"net/http"

	history "granary/index/goods"
	"granary/rules/goods"
	"granary/state"
)

// inspectionRow is one receipt that auditors were asked to recount.
type inspectionRow struct {
	Receipt    uint64
	Custodian  uint16
	Name       string
	What, Good string // what it held then
	Auditor    uint16
	AskedFirst string
	State      pill
	Answer     string
	AnswerURL  string
	Backers    string
}

// inspectionDraw is the receipts that one block drew.
type inspectionDraw struct {
	Height int32
	Block  string
	Rows   []inspectionRow
}

type inspectionsView struct {
	Height   int32
	Kept     bool
	Every    int32
	Receipts int
	Next     int32
	NextIn   string
	Draws    []inspectionDraw
	More     string
	All      bool
}

func (s *Server) inspections(r *http.Request) (*page, error) {
	l, err := s.needCharter()
	if err != nil {
		return nil, err
	}
	at := r.URL.Query().Get("before")
	view := &inspectionsView{Height: l.tip.Height, Kept: s.options.History != nil, Every: history.InspectEveryBlocks, Receipts: history.InspectReceipts, All: at == ""}
	view.Next = (l.tip.Height/history.InspectEveryBlocks + 1) * history.InspectEveryBlocks
	view.NextIn = l.in(view.Next)
	made := &page{Title: "Inspections", Template: "inspections", Section: "inspections", Body: view}
	if !view.Kept {
		return made, nil
	}
	before, err := parseCursor(at)
	if err != nil {
		return nil, err
	}
	all, more, err := s.options.History.Inspections(before, 6*history.InspectReceipts)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if err := s.addInspection(l, view, &all[i]); err != nil {
			return nil, err
		}
	}
	if more {
		last := &all[len(all)-1]
		view.More = fmt.Sprintf("/inspections?before=%d-%d", last.Height, last.Place)
	}
	return made, nil
}

func (s *Server) addInspection(l *ledger, view *inspectionsView, i *history.Inspection) error {
	if n := len(view.Draws); n == 0 || view.Draws[n-1].Height != i.Height {
		draw := inspectionDraw{Height: i.Height}
		if h := s.options.Chain.AtHeight(i.Height); h != nil {
			draw.Block = h.Hash.String()
		}
		view.Draws = append(view.Draws, draw)
	}
	row := inspectionRow{
		Receipt: i.Receipt, Custodian: i.Custodian, Name: l.custodian(i.Custodian), What: l.quantity(i.Good, i.Quantity), Good: l.good(i.Good).Name,
		Auditor: i.Auditor, AskedFirst: l.auditor(i.Auditor), State: pill{"not recounted yet", "warn"},
	}
	answer, found, err := s.options.History.Answered(i)
	if err != nil {
		return err
	}
	if found {
		line := s.line(l, &answer, ofReceipt(i.Receipt))
		row.State = pill{"recounted after " + plural(answer.Height-i.Height, "block"), "good"}
		if answer.Stated > 0 {
			row.State = pill{"recounted: goods are missing", "bad"}
		}
		row.Answer, row.AnswerURL, row.Backers = line.Text, line.TxURL, line.Backers
	} else if closed, err := s.isClosed(i.Receipt); err != nil {
		return err
	} else if closed {
		row.State = pill{"closed before anybody came", "rest"}
	}
	draw := &view.Draws[len(view.Draws)-1]
	draw.Rows = append(draw.Rows, row)
	return nil
}

// isClosed reports whether nothing is left of a receipt.
func (s *Server) isClosed(number uint64) (closed bool, err error) {
	err = s.options.Chain.View(func(_ *state.Header, view state.View) error {
		r, err := goods.ReadReceipt(view, number)
		closed = r == nil
		return err
	})
	return closed, err
}
