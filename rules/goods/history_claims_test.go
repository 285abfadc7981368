package goods_test

import (
	"maps"
	"math/big"
	"slices"
)

// Transactions of holders: coins out, goods out, claims.

// someReceipt picks a receipt, one that suits mostly.
func (h *history) someReceipt(m *model, suits func(*modelReceipt) bool) *modelReceipt {
	var good, all []modelReceipt
	for _, number := range slices.Sorted(maps.Keys(m.receipts)) {
		r := m.receipts[number]
		all = append(all, r)
		if r.opened < m.height && suits(&r) {
			good = append(good, r)
		}
	}
	switch {
	case len(good) > 0 && !h.chance(25):
		all = good
	case len(good) == 0 && !h.chance(6) || len(all) == 0:
		return nil
	}
	r := pick(h, all)
	return &r
}

func (h *history) someClaim(m *model, suits func(*modelClaim) bool) *modelClaim {
	var good, all []modelClaim
	for _, number := range slices.Sorted(maps.Keys(m.claims)) {
		c := m.claims[number]
		all = append(all, c)
		if c.opened < m.height && suits(&c) {
			good = append(good, c)
		}
	}
	switch {
	case len(good) > 0 && !h.chance(15):
		all = good
	case len(good) == 0 && !h.chance(8) || len(all) == 0:
		return nil
	}
	c := pick(h, all)
	return &c
}

func (h *history) draw(m *model) *draft {
	r := h.someReceipt(m, func(r *modelReceipt) bool {
		c := m.custody[r.custodian]
		return r.undrawn.Sign() > 0 && (r.until >= m.height && !c.suspended && !c.defaulted || h.chance(8))
	})
	if r == nil {
		return nil
	}
	quantity := r.undrawn
	if h.chance(2) {
		quantity = h.below(r.undrawn)
		for range 40 { // the smallest with this credit
			less := minus(quantity, big.NewInt(1))
			if h.chance(40) || less.Sign() <= 0 || m.credit(r, less).Cmp(m.credit(r, quantity)) != 0 {
				break
			}
			quantity = less
		}
	}
	if h.chance(40) || quantity.Sign() == 0 {
		quantity = plus(quantity, big.NewInt(1))
	}
	release := h.forget(m, 25).credit(r, quantity)
	fee := m.minersShare(release)
	if release.Cmp(big.NewInt(21e14)) > 0 {
		return nil
	}
	d := &draft{body: "04" + nameHex(r.number, r.id) + leBig(8, held(quantity))}
	pool := coinsOf(m, "pool")
	at := h.rng.IntN(len(pool) + 1)
	for i := range pool {
		if len(d.ins) > 0 && d.left() >= release.Int64() || i > 30 {
			break
		}
		d.in(m, pool[(at+i)%len(pool)].op)
	}
	back := d.left() - release.Int64()
	if back < 0 {
		return nil
	}
	pay := release.Int64() - fee.Int64()
	switch h.rng.IntN(40) {
	case 0:
		pay--
	case 1:
		pay, back = pay+1, back-1
	case 2:
		pay, back = pay-1, back+1
	}
	d.out(max(0, pay), r.script)
	if back > 0 || h.chance(4) {
		d.out(max(0, back), m.treasury())
	}
	if h.chance(60) {
		d.out(0, h.someScript())
	}
	return d
}

func (h *history) reclaim(m *model) *draft {
	r := h.someReceipt(m, func(r *modelReceipt) bool { return r.undrawn.Sign() > 0 })
	if r == nil {
		return nil
	}
	d := &draft{}
	for _, c := range coinsOf(m, pick(h, []string{"", "", "", "", "", "", "", "seat", "token", "pending"})) {
		if c.script == r.script && (len(d.ins) == 0 || h.chance(3)) {
			d.ins = append(d.ins[:0], draftIn{coin: c})
		}
	}
	coins := coinsOf(m, "")
	if len(d.ins) == 0 && (len(coins) == 0 || !h.chance(6)) {
		return nil
	}
	if len(d.ins) == 0 {
		d.ins = append(d.ins, draftIn{coin: pick(h, coins)})
	}
	quantity := h.near(r.undrawn, m.goods[r.good].minRedemption)
	d.body = "05" + nameHex(r.number, r.id) + leBig(8, held(quantity))
	d.out(0, h.someScript())
	if left := d.left(); h.variant.huge && left > 0 { // what is needed for the next one
		d.out(left, r.script)
	}
	h.fund(d, coins)
	return d
}

// near is a quantity of what is there: all, the minimum, between, or one off.
func (h *history) near(there, least *big.Int) *big.Int {
	switch {
	case h.variant.name == "flood":
		return least
	case h.variant.huge && !h.chance(4):
		return there
	}
	v := h.below(there)
	switch h.rng.IntN(8) {
	case 0, 1:
		v = least
	case 2:
		v = there
	case 3:
		if h.chance(6) {
			v = plus(there, big.NewInt(1))
		}
	case 4:
		if h.chance(6) {
			v = minus(least, big.NewInt(1))
		}
	}
	return greater(v, big.NewInt(1))
}

func (h *history) redeem(m *model) *draft {
	r := h.someReceipt(m, func(r *modelReceipt) bool { return r.free.Sign() > 0 })
	if r == nil {
		return nil
	}
	coins := coinsOf(m, "")
	have := big.NewInt(wealth(coins))
	quantity := h.near(r.free, m.goods[r.good].minRedemption)
	price := m.price(r, quantity)
	if price != nil && price.Cmp(have) > 0 && have.Sign() > 0 { // what one can pay
		quantity = greater(floorOf(times(quantity, floorOf(have, big.NewInt(2))), price), big.NewInt(1))
		price = m.price(r, quantity)
	}
	if price == nil {
		price = big.NewInt(1 + h.rng.Int64N(1000))
	}
	if price.Cmp(have) > 0 {
		return nil
	}
	units := price.Int64()
	if less := h.forget(m, 12).price(r, quantity); less != nil && less.IsInt64() {
		units = less.Int64()
	}
	switch h.rng.IntN(15) {
	case 0:
		units--
	case 1, 2, 3:
		units += h.rng.Int64N(100)
	}
	d := &draft{body: "06" + nameHex(r.number, r.id) + leBig(8, held(quantity))}
	d.out(0, h.someScript()).out(units, m.treasury())
	if !h.fund(d, coins) {
		return nil
	}
	return d
}

// forget is the model without something that values depend on, one time in n
// and more often where an amendment was just withdrawn; else the model.
func (h *history) forget(m *model, n int) *model {
	if len(m.withdrawn) > 0 {
		n = 2
	}
	if !h.chance(n) {
		return m
	}
	c := *m
	switch c.withdrawn = nil; h.rng.IntN(3) {
	case 0:
		c.pending[0] = nil
	case 1:
		c.startE, c.startC = new(big.Int), new(big.Int)
	}
	return &c
}

func (h *history) deliverByToken(m *model) *draft {
	c := h.someClaim(m, func(c *modelClaim) bool { return c.tendered > 0 || h.chance(4) })
	if c == nil {
		return nil
	}
	d := (&draft{body: "0800" + nameHex(c.number, c.id)}).in(m, c.token)
	h.fund(d, coinsOf(m, ""))
	return d
}

func (h *history) assign(m *model) *draft {
	c := h.someClaim(m, func(*modelClaim) bool { return true })
	if c == nil {
		return nil
	}
	d := (&draft{body: "0c" + nameHex(c.number, c.id)}).in(m, c.token).out(0, h.someScript())
	h.fund(d, coinsOf(m, ""))
	return d
}

func (h *history) lapse(m *model) *draft {
	byToken := h.chance(3)
	c := h.someClaim(m, func(c *modelClaim) bool {
		return c.tendered > 0 && (byToken && m.height > c.tendered || m.height > c.tendered+c.pickup+c.grace)
	})
	if c == nil {
		return nil
	}
	d := &draft{body: "09" + nameHex(c.number, c.id)}
	if byToken {
		d.in(m, c.token)
	}
	if c.kind == 0 {
		d.in(m, c.escrow)
		back := floorOf(times(c.units, big.NewInt(10_000)), big.NewInt(10_000+c.fee))
		d.out(back.Int64(), c.tokenScript)
		if rest := minus(c.units, back); rest.Sign() > 0 {
			d.out(rest.Int64(), m.treasury())
		}
	}
	return h.withFee(m, d)
}

// withFee adds ordinary coins that pay a miner, if there are any; a
// transaction needs an input.
func (h *history) withFee(m *model, d *draft) *draft {
	coins := coinsOf(m, "")
	if len(coins) > 0 && (len(d.ins) == 0 || h.chance(2)) {
		d.ins = append(d.ins, draftIn{coin: pick(h, coins)})
		if left := d.left(); left > 50 {
			d.out(left-50, h.someScript())
		}
	}
	if len(d.ins) == 0 {
		return nil
	}
	return d
}

func (h *history) settle(m *model) *draft {
	c := h.someClaim(m, func(c *modelClaim) bool { return c.tendered == 0 && m.height > c.deadline+c.grace })
	if c == nil {
		return nil
	}
	d := &draft{body: "0a" + nameHex(c.number, c.id)}
	if c.kind == 0 {
		d.in(m, c.escrow).out(c.units.Int64(), c.tokenScript)
	}
	return h.withFee(m, d)
}
