package fees

import (
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// Horizon says how far back counts reach.
type Horizon uint8

// The horizons.
const (
	Short Horizon = iota
	Medium
	Long
	horizons
)

var shapes = [horizons]struct {
	periods, scale int
	decay, enough  float64
}{
	Short:  {12, 1, 0.962, 0.5},
	Medium: {24, 2, 0.9952, 0.1},
	Long:   {42, 24, 0.99931, 0.1},
}

const (
	// Shares that must be mined within half the target, the target, twice it.
	halfShare, share, doubleShare = 0.6, 0.85, 0.95
	// oldestBlocks is how long counts of an earlier run are of use.
	oldestBlocks = 6 * 1008
)

// MaxTarget is the longest wait that a horizon tells apart, in blocks.
func (h Horizon) MaxTarget() int { return shapes[h].periods * shapes[h].scale }

// Estimator learns from a mempool.
type Estimator struct {
	mu    sync.Mutex
	stats [horizons]*stats
	txs   map[chainhash.Hash]waiting
	// tip is the height of the last block, first that of the first one with a
	// transaction that was seen waiting; before and beforeTip are those of
	// the run that wrote the file.
	tip, first, before, beforeTip int
}

// waiting is a transaction whose way is followed.
type waiting struct {
	height, place int
	rate          float64
}

// New makes an Estimator that knows nothing.
func New() *Estimator {
	e := &Estimator{txs: map[chainhash.Hash]waiting{}}
	ranges := makeRanges()
	for h, shape := range shapes {
		e.stats[h] = newStats(ranges, shape.periods, shape.decay, shape.scale)
	}
	return e
}

// Came tells of a transaction that came at the tip's height, by itself, at a
// fee that it pays for its virtual size. What came at another height than the
// last block's is not followed.
func (e *Estimator) Came(txid chainhash.Hash, height int32, feeUnits, vbytes int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, known := e.txs[txid]; known || int(height) != e.tip || vbytes <= 0 || feeUnits < 0 {
		return
	}
	rate := float64(int64(float64(feeUnits) * 1000 / float64(vbytes)))
	w := waiting{int(height), e.stats[Short].rangeOf(rate), rate}
	e.txs[txid] = w
	for _, s := range e.stats {
		s.came(w.height, w.place)
	}
}

// Left tells of a transaction that left the mempool, but not for a block.
func (e *Estimator) Left(txid chainhash.Hash) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.left(txid, false)
}

func (e *Estimator) left(txid chainhash.Hash, mined bool) (w waiting, known bool) {
	if w, known = e.txs[txid]; !known {
		return w, false
	}
	delete(e.txs, txid)
	for _, s := range e.stats {
		s.left(w.height, e.tip, w.place, mined)
	}
	return w, true
}

// Block tells of a block and those of its transactions that had waited. One
// that is no higher than an earlier one teaches nothing.
func (e *Estimator) Block(height int32, txids []chainhash.Hash) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if int(height) <= e.tip {
		return
	}
	e.tip = int(height)
	for _, s := range e.stats {
		s.block(e.tip)
	}
	counted := 0
	for _, txid := range txids {
		w, known := e.left(txid, true)
		if !known || e.tip <= w.height {
			continue
		}
		counted++
		for _, s := range e.stats {
			s.mined(e.tip-w.height, w.rate)
		}
	}
	if e.first == 0 && counted > 0 {
		e.first = e.tip
	}
}

// Raw is what one horizon says.
type Raw struct {
	// UnitsPerKVB is the estimate, 0 for none.
	UnitsPerKVB int64
	Decay       float64
	ScaleBlocks int
	// Pass is the run of ranges that was good enough, Fail the best one that
	// was not; nil for none.
	Pass, Fail *Range
}

// Raw asks one horizon for the rate at which the wanted share (above 0, at most
// 1) is mined within target blocks (estimaterawfee). ok is false where the
// horizon does not reach so far.
func (e *Estimator) Raw(target int, wanted float64, h Horizon) (r Raw, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if h >= horizons || target < 1 || target > h.MaxTarget() || !(wanted > 0 && wanted <= 1) {
		return r, false
	}
	found := e.search(target, wanted, h)
	return Raw{round(found.median), shapes[h].decay, shapes[h].scale, found.pass, found.fail}, true
}

func (e *Estimator) search(target int, wanted float64, h Horizon) found {
	return e.stats[h].search(target, shapes[h].enough, wanted, e.tip)
}

// Smart gives the rate for a wait of target blocks (estimatesmartfee): the
// highest of what half the target, the target and twice it ask for.
// Conservative looks at longer horizons too, and so falls slowly. used is the
// target that the answer is for, at least 2 and what the counts reach; 0 units
// mean that too little is known.
func (e *Estimator) Smart(target int, conservative bool) (unitsPerKVB int64, used int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if target < 1 || target > Long.MaxTarget() {
		return 0, target
	}
	target = min(max(target, 2), e.usable())
	if target <= 1 {
		return 0, target
	}
	median := max(
		e.combined(target/2, halfShare, true),
		e.combined(target, share, true),
		e.combined(2*target, doubleShare, !conservative),
	)
	if conservative || median < 0 {
		median = max(median, e.conservative(2*target))
	}
	return round(median), target
}

// usable is the longest target that the blocks seen can tell of.
func (e *Estimator) usable() int {
	span, before := 0, 0
	if e.first != 0 {
		span = e.tip - e.first
	}
	if e.before != 0 && e.tip-e.beforeTip <= oldestBlocks {
		before = e.beforeTip - e.before
	}
	return min(Long.MaxTarget(), max(span, before)/2)
}

// combined asks the shortest horizon that reaches target, and where shorter is
// true those below for their longest target if they are cheaper; -1 for none.
func (e *Estimator) combined(target int, wanted float64, shorter bool) float64 {
	if target < 1 || target > Long.MaxTarget() {
		return -1
	}
	h := Short
	for target > h.MaxTarget() {
		h++
	}
	estimate := e.search(target, wanted, h).median
	for ; shorter && h > Short; h-- {
		below := h - 1
		if cheaper := e.search(below.MaxTarget(), wanted, below).median; cheaper > 0 && (estimate < 0 || cheaper < estimate) {
			estimate = cheaper
		}
	}
	return estimate
}

// conservative asks the horizons above the shortest one that reaches target.
func (e *Estimator) conservative(target int) float64 {
	estimate := -1.0
	if target <= Short.MaxTarget() {
		estimate = e.search(target, doubleShare, Medium).median
	}
	if target <= Medium.MaxTarget() {
		estimate = max(estimate, e.search(target, doubleShare, Long).median)
	}
	return estimate
}
