package life

import (
	"slices"

	"granary/node/stage"
	"granary/rules/goods"
	"granary/state"
)

// mind is what the parties of a claim are going to do.
type mind struct {
	idle    bool // the custodian lets the deadline pass
	forgets bool // the holder does not collect
	regrets bool // the holder lets the tendered claim lapse
	sells   bool // the holder hands the claim on
}

// mindOf makes the parties' minds up, once for each claim.
func (l *Life) mindOf(c *state.Claim) mind {
	m, made := l.minds[c.Number]
	if !made {
		m = mind{idle: l.trouble(25), forgets: l.chance(6), regrets: l.chance(8), sells: l.chance(8)}
		l.minds[c.Number] = m
	}
	return m
}

// settleClaims returns the escrows that nobody can keep any more.
func (l *Life) settleClaims() error {
	open := map[uint64]bool{}
	for _, c := range l.now.claims {
		open[c.Number] = true
		l.mindOf(c)
		switch {
		case c.Tendered == 0 && l.now.height > c.GraceEnd():
			if c.Kind == state.ClaimReclaim { // somebody must pay the way
				tx, err := l.forPurse(goods.SettleTx(c))
				l.give(goods.Settle{}, tx, err)
				continue
			}
			tx, err := l.cast.Settle(c)
			l.give(goods.Settle{}, tx, err)
		case c.Tendered != 0 && l.now.height > c.PickupGraceEnd():
			if c.Kind == state.ClaimReclaim {
				tx, err := l.forPurse(goods.LapseTx(l.o.Charter.ID(), c, false))
				l.give(goods.Lapse{}, tx, err)
				continue
			}
			tx, err := l.cast.LapseForAnyone(c)
			l.give(goods.Lapse{}, tx, err)
		}
	}
	for number := range l.minds {
		if !open[number] {
			delete(l.minds, number)
		}
	}
	return nil
}

// decideClaims lets custodians tender and holders collect.
func (l *Life) decideClaims() error {
	l.tender()
	for _, c := range l.now.claims {
		m := l.minds[c.Number]
		holder, known := l.holderOf(c)
		if !known || c.TokenHeight >= l.now.height-1 {
			continue
		}
		switch {
		case m.sells && l.chance(3):
			m.sells = false
			l.minds[c.Number] = m
			tx, err := l.cast.Assign(holder, c, pick(l, l.holders))
			l.give(goods.Assign{}, tx, err)
		case c.Tendered == 0 || m.forgets || l.now.height > c.PickupGraceEnd() || !l.chance(3):
		case m.regrets:
			tx, err := l.cast.Lapse(holder, c)
			l.give(goods.Lapse{}, tx, err)
		default:
			tx, err := l.cast.Deliver(holder, c)
			l.give(goods.Deliver{}, tx, err)
		}
	}
	l.deliverUncollected()
	return nil
}

// holderOf finds who has the key of a claim's token.
func (l *Life) holderOf(c *state.Claim) (stage.Person, bool) {
	for _, p := range slices.Concat(l.holders, l.depositors) {
		if string(p.Script) == string(c.TokenScript) {
			return p, true
		}
	}
	return stage.Person{}, false
}

// tender proposes what a custodian has ready, unless it is idle about it.
func (l *Life) tender() {
	for custodian := range l.now.counts.Custodians {
		if l.proposed(func(r goods.Record) bool { t, is := r.(goods.Tender); return is && t.Custodian == custodian }) {
			continue
		}
		var ready []*state.Claim
		for _, c := range l.now.claims {
			late := l.now.height+2 > c.GraceEnd()
			if c.Custodian == custodian && c.Tendered == 0 && !l.minds[c.Number].idle && !late && len(ready) < 20 {
				ready = append(ready, c)
			}
		}
		if len(ready) == 0 || !l.chance(3) {
			continue
		}
		record := goods.TenderOf(custodian, l.expiry(), ready)
		l.propose(&proposal{
			record: record, role: state.RoleCustodian, index: custodian, expiry: record.Expiry,
			still: func() bool {
				return l.allOpen(record.Claims, func(c *state.Claim) bool { return c.Tendered == 0 && l.now.height <= c.GraceEnd() })
			},
		})
	}
}

// deliverUncollected: the holder forgot, the goods were handed out all the
// same, and auditors saw the delivery note.
func (l *Life) deliverUncollected() {
	for custodian := range l.now.counts.Custodians {
		if l.proposed(func(r goods.Record) bool { d, is := r.(goods.DeliverAttested); return is && d.Custodian == custodian }) {
			continue
		}
		var out []goods.Delivery
		for _, c := range l.now.claims {
			window := c.Tendered != 0 && l.now.height >= c.PickupEnd() && l.now.height+1 < c.PickupGraceEnd()
			if c.Custodian == custodian && window && l.minds[c.Number].forgets && !l.chance(3) {
				out = append(out, goods.Delivery{ClaimRef: goods.RefOf(c), Document: l.now.hash.Hash})
			}
		}
		if len(out) == 0 {
			continue
		}
		record := goods.DeliveriesOf(custodian, l.expiry(), out)
		refs := make([]goods.ClaimRef, len(record.Deliveries))
		for i := range refs {
			refs[i] = record.Deliveries[i].ClaimRef
		}
		l.propose(&proposal{
			record: record, role: state.RoleCustodian, index: custodian, expiry: record.Expiry,
			still: func() bool {
				return l.allOpen(refs, func(c *state.Claim) bool { return l.now.height > c.PickupEnd() && l.now.height <= c.PickupGraceEnd() })
			},
		})
	}
}

// allOpen reports whether all these claims are open and is holds for them.
func (l *Life) allOpen(refs []goods.ClaimRef, is func(*state.Claim) bool) bool {
	for _, ref := range refs {
		at := slices.IndexFunc(l.now.claims, func(c *state.Claim) bool { return c.Number == ref.Number && c.ID == ref.ID })
		if at < 0 || !is(l.now.claims[at]) {
			return false
		}
	}
	return true
}
