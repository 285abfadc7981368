package goods_test

import (
	"math/big"
)

// Bonds and what custodians owe.

// known: index below the count of custodians.
func (m *model) known(custodian int64) bool { return custodian < int64(len(m.custody)) }

// suspend notes the height, of the last time where there are more.
func (m *model) suspend(custodian int64) {
	m.custody[custodian].suspended, m.custody[custodian].suspendedAt = true, m.height
}

func (m *model) suspendCode(tx *modelTx, rec *modelRecord) string {
	if !m.actorIs(tx, rec.role, rec.index) {
		return "goods-actor"
	}
	if code := m.proposalCode(tx, rec); code != "" {
		return code
	}
	if !m.known(rec.custodian) {
		return "goods-custodian-unknown"
	}
	if c := m.custody[rec.custodian]; c.suspended || c.defaulted {
		return "goods-custodian-suspended"
	}
	return ""
}

func (m *model) liftCode(tx *modelTx, rec *modelRecord) string {
	if !m.actorIs(tx, 2, rec.index) {
		return "goods-actor"
	}
	if code := m.proposalCode(tx, rec); code != "" {
		return code
	}
	if !m.known(rec.custodian) {
		return "goods-custodian-unknown"
	}
	c := m.custody[rec.custodian]
	switch {
	case !c.suspended || c.defaulted || c.suspendedAt != rec.suspendedAt:
		return "goods-lift-standing"
	case c.debt.Sign() > 0:
		return "goods-custodian-debt"
	case m.overdue(rec.custodian):
		return "goods-custodian-overdue"
	}
	return ""
}

func (m *model) bondCode(tx *modelTx, rec *modelRecord) string {
	if !m.actorIs(tx, 1, rec.index) {
		return "goods-actor"
	}
	c := m.custody[rec.index]
	switch {
	case len(c.bonds) >= 8:
		return "goods-bond-many"
	case len(tx.outs) < 2 || tx.outs[1].script != m.treasury() || tx.outs[1].units.Sign() == 0:
		return "goods-bond-output"
	case !m.mayName(rec.script) || len(c.bonds) > 0 && rec.script != c.script:
		return "goods-bond-script"
	}
	return ""
}

func (m *model) bond(tx *modelTx, rec *modelRecord) {
	c := &m.custody[rec.index]
	c.script = rec.script
	m.setBonds(rec.index, append(append([]modelBond(nil), c.bonds...), modelBond{outpoint(tx, 1), tx.outs[1].units}))
}

// setBonds replaces a custodian's bonds; without any there is no script to
// give them back to.
func (m *model) setBonds(custodian int64, bonds []modelBond) {
	c := &m.custody[custodian]
	c.bonds = bonds
	if len(bonds) == 0 {
		c.script = ""
	}
	m.settleDefault(custodian)
}

// run counts the inputs from one on that are the custodian's bonds, without a
// gap, and takes them; ok tells that they are its oldest in their order and
// that those before the last hold less than the amount.
func (m *model) run(tx *modelTx, from int, custodian int64, amount *big.Int) (k int, sum *big.Int, ok bool) {
	bonds := m.custody[custodian].bonds
	before, ok := new(big.Int), true
	sum = new(big.Int)
	for i := from; i < len(tx.ins) && tx.ins[i].kind == "bond" && tx.ins[i].of == custodian; i++ {
		ok = ok && k < len(bonds) && tx.ins[i].op == bonds[k].out
		before = sum
		sum = plus(sum, tx.ins[i].units)
		tx.taken[i] = true
		k++
	}
	return k, sum, ok && k > 0 && before.Cmp(amount) < 0
}

// bare: the inputs taken have nothing in them.
func bare(tx *modelTx, from, k int) bool {
	for i := from; i < from+k; i++ {
		if !tx.ins[i].empty {
			return false
		}
	}
	return true
}

func (m *model) slashCode(tx *modelTx, rec *modelRecord) string {
	if !m.known(rec.index) {
		return "goods-custodian-unknown"
	}
	debt := m.custody[rec.index].debt
	if debt.Sign() == 0 {
		return "goods-slash-debt"
	}
	if tx.ins[0].kind != "bond" || tx.ins[0].of != rec.index {
		if len(tx.outs) < 1 || tx.outs[0].script != m.treasury() || tx.outs[0].units.Sign() == 0 || tx.outs[0].units.Cmp(debt) > 0 {
			return "goods-slash-output"
		}
		return ""
	}
	k, sum, ok := m.run(tx, 0, rec.index, debt)
	amount := lesser(debt, sum)
	fee := m.minersShare(amount)
	change := minus(sum, amount)
	_, left := m.releases(tx)
	switch {
	case !ok:
		return "goods-bond-input"
	case !bare(tx, 0, k):
		return "goods-treasury-witness"
	case !tx.pays(0, minus(amount, fee), m.treasury()) || change.Sign() > 0 && !tx.pays(1, change, m.treasury()):
		return "goods-slash-output"
	case left.Cmp(fee) < 0:
		return "goods-slash-fee"
	}
	return ""
}

func (m *model) slash(tx *modelTx, rec *modelRecord) {
	c := &m.custody[rec.index]
	amount := tx.outs[0].units
	m.seen["slash, "+map[bool]string{false: "from anybody's coins", true: "from bonds"}[tx.ins[0].kind == "bond"]]++
	bonds := c.bonds
	if tx.ins[0].kind == "bond" {
		k, sum, _ := m.run(tx, 0, rec.index, c.debt)
		amount = lesser(c.debt, sum)
		bonds = c.bonds[k:]
		if change := minus(sum, amount); change.Sign() > 0 {
			bonds = append([]modelBond{{outpoint(tx, 1), change}}, bonds...)
		}
	}
	c.debt = minus(c.debt, amount)
	m.setBonds(rec.index, bonds)
	if c.announced = lesser(c.announced, c.bonded()); c.announced.Sign() == 0 {
		c.ready = 0
	}
}

func (m *model) unbondCode(tx *modelTx, rec *modelRecord) string {
	if !m.actorIs(tx, 1, rec.index) {
		return "goods-actor"
	}
	c := m.custody[rec.index]
	something := c.announced.Sign() > 0
	if rec.sub == 2 {
		if !something {
			return "goods-unbond-announced"
		}
		return ""
	}
	switch {
	case c.suspended || c.defaulted:
		return "goods-custodian-suspended"
	case something != (rec.sub == 1):
		return "goods-unbond-announced"
	case c.debt.Sign() > 0:
		return "goods-custodian-debt"
	case m.overdue(rec.index):
		return "goods-custodian-overdue"
	}
	if rec.sub == 0 {
		switch {
		case rec.quantity.Cmp(c.bonded()) > 0:
			return "goods-unbond-units"
		case !m.bondsSuffice(rec.index, rec.quantity, nil):
			return "goods-bond"
		}
		return ""
	}
	return m.withdrawCode(tx, rec, &c)
}

func (m *model) withdrawCode(tx *modelTx, rec *modelRecord, c *modelCustodian) string {
	switch {
	case m.height < c.ready:
		return "goods-unbond-early"
	case !m.bondsSuffice(rec.index, new(big.Int), nil):
		return "goods-bond"
	}
	k, sum, ok := m.run(tx, 1, rec.index, c.announced)
	change := minus(sum, c.announced)
	switch {
	case !ok || change.Sign() < 0:
		return "goods-bond-input"
	case !bare(tx, 1, k):
		return "goods-treasury-witness"
	case !tx.pays(1, c.announced, c.script) || change.Sign() > 0 && !tx.pays(2, change, m.treasury()):
		return "goods-unbond-output"
	}
	return ""
}

func (m *model) unbond(tx *modelTx, rec *modelRecord) {
	c := &m.custody[rec.index]
	switch rec.sub {
	case 0:
		c.announced = rec.quantity
		c.ready = height31(m.height + m.params[pDelivery] + m.params[pGrace])
		return
	case 1:
		k, sum, _ := m.run(tx, 1, rec.index, c.announced)
		bonds := c.bonds[k:]
		if change := minus(sum, c.announced); change.Sign() > 0 {
			bonds = append([]modelBond{{outpoint(tx, 2), change}}, bonds...)
		}
		m.setBonds(rec.index, bonds)
	}
	c.announced, c.ready = new(big.Int), 0
}
