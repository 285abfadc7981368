package goods_test

import (
	"math/big"
)

// What goods are worth, and every sum, counted anew.

// valueAt is floor (or, with up, ceil) of q x num / den, at most 2^63-1.
func valueAt(g *modelGood, q *big.Int, up bool) *big.Int {
	if up {
		return held(ceilOf(times(q, g.num), g.den))
	}
	return held(floorOf(times(q, g.num), g.den))
}

// pendingGood is what the pending amendment makes of a good, nil if nothing.
func (m *model) pendingGood(good int64) *modelGood {
	if m.pending[0] == nil {
		return nil
	}
	rec := m.pending[0].rec
	for i, index := range rec.goodIndex {
		if index == good {
			return &rec.goods[i]
		}
	}
	return nil
}

func (m *model) valueLow(good int64, q *big.Int) *big.Int {
	v := valueAt(&m.goods[good], q, false)
	if next := m.pendingGood(good); next != nil {
		v = lesser(v, valueAt(next, q, false))
	}
	return v
}

func (m *model) valueHigh(good int64, q *big.Int) *big.Int {
	v := valueAt(&m.goods[good], q, false)
	if next := m.pendingGood(good); next != nil {
		v = greater(v, valueAt(next, q, false))
	}
	return v
}

func (m *model) valueUpHigh(good int64, q *big.Int) *big.Int {
	v := valueAt(&m.goods[good], q, true)
	if next := m.pendingGood(good); next != nil {
		v = greater(v, valueAt(next, q, true))
	}
	return v
}

func (m *model) credit(r *modelReceipt, q *big.Int) *big.Int {
	return basis(m.valueLow(r.good, q), 10_000-r.haircut)
}

// minersShare is the fee of a release or of a slashed amount.
func (m *model) minersShare(units *big.Int) *big.Int { return basisUp(units, m.params[pShare]) }

func (r *modelReceipt) quantity() *big.Int { return plus(plus(r.undrawn, r.free), r.owed) }

// holding is the measures of a custodian and good.
type holding struct{ whole, free, counted, claimed *big.Int }

func (m *model) holdings() map[[2]int64]holding {
	sums := map[[2]int64]holding{}
	for _, r := range m.receipts {
		h, ok := sums[[2]int64{r.custodian, r.good}]
		if !ok {
			h = holding{new(big.Int), new(big.Int), new(big.Int), new(big.Int)}
			sums[[2]int64{r.custodian, r.good}] = h
		}
		for _, part := range []*big.Int{r.undrawn, r.free, r.owed} { // these are of this sum alone
			h.whole.Add(h.whole, part)
		}
		h.free.Add(h.free, r.free)
		if m.height <= r.until {
			h.counted.Add(h.counted, r.free)
		}
	}
	for _, c := range m.claims {
		if c.kind == 0 {
			claimed := sums[[2]int64{c.custodian, m.receipts[c.receipt].good}].claimed
			claimed.Add(claimed, c.quantity)
		}
	}
	return sums
}

// worth is a custodian's counted, all and whole, with what a record adds to
// the whole, by good.
func (m *model) worth(custodian int64, more map[int64]*big.Int) (counted, all, claimed, whole *big.Int) {
	return m.worthOf(m.holdings(), custodian, more)
}

func (m *model) worthOf(sums map[[2]int64]holding, custodian int64, more map[int64]*big.Int) (counted, all, claimed, whole *big.Int) {
	counted, all, claimed, whole = new(big.Int), new(big.Int), new(big.Int), new(big.Int)
	for good := range m.goods {
		g := int64(good)
		h, ok := sums[[2]int64{custodian, g}]
		if !ok {
			h = holding{new(big.Int), new(big.Int), new(big.Int), new(big.Int)}
		}
		in := h.whole
		if more[g] != nil {
			in = plus(in, more[g])
		}
		counted = plus(counted, m.valueLow(g, h.counted))
		all = plus(all, m.valueHigh(g, h.free))
		claimed = plus(claimed, m.valueHigh(g, h.claimed))
		whole = plus(whole, m.valueHigh(g, in))
	}
	return counted, all, claimed, whole
}

// reserve is R, D and C, in full.
func (m *model) reserve() (r, d, taken *big.Int) {
	r, d, taken = new(big.Int), new(big.Int), new(big.Int)
	sums := m.holdings()
	for i, c := range m.custody {
		counted, all, claimed, _ := m.worthOf(sums, int64(i), nil)
		if !c.suspended && !c.defaulted {
			r = plus(r, counted)
		}
		if !c.defaulted {
			d = plus(d, all)
			taken = plus(taken, claimed)
		}
	}
	return r, d, taken
}

// circulating is L, recounted: what nobody has before the coinbase, the fees,
// is not lost.
func (m *model) circulating() *big.Int {
	all, pool, escrow := m.supply()
	return plus(minus(minus(all, pool), escrow), m.fees)
}

// supply is the UTXO set, the pool and the escrows.
func (m *model) supply() (all, pool, escrow *big.Int) {
	all, pool, escrow = new(big.Int), new(big.Int), new(big.Int)
	specials, treasury := m.specials(), m.treasury()
	for _, c := range m.coins {
		all.Add(all, c.units)
		if c.script != treasury {
			continue
		}
		switch m.kind(specials, c).kind {
		case "pool":
			pool.Add(pool, c.units)
		case "escrow":
			escrow.Add(escrow, c.units)
		}
	}
	return all, pool, escrow
}

func (c *modelCustodian) bonded() *big.Int {
	sum := new(big.Int)
	for _, b := range c.bonds {
		sum.Add(sum, b.units)
	}
	return sum
}

// bondsSuffice with what a record announces or opens.
func (m *model) bondsSuffice(custodian int64, announced *big.Int, more map[int64]*big.Int) bool {
	c := &m.custody[custodian]
	_, _, _, whole := m.worth(custodian, more)
	if whole.Cmp(largest) > 0 {
		m.seen["bonds asked for more than 2^63-1"]++
	}
	over := minus(held(whole), big.NewInt(m.params[pAllowance]))
	if over.Sign() < 0 {
		over = new(big.Int)
	}
	net := minus(minus(minus(c.bonded(), c.announced), announced), c.debt)
	return net.Cmp(basisUp(over, m.params[pRatio])) >= 0
}

// untendered counts the claims of a custodian that no tender names.
func (m *model) untendered(custodian int64) int64 {
	n := int64(0)
	for _, c := range m.claims {
		if c.custodian == custodian && c.tendered == 0 {
			n++
		}
	}
	return n
}

// overdue: an untendered claim with deadline < height.
func (m *model) overdue(custodian int64) bool {
	for _, c := range m.claims {
		if c.custodian == custodian && c.tendered == 0 && c.deadline < m.height {
			return true
		}
	}
	return false
}

// settleDefault is done whenever a custodian's debt or bonds change.
func (m *model) settleDefault(custodian int64) {
	c := &m.custody[custodian]
	switch {
	case c.defaulted:
	case c.debt.Cmp(c.bonded()) <= 0:
		c.defaultAt = 0
	case c.defaultAt == 0:
		c.defaultAt = height31(m.height + m.params[pGrace] + 1)
	}
}

// height31: heights that would pass 2^31-1 stay there.
func height31(h int64) int64 { return min(h, 1<<31-1) }

// owe makes a custodian's debt grow.
func (m *model) owe(custodian int64, units *big.Int) {
	c := &m.custody[custodian]
	if c.debt = held(plus(c.debt, units)); c.debt == largest {
		m.seen["debt held at 2^63-1"]++
	}
	m.settleDefault(custodian)
}
