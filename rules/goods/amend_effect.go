package goods

import (
	"bytes"
	"slices"

	"granary/params"
	"granary/state"
)

func (r Amend) apply(a *action) error {
	var err error
	if r.Withdraw {
		err = a.g.withdrawChange(state.SlotAmend)
	} else {
		err = r.applyAnnounce(a)
	}
	if err != nil {
		return err
	}
	return a.moveSeat()
}

func (r Amend) applyAnnounce(a *action) error {
	if err := a.announce(state.SlotAmend, r.members(), a.g.params.AmendmentDelayBlocks); err != nil {
		return err
	}
	return a.g.reprice(&r, func(before, after *Good, changed *params.Good) { after.Pending = changed })
}

// withdrawGoods values the goods as if the amendment had never been.
func (g *Block) withdrawGoods(p *state.Pending) error {
	r, err := readAmendment(p)
	if err != nil {
		return err
	}
	g.withdrawn = g.pendingGoods
	return g.reprice(&r, func(before, after *Good, changed *params.Good) { before.Pending, after.Pending = changed, nil })
}

// makeEffective brings an amendment into force.
func (r Amend) makeEffective(g *Block, p *state.Pending) error {
	err := g.reprice(&r, func(before, after *Good, changed *params.Good) {
		before.Pending, after.Pending, after.Good = changed, nil, *changed
	})
	if err != nil {
		return err
	}
	for i := range r.Goods {
		good := state.GoodInForce{Good: r.Goods[i].Good, Since: g.height}
		if err := g.set(state.KeyGood(r.Goods[i].Index), good.Encode()); err != nil {
			return err
		}
	}
	if err := r.setParameters(g); err != nil {
		return err
	}
	for _, a := range r.Allowances {
		if err := g.setAllowance(a.Custodian, a.Allowance); err != nil {
			return err
		}
	}
	if err := r.joinMembers(g, p); err != nil {
		return err
	}
	return g.readForce()
}

func (r Amend) setParameters(g *Block) error {
	if len(r.Parameters) == 0 {
		return nil
	}
	now := g.params
	values := now.Values()
	for _, p := range r.Parameters {
		*values[p.Parameter] = p.Value
	}
	return g.set(state.KeyParameters(), now.Encode())
}

// setAllowance sets what a custodian may hold of a good; nothing at limit 0.
func (g *Block) setAllowance(custodian uint16, a params.Allowance) error {
	var value []byte
	if a.Limit > 0 {
		value = state.EncodeLimit(a.Limit)
	}
	return g.set(state.KeyAllowance(custodian, a.Good), value)
}

// joinMembers gives the new members their seats, custodians first, and counts
// goods and members anew.
func (r Amend) joinMembers(g *Block, p *state.Pending) error {
	counts := g.counts
	for i := range r.Goods {
		counts.Goods = max(counts.Goods, r.Goods[i].Index+1)
	}
	for i := range r.Custodians {
		c, index := &r.Custodians[i], counts.Custodians
		if err := g.set(state.KeyStanding(index), (&state.Standing{}).Encode()); err != nil {
			return err
		}
		for _, a := range c.Allowances {
			if err := g.setAllowance(index, a); err != nil {
				return err
			}
		}
		if err := g.createSeat(p, i, state.Seat{Role: state.RoleCustodian, Index: index, Name: c.Name}); err != nil {
			return err
		}
		counts.Custodians++
	}
	for i, name := range r.Auditors {
		if err := g.createSeat(p, len(r.Custodians)+i, state.Seat{Role: state.RoleAuditor, Index: counts.Auditors, Name: name}); err != nil {
			return err
		}
		counts.Auditors++
	}
	if counts == g.counts {
		return nil
	}
	return g.set(state.KeyCounts(), counts.Encode())
}

// createSeat makes waiting output i of a change a seat.
func (g *Block) createSeat(p *state.Pending, i int, seat state.Seat) error {
	seat.Out, seat.Script = p.Out(i), bytes.Clone(p.Scripts[i])
	seat.Height, seat.Since = p.Announced, g.height
	if err := g.putSeat(&seat); err != nil {
		return err
	}
	g.events = append(g.events, SeatCreated{seat})
	return nil
}

// repriced is a good as it was valued and as it will be.
type repriced struct {
	index         uint16
	before, after Good
}

// reprice moves every standing with the goods that an amendment changes; how
// says what before and after are, which both begin as the good in force, with
// nothing pending. Values follow what it says from now on.
func (g *Block) reprice(r *Amend, how func(before, after *Good, changed *params.Good)) error {
	var list []repriced
	pending := make(map[uint16]*params.Good, len(r.Goods))
	for i := range r.Goods {
		index, changed := r.Goods[i].Index, &r.Goods[i].Good
		if index >= g.counts.Goods { // nobody holds what joins
			continue
		}
		now, err := g.good(index)
		if err != nil {
			return err
		}
		now.Pending = nil
		good := repriced{index: index, before: *now, after: *now}
		how(&good.before, &good.after, changed)
		if good.after.Pending != nil {
			pending[index] = good.after.Pending
		}
		if now.ParNum != changed.ParNum || now.ParDen != changed.ParDen {
			list = append(list, good)
		}
	}
	g.pendingGoods = pending
	return g.revalueAll(list)
}

// revalueAll values what each custodian holds of goods anew, with one change
// of its standing.
func (g *Block) revalueAll(list []repriced) error {
	if len(list) == 0 {
		return nil
	}
	for custodian := range g.counts.Custodians {
		holdings := make([]state.Holding, len(list))
		for i := range list {
			var err error
			if holdings[i], err = ReadHolding(g.over, custodian, list[i].index); err != nil {
				return err
			}
		}
		if !slices.ContainsFunc(holdings, func(h state.Holding) bool { return h != (state.Holding{}) }) {
			continue
		}
		err := g.changeStanding(custodian, func(s *state.Standing) {
			for i := range list {
				revalue(s, &list[i].before, holdings[i], &list[i].after, holdings[i])
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}
