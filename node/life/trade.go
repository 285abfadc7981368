package life

import (
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/node/stage"
	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

// maxReceipts is how many open receipts a life keeps, so that a demo that runs
// for days stays small.
const maxReceipts = 60

// bringGoods lets depositors bring goods while there is room for coins.
func (l *Life) bringGoods() error {
	if len(l.now.receipts) >= maxReceipts || !l.chance(4) && len(l.now.receipts) > 2 {
		return nil
	}
	custodian := uint16(l.rng.IntN(len(l.now.standing)))
	if !l.now.standing[custodian].Counts() || l.proposed(func(r goods.Record) bool {
		receive, is := r.(goods.Receive)
		return is && receive.Custodian == custodian
	}) {
		return nil
	}
	receive := goods.Receive{Custodian: custodian, Expiry: l.expiry(), Observed: l.now.hash}
	for range 1 + l.rng.IntN(2) {
		opening, ok, err := l.opening(custodian, len(receive.Openings))
		if err != nil {
			return err
		}
		if ok {
			receive.Openings = append(receive.Openings, opening)
		}
	}
	if len(receive.Openings) > 0 {
		l.propose(&proposal{record: receive, role: state.RoleCustodian, index: custodian, expiry: receive.Expiry})
	}
	return nil
}

// opening is a lot of one of the goods that a custodian may hold, as much as
// its limit and bonds bear.
func (l *Life) opening(custodian uint16, n int) (o goods.Opening, ok bool, err error) {
	var allowed []uint16
	limits := map[uint16]int64{}
	err = l.o.Chain.View(func(_ *state.Header, v state.View) error {
		for good := range l.now.counts.Goods {
			value, err := v.Goods(state.KeyAllowance(custodian, good))
			if err != nil || value == nil {
				continue
			}
			limit, err := state.DecodeLimit(value)
			if err != nil {
				return err
			}
			holding, err := goods.ReadHolding(v, custodian, good)
			if err != nil {
				return err
			}
			allowed = append(allowed, good)
			limits[good] = limit - holding.Whole
		}
		return nil
	})
	if err != nil || len(allowed) == 0 {
		return o, false, err
	}
	index := pick(l, allowed)
	good, err := l.good(index)
	if err != nil {
		return o, false, err
	}
	quantity := good.MinReceipt * int64(5+l.rng.IntN(60))
	if quantity > limits[index]/2 || good.LowUnits(quantity) < l.now.params.MinDrawUnits {
		return o, false, nil
	}
	depositor := pick(l, l.depositors)
	serial := fmt.Sprintf("%s-%d-%d-%d", good.Code, l.now.height, custodian, n)
	return goods.Opening{
		Good: index, Serial: serial, Quantity: quantity, Location: fmt.Sprintf("Hall %d", 1+l.rng.IntN(9)),
		Document: chainhash.HashH([]byte("weight note of " + serial)), Script: depositor.Script,
	}, true, nil
}

func (l *Life) good(index uint16) (good *goods.Good, err error) {
	err = l.o.Chain.View(func(_ *state.Header, v state.View) error {
		good, err = goods.ReadGood(v, index)
		return err
	})
	if err == nil && good == nil {
		err = fmt.Errorf("there is no good %d", index)
	}
	return good, err
}

// payAround lets coins go from hand to hand: depositors sell to holders, all
// pay rent to custodians.
func (l *Life) payAround() error {
	for _, from := range slices.Concat(l.depositors, l.holders, []stage.Person{l.Miner()}) {
		if !l.chance(5) {
			continue
		}
		balance, err := l.cast.Balance(from)
		if err != nil {
			return err
		}
		units := balance / int64(2+l.rng.IntN(8))
		if units < params.UnitsPerCoin/100 {
			continue
		}
		to := pick(l, l.holders)
		if l.chance(3) {
			to = pick(l, l.operators)
		}
		if from.Name == to.Name {
			continue
		}
		tx, err := l.cast.Pay(from, to, units)
		l.give(nil, tx, err)
	}
	return nil
}

// claimGoods lets holders redeem and depositors reclaim.
func (l *Life) claimGoods() error {
	for _, receipt := range l.now.receipts {
		redeems, reclaims := receipt.Free > 0 && l.chance(80), receipt.Undrawn > 0 && l.chance(10)
		if !redeems && !reclaims {
			continue
		}
		good, err := l.good(receipt.Good)
		if err != nil {
			return err
		}
		if reclaims {
			err = l.reclaim(receipt, good)
		} else {
			err = l.redeem(receipt, good)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// reclaim: the depositor thinks better of it before the coins are drawn.
func (l *Life) reclaim(receipt *state.Receipt, good *goods.Good) error {
	for _, p := range l.depositors {
		if string(p.Script) != string(receipt.Script) {
			continue
		}
		balance, err := l.cast.Balance(p)
		if err != nil || balance < 2*stage.FeeUnits {
			return err
		}
		tx, err := l.cast.Reclaim(p, receipt, l.amount(receipt.Undrawn, good))
		l.give(goods.Reclaim{}, tx, err)
	}
	return nil
}

// amount is some of what there is, all of it at times.
func (l *Life) amount(there int64, good *goods.Good) int64 {
	least := good.MinRedemption
	if there <= least || l.chance(6) {
		return there
	}
	return min(there, least+l.rng.Int64N(there/4+1))
}

func (l *Life) redeem(receipt *state.Receipt, good *goods.Good) error {
	p := pick(l, l.holders)
	quantity := l.amount(receipt.Free, good)
	price, err := l.cast.Price(receipt, quantity)
	if err != nil {
		return nil //nolint:nilerr // nothing to price by: nobody redeems
	}
	balance, err := l.cast.Balance(p)
	if err != nil || balance < price+stage.FeeUnits {
		return err
	}
	tx, err := l.cast.Redeem(p, receipt, quantity)
	l.give(goods.Redeem{}, tx, err)
	return nil
}
