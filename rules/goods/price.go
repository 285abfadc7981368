package goods

import (
	"math"

	"github.com/holiman/uint256"

	"granary/base/check"
	"granary/state"
)

// PriceUnits is what goods worth valueUnits (rounded up) cost in escrow while
// circulatingUnits (L) circulate over goods worth baseUnits (D, above 0):
// ceil(value x max(L, D) x (10,000 + fee) / (D x 10,000)). When less circulates
// than there are goods for, a coin buys no more than par; when more does, every
// coin buys its share. A price beyond 2^63-1 is held there, which nobody can
// pay.
func PriceUnits(valueUnits, circulatingUnits, baseUnits, feeBP int64) int64 {
	check.Must(baseUnits > 0, "a price needs goods to price by")
	n := uint256.NewInt(uint64(valueUnits))
	n.Mul(n, uint256.NewInt(uint64(max(circulatingUnits, baseUnits))))
	n.Mul(n, uint256.NewInt(uint64(10_000+feeBP))) // 63 + 63 + 15 bits
	d := uint256.NewInt(uint64(baseUnits))
	return ceilUnits(n, d.Mul(d, uint256.NewInt(10_000)))
}

// shareUpUnits is ceil(units x share / 10,000), held at 2^63-1.
func shareUpUnits(units, shareBP int64) int64 {
	n := uint256.NewInt(uint64(units))
	return ceilUnits(n.Mul(n, uint256.NewInt(uint64(shareBP))), uint256.NewInt(10_000))
}

// ceilUnits is ceil(n / d), held at 2^63-1; n is used up.
func ceilUnits(n, d *uint256.Int) int64 {
	var rest uint256.Int
	n.DivMod(n, d, &rest)
	if !rest.IsZero() {
		n.AddUint64(n, 1)
	}
	if !n.IsUint64() || n.Uint64() > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(n.Uint64())
}

// priceUnits is what a quantity of a receipt costs in this block. The
// RuleError says that there is nothing to price by.
func (g *Block) priceUnits(receipt *state.Receipt, quantity int64) (int64, error) {
	good, err := g.good(receipt.Good)
	if err != nil {
		return 0, err
	}
	standing, err := g.standing(receipt.Custodian)
	if err != nil {
		return 0, err
	}
	return g.start.priceUnits(standing.Defaulted, g.baseAtBlockStart(receipt.Custodian, standing), g.askedUnits(receipt.Good, good, quantity), g.params.RedemptionFeeBP)
}

// priceUnits prices goods worth valueUnits at a custodian whose own part of
// the base, were it not in default, is own. What waits in escrow comes back by
// lapses and settlements, and with it, by lapses, the goods that were taken:
// the price is the higher of that with claims and that without, so that nobody
// lowers it by coins that he only puts aside.
func (s *startOfBlock) priceUnits(defaulted bool, own priceBase, valueUnits, feeBP int64) (int64, error) {
	base := s.priceBase
	if defaulted {
		base = priceBase{base.all.Plus(own.all), base.claimed.Plus(own.claimed)}
	}
	if base.all == (state.Sum{}) {
		return 0, check.Rule(CodeRedeemClosed, "no goods back coins at the start of this block, so there is no price")
	}
	return max(
		PriceUnits(valueUnits, s.circulatingUnits, base.all.Units(), feeBP),
		PriceUnits(valueUnits, s.circulatingUnits+s.escrowUnits, base.all.Plus(base.claimed).Units(), feeBP),
	), nil
}

// ReadPrice gives what a redemption of quantity measures of receipt costs in
// the block after view, unless that block begins with a change, a default or
// an expiry that moves it. The error is a RuleError with CodeRedeemClosed
// where there is nothing to price by, the world's otherwise.
func ReadPrice(view state.GoodsView, receipt *state.Receipt, quantity int64) (int64, error) {
	totals, err := ReadTotals(view)
	if err != nil {
		return 0, err
	}
	reserve, err := ReadReserve(view)
	if err != nil {
		return 0, err
	}
	p, err := ReadParameters(view)
	if err != nil {
		return 0, err
	}
	g := &Block{over: state.NewOverlay(goodsOnly{view}, 0), params: p, start: startOf(&totals, &reserve)}
	if g.pendingGoods, err = pendingGoods(view); err != nil {
		return 0, err
	}
	return g.priceUnits(receipt, quantity)
}
