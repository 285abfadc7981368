package goods_test

import (
	"encoding/hex"
	"math/big"
)

// Transactions of custodians and the council.

// someCustodian picks one that suits mostly, -1 if none.
func (h *history) someCustodian(m *model, suits func(*modelCustodian) bool) int64 {
	var good []int64
	for i := range m.custody {
		if suits(&m.custody[i]) {
			good = append(good, int64(i))
		}
	}
	if len(good) == 0 || h.chance(30) {
		if !h.chance(10) {
			return -1
		}
		return h.rng.Int64N(int64(len(m.custody)))
	}
	return pick(h, good)
}

func (h *history) bond(m *model) *draft {
	custodian := h.someCustodian(m, func(c *modelCustodian) bool { return len(c.bonds) < 8 || h.chance(6) })
	coins := coinsOf(m, "")
	have := wealth(coins)
	if custodian < 0 || have == 0 {
		return nil
	}
	script := h.someScript()
	if c := m.custody[custodian]; len(c.bonds) > 0 && !h.chance(12) {
		script = c.script
	}
	if h.chance(60) {
		script = h.anyScript(m)
		script = script[:min(len(script), 100)]
	}
	d := h.seatDraft(m, m.seat(1, custodian), "10"+le(2, custodian)+shortHex(script))
	d.out(1+h.rng.Int64N(1+have/int64(3+h.rng.IntN(20))), m.treasury())
	if !h.fund(d, coins) {
		return nil
	}
	return d
}

func (h *history) unbond(m *model) *draft {
	custodian := h.someCustodian(m, func(c *modelCustodian) bool {
		return len(c.bonds) > 0 && (c.announced.Sign() == 0 || m.height >= c.ready || h.chance(6))
	})
	if custodian < 0 {
		return nil
	}
	c := m.custody[custodian]
	seat := m.seat(1, custodian)
	something := c.announced.Sign() > 0
	if h.chance(15) {
		something = !something
	}
	switch {
	case !something:
		units := h.below(c.bonded())
		if h.chance(20) {
			units = plus(c.bonded(), big.NewInt(1))
		}
		return h.seatDraft(m, seat, "1100"+le(2, custodian)+leBig(8, greater(units, big.NewInt(1))))
	case h.chance(6):
		return h.seatDraft(m, seat, "1102"+le(2, custodian))
	}
	d := h.seatDraft(m, seat, "1101"+le(2, custodian))
	d.out(c.announced.Int64(), c.script)
	h.spendBonds(m, d, &c, c.announced)
	h.fund(d, coinsOf(m, ""))
	return d
}

// spendBonds takes the oldest bonds that hold the amount and gives the change
// back; now and then one too many or too few.
func (h *history) spendBonds(m *model, d *draft, c *modelCustodian, amount *big.Int) *big.Int {
	sum := new(big.Int)
	for _, b := range c.bonds {
		if sum.Cmp(amount) >= 0 && !h.chance(25) || h.chance(30) {
			break
		}
		d.in(m, b.out)
		sum = plus(sum, b.units)
	}
	if change := minus(sum, amount); change.Sign() > 0 {
		d.out(change.Int64(), m.treasury())
	}
	return sum
}

func (h *history) slash(m *model) *draft {
	custodian := h.someCustodian(m, func(c *modelCustodian) bool { return c.debt.Sign() > 0 })
	if custodian < 0 {
		return nil
	}
	c := m.custody[custodian]
	d := &draft{body: "0b" + le(2, custodian)}
	if len(c.bonds) > 0 && c.debt.Sign() > 0 && !h.chance(4) {
		amount := lesser(c.debt, c.bonded())
		if h.chance(4) {
			amount = lesser(c.debt, c.bonds[0].units)
		}
		fee := m.minersShare(amount)
		d.out(minus(amount, fee).Int64(), m.treasury())
		h.spendBonds(m, d, &c, amount)
		if len(d.ins) == 0 {
			return nil
		}
		if h.chance(3) {
			return h.withFee(m, d)
		}
		return d
	}
	coins := coinsOf(m, "")
	units := h.below(lesser(c.debt, big.NewInt(wealth(coins))))
	if h.chance(10) {
		units = plus(c.debt, big.NewInt(1))
	}
	if units.Cmp(big.NewInt(wealth(coins))) > 0 {
		return nil
	}
	d.out(units.Int64(), m.treasury())
	if !h.fund(d, coins) {
		return nil
	}
	return d
}

func (h *history) rotate(m *model) *draft {
	return h.seatDraft(m, h.rng.IntN(len(m.seats)), "01")
}

func (h *history) reseat(m *model) *draft {
	council := h.randomSeat(m, 3)
	if c := m.pending[1]; c != nil && h.chance(3) || h.chance(25) {
		id := "abababababababab"
		if c != nil {
			id = c.id
		}
		return h.seatDraft(m, council, "1301"+id)
	}
	s := m.seats[h.rng.IntN(len(m.seats))]
	if s.role == 3 && !h.chance(10) || m.pending[1] != nil && !h.chance(4) {
		return nil
	}
	if h.chance(20) {
		s.index += 3
	}
	script := h.someScript()
	return h.seatDraft(m, council, "1300"+le(1, s.role)+le(2, s.index)+shortHex(script)).out(0, script)
}

func (h *history) amend(m *model) *draft {
	council := h.randomSeat(m, 3)
	seldom := 5
	if h.variant.huge {
		seldom = 30
	}
	if c := m.pending[0]; c != nil && h.chance(seldom) || h.chance(60) {
		id := "abababababababab"
		if c != nil {
			id = c.id
		}
		return h.seatDraft(m, council, "1201"+id)
	} else if c != nil && !h.chance(6) {
		return nil
	}
	p, g, a := h.amendParameters(m), h.amendGoods(m), h.amendAllowances(m)
	custodians, auditors, members := h.amendMembers(m)
	d := h.seatDraft(m, council, "1200"+p+g+a+custodians+auditors)
	for range members {
		d.out(0, h.someScript())
	}
	return d
}

func (h *history) amendParameters(m *model) string {
	low, high := parameterList(m.charter.Low), parameterList(m.charter.High)
	body, n := "", int64(0)
	for p := range m.params {
		if !h.chance(8) {
			continue
		}
		v := low[p]
		if high[p] > low[p] {
			v += h.rng.Int64N(high[p] - low[p] + 1)
		} else if !h.chance(6) {
			continue
		}
		switch h.rng.IntN(40) {
		case 0:
			v = low[p] - int64(boolToInt(low[p] > 0))
		case 1:
			v = high[p] + 1
		}
		body += le(1, int64(p)) + le(8, v)
		n++
	}
	if h.chance(150) {
		body += "0e" + le(8, 1)
		n++
	}
	return le(2, n) + body
}

func (h *history) amendGoods(m *model) string {
	body, n := "", int64(0)
	for i := range m.goods {
		if !h.chance(5) && (!h.variant.huge || h.chance(4)) {
			continue
		}
		g := m.goods[i]
		kind := h.rng.IntN(12)
		if h.variant.huge && !h.chance(4) {
			kind = 5
		}
		switch kind {
		case 0:
			g.haircut = h.rng.Int64N(10_001)
		case 1:
			g.age = 5 + h.rng.Int64N(60)
		case 2:
			g.minRedemption = plus(floorOf(g.minRedemption, big.NewInt(2)), big.NewInt(1))
		case 3:
			g.minReceipt = plus(floorOf(g.minReceipt, big.NewInt(2)), big.NewInt(1))
		case 4:
			g.num, g.den = times(g.num, big.NewInt(3)), plus(times(g.den, big.NewInt(3)), big.NewInt(h.rng.Int64N(3)))
		case 5:
			g.num = times(g.num, big.NewInt(2))
			if h.chance(12) {
				g.num = plus(g.num, big.NewInt(1))
			}
		case 6:
			if h.chance(3) {
				g = h.badGood(m, g)
			}
		default:
			g.num = plus(floorOf(times(g.num, big.NewInt(50+h.rng.Int64N(145))), big.NewInt(100)), big.NewInt(1))
		}
		if h.chance(100) {
			i++
		}
		body += le(2, int64(i)) + g.bytes()
		n++
	}
	if h.chance(12) && len(m.goods) < 6 {
		g := m.goods[0]
		g.code = hex.EncodeToString([]byte{'G', byte('0' + len(m.goods))})
		if h.chance(6) {
			g = h.badGood(m, g)
		}
		body += le(2, int64(len(m.goods)+boolToInt(h.chance(12)))) + g.bytes()
		n++
	}
	if h.chance(60) { // one twice
		body += le(2, int64(len(m.goods)-1)) + m.goods[len(m.goods)-1].bytes()
		n++
	}
	return le(2, n) + body
}

// badGood is outside a bound, or at one.
func (h *history) badGood(m *model, g modelGood) modelGood {
	switch h.rng.IntN(18) {
	case 14:
		g.num = plus(largest, big.NewInt(1))
	case 15:
		g.den = plus(largest, big.NewInt(1))
	case 16:
		g.minReceipt = plus(largest, big.NewInt(1))
	case 17:
		g.minRedemption = pick(h, []*big.Int{largest, plus(largest, big.NewInt(1))})
	case 0:
		g.num = new(big.Int)
	case 1:
		g.den = new(big.Int)
	case 2:
		g.haircut = pick(h, []int64{10_001, 1<<32 - 1})
	case 3:
		g.age = pick(h, []int64{0, 1, 1_000_000, 1_000_001, 1 << 31})
	case 4:
		g.minReceipt = new(big.Int)
	case 5:
		g.minRedemption = new(big.Int)
	case 6:
		g.minReceipt = largest
	case 7:
		g.code = hex.EncodeToString([]byte(pick(h, []string{"", "1A", "a", "A-", "ABCDEFGHIJKLM"})))
	case 8:
		g.name = hex.EncodeToString([]byte(pick(h, badNames)))
	case 9:
		g.measure = hex.EncodeToString([]byte(pick(h, []string{"", "kg ", "123456789"})))
	case 10:
		g.code = m.goods[0].code
	case 11:
		g.minReceipt, g.num, g.den = big.NewInt(1), big.NewInt(1), big.NewInt(2)
	case 12:
		g.minReceipt, g.num, g.den = big.NewInt(1), big.NewInt(21e14+1), big.NewInt(1)
	case 13:
		g.haircut = 0
	}
	return g
}

var badNames = []string{"", " a", "a ", "a\x00", "a\u00ad", "a\u200b", "\xff", "0123456789012345678901234567890123456789012345678901234567890123A"}

func (h *history) amendAllowances(m *model) string {
	body, n := "", int64(0)
	for c := range len(m.custody) + boolToInt(h.chance(8)) {
		for g := range len(m.goods) + boolToInt(h.chance(8)) {
			if !h.chance(14) {
				continue
			}
			limit := int64(0)
			if old := m.limits[[2]int64{int64(c), int64(g)}]; old == nil || !h.chance(3) {
				limit = 1 + h.rng.Int64N(2_000_000)
			}
			body += le(2, int64(c)) + le(2, int64(g)) + le(8, limit)
			n++
		}
	}
	return le(2, n) + body
}

func (h *history) amendMembers(m *model) (custodians, auditors string, members int64) {
	name := func(role string, n int64) string {
		text := role + " " + string(rune('A'+n))
		switch h.rng.IntN(30) {
		case 0:
			text = pick(h, badNames)
		case 1:
			text = "North silo"
		case 2:
			text = "First auditor"
		}
		return shortHex(hex.EncodeToString([]byte(text)))
	}
	var c, a int64
	for len(m.custody)+int(c) < 5 && h.chance(8) {
		goods := int64(0)
		list := ""
		for g := range m.goods {
			if h.chance(2) || goods == 0 && g == len(m.goods)-1 && !h.chance(20) {
				good, limit := int64(g), 1+h.rng.Int64N(3_000_000)
				switch h.rng.IntN(60) {
				case 0:
					limit = 0
				case 1:
					good = h.rng.Int64N(int64(len(m.goods)) + 2)
				}
				list += le(2, good) + le(8, limit)
				goods++
			}
		}
		custodians += name("Silo", int64(len(m.custody))+c) + le(2, goods) + list
		c++
	}
	for m.auditors()+a < 6 && h.chance(8) {
		auditors += name("Auditor", m.auditors()+a)
		a++
	}
	return le(2, c) + custodians, le(2, a) + auditors, c + a
}
