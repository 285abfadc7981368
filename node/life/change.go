package life

import (
	"fmt"

	"granary/node/stage"
	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

// mindChanges: the council changes a par or a parameter now and then, lets
// new members in when there are too few, and gives seats to others.
func (l *Life) mindChanges() error {
	p := l.now.pending
	switch {
	case p[state.SlotReseatCouncil] != nil && l.chance(120):
		l.withdrawCouncil(p[state.SlotReseatCouncil])
	case p[state.SlotReseatCouncil] != nil:
	case p[state.SlotAmend] == nil && (l.chance(50) || l.needsCustodian()):
		return l.amend()
	case p[state.SlotAmend] != nil && l.chance(150):
		l.act(state.RoleCouncil, 0, goods.Amend{Withdraw: true, ID: p[state.SlotAmend].ID})
	case p[state.SlotReseat] == nil && l.chance(80):
		return l.reseat()
	case p[state.SlotReseat] != nil && l.chance(200):
		l.act(state.RoleCouncil, 0, goods.Reseat{Step: goods.ReseatWithdraw, ID: p[state.SlotReseat].ID})
	case l.chance(250):
		l.reseatCouncil()
	case l.chance(10):
		l.rotate()
	}
	return nil
}

// needsCustodian: no more than one is left that may receive.
func (l *Life) needsCustodian() bool {
	count := 0
	for _, s := range l.now.standing {
		if !s.Defaulted {
			count++
		}
	}
	return count < 2 && len(l.now.standing) < 12
}

// amend announces one change: mostly a par, by up to a tenth.
func (l *Life) amend() error {
	var r goods.Amend
	switch {
	case l.needsCustodian():
		limits := make([]params.Allowance, 0, l.now.counts.Goods)
		for good := range l.now.counts.Goods {
			limits = append(limits, params.Allowance{Good: good, Limit: 500_000})
		}
		r.Custodians = []goods.NewCustodian{{Name: fmt.Sprintf("Warehouse %d", l.now.counts.Custodians), Allowances: limits}}
	case l.chance(8) && l.now.counts.Auditors < 5:
		r.Auditors = []string{fmt.Sprintf("Auditor %d", l.now.counts.Auditors)}
	case l.chance(4):
		r.Parameters = l.parameterChange()
	default:
		index := uint16(l.rng.IntN(int(l.now.counts.Goods)))
		good, err := l.good(index)
		if err != nil {
			return err
		}
		changed := good.Good
		changed.ParNum = max(1, changed.ParNum*(90+l.rng.Int64N(21))/100)
		r.Goods = []goods.GoodChange{{Index: index, Good: changed}}
	}
	if len(r.Parameters)+len(r.Goods)+len(r.Custodians)+len(r.Auditors) == 0 || !l.actor(state.RoleCouncil, 0) {
		return nil
	}
	d, err := l.cast.Seated(state.RoleCouncil, 0)
	if err != nil {
		return err
	}
	for i := range r.Custodians {
		d.Pay(0, l.newHolder(state.RoleCustodian, l.now.counts.Custodians+uint16(i)).Script)
	}
	for i := range r.Auditors {
		d.Pay(0, l.newHolder(state.RoleAuditor, l.now.counts.Auditors+uint16(i)).Script)
	}
	tx, err := d.Record(r).Sign()
	l.give(r, tx, err)
	return nil
}

// parameterChange moves the redemption fee within the charter's bounds.
func (l *Life) parameterChange() []goods.ParameterChange {
	const redemptionFee = 9 // its place in params.ParameterRules
	low, high := l.o.Charter.Low.RedemptionFeeBP, l.o.Charter.High.RedemptionFeeBP
	if low == high {
		return nil
	}
	return []goods.ParameterChange{{Parameter: redemptionFee, Value: low + l.rng.Int64N(high-low+1)}}
}

// newHolder is who gets a seat next: the holder of its next key.
func (l *Life) newHolder(role state.Role, index uint16) stage.Person {
	next := uint32(0)
	for i := range l.now.seats {
		if s := &l.now.seats[i]; s.Role == role && s.Index == index {
			next = l.generation[s.ID()] + 1
		}
	}
	return l.cast.Hold("new holder", l.o.Keys.SeatKey(role, index, next))
}

func (l *Life) reseat() error {
	r := goods.Reseat{Step: goods.ReseatAnnounce, Role: state.RoleAuditor, Index: uint16(l.rng.IntN(int(l.now.counts.Auditors)))}
	if l.chance(2) {
		r.Role, r.Index = state.RoleCustodian, uint16(l.rng.IntN(int(l.now.counts.Custodians)))
	}
	r.Script = l.newHolder(r.Role, r.Index).Script
	if !l.actor(state.RoleCouncil, 0) {
		return nil
	}
	d, err := l.cast.Seated(state.RoleCouncil, 0)
	if err != nil {
		return err
	}
	tx, err := d.Pay(0, r.Script).Record(r).Sign()
	l.give(r, tx, err)
	return nil
}

// reseatCouncil: all auditors together give the council's seat to another.
func (l *Life) reseatCouncil() {
	if l.proposed(func(r goods.Record) bool { _, is := r.(goods.Reseat); return is }) {
		return
	}
	r := goods.Reseat{Step: goods.ReseatAnnounceCouncil, Auditor: 0, Expiry: l.expiry(), Script: l.newHolder(state.RoleCouncil, 0).Script}
	l.propose(&proposal{
		record: r, role: state.RoleAuditor, index: 0, expiry: r.Expiry, all: true,
		outs:  func(d *stage.Draft) { d.Pay(0, r.Script) },
		still: func() bool { return l.now.pending[state.SlotReseatCouncil] == nil },
	})
}

func (l *Life) withdrawCouncil(p *state.Pending) {
	if l.proposed(func(r goods.Record) bool { _, is := r.(goods.Reseat); return is }) {
		return
	}
	r := goods.Reseat{Step: goods.ReseatWithdrawCouncil, Auditor: 0, Expiry: l.expiry(), ID: p.ID}
	l.propose(&proposal{
		record: r, role: state.RoleAuditor, index: 0, expiry: r.Expiry, all: true,
		still: func() bool {
			now := l.now.pending[state.SlotReseatCouncil]
			return now != nil && now.ID == p.ID
		},
	})
}

// rotate moves the seat that has stood still longest to its next key, unless
// that key is promised to another.
func (l *Life) rotate() {
	var oldest *state.Seat
	for i := range l.now.seats {
		s := &l.now.seats[i]
		if oldest == nil || s.Height < oldest.Height {
			oldest = s
		}
	}
	if l.now.pending[state.SlotReseat] != nil || !l.actor(oldest.Role, oldest.Index) {
		return
	}
	coin, err := l.cast.Coin(oldest.Out)
	if err != nil {
		return
	}
	next := l.newHolder(oldest.Role, oldest.Index)
	tx, err := l.cast.Draft().Spend(coin).Pay(0, next.Script).Record(goods.Rotate{}).Sign()
	l.give(goods.Rotate{}, tx, err)
}
