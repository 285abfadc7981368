package goods_test

import (
	"slices"
	"testing"

	"granary/params"
)

// variant is a charter for histories, and what happens under it.
type variant struct {
	name    string
	charter func(testing.TB) *params.Charter
	blocks  int
	grants  int            // coins from nowhere at least
	moods   map[string]int // that do not follow the seed
	huge    bool           // receipts as dear as the rules allow
}

var variants = []variant{
	{name: "short", charter: shortCharter, blocks: 38},
	{name: "shorter", charter: shorterCharter, blocks: 38},
	{name: "short", charter: shortCharter, blocks: 38},
	{name: "odd", charter: func(t testing.TB) *params.Charter { return oddCharter(t, 400) }, blocks: 20},
	{name: "short", charter: shortCharter, blocks: 100},
	{name: "demo", charter: demoCharter, blocks: 50},
	{name: "shorter", charter: shorterCharter, blocks: 38},
	{name: "flood", charter: floodCharter, blocks: 45, moods: map[string]int{"redeem": 16, "reclaim": 8, "settle": 0, "deliver": 0, "lazy": 100}},
	{name: "short", charter: shortCharter, blocks: 38},
	{name: "odd, with a cap", charter: func(t testing.TB) *params.Charter { return oddCharter(t, 200*params.UnitsPerCoin) }, blocks: 20},
	{name: "short", charter: shortCharter, blocks: 38},
	{name: "shorter", charter: shorterCharter, blocks: 38},
	{name: "dear", charter: dearCharter, blocks: 70, grants: 24, huge: true, moods: map[string]int{
		"reclaim": 20, "settle": 12, "lazy": 100, "receive": 8, "draw": 1, "redeem": 1, "act": 3, "amend": 4, "bond": 0, "unbond": 0, "reseat": 1,
	}},
	{name: "short", charter: shortCharter, blocks: 38},
	{name: "dear", charter: dearCharter, blocks: 60, grants: 4, huge: true, moods: map[string]int{
		"reclaim": 1, "settle": 1, "receive": 8, "amend": 8, "bond": 1, "reseat": 1, "council": 1, "act": 3,
	}},
}

func checked(t testing.TB, c params.Charter) *params.Charter {
	charter, err := params.NewCharter(c)
	if err != nil {
		t.Fatal(err)
	}
	return charter
}

func demoCharter(t testing.TB) *params.Charter {
	charter, err := params.DemoCharter(params.DemoScripts{
		Custodians: [2][]byte{keyScript(1), keyScript(2)},
		Auditors:   [3][]byte{keyScript(3), keyScript(4), keyScript(5)},
		Council:    keyScript(6),
	})
	if err != nil {
		t.Fatal(err)
	}
	return charter
}

// oddCharter meets other edges: short lives and ages, a measure worth less
// than a unit, one worth thousands of coins, no bonds asked for.
func oddCharter(t testing.TB, capUnits int64) *params.Charter {
	c := *demoCharter(t)
	c.Parameters.AttestationLifeBlocks = 20
	c.Parameters.MinDrawUnits = 10
	c.Parameters.BlockReleaseCapUnits = capUnits
	c.Parameters.BondRatioBP, c.Parameters.UnbondedAllowanceUnits = 0, 0
	c.Low, c.High = c.Parameters, c.Parameters
	c.Goods = slices.Clone(c.Goods)
	c.Goods[0].MaxAgeBlocks = 10
	c.Goods[1].ParNum = 1 << 40
	c.Goods[2].ParNum, c.Goods[2].ParDen = 1, 3
	return checked(t, c)
}

// shortCharter has short windows and wide bounds, so that whole lives fit
// into a history and amendments can do something.
func shortCharter(t testing.TB) *params.Charter {
	c := *demoCharter(t)
	const coin = params.UnitsPerCoin
	c.Parameters = params.Parameters{
		MinCoverageBP: 10_500, MinerShareBP: 100, BlockReleaseCapUnits: 40 * coin, QuorumAuditors: 2,
		DeliveryWindowBlocks: 4, PickupWindowBlocks: 3, GraceWindowBlocks: 2, AttestationLifeBlocks: 20, AmendmentDelayBlocks: 12,
		RedemptionFeeBP: 50, MinDrawUnits: coin / 100, UnbondedAllowanceUnits: 20 * coin, BondRatioBP: 1_000, PenaltyBP: 1_000,
	}
	c.Low = params.Parameters{
		MinCoverageBP: 10_000, MinerShareBP: 0, BlockReleaseCapUnits: coin, QuorumAuditors: 1,
		DeliveryWindowBlocks: 2, PickupWindowBlocks: 1, GraceWindowBlocks: 1, AttestationLifeBlocks: 10, AmendmentDelayBlocks: 4,
		RedemptionFeeBP: 0, MinDrawUnits: 1, UnbondedAllowanceUnits: 0, BondRatioBP: 0, PenaltyBP: 0,
	}
	c.High = params.Parameters{
		MinCoverageBP: 13_000, MinerShareBP: 1_000, BlockReleaseCapUnits: 100 * coin, QuorumAuditors: 4,
		DeliveryWindowBlocks: 8, PickupWindowBlocks: 5, GraceWindowBlocks: 4, AttestationLifeBlocks: 30, AmendmentDelayBlocks: 16,
		RedemptionFeeBP: 500, MinDrawUnits: 2 * coin, UnbondedAllowanceUnits: 90 * coin, BondRatioBP: 3_000, PenaltyBP: 9_000,
	}
	c.Goods = slices.Clone(c.Goods)
	for i, age := range []int64{30, 40, 25} {
		c.Goods[i].MaxAgeBlocks = age
	}
	c.Goods[2].MinRedemption = 1
	return checked(t, c)
}

// shorterCharter lives on one auditor's word and has tighter windows.
func shorterCharter(t testing.TB) *params.Charter {
	c := *shortCharter(t)
	p := &c.Parameters
	p.QuorumAuditors, p.PenaltyBP, p.MinerShareBP, p.BondRatioBP = 1, 0, 0, 3_000
	p.DeliveryWindowBlocks, p.PickupWindowBlocks, p.GraceWindowBlocks, p.AmendmentDelayBlocks = 6, 1, 1, 12
	p.UnbondedAllowanceUnits = 8 * params.UnitsPerCoin
	return checked(t, c)
}

// floodCharter lets so few claims wait that a custodian meets the limit.
func floodCharter(t testing.TB) *params.Charter {
	c := *shortCharter(t)
	c.Parameters.DeliveryWindowBlocks, c.Low.DeliveryWindowBlocks = 1, 1
	c.Goods = slices.Clone(c.Goods)
	for i := range c.Goods {
		c.Goods[i].MinRedemption = 1
	}
	return checked(t, c)
}

// dearCharter has goods of which one receipt may be worth all coins, and a
// penalty and pars that rise until values and debts meet 2^63 - 1.
func dearCharter(t testing.TB) *params.Charter {
	c := *shortCharter(t)
	c.Goods = slices.Clone(c.Goods)
	c.Goods[0].ParNum, c.Goods[0].ParDen, c.Goods[0].MinReceipt = 7, 3, 1
	c.Goods[1].ParNum, c.Goods[1].ParDen, c.Goods[1].MinReceipt = 1<<40, 1_000_003, 1
	c.Custodians = slices.Clone(c.Custodians)
	for i := range c.Custodians {
		c.Custodians[i].Allowances = []params.Allowance{{Good: 0, Limit: 1<<63 - 1}, {Good: 1, Limit: 1<<63 - 1}}
	}
	c.Parameters.PenaltyBP, c.Low.PenaltyBP, c.High.PenaltyBP = 1_000_000, 1_000_000, 1_000_000
	c.Parameters.BondRatioBP, c.Parameters.MinDrawUnits = 0, 1
	for _, p := range []*params.Parameters{&c.Parameters, &c.Low, &c.High} {
		p.DeliveryWindowBlocks, p.AmendmentDelayBlocks = 2, 4
	}
	return checked(t, c)
}
