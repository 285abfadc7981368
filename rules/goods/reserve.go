package goods

import (
	"fmt"

	"granary/state"
)

// The reserve is kept in sums, so that a block costs what it changes: per
// custodian and good the measures of all receipts and of those that count;
// per height, custodian and good the free measures that stop counting after
// it; per custodian their value; and the two totals.

// ReadReserve gives the reserve after the last block.
func ReadReserve(view state.GoodsView) (state.Reserve, error) {
	value, err := view.Goods(state.KeyReserve())
	if err != nil {
		return state.Reserve{}, fmt.Errorf("read the reserve: %w", err)
	}
	return state.DecodeReserve(value)
}

// ReadHolding gives what a custodian holds of a good after the last block.
func ReadHolding(view state.GoodsView, custodian, good uint16) (state.Holding, error) {
	value, err := view.Goods(state.KeyHolding(custodian, good))
	if err != nil {
		return state.Holding{}, fmt.Errorf("read a holding: %w", err)
	}
	return state.DecodeHolding(value)
}

// allowance is how much of a good a custodian may hold, 0 where it may not or
// where there is no such custodian or good.
func (g *Block) allowance(custodian, good uint16) (int64, error) {
	value, err := g.over.Goods(state.KeyAllowance(custodian, good))
	if err != nil || value == nil {
		return 0, err
	}
	return state.DecodeLimit(value)
}

// freshFree gives the free measures that count until a height.
func (g *Block) freshFree(validUntil int32, custodian, good uint16) (int64, error) {
	value, err := g.over.Goods(state.KeyFresh(validUntil, custodian, good))
	if err != nil || value == nil {
		return 0, err
	}
	return state.DecodeLimit(value)
}

// sums is what a change of one receipt does to the sums.
type sums struct {
	custodian, good uint16
	holding         state.Holding
	before, after   *state.Standing
	reserve         state.Reserve
}

// sumsAfter gives the sums once receipt before is as after says: nil before
// for one that opens. Custodian and good stay. Nothing is written.
func (g *Block) sumsAfter(before, after *state.Receipt) (sums, error) {
	s := sums{custodian: after.Custodian, good: after.Good}
	was, err := ReadHolding(g.over, s.custodian, s.good)
	if err != nil {
		return s, err
	}
	s.holding = was
	if before != nil {
		s.holding.Whole -= before.Quantity()
		s.holding.Free -= before.Free
		s.holding.Counted -= g.countedOf(before)
	}
	s.holding.Whole += after.Quantity()
	s.holding.Free += after.Free
	s.holding.Counted += g.countedOf(after)
	good, err := g.good(s.good)
	if err != nil {
		return s, err
	}
	s.before, s.after, s.reserve, err = g.standingAfter(s.custodian, func(st *state.Standing) {
		revalue(st, good, was, good, s.holding)
	})
	return s, err
}

// countedOf is what of a receipt's free measures is not too old.
func (g *Block) countedOf(r *state.Receipt) int64 {
	if !r.Fresh(g.height) {
		return 0
	}
	return r.Free
}

// revalue moves a standing with one holding, each valued from what it is.
func revalue(s *state.Standing, goodBefore *Good, before state.Holding, goodAfter *Good, after state.Holding) {
	s.Counted = s.Counted.Add(goodAfter.LowUnits(after.Counted)).Sub(goodBefore.LowUnits(before.Counted))
	s.All = s.All.Add(goodAfter.HighUnits(after.Free)).Sub(goodBefore.HighUnits(before.Free))
	s.Claimed = s.Claimed.Add(goodAfter.HighUnits(after.Claimed)).Sub(goodBefore.HighUnits(before.Claimed))
	s.Whole = s.Whole.Add(goodAfter.HighUnits(after.Whole)).Sub(goodBefore.HighUnits(before.Whole))
}

// changeReceipt is the one way in which a receipt changes: lot, holding, what
// counts until when, standing and reserve follow it. before is nil for one
// that opens; one with nothing left closes.
func (g *Block) changeReceipt(before, after *state.Receipt) error {
	s, err := g.sumsAfter(before, after)
	if err != nil {
		return err
	}
	if err := g.writeReceipt(after); err != nil {
		return err
	}
	if before != nil {
		if err := g.addFresh(before, -g.countedOf(before)); err != nil {
			return err
		}
	}
	if err := g.addFresh(after, g.countedOf(after)); err != nil {
		return err
	}
	if err := g.set(state.KeyHolding(s.custodian, s.good), s.holding.Encode()); err != nil {
		return err
	}
	return g.writeStanding(s.custodian, s.before, s.after, s.reserve)
}

// writeReceipt writes a receipt, or closes it and frees its lot unless goods
// of it were ever lost.
func (g *Block) writeReceipt(r *state.Receipt) error {
	if r.Quantity() > 0 {
		return g.set(r.Key(), r.Encode())
	}
	if r.Lost == 0 {
		if err := g.set(state.KeyLot(LotCommitment(r.Registry, r.Serial)), nil); err != nil {
			return err
		}
	}
	g.events = append(g.events, ReceiptClosed{Receipt: *r})
	return g.set(r.Key(), nil)
}

func (g *Block) addFresh(r *state.Receipt, measures int64) error {
	if measures == 0 {
		return nil
	}
	fresh, err := g.freshFree(r.ValidUntil, r.Custodian, r.Good)
	if err != nil {
		return err
	}
	key := state.KeyFresh(r.ValidUntil, r.Custodian, r.Good)
	if fresh += measures; fresh == 0 {
		return g.set(key, nil)
	}
	return g.set(key, state.EncodeLimit(fresh))
}

// takeStale lets free measures of a custodian's good count no more.
func (g *Block) takeStale(custodian, index uint16, measures int64) error {
	before, err := ReadHolding(g.over, custodian, index)
	if err != nil {
		return err
	}
	good, err := g.good(index)
	if err != nil {
		return err
	}
	after := before
	after.Counted -= measures
	if err := g.set(state.KeyHolding(custodian, index), after.Encode()); err != nil {
		return err
	}
	return g.changeStanding(custodian, func(s *state.Standing) { revalue(s, good, before, good, after) })
}

// priceBase is goods that coins are priced by: free, and taken by redemptions
// whose coins are still in escrow.
type priceBase struct{ all, claimed state.Sum }

func baseOf(s *state.Standing) priceBase { return priceBase{s.All, s.Claimed} }

// startOfBlock is what redemptions of the block are priced by.
type startOfBlock struct {
	circulatingUnits, escrowUnits int64
	priceBase
}

// takeSnapshot keeps L, D and what claims hold as they are before the first
// transaction.
func (g *Block) takeSnapshot() error {
	reserve, err := ReadReserve(g.over)
	if err != nil {
		return err
	}
	g.start = startOf(&g.totals, &reserve)
	clear(g.baseAtStart)
	return nil
}

func startOf(t *state.Totals, r *state.Reserve) startOfBlock {
	return startOfBlock{t.CirculatingUnits, t.EscrowUnits, priceBase{r.All, r.Claimed}}
}

// baseAtBlockStart gives a custodian's own part as it was then.
func (g *Block) baseAtBlockStart(custodian uint16, now *state.Standing) priceBase {
	if base, changed := g.baseAtStart[custodian]; changed {
		return base
	}
	return baseOf(now)
}

// addClaimed counts measures of a receipt that a redemption took, or that are
// its no more.
func (g *Block) addClaimed(r *state.Receipt, measures int64) error {
	before, err := ReadHolding(g.over, r.Custodian, r.Good)
	if err != nil {
		return err
	}
	good, err := g.good(r.Good)
	if err != nil {
		return err
	}
	after := before
	after.Claimed += measures
	if err := g.set(state.KeyHolding(r.Custodian, r.Good), after.Encode()); err != nil {
		return err
	}
	return g.changeStanding(r.Custodian, func(s *state.Standing) { revalue(s, good, before, good, after) })
}
