package goods_test

import (
	"encoding/hex"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/params"
)

// modelGoods is the model's part for attestations and receipts: plain maps,
// and every sum counted anew when it is asked for.
type modelGoods struct {
	charter  *params.Charter // numbers only
	hashes   []string        // of the blocks below, by height
	attested map[string][2]int64
	used     map[string]int64
	receipts map[int64]modelReceipt
	next     int64
	released *big.Int // in this block
	fees     *big.Int // of this block, which nobody has until the coinbase
}

type modelReceipt struct {
	number, good, custodian, registry      int64
	id, serial, document, location, script string // hex
	haircut, opened, observed, until       int64
	openedWith, undrawn, free, units       *big.Int
}

func newModelGoods(c *params.Charter) modelGoods {
	return modelGoods{
		charter: c, attested: map[string][2]int64{}, used: map[string]int64{},
		receipts: map[int64]modelReceipt{}, released: new(big.Int), fees: new(big.Int),
	}
}

func (m *modelGoods) clone() modelGoods {
	c := *m
	c.hashes = slices.Clone(m.hashes)
	c.attested, c.used, c.receipts = maps.Clone(m.attested), maps.Clone(m.used), maps.Clone(m.receipts)
	return c
}

// begin starts the block at height: what is over is forgotten.
func (m *modelGoods) begin(height int64) {
	m.released, m.fees = new(big.Int), new(big.Int)
	for key, a := range m.attested {
		if a[1] < height {
			delete(m.attested, key)
		}
	}
	for key, last := range m.used {
		if last < height {
			delete(m.used, key)
		}
	}
}

// hexReader takes little-endian numbers and texts off a string of hex.
type hexReader struct {
	text string
	bad  bool
}

func (r *hexReader) take(n int) string {
	if len(r.text) < 2*n {
		r.text, r.bad = "", true
		return strings.Repeat("00", n)
	}
	head := r.text[:2*n]
	r.text = r.text[2*n:]
	return head
}

func (r *hexReader) number(n int) *big.Int {
	v := new(big.Int)
	head := r.take(n)
	for i := 2*n - 2; i >= 0; i -= 2 {
		b, _ := new(big.Int).SetString(head[i:i+2], 16)
		v.Add(v.Lsh(v, 8), b)
	}
	return v
}

func (r *hexReader) small(n int) int64 { return r.number(n).Int64() }

// below reads a number that must be below 2^bits.
func (r *hexReader) below(n, bits int) *big.Int {
	v := r.number(n)
	r.bad = r.bad || v.BitLen() > bits
	return v
}

func (r *hexReader) short() string { return r.take(int(r.small(1))) }

type modelOpening struct {
	good, registry                     int64
	serial, document, location, script string
	quantity                           *big.Int
}

type modelRecord struct {
	kind      string
	proposals []string
	custodian int64
	expiry    int64
	observed  int64
	block     string
	openings  []modelOpening
	number    *big.Int
	id        string
	quantity  *big.Int
}

// parseModel reads type and body; ok is false for one that is malformed.
func parseModel(body string) (rec modelRecord, ok bool) {
	r := &hexReader{text: body[2:]}
	rec.kind = body[:2]
	switch rec.kind {
	case "01":
	case "02":
		n := r.small(2)
		for range n {
			hash := r.take(32)
			if len(rec.proposals) > 0 && hash <= rec.proposals[len(rec.proposals)-1] {
				return rec, false
			}
			rec.proposals = append(rec.proposals, hash)
		}
		if n < 1 || n > 64 {
			return rec, false
		}
	case "03":
		rec.custodian, rec.expiry, rec.observed, rec.block = r.small(2), r.below(4, 31).Int64(), r.below(4, 31).Int64(), r.take(32)
		n := r.small(2)
		for range min(n, 65) {
			o := modelOpening{good: r.small(2), registry: r.small(2), serial: r.short(), quantity: r.below(8, 63)}
			o.document, o.location, o.script = r.take(32), r.short(), r.short()
			serial, _ := hex.DecodeString(o.serial)
			location, _ := hex.DecodeString(o.location)
			if len(serial) == 0 || len(serial) > 40 || strings.Trim(string(serial), "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != "" ||
				len(location) > 64 || slices.ContainsFunc(location, func(c byte) bool { return c < 32 || c > 126 }) {
				return rec, false
			}
			rec.openings = append(rec.openings, o)
		}
		if n < 1 || n > 64 {
			return rec, false
		}
	case "04":
		rec.number, rec.id, rec.quantity = r.number(8), r.take(8), r.below(8, 63)
		if rec.quantity.Sign() == 0 {
			return rec, false
		}
	}
	return rec, !r.bad && r.text == ""
}

func (m *modelGoods) param() *params.Parameters { return &m.charter.Parameters }

// worth is floor(q * num / den), at most 2^63-1.
func (m *modelGoods) worth(good int64, q *big.Int) *big.Int {
	g := m.charter.Goods[good]
	v := new(big.Int).Mul(q, big.NewInt(g.ParNum))
	v.Div(v, big.NewInt(g.ParDen))
	if v.BitLen() > 63 {
		v.SetUint64(1<<63 - 1)
	}
	return v
}

func (m *modelGoods) credit(r *modelReceipt, q *big.Int) *big.Int {
	v := new(big.Int).Mul(m.worth(r.good, q), big.NewInt(10_000-r.haircut))
	return v.Div(v, big.NewInt(10_000))
}

func (m *modelGoods) fee(units *big.Int) *big.Int {
	v := new(big.Int).Mul(units, big.NewInt(m.param().MinerShareBP))
	return v.Div(v.Add(v, big.NewInt(9_999)), big.NewInt(10_000))
}

// sum adds part over the receipts of a custodian and good.
func (m *modelGoods) sum(custodian, good int64, part func(modelReceipt) *big.Int) *big.Int {
	v := new(big.Int)
	for _, r := range m.receipts {
		if r.custodian == custodian && r.good == good {
			v.Add(v, part(r))
		}
	}
	return v
}

func whole(r modelReceipt) *big.Int { return new(big.Int).Add(r.undrawn, r.free) }
func free(r modelReceipt) *big.Int  { return r.free }

func freshAt(height int64) func(modelReceipt) *big.Int {
	return func(r modelReceipt) *big.Int {
		if height > r.until {
			return new(big.Int)
		}
		return r.free
	}
}

// reserve is R for freshAt, D for free.
func (m *modelGoods) reserve(part func(modelReceipt) *big.Int) *big.Int {
	v := new(big.Int)
	for c := range m.charter.Custodians {
		for g := range m.charter.Goods {
			v.Add(v, m.worth(int64(g), m.sum(int64(c), int64(g), part)))
		}
	}
	return v
}

func (m *modelGoods) limit(custodian, good int64) *big.Int {
	for _, a := range m.charter.Custodians[custodian].Allowances {
		if int64(a.Good) == good {
			return big.NewInt(a.Limit)
		}
	}
	return nil
}

func (m *model) proposalOf(body string) string {
	raw, _ := hex.DecodeString(body)
	hash := chainhash.TaggedHash([]byte("granary/proposal"), m.id[:], raw)
	return hex.EncodeToString(hash[:])
}

// recordCode judges what a record says; the seat's own conditions are done.
func (m *model) recordCode(msg *wire.MsgTx, body string, acting modelSeat, height int64) string {
	rec, _ := parseModel(body)
	switch rec.kind {
	case "02":
		if acting.role != 2 {
			return "goods-actor"
		}
	case "03":
		return m.receiveCode(rec, m.proposalOf(body), acting, height)
	case "04":
		return m.drawCode(msg, rec, height)
	}
	return ""
}

func (m *model) receiveCode(rec modelRecord, hash string, acting modelSeat, height int64) string {
	if acting.role != 1 || int64(acting.index) != rec.custodian {
		return "goods-actor"
	}
	if rec.expiry < height || rec.expiry > height+m.goods.param().AttestationLifeBlocks {
		return "goods-proposal-expiry"
	}
	if _, used := m.goods.used[hash]; used {
		return "goods-proposal-used"
	}
	count := int64(0)
	for auditor := range m.goods.charter.Auditors {
		if a, ok := m.goods.attested[fmt.Sprintf("%s%04x", hash, auditor)]; ok && a[0] < height && height <= a[1] {
			count++
		}
	}
	if count < m.goods.param().QuorumAuditors {
		return "goods-quorum"
	}
	if rec.observed >= height || height-rec.observed > 144 || m.goods.hashes[rec.observed] != rec.block {
		return "goods-observed"
	}
	return m.openingsCode(rec, height)
}

func (m *model) openingsCode(rec modelRecord, height int64) string {
	lots := map[string]bool{}
	for _, r := range m.goods.receipts {
		lots[fmt.Sprint(r.registry, r.serial)] = true
	}
	brought := map[int64]*big.Int{}
	for g := range m.goods.charter.Goods {
		brought[int64(g)] = m.goods.sum(rec.custodian, int64(g), whole)
	}
	for _, o := range rec.openings {
		limit := m.goods.limit(rec.custodian, o.good)
		switch {
		case o.registry >= int64(len(m.goods.charter.Registries)):
			return "goods-receipt-registry"
		case len(o.script) == 0 || len(o.script) > 84 || strings.HasPrefix(o.script, "6a") || o.script == m.treasury():
			return "goods-receipt-script"
		case limit == nil:
			return "goods-receipt-good"
		}
		g := m.goods.charter.Goods[o.good]
		value := m.goods.worth(o.good, o.quantity)
		lot := fmt.Sprint(o.registry, o.serial)
		brought[o.good] = new(big.Int).Add(brought[o.good], o.quantity)
		switch {
		case o.quantity.Cmp(big.NewInt(g.MinReceipt)) < 0:
			return "goods-receipt-minimum"
		case value.Sign() == 0 || value.Cmp(big.NewInt(21e14)) > 0:
			return "goods-receipt-value"
		case rec.observed+g.MaxAgeBlocks < height:
			return "goods-receipt-stale"
		case lots[lot]:
			return "goods-lot"
		case brought[o.good].Cmp(limit) > 0:
			return "goods-limit"
		}
		lots[lot] = true
	}
	value := new(big.Int)
	for g, q := range brought {
		value.Add(value, m.goods.worth(g, q))
	}
	if m.goods.param().BondRatioBP > 0 && value.Cmp(big.NewInt(m.goods.param().UnbondedAllowanceUnits)) > 0 {
		return "goods-bond"
	}
	return ""
}

// drawn finds the receipt of a draw and what it moves.
func (m *model) drawn(msg *wire.MsgTx) (in, pool, out *big.Int) {
	in, pool, out = new(big.Int), new(big.Int), new(big.Int)
	for _, txIn := range msg.TxIn {
		in.Add(in, m.coins[txIn.PreviousOutPoint].units)
	}
	for _, o := range msg.TxOut {
		out.Add(out, big.NewInt(o.Value))
		if hex.EncodeToString(o.PkScript) == m.treasury() {
			pool.Add(pool, big.NewInt(o.Value))
		}
	}
	return in, pool, out
}

func (m *model) drawCode(msg *wire.MsgTx, rec modelRecord, height int64) string {
	for _, in := range msg.TxIn {
		if m.coins[in.PreviousOutPoint].script != m.treasury() || len(in.SignatureScript) > 0 || len(in.Witness) > 0 {
			return "goods-draw-input"
		}
	}
	r, ok := m.goods.receipts[rec.number.Int64()]
	if !ok || !rec.number.IsInt64() || r.id != rec.id || r.opened == height {
		return "goods-receipt-unknown"
	}
	if height > r.until {
		return "goods-receipt-stale"
	}
	n := len(msg.TxOut)
	if n < 2 || n > 3 || hex.EncodeToString(msg.TxOut[0].PkScript) != r.script ||
		n == 3 && hex.EncodeToString(msg.TxOut[1].PkScript) != m.treasury() || msg.TxOut[n-1].Value != 0 {
		return "goods-draw-output"
	}
	part := rec.quantity.Cmp(r.undrawn)
	credit := m.goods.credit(&r, rec.quantity)
	less := m.goods.credit(&r, new(big.Int).Sub(rec.quantity, big.NewInt(1)))
	if part > 0 || part < 0 && less.Cmp(credit) == 0 {
		return "goods-draw-quantity"
	}
	in, pool, out := m.drawn(msg)
	release, fee := new(big.Int).Sub(in, pool), m.goods.fee(credit)
	total := new(big.Int).Add(m.goods.released, release)
	switch {
	case release.Cmp(credit) != 0:
		return "goods-draw-release"
	case part < 0 && release.Cmp(big.NewInt(m.goods.param().MinDrawUnits)) < 0, release.Cmp(fee) <= 0:
		return "goods-draw-minimum"
	case new(big.Int).Sub(in, out).Cmp(fee) != 0:
		return "goods-draw-fee"
	case total.Cmp(big.NewInt(m.goods.param().BlockReleaseCapUnits)) > 0:
		return "goods-block-cap"
	}
	after := m.clone()
	r.free, r.undrawn = new(big.Int).Add(r.free, rec.quantity), new(big.Int).Sub(r.undrawn, rec.quantity)
	after.goods.receipts[r.number] = r
	left := new(big.Int).Mul(new(big.Int).Add(m.circulating(), release), big.NewInt(m.goods.param().MinCoverageBP))
	if left.Cmp(new(big.Int).Mul(after.goods.reserve(freshAt(height)), big.NewInt(10_000))) > 0 {
		return "goods-coverage"
	}
	return ""
}

// applyRecord does what a valid record says.
func (m *model) applyRecord(msg *wire.MsgTx, acting int, height int64) {
	body, ok := recordOf(hex.EncodeToString(msg.TxOut[len(msg.TxOut)-1].PkScript))
	if !ok {
		return
	}
	rec, _ := parseModel(body)
	txid := msg.TxHash()
	switch rec.kind {
	case "02":
		for _, hash := range rec.proposals {
			m.goods.attested[fmt.Sprintf("%s%04x", hash, m.seats[acting].index)] = [2]int64{height, height + m.goods.param().AttestationLifeBlocks}
		}
	case "03":
		m.goods.used[m.proposalOf(body)] = rec.expiry
		for i, o := range rec.openings {
			index, _ := hex.DecodeString(littleEndian(4, uint64(i)))
			id := chainhash.TaggedHash([]byte("granary/receipt"), txid[:], index)
			g := m.goods.charter.Goods[o.good]
			m.goods.receipts[m.goods.next] = modelReceipt{
				number: m.goods.next, good: o.good, custodian: rec.custodian, registry: o.registry,
				id: hex.EncodeToString(id[:8]), serial: o.serial, document: o.document, location: o.location, script: o.script,
				haircut: g.HaircutBP, opened: height, observed: rec.observed, until: rec.observed + g.MaxAgeBlocks,
				openedWith: o.quantity, undrawn: o.quantity, free: new(big.Int), units: new(big.Int),
			}
			m.goods.next++
		}
	case "04":
		in, pool, _ := m.drawn(msg)
		release := new(big.Int).Sub(in, pool)
		r := m.goods.receipts[rec.number.Int64()]
		r.undrawn, r.free = new(big.Int).Sub(r.undrawn, rec.quantity), new(big.Int).Add(r.free, rec.quantity)
		r.units = new(big.Int).Add(r.units, release)
		m.goods.receipts[r.number] = r
		m.goods.released = new(big.Int).Add(m.goods.released, release)
	}
}

// goodsBytes adds every key and value of attestations and receipts.
func (m *modelGoods) goodsBytes(keys map[string]string, height int64) {
	u := func(n int, v *big.Int) string { return littleEndian(n, v.Uint64()) }
	for key, a := range m.attested {
		keys["56"+key] = littleEndian(4, uint64(a[0])) + littleEndian(4, uint64(a[1]))
		keys[fmt.Sprintf("45%08x%s", a[1]+1, key)] = "01"
	}
	for hash, last := range m.used {
		keys["55"+hash] = littleEndian(4, uint64(last))
		keys[fmt.Sprintf("45%08x%sffff", last+1, hash)] = "01"
	}
	if m.next > 0 {
		keys["4e"] = littleEndian(8, uint64(m.next))
	}
	fresh := map[string]*big.Int{}
	for _, r := range m.receipts {
		text := func(s string) string { return fmt.Sprintf("%02x%s", len(s)/2, s) }
		keys[fmt.Sprintf("52%016x", r.number)] = r.id + littleEndian(2, uint64(r.good)) + littleEndian(2, uint64(r.custodian)) +
			littleEndian(2, uint64(r.registry)) + text(r.serial) + r.document + text(r.location) + text(r.script) +
			littleEndian(4, uint64(r.haircut)) + littleEndian(4, uint64(r.opened)) + littleEndian(4, uint64(r.observed)) +
			littleEndian(4, uint64(r.until)) + u(8, r.openedWith) + u(8, r.undrawn) + u(8, r.free) + littleEndian(8, 0) + u(8, r.units)
		serial, _ := hex.DecodeString(littleEndian(2, uint64(r.registry)) + r.serial)
		lot := chainhash.TaggedHash([]byte("granary/lot"), serial)
		keys["4c"+hex.EncodeToString(lot[:])] = littleEndian(8, uint64(r.number))
		if height <= r.until && r.free.Sign() > 0 {
			key := fmt.Sprintf("46%08x%04x%04x", r.until, r.custodian, r.good)
			if fresh[key] == nil {
				fresh[key] = new(big.Int)
			}
			fresh[key].Add(fresh[key], r.free)
		}
	}
	for key, v := range fresh {
		keys[key] = u(8, v)
	}
	for c := range m.charter.Custodians {
		for g := range m.charter.Goods {
			all := m.sum(int64(c), int64(g), whole)
			if all.Sign() > 0 {
				keys[fmt.Sprintf("48%04x%04x", c, g)] = u(8, all) + u(8, m.sum(int64(c), int64(g), free)) +
					u(8, m.sum(int64(c), int64(g), freshAt(height)))
			}
		}
	}
	counted, all := m.reserve(freshAt(height)), m.reserve(free)
	if all.Sign() > 0 {
		text := ""
		for _, v := range []*big.Int{counted, all} {
			text += littleEndian(8, v.Uint64()) + u(8, new(big.Int).Rsh(v, 64))
		}
		keys["57"] = text
	}
}
