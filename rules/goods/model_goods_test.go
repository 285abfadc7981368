package goods_test

import (
	"math/big"

	"github.com/btcsuite/btcd/wire/v2"
)

// Proposals, goods coming in, coins going out, audits.

// attested tells a record that auditors must stand behind.
func (rec *modelRecord) attested() bool {
	switch rec.kind {
	case "03", "07", "0d", "0e", "0f":
		return true
	case "08":
		return rec.sub == 1
	case "13":
		return rec.sub >= 2
	}
	return false
}

func (m *model) proposalOf(body string) string {
	return tagged("granary/proposal", m.idHex()+body)
}

// idHex is the charter id.
func (m *model) idHex() string { return m.script[4:] }

// actorIs: the acting seat is the one that the body names.
func (m *model) actorIs(tx *modelTx, role, index int64) bool {
	s := m.seats[tx.seat]
	return s.role == role && s.index == index
}

// proposalCode judges expiry, use and quorum of an attested record.
func (m *model) proposalCode(tx *modelTx, rec *modelRecord) string {
	hash := m.proposalOf(rec.body)
	_, used := m.used[hash]
	switch {
	case rec.expiry < m.height || rec.expiry > m.height+m.params[pLife]:
		return "goods-proposal-expiry"
	case used:
		return "goods-proposal-used"
	case m.behind(hash, tx.seat) < m.needed(rec):
		return "goods-quorum"
	}
	return ""
}

func (m *model) needed(rec *modelRecord) int64 {
	if rec.kind == "13" {
		return m.auditors()
	}
	return m.params[pQuorum]
}

// behind counts the auditors behind a proposal that the seat acts on.
func (m *model) behind(hash string, acting int) int64 {
	count := int64(0)
	for i, s := range m.seats {
		if s.role != 2 {
			continue
		}
		a, ok := m.attested[hash+be(2, s.index)]
		if i == acting || ok && s.since <= a[0] && a[0] < m.height && m.height <= a[1] {
			count++
		}
	}
	return count
}

// observedCode: the goods were seen at a recent block of this branch.
func (m *model) observedCode(rec *modelRecord) string {
	if d := m.height - rec.observed; d < 1 || d > 144 || m.hashes[rec.observed] != rec.block {
		return "goods-observed"
	}
	return ""
}

// receipt finds a named receipt.
func (m *model) receipt(item modelItem) (modelReceipt, bool) {
	if !item.number.IsInt64() {
		return modelReceipt{}, false
	}
	r, ok := m.receipts[item.number.Int64()]
	return r, ok && r.id == item.id && r.opened < m.height
}

func (m *model) receiveCode(tx *modelTx, rec *modelRecord) string {
	if !m.actorIs(tx, 1, rec.index) {
		return "goods-actor"
	}
	if c := m.custody[rec.index]; c.suspended || c.defaulted {
		return "goods-custodian-suspended"
	}
	if code := m.proposalCode(tx, rec); code != "" {
		return code
	}
	if code := m.observedCode(rec); code != "" {
		return code
	}
	lots := map[string]bool{}
	for lot := range m.lots {
		lots[lot] = true
	}
	for _, r := range m.receipts {
		lots[lotOf(r.registry, r.serial)] = true
	}
	brought := map[int64]*big.Int{}
	for _, o := range rec.openings {
		if code := m.openingCode(rec, o, lots, brought); code != "" {
			return code
		}
	}
	if !m.bondsSuffice(rec.index, new(big.Int), brought) {
		return "goods-bond"
	}
	return ""
}

func lotOf(registry int64, serial string) string {
	return tagged("granary/lot", le(2, registry)+serial)
}

func (m *model) openingCode(rec *modelRecord, o modelOpening, lots map[string]bool, brought map[int64]*big.Int) string {
	limit := m.limits[[2]int64{rec.index, o.good}]
	switch {
	case o.registry >= int64(len(m.charter.Registries)):
		return "goods-receipt-registry"
	case !m.mayName(o.script):
		return "goods-receipt-script"
	case limit == nil:
		return "goods-receipt-good"
	}
	g := m.goods[o.good]
	lot := lotOf(o.registry, o.serial)
	if brought[o.good] == nil {
		brought[o.good] = new(big.Int)
	}
	brought[o.good] = plus(brought[o.good], o.quantity)
	whole := brought[o.good]
	if h, ok := m.holdings()[[2]int64{rec.index, o.good}]; ok {
		whole = plus(whole, h.whole)
	}
	switch {
	case o.quantity.Cmp(g.minReceipt) < 0:
		return "goods-receipt-minimum"
	case m.valueLow(o.good, o.quantity).Sign() == 0 || m.valueHigh(o.good, o.quantity).Cmp(big.NewInt(21e14)) > 0:
		return "goods-receipt-value"
	case rec.observed+g.age < m.height:
		return "goods-receipt-stale"
	case lots[lot]:
		return "goods-lot"
	case whole.Cmp(limit) > 0:
		return "goods-limit"
	}
	lots[lot] = true
	return ""
}

func (m *model) receive(tx *modelTx, rec *modelRecord) {
	txid := tx.msg.TxHash().String()
	for i, o := range rec.openings {
		g := m.goods[o.good]
		zero := new(big.Int)
		m.receipts[m.nextReceipt] = modelReceipt{
			number: m.nextReceipt, good: o.good, custodian: rec.index, registry: o.registry,
			id: tagged("granary/receipt", reversed(txid)+le(4, int64(i)))[:16], serial: o.serial, document: o.document,
			location: o.location, script: o.script, haircut: g.haircut, opened: m.height, observed: rec.observed,
			until: height31(rec.observed + g.age), openedWith: o.quantity, undrawn: o.quantity,
			free: zero, owed: zero, delivered: zero, lost: zero, units: zero, bestNum: g.num, bestDen: g.den,
		}
		m.nextReceipt++
	}
}

// reversed turns a txid as people see it into the order of its bytes.
func reversed(id string) string {
	out := ""
	for i := len(id) - 2; i >= 0; i -= 2 {
		out += id[i : i+2]
	}
	return out
}

// releases is what a draw takes out of the pool, and what it leaves as a fee.
func (m *model) releases(tx *modelTx) (release, fee *big.Int) {
	release, fee = new(big.Int), new(big.Int)
	for _, in := range tx.ins {
		release, fee = plus(release, in.units), plus(fee, in.units)
	}
	for _, out := range tx.msg.TxOut {
		fee = minus(fee, big.NewInt(out.Value))
	}
	for _, out := range tx.outs {
		if out.script == m.treasury() {
			release = minus(release, out.units)
		}
	}
	return release, fee
}

func (m *model) drawCode(tx *modelTx, rec *modelRecord) string {
	for i, in := range tx.ins {
		if in.kind != "pool" || !in.empty {
			return "goods-draw-input"
		}
		tx.taken[i] = true
	}
	r, ok := m.receipt(rec.items[0])
	if !ok {
		return "goods-receipt-unknown"
	}
	if m.height > r.until {
		return "goods-receipt-stale"
	}
	if c := m.custody[r.custodian]; c.suspended || c.defaulted {
		return "goods-custodian-suspended"
	}
	n := len(tx.outs)
	if n < 1 || n > 2 || tx.outs[0].script != r.script || n == 2 && tx.outs[1].script != m.treasury() ||
		tx.msg.TxOut[n].Value != 0 {
		return "goods-draw-output"
	}
	part := rec.quantity.Cmp(r.undrawn)
	credit := m.credit(&r, rec.quantity)
	if part > 0 || part < 0 && m.credit(&r, minus(rec.quantity, big.NewInt(1))).Cmp(credit) >= 0 {
		return "goods-draw-quantity"
	}
	release, left := m.releases(tx)
	fee := m.minersShare(release)
	switch {
	case release.Cmp(credit) != 0:
		return "goods-draw-release"
	case part < 0 && release.Cmp(big.NewInt(m.params[pMinDraw])) < 0, release.Cmp(fee) <= 0:
		return "goods-draw-minimum"
	case left.Cmp(fee) != 0:
		return "goods-draw-fee"
	case plus(m.released, release).Cmp(big.NewInt(m.params[pCap])) > 0:
		return "goods-block-cap"
	}
	after := r
	after.undrawn, after.free = minus(r.undrawn, rec.quantity), plus(r.free, rec.quantity)
	m.receipts[r.number] = after
	reserve, _, _ := m.reserve()
	m.receipts[r.number] = r
	circulating := times(plus(m.circulating(), release), big.NewInt(m.params[pCoverage]))
	if circulating.Cmp(times(held(reserve), big.NewInt(10_000))) > 0 {
		return "goods-coverage"
	}
	return ""
}

func (m *model) draw(tx *modelTx, rec *modelRecord) {
	release, _ := m.releases(tx)
	r := m.receipts[rec.items[0].number.Int64()]
	r.undrawn, r.free = minus(r.undrawn, rec.quantity), plus(r.free, rec.quantity)
	r.units = plus(r.units, release)
	m.receipts[r.number] = r
	m.released = plus(m.released, release)
}

func (m *model) auditCode(tx *modelTx, rec *modelRecord) string {
	if !m.actorIs(tx, 2, rec.index) {
		return "goods-actor"
	}
	if code := m.proposalCode(tx, rec); code != "" {
		return code
	}
	if code := m.observedCode(rec); code != "" {
		return code
	}
	found := false
	for _, item := range rec.items {
		r, ok := m.audited(rec, item)
		if ok && rec.observed+m.goods[r.good].age < m.height {
			return "goods-receipt-stale"
		}
		found = found || ok
	}
	if !found {
		return "goods-receipt-unknown"
	}
	return ""
}

// audited finds a receipt that was seen before the audit, and of which as much
// is lost as the audit says.
func (m *model) audited(rec *modelRecord, item modelItem) (modelReceipt, bool) {
	r, ok := m.receipt(item)
	return r, ok && r.observed < rec.observed && r.lost.Cmp(item.lost) == 0
}

func (m *model) audit(rec *modelRecord) {
	for _, item := range rec.items {
		r, ok := m.audited(rec, item)
		if !ok {
			m.seen["audit passes over a receipt"]++
			continue
		}
		r.observed, r.until = rec.observed, height31(rec.observed+m.goods[r.good].age)
		there := plus(r.undrawn, r.free)
		removed := lesser(item.loss, there)
		undrawn := lesser(removed, r.undrawn)
		r.undrawn, r.free, r.lost = minus(r.undrawn, undrawn), minus(r.free, minus(removed, undrawn)), plus(r.lost, removed)
		m.putReceipt(r)
		m.owe(r.custodian, m.valueUpHigh(r.good, removed))
		if item.loss.Cmp(there) > 0 {
			m.suspend(r.custodian)
			m.seen["suspended by an audit"]++
		}
	}
}

// putReceipt writes a receipt back; one without goods is closed.
func (m *model) putReceipt(r modelReceipt) {
	m.receipts[r.number] = r
	if r.quantity().Sign() > 0 {
		return
	}
	delete(m.receipts, r.number)
	m.seen["receipt closed"]++
	if r.lost.Sign() > 0 {
		m.lots[lotOf(r.registry, r.serial)] = r.number
		m.seen["lot reserved for ever"]++
	}
}

func outpoint(tx *modelTx, index uint32) wire.OutPoint {
	return wire.OutPoint{Hash: tx.msg.TxHash(), Index: index}
}
