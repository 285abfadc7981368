package web

import (
	"fmt"
	"net/http"

	history "granary/index/goods"
	"granary/state"
)

// auditorCard is an auditor in the list.
type auditorCard struct {
	Index    uint16
	Name     string
	Record   *history.AuditorRecord
	Interval string // between its audits
	Last     string // its last audit
	Found    string // how often it found something missing
}

type auditorsView struct {
	Height int32
	Quorum int64
	Kept   bool
	Cards  []auditorCard
}

func (s *Server) auditorCard(l *ledger, i uint16) (auditorCard, error) {
	card := auditorCard{Index: i, Name: l.auditor(i)}
	if s.options.History == nil {
		return card, nil
	}
	record, err := s.options.History.Auditor(i)
	if err != nil {
		return card, err
	}
	card.Record, card.Interval, card.Last, card.Found = &record, "fewer than two audits", "never", "nothing"
	if blocks := record.MeanIntervalBlocks(); blocks > 0 {
		card.Interval = plural(int64(blocks), "block") + " on average"
	}
	if record.LastAudit > 0 {
		card.Last = fmt.Sprintf("block %s, %s", count(record.LastAudit), l.in(int32(record.LastAudit)))
	}
	if record.LossReceipts > 0 {
		card.Found = fmt.Sprintf("%s worth %s", plural(int64(record.LossReceipts), "shortfall"), s.money.text(int64(record.LossUnits)))
	}
	return card, nil
}

func (s *Server) auditorsPage(*http.Request) (*page, error) {
	l, err := s.needCharter()
	if err != nil {
		return nil, err
	}
	view := &auditorsView{Height: l.tip.Height, Quorum: l.params.QuorumAuditors, Kept: s.options.History != nil}
	for i := range l.auditors[:min(len(l.auditors), custodianCards)] {
		card, err := s.auditorCard(l, uint16(i))
		if err != nil {
			return nil, err
		}
		view.Cards = append(view.Cards, card)
	}
	return &page{Title: "Auditors", Template: "auditors", Section: "auditors", Body: view}, nil
}

type auditorView struct {
	auditorCard
	Seat    seatView
	Quorum  int64
	History linesView
}

func (s *Server) auditor(r *http.Request) (*page, error) {
	l, err := s.needCharter()
	if err != nil {
		return nil, err
	}
	i, err := index(r.PathValue("index"), "auditor", len(l.auditors))
	if err != nil {
		return nil, err
	}
	card, err := s.auditorCard(l, i)
	if err != nil {
		return nil, err
	}
	view := &auditorView{auditorCard: card, Quorum: l.params.QuorumAuditors}
	if seat := l.seat(state.RoleAuditor, i); seat != nil {
		view.Seat = s.seatView(seat)
	}
	if view.History, err = s.lines(l, ofAuditor(i), fmt.Sprintf("/auditor/%d", i), r.URL.Query().Get("before")); err != nil {
		return nil, err
	}
	return &page{Title: card.Name, Template: "auditor", Section: "auditors", Body: view}, nil
}
