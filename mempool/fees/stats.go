package fees

import (
	"math"
	"sort"
)

// Ranges of fee rates, in units per 1,000 virtual bytes.
const (
	lowestRate  = 1000.0
	highestRate = 1e7
	rateStep    = 1.05
	endlessRate = 1e99
)

// makeRanges gives the upper ends of the ranges, the last one endless.
func makeRanges() []float64 {
	var ranges []float64
	for rate := lowestRate; rate <= highestRate; rate *= rateStep {
		ranges = append(ranges, rate)
	}
	return append(ranges, endlessRate)
}

// stats are the counts on one horizon.
type stats struct {
	ranges []float64 // shared
	decay  float64   // of counts by a block
	scale  int       // blocks in a period
	// confirmed[i][r] counts transactions of range r that were mined within
	// i+1 periods, failed[i][r] those that left unmined after more than them.
	confirmed, failed [][]float64
	count, rateSum    []float64 // of all mined, by range
	// waiting[h mod len][r] counts those that came at height h and wait;
	// waitingLong those that came before all of these.
	waiting     [][]int
	waitingLong []int
}

func newStats(ranges []float64, periods int, decay float64, scale int) *stats {
	s := &stats{ranges: ranges, decay: decay, scale: scale}
	s.confirmed, s.failed = table[float64](periods, len(ranges)), table[float64](periods, len(ranges))
	s.count, s.rateSum = make([]float64, len(ranges)), make([]float64, len(ranges))
	s.waiting, s.waitingLong = table[int](periods*scale, len(ranges)), make([]int, len(ranges))
	return s
}

func table[T any](rows, columns int) [][]T {
	t := make([][]T, rows)
	for i := range t {
		t[i] = make([]T, columns)
	}
	return t
}

// maxTarget is the longest wait that is told apart, in blocks.
func (s *stats) maxTarget() int { return s.scale * len(s.confirmed) }

func (s *stats) rangeOf(rate float64) int { return sort.SearchFloat64s(s.ranges, rate) }

// block begins the count at a height: old counts fade.
func (s *stats) block(height int) {
	row := s.waiting[height%len(s.waiting)]
	for r, n := range row {
		s.waitingLong[r] += n
		row[r] = 0
	}
	for _, rows := range [][][]float64{s.confirmed, s.failed, {s.count}, {s.rateSum}} {
		for _, row := range rows {
			for r := range row {
				row[r] *= s.decay
			}
		}
	}
}

func (s *stats) came(height, r int) { s.waiting[height%len(s.waiting)][r]++ }

// left takes a transaction out that came at height came, at the tip's height.
func (s *stats) left(came, tip, r int, mined bool) {
	ago := tip - came
	if tip == 0 {
		ago = 0
	}
	if ago < 0 {
		return
	}
	where := &s.waitingLong[r]
	if ago < len(s.waiting) {
		where = &s.waiting[came%len(s.waiting)][r]
	}
	if *where > 0 {
		*where--
	}
	if !mined && ago >= s.scale {
		for i := 0; i < ago/s.scale && i < len(s.failed); i++ {
			s.failed[i][r]++
		}
	}
}

// mined counts a transaction that waited for some blocks.
func (s *stats) mined(blocks int, rate float64) {
	if blocks < 1 {
		return
	}
	r := s.rangeOf(rate)
	for i := (blocks + s.scale - 1) / s.scale; i <= len(s.confirmed); i++ {
		s.confirmed[i-1][r]++
	}
	s.count[r]++
	s.rateSum[r] += rate
}

// Range is what was counted in a run of ranges of fee rates.
type Range struct {
	// FromUnitsPerKVB and ToUnitsPerKVB are its ends; the last one is endless.
	FromUnitsPerKVB, ToUnitsPerKVB float64
	// WithinTarget were mined in time, TotalConfirmed at all; InMempool wait
	// longer already, LeftMempool have left unmined after the target.
	WithinTarget, TotalConfirmed, InMempool, LeftMempool float64
}

// found is the outcome of a search: median is -1 where there is no answer.
type found struct {
	median     float64
	pass, fail *Range // nil for none
}

// tally adds up ranges from the highest rate downwards.
type tally struct {
	mined, total, failed, waiting float64
	near, far                     int // the run's ends
}

func (s *stats) rangeAt(t *tally, from, to int) *Range {
	r := &Range{
		ToUnitsPerKVB: s.ranges[to], WithinTarget: t.mined, TotalConfirmed: t.total,
		InMempool: t.waiting, LeftMempool: t.failed,
	}
	if from > 0 {
		r.FromUnitsPerKVB = s.ranges[from-1]
	}
	return r
}

// search finds the lowest run of ranges of which the share was mined within
// target blocks, none above it failing. enough is how many transactions a block
// must bring for a run to count.
func (s *stats) search(target int, enough, share float64, tip int) found {
	result := found{median: -1}
	last := len(s.ranges) - 1
	best := tally{near: last, far: last}
	t, fresh, passing, part := tally{}, true, true, 0.0
	for r := last; r >= 0; r-- {
		if fresh {
			t, fresh = tally{near: r}, false
		}
		t.far = r
		part += s.count[r]
		s.add(&t, target, r, tip)
		if part < enough/(1-s.decay) {
			continue
		}
		part = 0
		if t.mined/(t.total+t.failed+t.waiting) < share {
			if passing {
				result.fail, passing = s.rangeAt(&t, t.far, t.near), false
			}
			continue
		}
		best, fresh, passing = t, true, true
		result.fail, result.pass = nil, s.rangeAt(&t, t.far, t.near)
	}
	if result.pass != nil {
		result.median = s.median(best.far, best.near)
	}
	if passing && !fresh {
		result.fail = s.rangeAt(&t, t.far, t.near)
	}
	return result
}

func (s *stats) add(t *tally, target, r, tip int) {
	period := (target+s.scale-1)/s.scale - 1
	t.mined += s.confirmed[period][r]
	t.total += s.count[r]
	t.failed += s.failed[period][r]
	for ago := target; ago < s.maxTarget(); ago++ {
		// Heights before the first block are those of nothing.
		row := (tip - ago) % len(s.waiting)
		if row < 0 {
			row += len(s.waiting)
		}
		t.waiting += float64(s.waiting[row][r])
	}
	t.waiting += float64(s.waitingLong[r])
}

// median is the mean rate of the range in which the middle transaction of the
// run lies, -1 for an empty run.
func (s *stats) median(from, to int) float64 {
	half := 0.0
	for r := from; r <= to; r++ {
		half += s.count[r]
	}
	if half /= 2; half == 0 {
		return -1
	}
	for r := from; r <= to; r++ {
		if s.count[r] >= half {
			return s.rateSum[r] / s.count[r]
		}
		half -= s.count[r]
	}
	return -1
}

// round gives an estimate in whole units, 0 for none.
func round(median float64) int64 {
	if median < 0 || math.IsNaN(median) {
		return 0
	}
	return int64(math.Round(median))
}
