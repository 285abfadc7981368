package goods_test

import (
	"encoding/hex"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
)

// proposal is a record that auditors are asked to attest.
type proposal struct {
	hash string
	rec  *modelRecord
	role int64 // of the seat that acts
}

// propose makes a record known to the auditors; a body that is malformed is
// proposed all the same.
func (h *history) propose(m *model, role int64, body string) {
	rec, _ := parseModel(body)
	h.proposals = append(h.proposals, proposal{hash: m.proposalOf(body), rec: rec, role: role})
	if len(h.proposals) > 14 {
		h.proposals = h.proposals[1:]
	}
}

// newProposals follow what the state asks for.
func (h *history) newProposals(m *model) {
	if len(m.receipts) < 4 && h.chance(2) || h.chance(h.rare(5, "receive")) {
		h.proposeReceive(m)
	}
	if h.chance(h.rare(7, "audit")) {
		h.proposeAudit(m)
	}
	for i := range m.custody {
		h.proposeClaims(m, int64(i))
		c := m.custody[i]
		if c.suspended && h.chance(6) || h.chance(60) {
			h.proposeActor(m, func(auditor int64) string {
				return "0f" + le(2, auditor) + h.expiry(m) + le(2, int64(i)) + le(4, h.off(c.suspendedAt))
			})
		}
		if h.chance(h.rare(90, "suspend")) {
			h.proposeSuspend(m, int64(i))
		}
	}
	if h.chance(200) {
		h.proposeSuspend(m, int64(len(m.custody)))
		h.proposeActor(m, func(auditor int64) string {
			return "0f" + le(2, auditor) + h.expiry(m) + le(2, int64(len(m.custody))) + le(4, 0)
		})
	}
	if h.chance(h.rare(40, "council")) {
		script := h.someScript()
		if h.chance(10) {
			script = h.anyScript(m)
			script = script[:min(len(script), 2)]
		}
		h.proposeActor(m, func(auditor int64) string { return "1302" + le(2, auditor) + h.expiry(m) + shortHex(script) })
	}
	if c := m.pending[2]; c != nil && h.chance(7) || h.chance(200) {
		id := strings.Repeat("ab", 8)
		if c != nil {
			id = c.id
		}
		h.proposeActor(m, func(auditor int64) string { return "1303" + le(2, auditor) + h.expiry(m) + id })
	}
}

// expiry is mostly some blocks ahead, now and then too near or too far.
func (h *history) expiry(m *model) string {
	life := m.params[pLife]
	switch h.rng.IntN(12) {
	case 0:
		return le(4, m.height+h.rng.Int64N(3))
	case 1:
		return le(4, m.height+life+h.rng.Int64N(3))
	}
	return le(4, m.height+min(life, 4+h.rng.Int64N(12)))
}

// proposeActor proposes a body that names an auditor as its actor.
func (h *history) proposeActor(m *model, body func(auditor int64) string) {
	h.propose(m, 2, body(h.rng.Int64N(m.auditors())))
}

func (h *history) proposeSuspend(m *model, custodian int64) {
	if h.chance(3) {
		h.propose(m, 3, "0e03"+le(2, int64(boolToInt(h.chance(12))))+h.expiry(m)+le(2, custodian))
		return
	}
	h.proposeActor(m, func(auditor int64) string { return "0e02" + le(2, auditor) + h.expiry(m) + le(2, custodian) })
}

// observed is the height and hash of a recent block, mostly.
func (h *history) observed(m *model) string {
	at := m.height - 1 - h.rng.Int64N(3)
	switch h.rng.IntN(25) {
	case 0:
		at = m.height - h.rng.Int64N(40)
	case 1:
		at = m.height - 143 - h.rng.Int64N(3)
	}
	at = max(0, at)
	hash := strings.Repeat("00", 32)
	if at < m.height {
		hash = m.hashes[at]
	}
	if h.chance(40) {
		hash = "01" + hash[2:]
	}
	return le(4, at) + hash
}

func (h *history) proposeReceive(m *model) {
	custodian := h.rng.Int64N(int64(len(m.custody)))
	switch {
	case h.variant.huge && !h.chance(4):
		custodian = 0
	case h.chance(50):
		custodian = h.rng.Int64N(5)
	}
	n := 1 + h.rng.IntN(3)
	if h.variant.huge {
		n = 1 + h.rng.IntN(40)
	}
	body := "03" + le(2, custodian) + h.expiry(m) + h.observed(m) + le(2, int64(n))
	for range n {
		body += h.opening(m, custodian)
	}
	h.propose(m, 1, body)
}

func (h *history) opening(m *model, custodian int64) string {
	h.lots++
	good, registry := int64(0), int64(0)
	var allowed []int64
	for g := range m.goods {
		if m.limits[[2]int64{custodian, int64(g)}] != nil {
			allowed = append(allowed, int64(g))
		}
	}
	if len(allowed) > 0 {
		good = pick(h, allowed)
	}
	least := int64(1)
	if m.goods[good].minReceipt.IsInt64() {
		least = m.goods[good].minReceipt.Int64()
	}
	quantity := min(least, 1<<60) + h.rng.Int64N(min(7*least, 1<<60))
	if h.variant.huge {
		g := &m.goods[good]
		if next := m.pendingGood(good); next != nil && times(next.num, g.den).Cmp(times(g.num, next.den)) > 0 {
			g = next
		}
		all := floorOf(times(big.NewInt(21e14-h.rng.Int64N(1000)), g.den), g.num)
		quantity = max(quantity, floorOf(all, big.NewInt(1+h.rng.Int64N(2))).Int64())
	}
	serial, location, script := fmt.Sprintf("LOT-%d", h.lots), "Hall", h.someScript()
	if h.variant.huge && !h.chance(8) {
		script = hex.EncodeToString(keyScript(0x99)) // that of the grants
	}
	if h.chance(25) && !h.variant.huge {
		serial = fmt.Sprintf("LOT-%d", 1+h.rng.IntN(h.lots))
	}
	odd := h.rng.IntN(60)
	if h.variant.huge && !h.chance(20) { // one of many openings
		odd = 60
	}
	switch odd {
	case 0:
		good = h.rng.Int64N(6)
	case 1:
		quantity = least - 1
	case 2:
		if limit := m.limits[[2]int64{custodian, good}]; limit != nil && limit.IsInt64() {
			quantity = limit.Int64()/2 + h.rng.Int64N(limit.Int64())
		}
	case 3:
		quantity = 1<<63 - 1
	case 4:
		script = h.anyScript(m)
		script = script[:min(len(script), 100)]
	case 5:
		serial = pick(h, []string{"", "low-a", "A B", strings.Repeat("7", 40), strings.Repeat("7", 41)})
	case 6:
		registry = 1
	case 7:
		location = pick(h, []string{"", "a\x7f", "a\x1f", strings.Repeat(" ", 64), strings.Repeat("~", 65)})
	case 8:
		quantity = least
	}
	text := func(s string) string { return shortHex(hex.EncodeToString([]byte(s))) }
	return le(2, good) + le(2, registry) + text(serial) + le(8, quantity) + strings.Repeat("d0", 32) + text(location) + shortHex(script)
}

func (h *history) proposeAudit(m *model) {
	numbers := slices.Sorted(maps.Keys(m.receipts))
	if len(numbers) == 0 {
		return
	}
	items, n := "", 0
	if h.chance(30) {
		slices.Reverse(numbers)
	}
	for _, number := range numbers {
		if !h.chance(3) || n == 6 {
			continue
		}
		r := m.receipts[number]
		loss := new(big.Int)
		there := plus(r.undrawn, r.free)
		switch h.rng.IntN(10) {
		case 0, 1:
			loss = floorOf(h.below(there), big.NewInt(8))
		case 2:
			loss = h.below(there)
		case 3:
			loss = plus(there, big.NewInt(h.rng.Int64N(3)))
		}
		items += nameHex(number, r.id) + leBig(8, h.lostBefore(&r)) + leBig(8, held(loss))
		n++
	}
	h.proposeActor(m, func(auditor int64) string {
		return "0d" + le(2, auditor) + h.expiry(m) + h.observed(m) + le(2, int64(n)) + items
	})
}

// proposeClaims tenders and delivers: most claims in time, some never.
func (h *history) proposeClaims(m *model, custodian int64) {
	var tender, deliver string
	var tenders, delivers int64
	for _, number := range slices.Sorted(maps.Keys(m.claims)) {
		c := m.claims[number]
		mine := c.custodian == custodian || h.chance(60)
		lazy := (number+int64(h.seed))%16 < int64(h.moods["lazy"])
		switch {
		case mine && (c.tendered == 0 || h.chance(60)) && (!lazy || h.chance(10)) && h.chance(2) && tenders < 200:
			tender += nameHex(number, c.id)
			tenders++
		case mine && (c.tendered != 0 || h.chance(40)) && h.chance(3) && delivers < 100:
			deliver += nameHex(number, c.id) + strings.Repeat("dd", 32)
			delivers++
		}
	}
	if tenders > 0 {
		h.propose(m, 1, "07"+le(2, custodian)+h.expiry(m)+le(2, tenders)+tender)
	}
	if delivers > 0 {
		h.propose(m, 1, "0801"+le(2, custodian)+h.expiry(m)+le(2, delivers)+deliver)
	}
}

// attest stands behind most of what is proposed.
func (h *history) attest(m *model) *draft {
	seat := h.randomSeat(m, 2)
	var hashes []string
	for _, p := range h.proposals {
		_, already := m.attested[p.hash+be(2, m.seats[seat].index)]
		if p.rec.expiry >= m.height && (!already && !h.chance(6) || h.chance(20)) {
			hashes = append(hashes, p.hash)
		}
	}
	if len(hashes) == 0 || h.chance(30) {
		hashes = append(hashes, strings.Repeat(be(1, h.rng.Int64N(256)), 32))
	}
	slices.Sort(hashes)
	if !h.chance(40) {
		hashes = slices.Compact(hashes)
	}
	return h.seatDraft(m, seat, "02"+le(2, int64(len(hashes)))+strings.Join(hashes, ""))
}

// act uses a proposal, one that is ready mostly.
func (h *history) act(m *model) *draft {
	var ready, once []proposal // once: by what auditors ever said
	for _, p := range h.proposals {
		_, used := m.used[p.hash]
		seat := m.seat(p.role, p.rec.index)
		if used || p.rec.expiry < m.height || seat < 0 || m.seats[seat].height == m.height {
			continue
		}
		said := int64(0)
		for auditor := range m.auditors() {
			_, ok := m.attested[p.hash+be(2, auditor)]
			said += int64(boolToInt(ok))
		}
		switch {
		case m.behind(p.hash, seat) >= m.needed(p.rec):
			ready = append(ready, p)
		case said >= m.needed(p.rec):
			once = append(once, p)
		}
	}
	if len(once) > 0 && h.chance(3) {
		ready = once
	}
	if len(ready) == 0 || h.chance(30) {
		if !h.chance(8) || len(h.proposals) == 0 {
			return nil
		}
		ready = h.proposals
	}
	p := pick(h, ready)
	role, index := p.role, p.rec.index
	if h.chance(60) {
		role, index = 1+h.rng.Int64N(3), 0
	}
	seat := m.seat(role, index)
	if seat < 0 {
		return nil
	}
	d := h.seatDraft(m, seat, p.rec.body)
	if p.rec.kind == "13" && p.rec.sub == 2 {
		d.out(0, p.rec.script)
	}
	return d
}

// lostBefore is what a receipt lost so far, now and then one more or less.
func (h *history) lostBefore(r *modelReceipt) *big.Int {
	if !h.chance(40) {
		return r.lost
	}
	lost := plus(r.lost, big.NewInt(1-2*h.rng.Int64N(2)))
	if lost.Sign() < 0 {
		return big.NewInt(1)
	}
	return held(lost)
}

// off is a height, one beside it at times.
func (h *history) off(height int64) int64 {
	if h.chance(40) {
		return max(0, height+1-2*h.rng.Int64N(2))
	}
	return height
}
