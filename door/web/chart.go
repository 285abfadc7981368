package web

import (
	"encoding/json"
	"fmt"
	"strings"

	"granary/state"
)

// chartBlocks is how many blocks a chart covers.
const chartBlocks = 120

// chartView is one chart: drawn by the server as SVG, and again by uPlot from
// the data where JavaScript runs.
type chartView struct {
	Title, Unit, Readout string
	From, To             string // what the ends of the axis mean
	Data                 string // JSON for uPlot
	Columns              bool
	Area, Curve          string // paths in a box of 600 by 170
	Bars                 []bar
}

type bar struct{ X, Y, Width, Height string }

const chartWidth, chartHeight = 600, 170

// chartData is what app.js reads.
type chartData struct {
	X       []int32   `json:"x"`
	Y       []float64 `json:"y"`
	Unit    string    `json:"unit"`
	Columns bool      `json:"columns"`
}

// smallCharts draws the last blocks up to tip; treasuryUnits is the treasury after
// tip, negative where there is no charter.
func (s *Server) smallCharts(tip *state.Header, treasuryUnits int64) []chartView {
	if tip.Height < 2 {
		return nil
	}
	first := max(1, tip.Height-chartBlocks+1)
	intervals := chartData{Unit: "s", Columns: true}
	treasury := chartData{Unit: s.money.ticker}
	scale := 1.0
	for range s.money.decimals {
		scale *= 10
	}
	for h := tip; h != nil && h.Height >= first; h = h.Parent {
		// The first block of a chain comes years after genesis.
		if h.Height > 1 {
			gap := h.Raw.Timestamp.Sub(h.Parent.Raw.Timestamp).Seconds()
			intervals.X, intervals.Y = append(intervals.X, h.Height), append(intervals.Y, max(gap, 0))
		}
		if treasuryUnits >= 0 {
			treasury.X, treasury.Y = append(treasury.X, h.Height), append(treasury.Y, float64(treasuryUnits)/scale)
			made := s.summarize(h)
			if !made.Known {
				break
			}
			treasuryUnits -= made.TreasuryUnits
		}
	}
	views := []chartView{intervals.view("Block interval", "last %s")}
	if len(treasury.X) > 1 {
		views = append([]chartView{treasury.view("Treasury", "last %s")}, views...)
	}
	return views
}

// view turns the series, newest first, into a chart.
func (d *chartData) view(title, readout string) chartView {
	for i, j := 0, len(d.X)-1; i < j; i, j = i+1, j-1 {
		d.X[i], d.X[j] = d.X[j], d.X[i]
		d.Y[i], d.Y[j] = d.Y[j], d.Y[i]
	}
	text, err := json.Marshal(d)
	if err != nil {
		text = []byte("{}") // finite numbers always encode
	}
	view := chartView{
		Title: title, Unit: d.Unit, Data: string(text), Columns: d.Columns,
		Readout: fmt.Sprintf(readout, plural(len(d.X), "block")),
		From:    "height " + count(d.X[0]), To: "height " + count(d.X[len(d.X)-1]),
	}
	top := 0.0
	for _, y := range d.Y {
		top = max(top, y)
	}
	if top == 0 {
		top = 1
	}
	if d.Columns {
		view.Bars = d.bars(top)
	} else {
		view.Curve, view.Area = d.paths(top)
	}
	return view
}

func (d *chartData) bars(top float64) []bar {
	step := float64(chartWidth) / float64(len(d.Y))
	bars := make([]bar, len(d.Y))
	for i, y := range d.Y {
		height := y / top * (chartHeight - 10)
		bars[i] = bar{
			X: decimal(float64(i)*step + step*.2), Width: decimal(step * .6),
			Y: decimal(chartHeight - height), Height: decimal(height),
		}
	}
	return bars
}

func (d *chartData) paths(top float64) (curve, area string) {
	var b strings.Builder
	for i, y := range d.Y {
		verb := "L"
		if i == 0 {
			verb = "M"
		}
		x := 0.0
		if len(d.Y) > 1 {
			x = float64(i) / float64(len(d.Y)-1) * chartWidth
		}
		fmt.Fprintf(&b, "%s%s %s", verb, decimal(x), decimal(chartHeight-y/top*(chartHeight-10)))
	}
	return b.String(), b.String() + fmt.Sprintf("L%d %dL0 %dZ", chartWidth, chartHeight, chartHeight)
}

func decimal(x float64) string { return fmt.Sprintf("%.1f", x) }
