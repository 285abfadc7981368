package web

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"

	"github.com/btcsuite/btcd/chainhash/v2"

	history "granary/index/goods"
	"granary/rules/goods"
	"granary/state"
)

// receiptView is one receipt with everything that is known of it.
type receiptView struct {
	receiptRow
	Open        bool
	ID          string
	Registry    string
	Document    string
	Location    string
	Script      scriptView
	HaircutBP   int64
	OpenedAt    int32
	Observed    int32
	ValidUntil  int32
	Counts      string // whether it counts, and how long
	Delivered   string
	Lost        string
	HasLost     bool
	Released    int64
	CreditUnits int64 // what it may still release
	EndedAt     int32
	EndedURL    string
	OpenedBy    *lineView // the record that opened it
	SeenBy      *lineView // the last recount
	Claims      []claimRow
	MoreClaims  bool
	History     linesView
}

func (s *Server) receipt(r *http.Request) (*page, error) {
	l, err := s.needCharter()
	if err != nil {
		return nil, err
	}
	n, err := number(r.PathValue("number"), "receipt")
	if err != nil {
		return nil, err
	}
	var found listedReceipt
	err = s.options.Chain.View(func(_ *state.Header, view state.View) (err error) {
		found, err = s.findReceipt(view, n)
		return err
	})
	if err != nil {
		return nil, err
	}
	if found.Receipt == nil {
		return nil, s.noObject(l, "receipt", n, l.receipts)
	}
	view := s.viewReceipt(l, &found)
	if err := s.receiptHistory(l, view, n, r.URL.Query().Get("before")); err != nil {
		return nil, err
	}
	return &page{Title: fmt.Sprintf("Receipt %d", n), Template: "receipt", Section: "receipts", Body: view}, nil
}

// noObject says why there is no receipt or claim of a number.
func (s *Server) noObject(l *ledger, what string, n, next uint64) error {
	switch {
	case next == 0:
		return notFound("There is no %s yet on this chain.", what)
	case n >= next:
		return notFound("There is no %s %d: the newest has the number %d.", what, n, next-1)
	case s.options.History == nil:
		return notFound("%s %d is gone, and this node keeps no goods history.", titled(what), n)
	}
	return notFound("%s %d was gone before this node's goods history begins, at height %s.", titled(what), n, count(s.options.History.Since()))
}

func titled(word string) string { return strings.ToUpper(word[:1]) + word[1:] }

func (s *Server) viewReceipt(l *ledger, r *listedReceipt) *receiptView {
	g := l.good(r.Good)
	view := &receiptView{
		receiptRow: l.receiptRow(r), Open: r.open, ID: hex.EncodeToString(r.ID[:]), Registry: fmt.Sprintf("registry %d", r.Registry),
		Location: r.Location, Script: s.script(r.Script), HaircutBP: int64(r.HaircutBP), OpenedAt: r.Receipt.Opened,
		Observed: r.Observed, ValidUntil: r.ValidUntil, Delivered: l.quantity(r.Good, r.Delivered), Lost: l.quantity(r.Good, r.Lost),
		HasLost: r.Lost > 0, Released: r.ReleasedUnits,
	}
	if all := s.options.Charter.Registries; int(r.Registry) < len(all) {
		view.Registry = all[r.Registry]
	}
	if r.Document != (chainhash.Hash{}) {
		view.Document = hashText(r.Document)
	}
	if r.open {
		view.CreditUnits = goods.CreditUnits(r.Receipt, g, r.Undrawn)
		view.Counts = l.countsWords(r)
	} else {
		view.EndedAt, view.EndedURL = r.ended.Height, s.txURL(r.ended.Txid, r.ended.Height)
	}
	return view
}

// countsWords says whether an open receipt is part of the reserve, and how
// long.
func (l *ledger) countsWords(r *listedReceipt) string {
	standing := l.standing(r.Custodian)
	switch {
	case standing.Defaulted:
		return "it counts no more: its custodian is in default"
	case standing.Suspended:
		return "it does not count while its custodian is suspended"
	case !r.Fresh(l.next()):
		return "it does not count until auditors recount it"
	}
	return "it stops counting " + l.in(r.ValidUntil+1) + ", unless auditors recount it before"
}

// receiptHistory adds what the history knows: who saw the goods, claims, lines.
func (s *Server) receiptHistory(l *ledger, view *receiptView, n uint64, before string) (err error) {
	if view.History, err = s.lines(l, ofReceipt(n), fmt.Sprintf("/receipt/%d", n), before); err != nil || !view.History.Kept {
		return err
	}
	opened, audited, err := s.options.History.Attested(n)
	if err != nil {
		return err
	}
	if opened != nil {
		line := s.line(l, opened, ofReceipt(n))
		view.OpenedBy = &line
	}
	if audited != nil {
		line := s.line(l, audited, ofReceipt(n))
		view.SeenBy = &line
	}
	return s.claimsOfReceipt(l, view, n)
}

// claimsOfReceipt finds claims in the newest lines of a receipt.
func (s *Server) claimsOfReceipt(l *ledger, view *receiptView, n uint64) error {
	const lines, rows = 400, 30
	events, more, err := s.options.History.Events(history.OfReceipt(n), history.Cursor{}, lines)
	if err != nil {
		return err
	}
	view.MoreClaims = more
	return s.options.Chain.View(func(_ *state.Header, at state.View) error {
		for i := range events {
			if kind := events[i].Kind; kind != history.KindRedeemed && kind != history.KindReclaimed {
				continue
			}
			if len(view.Claims) == rows {
				view.MoreClaims = true
				return nil
			}
			c, err := s.findClaim(at, events[i].Claim)
			if err != nil {
				return err
			}
			if c.Claim != nil {
				view.Claims = append(view.Claims, l.claimRow(&c, view.Good, view.Measure))
			}
		}
		return nil
	})
}
