package web

import (
	"fmt"
	"net/http"

	history "granary/index/goods"
	"granary/state"
)

// custodianCard is a custodian in the list.
type custodianCard struct {
	Index        uint16
	Name         string
	Standing     pill
	WholeUnits   int64 // of all it holds, at the higher par
	CountedUnits int64 // its part of the reserve
	BondUnits    int64
	DebtUnits    int64
	Untendered   uint64
	Record       *history.CustodianRecord
	Punctuality  string
}

type custodiansView struct {
	Height int32
	Kept   bool
	Cards  []custodianCard
}

func (s *Server) custodianCard(l *ledger, i uint16) (custodianCard, error) {
	standing := l.standing(i)
	card := custodianCard{
		Index: i, Name: l.custodian(i), Standing: standingPill(standing), WholeUnits: standing.Whole.Units(),
		BondUnits: standing.BondUnits(), DebtUnits: standing.DebtUnits, Untendered: standing.Untendered,
	}
	if standing.Counts() {
		card.CountedUnits = standing.Counted.Units()
	}
	if s.options.History == nil {
		return card, nil
	}
	record, err := s.options.History.Custodian(i)
	card.Record, card.Punctuality = &record, punctuality(&record)
	return card, err
}

// punctuality says how often a custodian had goods ready in time.
func punctuality(r *history.CustodianRecord) string {
	due := r.TenderedInTime + r.TenderedLate + r.Settled
	if due == 0 {
		return "nothing was due yet"
	}
	return fmt.Sprintf("%s in time of %s", count(r.TenderedInTime), count(due))
}

// custodianCards bounds the custodians that one page lists; a charter and its
// amendments rarely have more than a handful.
const custodianCards = 60

func (s *Server) custodians(*http.Request) (*page, error) {
	l, err := s.needCharter()
	if err != nil {
		return nil, err
	}
	view := &custodiansView{Height: l.tip.Height, Kept: s.options.History != nil}
	for i := range l.standings[:min(len(l.standings), custodianCards)] {
		card, err := s.custodianCard(l, uint16(i))
		if err != nil {
			return nil, err
		}
		view.Cards = append(view.Cards, card)
	}
	return &page{Title: "Custodians", Template: "custodians", Section: "custodians", Body: view}, nil
}

// custodianView is one custodian with everything that is known of it.
type custodianView struct {
	custodianCard
	Seat      seatView
	Words     []string // what its standing means
	FreeUnits int64    // bonds less debt and what is announced
	NeedUnits int64    // bonds it must keep for what it holds
	Announced int64
	ReadyAt   int32
	ReadyIn   string
	Bonds     []bondRow
	Stocks    []allowanceUse
	Tender    *spread
	Delivery  *spread
	Suspended int64 // blocks in all
	History   linesView
}

type bondRow struct {
	Out   string
	Units int64
}

// allowanceUse is a custodian's stock of a good with the limit it may reach.
type allowanceUse struct {
	Good  string
	Index uint16
	Limit int64
	Used  string // percent of the limit
	Share int64  // thousandths of the limit
	stock
}

// spread shows how long something took.
type spread struct {
	Count          uint64
	Mean, Min, Max string
	Bars           []spreadBar
}

type spreadBar struct {
	Label  string
	Count  uint64
	Height string // percent of the tallest
	Y      string
}

// spreadOf draws a distribution; nil where there is nothing in it.
func spreadOf(d *history.Distribution) *spread {
	if d.Count == 0 {
		return nil
	}
	view := &spread{
		Count: d.Count, Mean: fmt.Sprintf("%.1f", float64(d.Sum)/float64(d.Count)), Min: count(d.Min), Max: plural(int64(d.Max), "block"),
	}
	first, last, most := -1, 0, uint64(0)
	for i, n := range d.Buckets {
		if n == 0 {
			continue
		}
		if first < 0 {
			first = i
		}
		last, most = i, max(most, n)
	}
	for i := first; i <= last; i++ {
		from, to := uint64(0), uint64(0)
		if i > 0 {
			from, to = 1<<(i-1), 1<<i-1
		}
		label := count(from)
		if to > from {
			label += "–" + count(to)
		}
		share := float64(d.Buckets[i]) / float64(most) * 100
		view.Bars = append(view.Bars, spreadBar{label, d.Buckets[i], fmt.Sprintf("%.1f%%", share), fmt.Sprintf("%.1f%%", 100-share)})
	}
	return view
}

func (s *Server) custodian(r *http.Request) (*page, error) {
	l, err := s.needCharter()
	if err != nil {
		return nil, err
	}
	i, err := index(r.PathValue("index"), "custodian", len(l.standings))
	if err != nil {
		return nil, err
	}
	card, err := s.custodianCard(l, i)
	if err != nil {
		return nil, err
	}
	view := &custodianView{custodianCard: card}
	if seat := l.seat(state.RoleCustodian, i); seat != nil {
		view.Seat = s.seatView(seat)
	}
	s.fillStanding(l, view)
	fillStocks(l, view)
	if record := card.Record; record != nil {
		view.Tender, view.Delivery = spreadOf(&record.Tender), spreadOf(&record.Delivery)
		view.Suspended = int64(record.SuspendedBlocksBefore)
		if record.SuspendedSince > 0 {
			view.Suspended += int64(l.tip.Height) - int64(record.SuspendedSince) + 1
		}
	}
	if view.History, err = s.lines(l, ofCustodian(i), fmt.Sprintf("/custodian/%d", i), r.URL.Query().Get("before")); err != nil {
		return nil, err
	}
	return &page{Title: card.Name, Template: "custodian", Section: "custodians", Body: view}, nil
}

// fillStanding says what a custodian's standing means.
func (s *Server) fillStanding(l *ledger, v *custodianView) {
	standing := l.standing(v.Index)
	say := func(format string, args ...any) { v.Words = append(v.Words, fmt.Sprintf(format, args...)) }
	switch {
	case standing.Defaulted:
		say("In default, for good: its receipts count no more and it may never receive goods again. What it holds can still be redeemed.")
	case standing.Suspended:
		say("Suspended: its receipts do not count until auditors lift that, which they cannot while it has debt or a claim is overdue. Redemption stays open.")
	default:
		say("Its fresh receipts count towards the reserve.")
	}
	if standing.DebtUnits > 0 {
		say("It owes the pool %s. Anyone may pay that out of its bonds.", s.money.text(standing.DebtUnits))
	}
	if standing.DefaultAt > 0 && !standing.Defaulted {
		say("It will be in default from block %s on (%s), unless its bonds cover its debt before.", count(standing.DefaultAt), l.in(standing.DefaultAt))
	}
	switch n := standing.Untendered; n {
	case 0:
	case 1:
		say("One claim waits for its goods.")
	default:
		say("%s claims wait for its goods.", count(n))
	}
	v.FreeUnits = standing.BondUnits() - standing.DebtUnits - standing.AnnouncedUnits
	v.NeedUnits = needUnits(l, standing)
	v.Announced, v.ReadyAt = standing.AnnouncedUnits, standing.ReadyAt
	if v.ReadyAt > 0 {
		v.ReadyIn = l.in(v.ReadyAt)
	}
	for i := range standing.Bonds {
		v.Bonds = append(v.Bonds, bondRow{standing.Bonds[i].Out.String(), standing.Bonds[i].Units})
	}
}

// fillStocks lists what a custodian may hold and holds.
func fillStocks(l *ledger, v *custodianView) {
	held := map[uint16]*holding{}
	for i := range l.holdings {
		if l.holdings[i].custodian == v.Index {
			held[l.holdings[i].good] = &l.holdings[i]
		}
	}
	for good := range l.counts.Goods {
		at := place{v.Index, good}
		h, limit := held[good], l.limits[at]
		if h == nil && limit == 0 {
			continue
		}
		if h == nil {
			h = &holding{place: at}
		}
		use := allowanceUse{Good: l.good(good).Name, Index: good, Limit: limit, stock: l.stockOf(h)}
		if limit > 0 {
			use.Share = min(int64(float64(h.Whole)/float64(limit)*1000), 1000)
			use.Used = percentBP(int64(float64(h.Whole) / float64(limit) * 10_000))
		}
		v.Stocks = append(v.Stocks, use)
	}
}

// needUnits is what a custodian's bonds must be worth for what it holds:
// ceil(max(0, whole - unbonded allowance) x bond ratio / 10,000).
func needUnits(l *ledger, standing *state.Standing) int64 {
	return ceilBP(max(0, standing.Whole.Units()-l.params.UnbondedAllowanceUnits), l.params.BondRatioBP)
}
