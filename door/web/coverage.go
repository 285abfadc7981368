package web

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"

	history "granary/index/goods"
)

// Bounds of the coverage chart: at most so many points, and so many events
// looked at for its marks.
const (
	coveragePoints = 288
	coverageEvents = 3000
	coverageMoves  = 8 // lines of the list beside it
)

// coverageView is coverage over time with the events that moved it, drawn by
// the server alone: curves in a box of 1000 by 1000 that is stretched, labels
// and marks by percentages, so that they are not.
type coverageView struct {
	First, Last   int32
	Curve, Area   []string // paths; a gap where nothing circulates
	Minimum       string   // path
	MinimumY      string   // percent, of its last value
	MinimumLabel  string
	Ticks         []tick // of the vertical axis
	Lanes         []lane
	Trouble       []markView // lines through the plot: suspensions and changes
	MarksFrom     int32      // the height from which events are marked, 0: all
	Clipped       bool       // the curve leaves the box above
	Now           string
	Moves         []lineView
	Blocks        int32
	LongestBlocks int32 // how far the history goes back
}

type tick struct{ Y, Label string }

// lane is one kind of events below the curve.
type lane struct {
	Name, Label string
	Y           string // percent
	Count       int
	Marks       []markView
}

// markView is one mark: events of one lane in one block.
type markView struct {
	Lane, X, Y string // percent
	Height     int32
	Title      string
}

var laneLabels = []struct{ name, label string }{
	{laneRelease, "Releases"},
	{laneRedeem, "Redemptions"},
	{laneExpiry, "Expiries and shortfalls"},
	{laneTrouble, "Suspensions, defaults"},
	{laneChange, "Par and other changes"},
}

// Heights in the chart, in percent: the curve above, the lanes below.
const (
	plotTop    = 4.0
	plotBottom = 68.0
	laneFirst  = 77.0
	laneStep   = 5.2
)

// coverageCache keeps the charts of the tip, by the blocks they cover.
type coverageCache struct {
	mu  sync.Mutex
	tip chainhash.Hash
	by  map[int32]*coverageView
}

// coverage draws the last blocks; nil where there is nothing to draw.
func (s *Server) coverage(l *ledger, blocks int32) (*coverageView, error) {
	index := s.options.History
	if index == nil {
		return nil, nil
	}
	at, _ := index.Tip()
	s.charts.mu.Lock()
	defer s.charts.mu.Unlock()
	if s.charts.tip != at || len(s.charts.by) > 8 {
		s.charts.tip, s.charts.by = at, map[int32]*coverageView{}
	}
	if view, known := s.charts.by[blocks]; known {
		return view, nil
	}
	view, err := s.drawCoverage(l, blocks)
	if err == nil {
		s.charts.by[blocks] = view
	}
	return view, err
}

func (s *Server) drawCoverage(l *ledger, blocks int32) (*coverageView, error) {
	_, tip := s.options.History.Tip()
	first := max(s.options.History.Since(), tip-blocks+1)
	step := (tip-first)/coveragePoints + 1
	// The last point is the tip's.
	points, err := s.options.History.Coverage(tip-(tip-first)/step*step, tip, step, coveragePoints+1)
	if err != nil {
		return nil, err
	}
	// What lies before the first coin is not worth the space.
	from := slices.IndexFunc(points, func(c history.Coverage) bool { return c.CirculatingUnits > 0 })
	if from < 0 || len(points)-from < 2 {
		return nil, nil
	}
	points = points[from:]
	view := &coverageView{
		First: points[0].Height, Last: points[len(points)-1].Height, Blocks: blocks, LongestBlocks: tip - s.options.History.Since() + 1,
	}
	if bp := points[len(points)-1].BP(); bp != history.NoCoverage {
		view.Now = percentBP(bp)
	}
	view.curve(points)
	return view, s.markCoverage(l, view)
}

// curve draws coverage and its minimum.
func (v *coverageView) curve(points []history.Coverage) {
	low, high := math.MaxFloat64, 0.0
	for i := range points {
		minimum := float64(points[i].MinCoverageBP) / 100
		low, high = min(low, minimum, 100), max(high, minimum)
		if bp := points[i].BP(); bp != history.NoCoverage {
			low, high = min(low, float64(bp)/100), max(high, float64(bp)/100)
		}
	}
	// A moment in which next to nothing circulated must not flatten the rest.
	if most := 4 * float64(points[0].MinCoverageBP) / 100; high > most {
		high, v.Clipped = most, true
	}
	unit := niceStep((high - low) / 4)
	low, high = math.Floor(low/unit)*unit, math.Ceil(high/unit)*unit
	if high == low {
		high += unit
	}
	y := func(percent float64) float64 { return 1000 - 1000*(min(percent, high)-low)/(high-low) }
	for at := low; at <= high+unit/2; at += unit {
		v.Ticks = append(v.Ticks, tick{plotY(y(at)), fmt.Sprintf("%g\u202f%%", math.Round(at*100)/100)})
	}
	minimum := y(float64(points[len(points)-1].MinCoverageBP) / 100)
	v.MinimumY, v.MinimumLabel = plotY(minimum), "minimum "+percentBP(points[len(points)-1].MinCoverageBP)
	v.paths(points, y)
}

// paths draws steps: coverage changes with a block and holds until the next.
func (v *coverageView) paths(points []history.Coverage, y func(percent float64) float64) {
	var curve, minimum strings.Builder
	start := -1.0
	last := 0.0
	end := func() {
		if start >= 0 {
			v.Curve = append(v.Curve, curve.String())
			v.Area = append(v.Area, fmt.Sprintf("%sV1000H%.1fZ", curve.String(), start))
		}
		curve.Reset()
		start = -1
	}
	for i := range points {
		x := v.x(points[i].Height) * 10
		verb, join := "H", "V"
		if i == 0 {
			verb, join = "M", " "
		}
		fmt.Fprintf(&minimum, "%s%.1f%s%.1f", verb, x, join, y(float64(points[i].MinCoverageBP)/100))
		bp := points[i].BP()
		if bp == history.NoCoverage {
			if start >= 0 {
				fmt.Fprintf(&curve, "H%.1f", x)
			}
			end()
			continue
		}
		last = y(float64(bp) / 100)
		if start < 0 {
			start = x
			fmt.Fprintf(&curve, "M%.1f %.1f", x, last)
		} else {
			fmt.Fprintf(&curve, "H%.1fV%.1f", x, last)
		}
	}
	end()
	v.Minimum = minimum.String()
}

// x is where a height stands, in percent of the width.
func (v *coverageView) x(height int32) float64 {
	return 100 * float64(height-v.First) / float64(max(v.Last-v.First, 1))
}

// plotY turns a place in the box of the curve into percent of the chart.
func plotY(y float64) string {
	return fmt.Sprintf("%.2f%%", plotTop+(plotBottom-plotTop)*y/1000)
}

// niceStep is 1, 2, 2.5 or 5 times a power of ten, at least want.
func niceStep(want float64) float64 {
	if want <= 0 {
		return 5
	}
	power := math.Pow(10, math.Floor(math.Log10(want)))
	for _, factor := range []float64{1, 2, 2.5, 5, 10} {
		if factor*power >= want {
			return factor * power
		}
	}
	return 10 * power
}

// markCoverage puts the events of the chart's blocks into their lanes, and
// tells the newest that moved coverage.
func (s *Server) markCoverage(l *ledger, v *coverageView) error {
	events, more, err := s.options.History.Events(history.OfChain(), history.Cursor{}, coverageEvents)
	if err != nil {
		return err
	}
	if last := len(events) - 1; more && events[last].Height > v.First {
		v.MarksFrom = events[last].Height + 1
	}
	type spot struct {
		lane   string
		height int32
	}
	said := map[spot][]string{}
	for i := range events {
		e := &events[i]
		lane := laneOf(e)
		if lane == "" || e.Height < v.First || e.Height < v.MarksFrom {
			continue
		}
		title, _ := s.say(l, e)
		if e.Receipt != history.NoNumber {
			title += fmt.Sprintf(" (receipt %d)", e.Receipt)
		} else if e.Custodian != history.None {
			title += fmt.Sprintf(" (%s)", l.custodian(e.Custodian))
		}
		at := spot{lane, e.Height}
		said[at] = append(said[at], title)
		if len(v.Moves) < coverageMoves {
			if err := s.addMove(l, v, e); err != nil {
				return err
			}
		}
	}
	for i, kind := range laneLabels {
		row := lane{Name: kind.name, Label: kind.label, Y: fmt.Sprintf("%.2f%%", laneFirst+float64(i)*laneStep)}
		for at, titles := range said {
			if at.lane == kind.name {
				row.Count += len(titles)
				row.Marks = append(row.Marks, v.mark(row, at.height, titles))
			}
		}
		slices.SortFunc(row.Marks, func(a, b markView) int { return int(a.Height - b.Height) })
		if kind.name == laneTrouble || kind.name == laneChange {
			v.Trouble = append(v.Trouble, row.Marks...)
		}
		v.Lanes = append(v.Lanes, row)
	}
	return nil
}

func (v *coverageView) mark(row lane, height int32, titles []string) markView {
	const most = 3
	text := strings.Join(titles[:min(most, len(titles))], ", ")
	if len(titles) > most {
		text += fmt.Sprintf(" and %d more", len(titles)-most)
	}
	return markView{
		Lane: row.Name, X: fmt.Sprintf("%.2f%%", v.x(height)), Y: row.Y, Height: height,
		Title: fmt.Sprintf("Block %s: %s", count(height), text),
	}
}

// addMove adds an event to the list of what moved coverage, with coverage
// around its block.
func (s *Server) addMove(l *ledger, v *coverageView, e *history.Event) error {
	line := s.line(l, e, ofChain())
	around, err := s.options.History.Coverage(e.Height-1, e.Height, 1, 2)
	if err != nil {
		return err
	}
	if len(around) == 2 {
		line.Before, line.After = coverageText(around[0].BP()), coverageText(around[1].BP())
	}
	v.Moves = append(v.Moves, line)
	return nil
}

// coverageText says a coverage.
func coverageText(bp int64) string {
	switch bp {
	case history.NoCoverage:
		return "none"
	case math.MaxInt64:
		return "beyond measure"
	}
	return percentBP(bp)
}
