package rpc

import (
	history "granary/index/goods"
	"granary/rules/goods"
	"granary/state"
)

func reserveMethods() []Method {
	return []Method{
		{
			Name: "getreserve", Family: familyGoods,
			Summary: "Gives what stands behind the coins: the reserve, in all, by good and by custodian.",
			Detail:  "It is read from sums, so it costs the same however many receipts there are.",
			Result:  "An object: height, bestblockhash, circulating, reserve (value of the goods that count), redemption_base (of all free goods of custodians not in default), redeeming (of the goods that open redemptions took from it), pool, escrow, bonds (coins), coverage_bp (reserve over circulating in basis points; absent where nothing circulates), min_coverage_bp, goods (each with par_num units of coin for par_den measures, haircut_bp, whole, free, counted and redeeming in measures, value of the counted and whole_value in coins), custodians (each with suspended, default, counts, debt and bonds in coins, and its goods likewise), label.",
			run:     getReserve,
		},
		{
			Name: "getcoverage", Family: familyGoods,
			Summary: "Gives the coverage after past blocks, with the events that moved it.",
			Detail:  eventHelp,
			Params: []Param{
				{Name: "from", Type: Integer, Optional: true, Help: "The first height; without it 499 steps below to."},
				{Name: "to", Type: Integer, Optional: true, Help: "The last height; without it the tip."},
				{Name: "step", Type: Integer, Optional: true, Default: "1", Help: "Blocks from one point to the next."},
			},
			Result: "An object: from, to, step, since (the first height of the history), points (at most 1000: height, time in Unix seconds, circulating, reserve, redemption_base, redeeming, pool, escrow, bonds in coins, coverage_bp in basis points (absent where nothing circulates), min_coverage_bp, events (how many)), events (the newest 100 that moved coverage), label.",
			run:    getCoverage,
		},
	}
}

func getReserve(c *call) (any, error) {
	var out object
	err := c.goodsView(func(b *book, v state.View) error {
		p, err := c.parameters(v)
		if err != nil {
			return err
		}
		out, err = b.reserve(v, p.MinCoverageBP)
		return err
	})
	return out, err
}

// reserve reads sums alone, never receipts.
func (b *book) reserve(v state.View, minCoverageBP int64) (object, error) {
	totals, err := goods.ReadTotals(v)
	if err != nil {
		return nil, err
	}
	reserve, err := goods.ReadReserve(v)
	if err != nil {
		return nil, err
	}
	holdings, err := readHoldings(v)
	if err != nil {
		return nil, err
	}
	custodians, bonds, counting, err := b.reserveOfCustodians(v, holdings)
	if err != nil {
		return nil, err
	}
	out := object{
		{"height", b.tip.Height},
		{"bestblockhash", b.tip.Hash.String()},
		{"circulating", amount(totals.CirculatingUnits)},
		{"reserve", amount(reserve.Counted.Units())},
		{"redemption_base", amount(reserve.All.Units())},
		{"redeeming", amount(reserve.Claimed.Units())},
		{"pool", amount(totals.PoolUnits)},
		{"escrow", amount(totals.EscrowUnits)},
		{"bonds", amount(bonds)},
	}
	out = appendCoverage(out, reserve.Counted.Units(), totals.CirculatingUnits, minCoverageBP)
	return append(out, member{"goods", b.reserveOfGoods(holdings, counting)}, member{"custodians", custodians}, member{"label", proved}), nil
}

// appendCoverage adds the coverage, absent where nothing circulates.
func appendCoverage(o object, reserveUnits, circulatingUnits, minBP int64) object {
	if bp := history.CoverageBP(reserveUnits, circulatingUnits); bp != history.NoCoverage {
		o = append(o, member{"coverage_bp", bp})
	}
	return append(o, member{"min_coverage_bp", minBP})
}

// holdingAt is a holding with its place.
type holdingAt struct {
	custodian, good uint16
	state.Holding
}

// readHoldings gives every holding, by custodian and good.
func readHoldings(v state.GoodsView) (all []holdingAt, err error) {
	var failed error
	from, to := state.HoldingKeys()
	err = v.GoodsRange(from, to, func(key, value []byte) bool {
		var h holdingAt
		if h.custodian, h.good, failed = state.HoldingOfKey(key); failed == nil {
			h.Holding, failed = state.DecodeHolding(value)
		}
		all = append(all, h)
		return failed == nil
	})
	if err == nil {
		err = failed
	}
	return all, err
}

// reserveOfCustodians tells how custodians stand, gives the sum of their bonds
// and whose receipts may count.
func (b *book) reserveOfCustodians(v state.View, holdings []holdingAt) (list []object, bondUnits int64, counting map[uint16]bool, err error) {
	list, counting = []object{}, map[uint16]bool{}
	for i := range b.custodians {
		index := uint16(i)
		s, err := goods.ReadStanding(v, index)
		if err != nil || s == nil {
			return nil, 0, nil, err
		}
		bondUnits += s.BondUnits()
		counting[index] = s.Counts()
		holds := []object{}
		for ; len(holdings) > 0 && holdings[0].custodian == index; holdings = holdings[1:] {
			if h := &holdings[0]; int(h.good) < len(b.goods) {
				holds = append(holds, holdingJSON(b.goods[h.good], h.Holding, s.Counts()))
			}
		}
		list = append(list, object{
			{"custodian", index},
			{"name", b.custodian(index)},
			{"suspended", s.Suspended},
			{"default", s.Defaulted},
			{"counts", s.Counts()},
			{"debt", amount(s.DebtUnits)},
			{"bonds", amount(s.BondUnits())},
			{"value", amount(valueIf(s.Counts(), s.Counted))},
			{"whole_value", amount(s.Whole.Units())},
			{"goods", holds},
			{"label", proved},
		})
	}
	return list, bondUnits, counting, nil
}

func valueIf(counts bool, sum state.Sum) int64 {
	if !counts {
		return 0
	}
	return sum.Units()
}

// holdingJSON tells what is held of a good; nothing of it is worth anything
// to the reserve where it does not count.
func holdingJSON(good *goods.Good, h state.Holding, counts bool) object {
	value := int64(0)
	if counts {
		value = good.LowUnits(h.Counted)
	}
	return object{
		{"good", good.Code},
		{"measure", good.Measure},
		{"whole", h.Whole},
		{"free", h.Free},
		{"counted", h.Counted},
		{"redeeming", h.Claimed},
		{"value", amount(value)},
		{"whole_value", amount(good.HighUnits(h.Whole))},
	}
}

// goodSums are what custodians hold of a good together.
type goodSums struct{ whole, free, counted, redeeming, value, wholeValue state.Sum }

// reserveOfGoods sums the holdings by good.
func (b *book) reserveOfGoods(holdings []holdingAt, counting map[uint16]bool) []object {
	sums := make([]goodSums, len(b.goods))
	for _, h := range holdings {
		if int(h.good) >= len(sums) {
			continue
		}
		s, good := &sums[h.good], b.goods[h.good]
		s.whole, s.free, s.redeeming = s.whole.Add(h.Whole), s.free.Add(h.Free), s.redeeming.Add(h.Claimed)
		s.wholeValue = s.wholeValue.Add(good.HighUnits(h.Whole))
		if counting[h.custodian] {
			s.counted, s.value = s.counted.Add(h.Counted), s.value.Add(good.LowUnits(h.Counted))
		}
	}
	list := []object{}
	for i, good := range b.goods {
		s := &sums[i]
		o := object{
			{"good", good.Code},
			{"name", good.Name},
			{"measure", good.Measure},
			{"par_num", good.ParNum},
			{"par_den", good.ParDen},
			{"haircut_bp", good.HaircutBP},
			{"whole", s.whole.Units()},
			{"free", s.free.Units()},
			{"counted", s.counted.Units()},
			{"redeeming", s.redeeming.Units()},
			{"value", amount(s.value.Units())},
			{"whole_value", amount(s.wholeValue.Units())},
		}
		if p := good.Pending; p != nil {
			o = append(o, member{"pending_par_num", p.ParNum}, member{"pending_par_den", p.ParDen})
		}
		list = append(list, append(o, member{"label", proved}))
	}
	return list
}

// Bounds of getcoverage.
const (
	coveragePoints  = 1000
	coverageDefault = 500
	coverageEvents  = 100
)

func getCoverage(c *call) (any, error) {
	x, err := c.history()
	if err != nil {
		return nil, err
	}
	_, height := x.Tip()
	step, err := c.int32("step", 1)
	if err != nil {
		return nil, err
	}
	to, err := c.int32("to", height)
	if err != nil {
		return nil, err
	}
	to = min(to, height)
	from, err := c.int32("from", int32(max(int64(x.Since()), int64(to)-int64(max(step, 1))*(coverageDefault-1))))
	if err != nil {
		return nil, err
	}
	if step < 1 || from < 0 || to < 0 {
		return nil, errorf(CodeInvalidParameter, "from and to are heights, step is 1 or more")
	}
	points, err := x.Coverage(from, to, step, coveragePoints)
	if err != nil {
		return nil, err
	}
	list := []object{}
	for i := range points {
		list = append(list, coverageJSON(&points[i]))
	}
	if len(points) > 0 {
		to = min(to, points[len(points)-1].Height+step-1)
	}
	moved, err := c.moved(x, from, to)
	if err != nil {
		return nil, err
	}
	return object{
		{"from", from}, {"to", to}, {"step", step}, {"since", x.Since()}, {"points", list}, {"events", moved}, {"label", proved},
	}, nil
}

func coverageJSON(p *history.Coverage) object {
	o := object{
		{"height", p.Height},
		{"time", p.Time},
		{"circulating", amount(p.CirculatingUnits)},
		{"reserve", amount(p.ReserveUnits)},
		{"redemption_base", amount(p.AllUnits)},
		{"redeeming", amount(p.ClaimedUnits)},
		{"pool", amount(p.PoolUnits)},
		{"escrow", amount(p.EscrowUnits)},
		{"bonds", amount(p.BondUnits)},
	}
	return append(appendCoverage(o, p.ReserveUnits, p.CirculatingUnits, p.MinCoverageBP), member{"events", p.Events})
}

// movesCoverage are the kinds of events after which reserve or circulating
// coins are others.
var movesCoverage = map[history.Kind]bool{
	history.KindDrawn: true, history.KindRedeemed: true, history.KindDelivered: true, history.KindLapsed: true,
	history.KindSettled: true, history.KindAudited: true, history.KindExpired: true, history.KindSuspended: true,
	history.KindLifted: true, history.KindDefaulted: true, history.KindSlashed: true, history.KindChangeAnnounced: true,
	history.KindChangeWithdrawn: true, history.KindChangeEffective: true,
}

// moved lists the newest events of a stretch that moved coverage. It looks at
// ten pages at most.
func (c *call) moved(x *history.Index, from, to int32) ([]object, error) {
	list := []object{}
	var b *book
	if err := c.goodsView(func(found *book, _ state.View) error { b = found; return nil }); err != nil {
		return nil, err
	}
	before := history.Cursor{Height: to, Seq: 1<<32 - 1}
	for range 10 {
		events, more, err := x.Events(history.OfChain(), before, coverageEvents)
		if err != nil {
			return nil, err
		}
		for i := range events {
			e := &events[i]
			if e.Height < from || len(list) == coverageEvents {
				return list, nil
			}
			if movesCoverage[e.Kind] {
				list = append(list, b.event(e))
			}
			before = history.Cursor{Height: e.Height, Seq: e.Seq}
		}
		if !more {
			break
		}
	}
	return list, nil
}
