package web

import (
	"fmt"
	"math"
	"math/bits"
	"net/http"

	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

// reserveView is the reserve: what stands behind the coins.
type reserveView struct {
	Height           int32
	CirculatingUnits int64
	ReserveUnits     int64 // R
	AllUnits         int64 // D
	ClaimedUnits     int64 // C
	PoolUnits        int64
	EscrowUnits      int64
	BondUnits        int64
	Coverage         string
	Minimum          string
	Enough           bool  // coverage is at least the minimum
	RoomUnits        int64 // what more could be released, below 0 where coverage is too low
	MissingUnits     int64 // of reserve, for coverage to be enough
	Goods            []goodReserve
	Custodians       []custodianReserve
	Chart            *coverageView
	Spans            []spanLink
}

type spanLink struct {
	Text, URL string
	Current   bool
}

// stock is a quantity of one good in its parts, in measures.
type stock struct {
	Measure string
	Whole   int64
	Free    int64
	Rest    int64 // undrawn or owed
	Undrawn int64 // where OwedKnown
	Owed    int64
	Counted int64 // free, fresh, and at a custodian whose receipts count
	Stale   int64 // free but too old
	Held    int64 // free and fresh, but at a custodian that is suspended or in default

	OwedKnown    bool
	WholeUnits   int64 // at the par in force
	CountedUnits int64 // as the reserve values it
	// Shares of Whole in thousandths, for the bar.
	CountedShare, StaleShare, HeldShare, UndrawnShare, OwedShare int64
}

type goodReserve struct {
	Index   uint16
	Name    string
	Code    string
	Par     string
	Pending string // par to come, "" where none
	stock
	Rows []holdingRow
}

type holdingRow struct {
	Custodian uint16
	Name      string
	Standing  pill
	Limit     int64
	stock
}

type custodianReserve struct {
	Index    uint16
	Name     string
	Standing pill
	Rows     []custodianGood

	CountedUnits, WholeUnits int64
}

type custodianGood struct {
	Good string
	stock
}

// add sums two stocks of one good.
func (a *stock) add(b *stock) {
	a.Whole += b.Whole
	a.Free += b.Free
	a.Rest += b.Rest
	a.Undrawn += b.Undrawn
	a.Owed += b.Owed
	a.Counted += b.Counted
	a.Stale += b.Stale
	a.Held += b.Held
	a.WholeUnits += b.WholeUnits
	a.CountedUnits += b.CountedUnits
	a.OwedKnown = a.OwedKnown && b.OwedKnown
}

// share fills in the parts of the bar.
func (a *stock) share() {
	if a.Whole == 0 {
		return
	}
	part := func(n int64) int64 { return int64(float64(n) / float64(a.Whole) * 1000) }
	a.CountedShare, a.StaleShare, a.HeldShare = part(a.Counted), part(a.Stale), part(a.Held)
	a.OwedShare = part(a.Owed)
	a.UndrawnShare = max(1000-a.CountedShare-a.StaleShare-a.HeldShare-a.OwedShare, 0)
}

// Bars are the parts of the bar that are there, from the left.
func (a *stock) Bars() (bars []barPart) {
	x := int64(0)
	for _, p := range []struct {
		class string
		width int64
	}{{"out", a.CountedShare}, {"stale", a.StaleShare}, {"held", a.HeldShare}, {"pool", a.UndrawnShare}, {"escrow", a.OwedShare}} {
		if p.width > 0 {
			bars = append(bars, barPart{p.class, x, p.width})
			x += p.width
		}
	}
	return bars
}

type barPart struct {
	Class    string
	X, Width int64
}

// maxOwedClaims bounds the claims that are walked to tell what is owed from
// what is undrawn; with more open claims the two are shown together.
const maxOwedClaims = 1000

// readOwed sums what open claims took out, by holding; it leaves owed nil where
// there are too many.
func (l *ledger) readOwed(view state.View) error {
	sums, n := map[place]int64{}, 0
	var failed error
	err := goods.RangeClaims(view, func(c *state.Claim) bool {
		if n++; n > maxOwedClaims {
			return false
		}
		var r *state.Receipt
		if r, failed = goods.ReadReceipt(view, c.Receipt); failed == nil && r != nil {
			sums[place{r.Custodian, r.Good}] += c.Quantity
		}
		return failed == nil
	})
	if n <= maxOwedClaims {
		l.owed = sums
	}
	if err == nil {
		err = failed
	}
	return err
}

// stockOf is what a holding is made of.
func (l *ledger) stockOf(h *holding) stock {
	g := l.good(h.good)
	a := stock{
		Measure: g.Measure, Whole: h.Whole, Free: h.Free, Rest: h.Whole - h.Free, OwedKnown: l.owed != nil,
		Counted: h.Counted, Stale: h.Free - h.Counted, WholeUnits: g.ValueUnits(h.Whole),
	}
	if a.OwedKnown {
		a.Owed = l.owed[h.place]
		a.Undrawn = max(a.Rest-a.Owed, 0)
	}
	if l.standing(h.custodian).Counts() {
		a.CountedUnits = g.LowUnits(h.Counted)
	} else {
		a.Held, a.Counted = h.Counted, 0
	}
	a.share()
	return a
}

// reserveOf fills in the reserve by good and by custodian.
func (s *Server) reserveOf(l *ledger) *reserveView {
	view := &reserveView{
		Height: l.tip.Height, CirculatingUnits: l.totals.CirculatingUnits, ReserveUnits: l.reserve.Counted.Units(),
		AllUnits: l.reserve.All.Units(), ClaimedUnits: l.reserve.Claimed.Units(), PoolUnits: l.totals.PoolUnits, EscrowUnits: l.totals.EscrowUnits,
		Coverage: coverageText(l.coverageBP()), Minimum: percentBP(l.params.MinCoverageBP),
	}
	view.RoomUnits = roomUnits(l)
	view.Enough = view.RoomUnits >= 0
	view.MissingUnits = max(0, ceilBP(l.totals.CirculatingUnits, l.params.MinCoverageBP)-view.ReserveUnits)
	for _, standing := range l.standings {
		view.BondUnits += standing.BondUnits()
	}
	for i, g := range l.goods {
		good := goodReserve{Index: uint16(i), Name: g.Name, Code: g.Code, Par: s.par(&g.Good)}
		good.Measure, good.OwedKnown = g.Measure, true
		if g.Pending != nil {
			good.Pending = s.par(g.Pending)
		}
		view.Goods = append(view.Goods, good)
	}
	for i := range l.holdings {
		h := &l.holdings[i]
		if int(h.good) >= len(view.Goods) {
			continue
		}
		view.addHolding(l, h, l.stockOf(h))
	}
	for i := range view.Goods {
		view.Goods[i].share()
	}
	return view
}

// addHolding puts one holding under its good and its custodian. Holdings come
// by custodian.
func (v *reserveView) addHolding(l *ledger, h *holding, a stock) {
	good := &v.Goods[h.good]
	good.add(&a)
	name, standing := l.custodian(h.custodian), standingPill(l.standing(h.custodian))
	good.Rows = append(good.Rows, holdingRow{Custodian: h.custodian, Name: name, Standing: standing, Limit: l.limits[h.place], stock: a})
	if last := len(v.Custodians) - 1; last < 0 || v.Custodians[last].Index != h.custodian {
		v.Custodians = append(v.Custodians, custodianReserve{Index: h.custodian, Name: name, Standing: standing})
	}
	holder := &v.Custodians[len(v.Custodians)-1]
	holder.Rows = append(holder.Rows, custodianGood{good.Name, a})
	holder.CountedUnits += a.CountedUnits
	holder.WholeUnits += a.WholeUnits
}

// roomUnits is how far circulation may grow before coverage is at its minimum,
// below 0 where it is under it.
func roomUnits(l *ledger) int64 {
	// The minimum is 10,000 at least, so the quotient is no more than R.
	hi, lo := bits.Mul64(uint64(l.reserve.Counted.Units()), 10_000)
	most, _ := bits.Div64(hi, lo, uint64(max(l.params.MinCoverageBP, 10_000)))
	return int64(most) - l.totals.CirculatingUnits
}

// ceilBP is ceil(units x basis points / 10,000), held at 2^63-1.
func ceilBP(units, basisPoints int64) int64 {
	hi, lo := bits.Mul64(uint64(units), uint64(basisPoints))
	lo, carry := bits.Add64(lo, 9_999, 0)
	if hi += carry; hi >= 10_000 {
		return math.MaxInt64
	}
	quotient, _ := bits.Div64(hi, lo, 10_000)
	return int64(min(quotient, math.MaxInt64))
}

func (s *Server) reserve(r *http.Request) (*page, error) {
	l, err := s.needCharter()
	if err != nil {
		return nil, err
	}
	view := s.reserveOf(l)
	blocks, spans := chartSpan(r.URL.Query().Get("span"), l.tip.Height)
	view.Spans = spans
	if view.Chart, err = s.coverage(l, blocks); err != nil {
		return nil, err
	}
	return &page{Title: "Reserve", Template: "reserve", Section: "reserve", Body: view}, nil
}

// chartSpan is how many blocks the chart covers: what the address says.
func chartSpan(text string, height int32) (blocks int32, links []spanLink) {
	blocks = coveragePoints
	for _, option := range []struct {
		name, words string
		blocks      int32
	}{{"", "last 288 blocks", coveragePoints}, {"2016", "last 2016", 2016}, {"all", "all", height}} {
		if option.name != "" && height <= coveragePoints {
			continue
		}
		url := "/reserve"
		if option.name != "" {
			url += "?span=" + option.name
		}
		current := option.name == text
		if current {
			blocks = option.blocks
		}
		links = append(links, spanLink{option.words, url, current})
	}
	if len(links) < 2 {
		return blocks, nil
	}
	return blocks, links
}

// par says what a good is worth: "1 kg = 0.0005 GRN".
func (s *Server) par(g *params.Good) string {
	if g.ParDen > 0 && g.ParNum%g.ParDen == 0 {
		return fmt.Sprintf("1\u00a0%s = %s", g.Measure, s.money.text(g.ParNum/g.ParDen))
	}
	return fmt.Sprintf("%s = %s", measures(g.ParDen, g.Measure), s.money.text(g.ParNum))
}
