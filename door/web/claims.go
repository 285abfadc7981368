package web

import (
	"encoding/hex"
	"fmt"
	"net/http"

	history "granary/index/goods"
	"granary/rules/goods"
	"granary/state"
)

// claimRow is a claim in a list.
type claimRow struct {
	Number      uint64
	Kind        string // "redemption", "reclaim"
	Receipt     uint64
	Good        string
	Amount      string
	Custodian   uint16
	Name        string
	EscrowUnits int64
	OpenedAt    int32
	State       pill
	Next        string // what comes next, "" where it is over
}

type claimsView struct {
	listView
	Rows []claimRow
}

// listedClaim is a claim with how it ended, where it did.
type listedClaim struct {
	*state.Claim
	open  bool
	ended history.Ended
}

// findClaim looks among the open claims and those that are gone; its Claim is
// nil where neither has it.
func (s *Server) findClaim(view state.View, number uint64) (c listedClaim, err error) {
	if c.Claim, err = goods.ReadClaim(view, number); err != nil || c.Claim != nil {
		c.open = true
		return c, err
	}
	if s.options.History != nil {
		c.Claim, c.ended, err = s.options.History.EndedClaim(number)
	}
	return c, err
}

// openClaims reads up to count open claims from a number on.
func openClaims(view state.View, from uint64, count int) (list []listedClaim, more bool, err error) {
	_, to := state.ClaimKeys()
	var failed error
	err = view.GoodsRange(state.KeyClaim(from), to, func(key, value []byte) bool {
		if more = len(list) == count; more {
			return false
		}
		var c *state.Claim
		c, failed = state.DecodeClaim(key, value)
		list = append(list, listedClaim{Claim: c, open: true})
		return failed == nil
	})
	if err == nil {
		err = failed
	}
	return list, more, err
}

// claimRows gives one page of claims, by number, with what they claim.
func (s *Server) claimRows(l *ledger, q *listQuery, rows int) (list []claimRow, more bool, err error) {
	err = s.options.Chain.View(func(_ *state.Header, view state.View) error {
		var claims []listedClaim
		if q.name == "open" && q.custodian == "" {
			// The state has them by number, whatever the history keeps.
			if claims, more, err = openClaims(view, q.from, rows); err != nil {
				return err
			}
		} else {
			refs, left, err := s.options.History.Claims(q.which, q.from, rows)
			if err != nil {
				return err
			}
			more = left
			for _, ref := range refs {
				c, err := s.findClaim(view, ref.Number)
				if err != nil {
					return err
				}
				if c.Claim != nil {
					claims = append(claims, c)
				}
			}
		}
		for i := range claims {
			r, err := s.findReceipt(view, claims[i].Receipt)
			if err != nil {
				return err
			}
			good, measure := "goods", "measures"
			if r.Receipt != nil {
				good, measure = l.good(r.Good).Name, l.good(r.Good).Measure
			}
			list = append(list, l.claimRow(&claims[i], good, measure))
		}
		return nil
	})
	return list, more, err
}

func (s *Server) claims(r *http.Request) (*page, error) {
	l, err := s.needCharter()
	if err != nil {
		return nil, err
	}
	q, err := s.listQuery(l, r.URL.Query())
	if err != nil {
		return nil, err
	}
	q.good, q.which.Good = "", history.None
	rows, more, err := s.claimRows(l, &q, listRows)
	if err != nil {
		return nil, err
	}
	last := uint64(0)
	if len(rows) > 0 {
		last = rows[len(rows)-1].Number
	}
	view := &claimsView{listView: q.view(s, l, "/claims", last, more, l.claims), Rows: rows}
	view.Filter.Goods = nil
	return &page{Title: "Claims", Template: "claims", Section: "claims", Body: view}, nil
}

func (l *ledger) claimRow(c *listedClaim, good, measure string) claimRow {
	row := claimRow{
		Number: c.Number, Kind: c.Kind.String(), Receipt: c.Receipt, Good: good, Amount: measures(c.Quantity, measure),
		Custodian: c.Custodian, Name: l.custodian(c.Custodian), EscrowUnits: c.EscrowUnits, OpenedAt: c.Opened,
	}
	row.State, row.Next = l.claimState(c)
	return row
}

// claimState is how a claim stands, and what comes next.
func (l *ledger) claimState(c *listedClaim) (pill, string) {
	next := l.next()
	switch {
	case !c.open:
		return endedPill(&c.ended), "at " + count(c.ended.Height)
	case c.Tendered == 0 && next <= c.Deadline:
		return pill{"waits for its goods", "rest"}, "due by " + count(c.Deadline)
	case c.Tendered == 0 && next <= c.GraceEnd():
		return pill{"overdue", "warn"}, "last call at " + count(c.GraceEnd())
	case c.Tendered == 0:
		return pill{"not delivered", "bad"}, "anyone may settle it"
	case next <= c.PickupEnd():
		return pill{"ready to collect", "good"}, "until " + count(c.PickupEnd())
	case next <= c.PickupGraceEnd():
		return pill{"not collected", "warn"}, "until " + count(c.PickupGraceEnd())
	}
	return pill{"not collected", "warn"}, "anyone may let it lapse"
}

func endedPill(e *history.Ended) pill {
	switch e.Kind {
	case history.KindDelivered:
		return pill{"delivered", "good"}
	case history.KindLapsed:
		return pill{"lapsed", "rest"}
	case history.KindSettled:
		return pill{"not delivered, paid back", "bad"}
	}
	return pill{"over", "rest"}
}

// claimView is one claim with everything that is known of it.
type claimView struct {
	claimRow
	Open       bool
	ID         string
	FeeBP      int64
	Escrow     string
	EscrowURL  string
	Holder     scriptView
	Token      string
	TokenURL   string
	TokenSince int32
	May        []string // what may happen next, and from which block on
	Steps      []stepView
	EndedURL   string
	History    linesView
}

// stepView is one height in a claim's life.
type stepView struct {
	Title, Text string
	Height      int32
	State       string // "done", "now", "later"
	In          string
	Past        bool // there is such a block
}

func (s *Server) claim(r *http.Request) (*page, error) {
	l, err := s.needCharter()
	if err != nil {
		return nil, err
	}
	n, err := number(r.PathValue("number"), "claim")
	if err != nil {
		return nil, err
	}
	var found listedClaim
	good, measure := "goods", "measures"
	err = s.options.Chain.View(func(_ *state.Header, view state.View) (err error) {
		if found, err = s.findClaim(view, n); err != nil || found.Claim == nil {
			return err
		}
		receipt, err := s.findReceipt(view, found.Receipt)
		if receipt.Receipt != nil {
			good, measure = l.good(receipt.Good).Name, l.good(receipt.Good).Measure
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if found.Claim == nil {
		return nil, s.noObject(l, "claim", n, l.claims)
	}
	view := s.viewClaim(l, &found, good, measure)
	if view.History, err = s.lines(l, ofClaim(n), fmt.Sprintf("/claim/%d", n), r.URL.Query().Get("before")); err != nil {
		return nil, err
	}
	return &page{Title: fmt.Sprintf("Claim %d", n), Template: "claim", Section: "claims", Body: view}, nil
}

func (s *Server) viewClaim(l *ledger, c *listedClaim, good, measure string) *claimView {
	view := &claimView{
		claimRow: l.claimRow(c, good, measure), Open: c.open, ID: hex.EncodeToString(c.ID[:]), FeeBP: int64(c.FeeBP),
		Holder: s.script(c.TokenScript), Token: c.Token.String(), TokenURL: s.txURL(c.Token.Hash, c.TokenHeight), TokenSince: c.TokenHeight,
		Steps: l.claimSteps(c),
	}
	if c.Kind == state.ClaimRedemption {
		view.Escrow, view.EscrowURL = c.Escrow.String(), s.txURL(c.Escrow.Hash, c.Opened)
	}
	if c.open {
		view.May = s.claimMay(l, c)
	} else {
		view.EndedURL = s.txURL(c.ended.Txid, c.ended.Height)
	}
	return view
}

// claimMay says what may happen to an open claim and from which block on.
func (s *Server) claimMay(l *ledger, c *listedClaim) (may []string) {
	say := func(format string, args ...any) { may = append(may, fmt.Sprintf(format, args...)) }
	next, custodian := l.next(), l.custodian(c.Custodian)
	paid, rest := goods.LapseUnits(c.Claim)
	say("At any time its holder may say with the token that the goods were handed over: %s.", escrowGoes(s, c, "the escrow becomes pool"))
	if c.Tendered == 0 {
		switch {
		case next <= c.Deadline:
			say("%s has up to block %s (%s) to have the goods ready, and may still be late up to block %s.", custodian, count(c.Deadline), l.in(c.Deadline), count(c.GraceEnd()))
		case next <= c.GraceEnd():
			say("The deadline, block %s, is over. %s may still tender up to block %s (%s).", count(c.Deadline), custodian, count(c.GraceEnd()), l.in(c.GraceEnd()))
		}
		from := fmt.Sprintf("From block %s on (%s)", count(c.GraceEnd()+1), l.in(c.GraceEnd()+1))
		if next > c.GraceEnd() {
			from = "Since block " + count(c.GraceEnd()+1)
		}
		say("%s anyone may settle it: %s, %s.", from,
			escrowGoes(s, c, "the whole escrow of "+s.money.text(c.EscrowUnits)+" goes back to the holder"), notDelivered(c.Kind, custodian))
		return may
	}
	lapse := "the goods go back to the receipt"
	if c.Kind == state.ClaimRedemption {
		lapse = fmt.Sprintf("%s go back to the holder, %s stay in the pool as the fee, and the goods stay with the receipt", s.money.text(paid), s.money.text(rest))
	}
	say("The goods are ready since block %s. Instead of collecting them its holder may let the claim lapse: %s.", count(c.Tendered), lapse)
	switch {
	case next <= c.PickupEnd():
		say("From block %s to block %s, %s may report the delivery without the token, if enough auditors attest it.", count(c.PickupEnd()+1), count(c.PickupGraceEnd()), custodian)
	case next <= c.PickupGraceEnd():
		say("Up to block %s (%s), %s may report the delivery without the token, if enough auditors attest it.", count(c.PickupGraceEnd()), l.in(c.PickupGraceEnd()), custodian)
	}
	from := fmt.Sprintf("From block %s on (%s)", count(c.PickupGraceEnd()+1), l.in(c.PickupGraceEnd()+1))
	if next > c.PickupGraceEnd() {
		from = "Since block " + count(c.PickupGraceEnd()+1)
	}
	say("%s anyone may let it lapse.", from)
	return may
}

func escrowGoes(_ *Server, c *listedClaim, words string) string {
	if c.Kind == state.ClaimReclaim {
		return "there is no escrow, as these goods never backed a coin"
	}
	return words
}

// notDelivered says what a settlement does beside paying the holder back. The
// goods of a reclaim stay the depositor's, since no coin stands behind them.
func notDelivered(kind state.ClaimKind, custodian string) string {
	if kind == state.ClaimReclaim {
		return "the goods are undrawn again, and " + custodian + " is suspended and owes a penalty"
	}
	return "the goods are written off, and " + custodian + " is suspended and owes their value and a penalty"
}

// claimSteps is the claim's life, height by height.
func (l *ledger) claimSteps(c *listedClaim) []stepView {
	steps := []stepView{{Title: "Claimed", Height: c.Opened, State: "done"}}
	add := func(title, text string, height int32) {
		step := stepView{Title: title, Text: text, Height: height, State: "later"}
		switch {
		case !c.open && height >= c.ended.Height:
			return // what the end made void
		case height <= l.tip.Height:
			step.State = "done"
		default:
			step.In = l.in(height)
		}
		steps = append(steps, step)
	}
	switch {
	case c.Tendered == 0:
		add("Deadline", "last block of the delivery window", c.Deadline)
		add("End of grace", "last block for a late tender", c.GraceEnd())
		add("Settlement", "from here on anyone may settle it", state.LaterHeight(c.GraceEnd(), 1))
	default:
		if c.Tendered > c.Deadline {
			add("Deadline", "passed without a tender", c.Deadline)
		}
		steps = append(steps, stepView{Title: "Tendered", Text: "the goods are ready", Height: c.Tendered, State: "done"})
		add("End of pickup", "last block of the pickup window", c.PickupEnd())
		add("End of grace", "last block for a delivery without the token", c.PickupGraceEnd())
		add("Lapse", "from here on anyone may let it lapse", state.LaterHeight(c.PickupGraceEnd(), 1))
	}
	if !c.open {
		steps = append(steps, stepView{Title: titled(endedPill(&c.ended).Text), Height: c.ended.Height, State: "done"})
	}
	return l.markSteps(steps, c.open)
}

// markSteps lights the step that matters now: the first that lies ahead.
func (l *ledger) markSteps(steps []stepView, open bool) []stepView {
	for i := range steps {
		steps[i].Past = steps[i].Height <= l.tip.Height
		if open && steps[i].State == "later" {
			steps[i].State, open = "now", false
		}
	}
	return steps
}
