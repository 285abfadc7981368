package goods_test

import (
	"math/big"
)

// The life of a claim.

// token: output 0 has value 0 and a script that may be named.
func (m *model) tokenCode(tx *modelTx) string {
	if len(tx.outs) < 1 || tx.outs[0].units.Sign() != 0 || !m.mayName(tx.outs[0].script) {
		return "goods-token-output"
	}
	return ""
}

// takable: at least the good's minimum redemption, or all there is.
func (m *model) takable(r *modelReceipt, quantity, there *big.Int) bool {
	return quantity.Cmp(there) <= 0 && (quantity.Cmp(m.goods[r.good].minRedemption) >= 0 || quantity.Cmp(there) == 0)
}

func (m *model) reclaimCode(tx *modelTx, rec *modelRecord) string {
	r, ok := m.receipt(rec.items[0])
	switch {
	case !ok:
		return "goods-receipt-unknown"
	case tx.ins[0].script != r.script:
		return "goods-reclaim-input"
	}
	if code := m.tokenCode(tx); code != "" {
		return code
	}
	switch {
	case !m.takable(&r, rec.quantity, r.undrawn):
		return "goods-reclaim-quantity"
	case m.untendered(r.custodian) >= 50*m.params[pDelivery]:
		return "goods-claims-full"
	}
	return ""
}

func (m *model) redeemCode(tx *modelTx, rec *modelRecord) string {
	r, ok := m.receipt(rec.items[0])
	if !ok {
		return "goods-receipt-unknown"
	}
	if code := m.tokenCode(tx); code != "" {
		return code
	}
	price := m.price(&r, rec.quantity)
	switch {
	case len(tx.outs) < 2 || tx.outs[1].script != m.treasury():
		return "goods-escrow-output"
	case !m.takable(&r, rec.quantity, r.free):
		return "goods-redeem-quantity"
	case m.untendered(r.custodian) >= 100*m.params[pDelivery]:
		return "goods-claims-full"
	case price == nil:
		return "goods-redeem-closed"
	case tx.outs[1].units.Cmp(price) < 0:
		return "goods-redeem-price"
	}
	return ""
}

// price is the least escrow, nil where D is 0.
func (m *model) price(r *modelReceipt, quantity *big.Int) *big.Int {
	d, c := m.startD, m.startC
	if m.custody[r.custodian].defaulted {
		d, c = plus(d, m.startAll[r.custodian]), plus(c, m.startClaimed[r.custodian])
	}
	if d.Sign() == 0 {
		return nil
	}
	with := held(plus(d, c))
	d = held(d)
	value := m.valueUpHigh(r.good, quantity)
	for _, w := range m.withdrawn { // D is at their par still
		for i, index := range w.rec.goodIndex {
			if index == r.good {
				value = greater(value, valueAt(&w.rec.goods[i], quantity, true))
			}
		}
	}
	at := func(coins, goods *big.Int) *big.Int {
		v := times(value, greater(coins, goods))
		return ceilOf(times(v, big.NewInt(10_000+m.params[pFee])), times(goods, big.NewInt(10_000)))
	}
	return greater(at(m.startL, d), at(plus(m.startL, m.startE), with))
}

// claim opens the claim of a redemption or a reclaim.
func (m *model) claim(tx *modelTx, rec *modelRecord) {
	r := m.receipts[rec.items[0].number.Int64()]
	c := modelClaim{
		number: m.nextClaim, receipt: r.number, kind: 1, custodian: r.custodian,
		id:       tagged("granary/claim", reversed(tx.msg.TxHash().String())+"00000000")[:16],
		quantity: rec.quantity, units: new(big.Int), fee: m.params[pFee], opened: m.height,
		deadline: height31(m.height + m.params[pDelivery]), pickup: m.params[pPickup], grace: m.params[pGrace],
		token: outpoint(tx, 0), tokenHeight: m.height, tokenScript: tx.outs[0].script,
	}
	r.owed = plus(r.owed, rec.quantity)
	if rec.kind == "06" {
		c.kind, c.escrow, c.units = 0, outpoint(tx, 1), tx.outs[1].units
		r.free = minus(r.free, rec.quantity)
		if m.custody[r.custodian].defaulted {
			m.seen["redeem from one in default"]++
		}
	} else {
		r.undrawn = minus(r.undrawn, rec.quantity)
	}
	m.receipts[r.number] = r
	m.claims[c.number] = c
	m.nextClaim++
}

// claimOf finds a named claim.
func (m *model) claimOf(item modelItem) (modelClaim, bool) {
	if !item.number.IsInt64() {
		return modelClaim{}, false
	}
	c, ok := m.claims[item.number.Int64()]
	return c, ok && c.id == item.id && c.opened < m.height
}

func (m *model) tenderCode(tx *modelTx, rec *modelRecord) string {
	if !m.actorIs(tx, 1, rec.index) {
		return "goods-actor"
	}
	if code := m.proposalCode(tx, rec); code != "" {
		return code
	}
	return m.eachClaim(rec, func(c modelClaim) string {
		switch {
		case c.tendered != 0:
			return "goods-claim-tendered"
		case m.height > height31(c.deadline+c.grace):
			return "goods-claim-late"
		}
		return ""
	})
}

// open are the claims of a record that are there; those that are gone are
// passed over.
func (m *model) open(rec *modelRecord) []modelClaim {
	var list []modelClaim
	for _, item := range rec.items {
		if c, ok := m.claimOf(item); ok {
			list = append(list, c)
		}
	}
	return list
}

// eachClaim judges the claims of a custodian's record in turn; one must be
// there.
func (m *model) eachClaim(rec *modelRecord, code func(modelClaim) string) string {
	list := m.open(rec)
	if len(list) == 0 {
		return "goods-claim-unknown"
	}
	for _, c := range list {
		if c.custodian != rec.index {
			return "goods-claim-custodian"
		}
		if wrong := code(c); wrong != "" {
			return wrong
		}
	}
	return ""
}

func (m *model) deliverCode(tx *modelTx, rec *modelRecord) string {
	if rec.sub == 0 {
		c, ok := m.claimOf(rec.items[0])
		if !ok {
			return "goods-claim-unknown"
		}
		return m.takeToken(tx, &c)
	}
	if !m.actorIs(tx, 1, rec.index) {
		return "goods-actor"
	}
	if code := m.proposalCode(tx, rec); code != "" {
		return code
	}
	return m.eachClaim(rec, func(c modelClaim) string {
		switch {
		case c.tendered == 0:
			return "goods-claim-untendered"
		case m.height <= height31(c.tendered+c.pickup):
			return "goods-claim-early"
		case m.height > height31(c.tendered+c.pickup+c.grace):
			return "goods-claim-late"
		}
		return ""
	})
}

// takeToken: input 0 is the claim's token, not moved in this block.
func (m *model) takeToken(tx *modelTx, c *modelClaim) string {
	switch {
	case tx.ins[0].op != c.token:
		return "goods-token-input"
	case c.tokenHeight >= m.height:
		return "goods-token-twice"
	}
	tx.taken[0] = true
	return ""
}

// takeEscrow: input i is the claim's escrow, with nothing in it.
func (m *model) takeEscrow(tx *modelTx, i int, c *modelClaim) string {
	switch {
	case i >= len(tx.ins) || tx.ins[i].op != c.escrow:
		return "goods-escrow-input"
	case !tx.ins[i].empty:
		return "goods-treasury-witness"
	}
	tx.taken[i] = true
	return ""
}

// pays: output i pays exactly this to the script.
func (tx *modelTx) pays(i int, units *big.Int, script string) bool {
	return i < len(tx.outs) && tx.outs[i].script == script && tx.outs[i].units.Cmp(units) == 0
}

func (m *model) lapseCode(tx *modelTx, rec *modelRecord) string {
	c, ok := m.claimOf(rec.items[0])
	switch {
	case !ok:
		return "goods-claim-unknown"
	case c.tendered == 0:
		return "goods-claim-untendered"
	}
	next := 0
	if tx.ins[0].op == c.token {
		if code := m.takeToken(tx, &c); code != "" {
			return code
		}
		if m.height <= c.tendered {
			return "goods-claim-early"
		}
		next = 1
	} else if m.height <= height31(c.tendered+c.pickup+c.grace) {
		return "goods-claim-early"
	}
	if c.kind == 1 {
		return ""
	}
	if code := m.takeEscrow(tx, next, &c); code != "" {
		return code
	}
	back := floorOf(times(c.units, big.NewInt(10_000)), big.NewInt(10_000+c.fee))
	rest := minus(c.units, back)
	if !tx.pays(0, back, c.tokenScript) || rest.Sign() > 0 && !tx.pays(1, rest, m.treasury()) {
		return "goods-escrow-payment"
	}
	return ""
}

func (m *model) settleCode(tx *modelTx, rec *modelRecord) string {
	c, ok := m.claimOf(rec.items[0])
	switch {
	case !ok:
		return "goods-claim-unknown"
	case c.tendered != 0:
		return "goods-claim-tendered"
	case m.height <= height31(c.deadline+c.grace):
		return "goods-claim-early"
	case c.kind == 1:
		return ""
	}
	if code := m.takeEscrow(tx, 0, &c); code != "" {
		return code
	}
	if !tx.pays(0, c.units, c.tokenScript) {
		return "goods-escrow-payment"
	}
	return ""
}

// endClaim closes a claim: its goods are delivered, back where they were, or
// lost.
func (m *model) endClaim(number int64, how string) {
	c := m.claims[number]
	delete(m.claims, number)
	r := m.receipts[c.receipt]
	r.owed = minus(r.owed, c.quantity)
	switch {
	case how == "delivered":
		r.delivered = plus(r.delivered, c.quantity)
	case how == "lost" && c.kind == 0:
		r.lost = plus(r.lost, c.quantity)
	case c.kind == 0:
		r.free = plus(r.free, c.quantity)
	default:
		r.undrawn = plus(r.undrawn, c.quantity)
	}
	m.putReceipt(r)
	m.seen[how+", claim of kind "+be(1, c.kind)]++
}

func (m *model) settle(rec *modelRecord) {
	c := m.claims[rec.items[0].number.Int64()]
	good := m.receipts[c.receipt].good
	m.endClaim(c.number, "lost")
	m.suspend(c.custodian)
	share := m.params[pPenalty]
	if c.kind == 0 { // what a depositor wanted back is not written off
		share += 10_000
	}
	m.owe(c.custodian, basisUp(m.valueUpHigh(good, c.quantity), share))
}

func (m *model) assignCode(tx *modelTx, rec *modelRecord) string {
	c, ok := m.claimOf(rec.items[0])
	if !ok {
		return "goods-claim-unknown"
	}
	if code := m.takeToken(tx, &c); code != "" {
		return code
	}
	return m.tokenCode(tx)
}
