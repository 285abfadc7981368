package web

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"

	history "granary/index/goods"
	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

// ledger is the goods state after one block as the pages need it: everything
// but receipts and claims, which are read where they are shown. It is read
// once for each block and never changes.
type ledger struct {
	tip        *state.Header
	totals     state.Totals
	reserve    state.Reserve
	params     params.Parameters
	counts     state.Counts
	goods      []*goods.Good
	seats      []state.Seat // in charter order
	standings  []*state.Standing
	holdings   []holding // ascending by custodian and good
	limits     map[place]int64
	owed       map[place]int64 // by open claims, in measures; nil where there are too many
	pending    [state.SlotCount]*state.Pending
	receipts   uint64 // number of the next one
	claims     uint64
	custodians []string // names
	auditors   []string
	pace       pace
}

// place is a custodian's stock of one good.
type place struct{ custodian, good uint16 }

// holding is what a custodian holds of a good, in measures.
type holding struct {
	place
	state.Holding
}

// ledgerCache keeps the ledger of the tip.
type ledgerCache struct {
	mu   sync.Mutex
	last *ledger
}

// ledger gives the goods state at the tip; there is a charter.
func (s *Server) ledger() (*ledger, error) {
	s.ledgers.mu.Lock()
	defer s.ledgers.mu.Unlock()
	if last := s.ledgers.last; last != nil && last.tip.Hash == s.options.Chain.Tip().Hash {
		return last, nil
	}
	var l *ledger
	err := s.options.Chain.View(func(tip *state.Header, view state.View) (err error) {
		l, err = readLedger(tip, view)
		return err
	})
	if err != nil {
		return nil, err
	}
	l.pace = s.paceAt(l.tip)
	s.ledgers.last = l
	return l, nil
}

func readLedger(tip *state.Header, view state.View) (*ledger, error) {
	l := &ledger{tip: tip, limits: map[place]int64{}}
	for _, read := range []func() error{
		func() (err error) { l.totals, err = goods.ReadTotals(view); return err },
		func() (err error) { l.reserve, err = goods.ReadReserve(view); return err },
		func() (err error) {
			if tip.Height > 0 {
				l.params, err = goods.ReadParameters(view)
			}
			return err
		},
		func() (err error) {
			if tip.Height > 0 {
				l.counts, err = goods.ReadCounts(view)
			}
			return err
		},
		func() (err error) { l.seats, err = goods.ReadSeats(view); return err },
		func() (err error) { l.receipts, err = readNumber(view, state.KeyNextReceipt()); return err },
		func() (err error) { l.claims, err = readNumber(view, state.KeyNextClaim()); return err },
		func() error { return l.readGoods(view) },
		func() error { return l.readCustodians(view) },
		func() error { return l.readHoldings(view) },
		func() error { return l.readOwed(view) },
	} {
		if err := read(); err != nil {
			return nil, err
		}
	}
	for i := range l.seats {
		switch seat := &l.seats[i]; seat.Role {
		case state.RoleCustodian:
			l.custodians = append(l.custodians, seat.Name)
		case state.RoleAuditor:
			l.auditors = append(l.auditors, seat.Name)
		}
	}
	return l, nil
}

func readNumber(view state.View, key []byte) (uint64, error) {
	value, err := view.Goods(key)
	if err != nil {
		return 0, err
	}
	return state.DecodeNumber(value)
}

func (l *ledger) readGoods(view state.View) error {
	for i := range l.counts.Goods {
		good, err := goods.ReadGood(view, i)
		if err == nil && good == nil {
			err = fmt.Errorf("goods state is damaged: there is no good %d", i)
		}
		if err != nil {
			return err
		}
		l.goods = append(l.goods, good)
	}
	for slot := range l.pending {
		change, err := goods.ReadPending(view, state.Slot(slot))
		if err != nil {
			return err
		}
		l.pending[slot] = change
	}
	return nil
}

func (l *ledger) readCustodians(view state.View) error {
	for i := range l.counts.Custodians {
		standing, err := goods.ReadStanding(view, i)
		if err != nil {
			return err
		}
		l.standings = append(l.standings, standing)
		for good := range l.counts.Goods {
			value, err := view.Goods(state.KeyAllowance(i, good))
			if err != nil {
				return err
			}
			if value == nil {
				continue
			}
			if l.limits[place{i, good}], err = state.DecodeLimit(value); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *ledger) readHoldings(view state.View) error {
	from, to := state.HoldingKeys()
	var failed error
	err := view.GoodsRange(from, to, func(key, value []byte) bool {
		var h holding
		if h.custodian, h.good, failed = state.HoldingOfKey(key); failed != nil {
			return false
		}
		h.Holding, failed = state.DecodeHolding(value)
		l.holdings = append(l.holdings, h)
		return failed == nil
	})
	if err == nil {
		err = failed
	}
	return err
}

// next is the height of the block that comes.
func (l *ledger) next() int32 { return l.tip.Height + 1 }

// coverageBP is R over L after the tip, history.NoCoverage where nothing
// circulates.
func (l *ledger) coverageBP() int64 {
	return history.CoverageBP(l.reserve.Counted.Units(), l.totals.CirculatingUnits)
}

// good gives a good in force, or one without a name where there is none.
func (l *ledger) good(i uint16) *goods.Good {
	if int(i) < len(l.goods) {
		return l.goods[i]
	}
	unknown := params.Good{Name: fmt.Sprintf("good %d", i), Measure: "measures", ParNum: 1, ParDen: 1}
	return &goods.Good{GoodInForce: state.GoodInForce{Good: unknown}}
}

// of says a quantity with its good: "500 kg of Milling wheat".
func (l *ledger) of(good uint16, quantity int64) string {
	g := l.good(good)
	return measures(quantity, g.Measure) + " of " + g.Name
}

// measures says a quantity: "500 kg".
func measures(quantity int64, measure string) string { return count(quantity) + "\u00a0" + measure }

func (l *ledger) quantity(good uint16, quantity int64) string {
	return measures(quantity, l.good(good).Measure)
}

func (l *ledger) custodian(i uint16) string { return nameOf(l.custodians, "custodian", i) }
func (l *ledger) auditor(i uint16) string   { return nameOf(l.auditors, "auditor", i) }

func nameOf(names []string, role string, i uint16) string {
	if int(i) < len(names) && names[i] != "" {
		return names[i]
	}
	return fmt.Sprintf("%s %d", role, i)
}

// standing gives a custodian's standing, an empty one where there is none.
func (l *ledger) standing(i uint16) *state.Standing {
	if int(i) < len(l.standings) {
		return l.standings[i]
	}
	return &state.Standing{}
}

// seat gives a seat, nil where there is none.
func (l *ledger) seat(role state.Role, index uint16) *state.Seat {
	for i := range l.seats {
		if l.seats[i].Role == role && l.seats[i].Index == index {
			return &l.seats[i]
		}
	}
	return nil
}

// pill is a short word about how something stands.
type pill struct{ Text, Kind string } // Kind: good, warn, bad or rest

func standingPill(s *state.Standing) pill {
	switch {
	case s.Defaulted:
		return pill{"in default", "bad"}
	case s.Suspended:
		return pill{"suspended", "bad"}
	case s.DefaultAt != 0:
		return pill{"debt above its bonds", "warn"}
	case s.DebtUnits > 0:
		return pill{"has debt", "warn"}
	}
	return pill{"in good standing", "good"}
}

// paceBlocks is over how many blocks the pace is taken.
const paceBlocks = 72

// pace is how long a block takes, for guesses at times to come.
type pace struct {
	seconds float64
	blocks  int32 // over which it was measured; 0: the network's spacing
}

func (s *Server) paceAt(tip *state.Header) pace {
	from := tip
	blocks := int32(0)
	for ; blocks < paceBlocks && from.Height > 1 && from.Parent != nil; blocks++ {
		from = from.Parent
	}
	if taken := tip.Raw.Timestamp.Sub(from.Raw.Timestamp).Seconds(); blocks >= 10 && taken > 0 {
		return pace{taken / float64(blocks), blocks}
	}
	return pace{s.options.Net.Chain.TargetTimePerBlock.Seconds(), 0}
}

// about says how long blocks take: "about 3 h".
func (p pace) about(blocks int32) string {
	seconds := math.Round(float64(blocks) * p.seconds)
	if seconds < 1 {
		return "less than a second"
	}
	return "about " + span(int64(seconds))
}

// in says how far a height is off: "in 12 blocks, about 2 h".
func (l *ledger) in(height int32) string {
	blocks := height - l.tip.Height
	switch {
	case height == math.MaxInt32:
		return "never"
	case blocks == 1:
		return "in the next block"
	case blocks > 1:
		return "in " + plural(blocks, "block") + ", " + l.pace.about(blocks)
	case blocks == 0:
		return "in the last block"
	}
	return plural(-blocks, "block") + " ago"
}

// txURL leads to a transaction of the active chain.
func (s *Server) txURL(txid chainhash.Hash, height int32) string {
	if txid == (chainhash.Hash{}) {
		return ""
	}
	url := "/tx/" + txid.String()
	if h := s.options.Chain.AtHeight(height); h != nil && height > 0 {
		url += "?block=" + h.Hash.String()
	}
	return url
}

// needCharter is the answer of the goods' pages on a plain chain.
func (s *Server) needCharter() (*ledger, error) {
	if s.options.Charter == nil {
		return nil, notFound("This chain has no charter: it runs on Bitcoin's rules alone, and there are no goods.")
	}
	return s.ledger()
}

// number reads the number of a receipt or claim in an address.
func number(text, of string) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, notFound("%q is not the number of a %s: numbers are 0, 1, 2 and so on.", clip(text), of)
	}
	return n, nil
}

// index reads the index of a custodian or auditor, of n there are.
func index(text, role string, n int) (uint16, error) {
	i, err := strconv.ParseUint(text, 10, 16)
	if err != nil || i >= uint64(n) {
		return 0, notFound("There is no %s %s: this chain has %s, counted from 0.", role, clip(text), plural(n, role))
	}
	return uint16(i), nil
}

func hashText(hash [32]byte) string { return hex.EncodeToString(hash[:]) }
