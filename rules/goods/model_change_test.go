package goods_test

import (
	"encoding/hex"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/btcsuite/btcd/wire/v2"
)

// Changes that the council or all auditors announce.

// found: the change in a slot, announced below this height.
func (m *model) found(slot int, id string) bool {
	c := m.pending[slot]
	return c != nil && c.id == id && c.announced < m.height
}

func (m *model) amendCode(tx *modelTx, rec *modelRecord) string {
	switch {
	case !m.actorIs(tx, 3, 0):
		return "goods-actor"
	case rec.sub == 1:
		if !m.found(0, rec.items[0].id) {
			return "goods-change-unknown"
		}
		return ""
	case m.pending[0] != nil || m.pending[2] != nil:
		return "goods-change-pending"
	}
	low, high := parameterList(m.charter.Low), parameterList(m.charter.High)
	for _, p := range rec.parameters {
		if p[1] < low[p[0]] || p[1] > high[p[0]] {
			return "goods-amend-parameter"
		}
	}
	goods, ok := m.goodsWith(rec)
	switch {
	case !ok:
		return "goods-amend-good"
	case !m.allowancesGood(rec, int64(len(goods))):
		return "goods-amend-allowance"
	case !m.membersGood(rec, int64(len(goods))):
		return "goods-amend-member"
	case !m.boundsHold(rec, goods):
		return "goods-amend-bounds"
	}
	for i := range len(rec.custodians) + len(rec.auditors) {
		if 1+i >= len(tx.outs) || tx.outs[1+i].units.Sign() != 0 || !m.mayName(tx.outs[1+i].script) {
			return "goods-change-output"
		}
	}
	return ""
}

// goodsWith is the goods as they would be; ok is false if one may not be.
func (m *model) goodsWith(rec *modelRecord) (goods []modelGood, ok bool) {
	goods = slices.Clone(m.goods)
	for i, g := range rec.goods {
		index := rec.goodIndex[i]
		if index > int64(len(goods)) || index > 255 {
			return nil, false
		}
		if index == int64(len(goods)) {
			goods = append(goods, g)
		} else if old := goods[index]; old.code != g.code || old.name != g.name || old.measure != g.measure || !doubled(&old, &g) {
			return nil, false
		}
		goods[index] = g
		if !g.within() {
			return nil, false
		}
		for j, other := range goods {
			if other.code == g.code && int64(j) != index {
				return nil, false
			}
		}
	}
	return goods, true
}

// doubled: a par at most doubles or halves.
func doubled(old, now *modelGood) bool {
	a, b := times(now.num, old.den), times(old.num, now.den)
	return a.Cmp(plus(b, b)) <= 0 && b.Cmp(plus(a, a)) <= 0
}

// within: the charter's bounds of one good, the coverage apart.
func (g *modelGood) within() bool {
	text := func(s string) string { b, _ := hex.DecodeString(s); return string(b) }
	from1 := func(v *big.Int, high *big.Int) bool { return v.Sign() > 0 && v.Cmp(high) <= 0 }
	code, measure := text(g.code), text(g.measure)
	const capitals, digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
	return len(code) >= 1 && len(code) <= 12 && strings.Trim(code, capitals+digits) == "" && strings.Contains(capitals, code[:1]) &&
		nameGood(g.name) && len(measure) >= 1 && len(measure) <= 8 && strings.Trim(measure, capitals+strings.ToLower(capitals)+digits) == "" &&
		from1(g.num, largest) && from1(g.den, largest) && g.haircut <= 10_000 && g.age >= 1 && g.age <= 1_000_000 &&
		from1(g.minReceipt, largest) && from1(g.minRedemption, largest) && from1(valueAt(g, g.minReceipt, false), big.NewInt(21e14))
}

// nameGood: 1 to 64 bytes of UTF-8 without blanks at its ends and without
// what cannot be seen.
func nameGood(name string) bool {
	raw, _ := hex.DecodeString(name)
	text := string(raw)
	if len(text) < 1 || len(text) > 64 || !utf8.ValidString(text) || strings.HasPrefix(text, " ") || strings.HasSuffix(text, " ") {
		return false
	}
	for _, r := range text {
		for _, hidden := range [][2]rune{
			{0, 0x1f},
			{0x7f, 0xa0},
			{0xad, 0xad},
			{0x61c, 0x61c},
			{0x200b, 0x200f},
			{0x2028, 0x202f},
			{0x2060, 0x206f},
			{0x3000, 0x3000},
			{0xfeff, 0xfeff},
			{0xfff9, 0xffff},
			{0xe0000, 0xe0fff},
		} {
			if r >= hidden[0] && r <= hidden[1] {
				return false
			}
		}
	}
	return true
}

func (m *model) allowancesGood(rec *modelRecord, goods int64) bool {
	for _, a := range rec.allowances {
		if !m.known(a.custodian) || a.good >= goods {
			return false
		}
	}
	return true
}

func (m *model) membersGood(rec *modelRecord, goods int64) bool {
	for role, members := range map[int64][]modelMember{1: rec.custodians, 2: rec.auditors} {
		names := map[string]bool{}
		for _, s := range m.seats {
			if s.role == role {
				names[s.name] = true
			}
		}
		for _, who := range members {
			if !nameGood(who.name) || names[who.name] {
				return false
			}
			names[who.name] = true
		}
		if len(names) > 256 {
			return false
		}
	}
	for _, who := range rec.custodians {
		last := int64(-1)
		for _, a := range who.allowances {
			if a.good <= last || a.good >= goods || a.limit.Sign() == 0 {
				return false
			}
			last = a.good
		}
		if last < 0 {
			return false
		}
	}
	return true
}

// boundsHold: what must be true of everything in force together.
func (m *model) boundsHold(rec *modelRecord, goods []modelGood) bool {
	p := slices.Clone(m.params)
	for _, change := range rec.parameters {
		p[change[0]] = change[1]
	}
	for _, g := range goods {
		if (10_000-g.haircut)*p[pCoverage] > 100_000_000 {
			return false
		}
	}
	return p[pQuorum] <= m.auditors()+int64(len(rec.auditors)) && p[pDelay] >= 2*p[pDelivery] && p[pCap] >= p[pMinDraw]
}

func (m *model) reseatCode(tx *modelTx, rec *modelRecord) string {
	council := rec.sub < 2
	if council && !m.actorIs(tx, 3, 0) || !council && !m.actorIs(tx, 2, rec.index) {
		return "goods-actor"
	}
	if !council {
		if code := m.proposalCode(tx, rec); code != "" {
			return code
		}
	}
	if rec.sub == 1 || rec.sub == 3 {
		if !m.found(slotOf(rec), rec.items[0].id) {
			return "goods-change-unknown"
		}
		return ""
	}
	switch {
	case m.pending[2] != nil || council && m.pending[1] != nil:
		return "goods-change-pending"
	case council && m.seat(rec.role, rec.index) < 0:
		return "goods-reseat-seat"
	case len(tx.outs) < 2 || tx.outs[1].units.Sign() != 0 || tx.outs[1].script != rec.script || !m.mayName(rec.script):
		return "goods-change-output"
	}
	return ""
}

func slotOf(rec *modelRecord) int {
	switch {
	case rec.kind == "12":
		return 0
	case rec.sub < 2:
		return 1
	}
	return 2
}

// change announces or withdraws one.
func (m *model) change(tx *modelTx, rec *modelRecord) {
	slot := slotOf(rec)
	if rec.sub == 1 || rec.sub == 3 {
		m.withdraw(slot)
		return
	}
	c := &modelChange{
		id:        tagged("granary/change", reversed(tx.msg.TxHash().String())+"00000000")[:16],
		announced: m.height, effective: height31(m.height + m.params[pDelay]), txid: tx.msg.TxHash(), rec: rec,
	}
	if slot == 2 {
		c.effective = height31(m.height + 2*m.params[pDelay])
	}
	if slot == 2 { // nothing that the council's present holder wants comes into force
		m.withdraw(0)
		m.withdraw(1)
	}
	waiting := 1
	if slot == 0 {
		waiting = len(rec.custodians) + len(rec.auditors)
	}
	for i := range waiting {
		c.scripts = append(c.scripts, tx.outs[1+i].script)
	}
	m.pending[slot] = c
}

// withdraw takes back what waits in a slot, if anything does.
func (m *model) withdraw(slot int) {
	if slot == 0 && m.pending[0] != nil {
		m.withdrawn = append(m.withdrawn, m.pending[0])
	}
	m.pending[slot] = nil
}

// activate brings a change into force.
func (m *model) activate(slot int, c *modelChange) {
	m.pending[slot] = nil
	m.seen["in force, slot "+be(1, int64(slot))]++
	out := func(i int) wire.OutPoint { return wire.OutPoint{Hash: c.txid, Index: uint32(1 + i)} }
	if slot > 0 {
		role, index := c.rec.role, c.rec.index
		if slot == 2 {
			role, index = 3, 0
		}
		s := &m.seats[m.seat(role, index)]
		s.out, s.script, s.height, s.since = out(0), c.scripts[0], c.announced, m.height
		return
	}
	for _, p := range c.rec.parameters {
		m.params[p[0]] = p[1]
	}
	m.activateGoods(c.rec)
	for _, a := range c.rec.allowances {
		m.allow(a.custodian, a)
	}
	join := func(i int, role, index int64, name string) {
		m.seats = append(m.seats, modelSeat{role: role, index: index, name: name, out: out(i), script: c.scripts[i], height: c.announced, since: m.height})
	}
	for i, who := range c.rec.custodians {
		index := int64(len(m.custody))
		join(i, 1, index, who.name)
		m.custody = append(m.custody, newCustodian())
		for _, a := range who.allowances {
			m.allow(index, a)
		}
		m.seen["custodian joined"]++
	}
	for i, who := range c.rec.auditors {
		join(len(c.rec.custodians)+i, 2, m.auditors(), who.name)
		m.seen["auditor joined"]++
	}
}

func (m *model) allow(custodian int64, a modelAllowance) {
	key := [2]int64{custodian, a.good}
	if m.limits[key] = a.limit; a.limit.Sign() == 0 {
		delete(m.limits, key)
	}
}

func (m *model) activateGoods(rec *modelRecord) {
	for i, g := range rec.goods {
		g.since = m.height
		index := rec.goodIndex[i]
		if index == int64(len(m.goods)) {
			m.goods = append(m.goods, g)
			m.seen["good joined"]++
			continue
		}
		m.goods[index] = g
		m.seen["par in force"]++
		for number, r := range m.receipts {
			if r.good == index && times(g.num, r.bestDen).Cmp(times(r.bestNum, g.den)) > 0 {
				r.bestNum, r.bestDen = g.num, g.den
				m.receipts[number] = r
			}
		}
	}
}
