package goods_test

import (
	"encoding/binary"
	"encoding/hex"
	"maps"
	"math/big"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// stateBytes is every key and value after a block, in hex, recounted from
// nothing.
func (m *model) stateBytes() map[string]string {
	keys := make(map[string]string, 400)
	all, pool, escrow := m.supply()
	keys["54"] = leBig(8, minus(minus(all, pool), escrow)) + leBig(8, pool) + leBig(8, escrow) + leBig(8, all)
	for _, p := range m.params {
		keys["50"] += le(8, p)
	}
	for i, g := range m.goods {
		keys["47"+be(2, int64(i))] = g.bytes() + le(4, g.since)
	}
	for key, limit := range m.limits {
		keys["41"+be(2, key[0])+be(2, key[1])] = leBig(8, limit)
	}
	keys["59"] = le(2, int64(len(m.goods))) + le(2, int64(len(m.custody))) + le(2, m.auditors())
	m.seatBytes(keys)
	m.attestationBytes(keys)
	m.receiptBytes(keys)
	m.claimBytes(keys)
	m.reserveBytes(keys)
	m.changeBytes(keys)
	return keys
}

func (g *modelGood) bytes() string {
	return textHex(g.code) + textHex(g.name) + textHex(g.measure) + leBig(8, g.num) + leBig(8, g.den) +
		le(4, g.haircut) + le(4, g.age) + leBig(8, g.minReceipt) + leBig(8, g.minRedemption)
}

func outHex(op wire.OutPoint) string {
	return hex.EncodeToString(op.Hash[:]) + le(4, int64(op.Index))
}

func outKey(op wire.OutPoint) string {
	return "4f" + hex.EncodeToString(op.Hash[:]) + be(4, int64(op.Index))
}

func (m *model) seatBytes(keys map[string]string) {
	for _, s := range m.seats {
		keys["53"+be(1, s.role)+be(2, s.index)] = shortHex(s.name) + outHex(s.out) + le(4, s.height) + le(4, s.since) + shortHex(s.script)
		keys[outKey(s.out)] = "01" + le(1, s.role) + le(2, s.index)
	}
}

func (m *model) attestationBytes(keys map[string]string) {
	for key, a := range m.attested {
		keys["56"+key] = le(4, a[0]) + le(4, a[1])
		keys["45"+be(4, a[1]+1)+key] = "01"
	}
	for hash, last := range m.used {
		keys["55"+hash] = le(4, last)
		keys["45"+be(4, last+1)+hash+"ffff"] = "01"
	}
}

func (m *model) receiptBytes(keys map[string]string) {
	if m.nextReceipt > 0 {
		keys["4e"] = le(8, m.nextReceipt)
	}
	for lot, number := range m.lots {
		keys["4c"+lot] = le(8, number)
	}
	fresh := map[string]*big.Int{}
	for _, r := range m.receipts {
		keys["52"+be(8, r.number)] = r.id + le(2, r.good) + le(2, r.custodian) + le(2, r.registry) + shortHex(r.serial) + r.document +
			shortHex(r.location) + shortHex(r.script) + le(4, r.haircut) + le(4, r.opened) + le(4, r.observed) + le(4, r.until) +
			leBig(8, r.openedWith) + leBig(8, r.undrawn) + leBig(8, r.free) + leBig(8, r.owed) + leBig(8, r.delivered) + leBig(8, r.lost) +
			leBig(8, r.units)
		keys["4c"+lotOf(r.registry, r.serial)] = le(8, r.number)
		if m.height <= r.until && r.free.Sign() > 0 {
			key := "46" + be(4, r.until) + be(2, r.custodian) + be(2, r.good)
			if fresh[key] == nil {
				fresh[key] = new(big.Int)
			}
			fresh[key].Add(fresh[key], r.free)
		}
	}
	for key, v := range fresh {
		keys[key] = leBig(8, v)
	}
}

func (m *model) claimBytes(keys map[string]string) {
	if m.nextClaim > 0 {
		keys["4d"] = le(8, m.nextClaim)
	}
	untendered := map[string]int64{}
	for _, c := range m.claims {
		escrow := outHex(c.escrow)
		if c.kind == 0 {
			keys[outKey(c.escrow)] = "03" + le(8, c.number)
		}
		keys["4b"+be(8, c.number)] = c.id + le(8, c.receipt) + le(1, c.kind) + le(2, c.custodian) + leBig(8, c.quantity) + escrow +
			leBig(8, c.units) + le(4, c.fee) + le(4, c.opened) + le(4, c.deadline) + le(4, c.pickup) + le(4, c.grace) + le(4, c.tendered) +
			outHex(c.token) + le(4, c.tokenHeight) + shortHex(c.tokenScript)
		keys[outKey(c.token)] = "02" + le(8, c.number)
		if c.tendered == 0 {
			untendered["51"+be(2, c.custodian)+be(4, c.deadline)]++
		}
	}
	for key, n := range untendered {
		keys[key] = le(8, n)
	}
}

func (m *model) reserveBytes(keys map[string]string) {
	sums := m.holdings()
	for key, h := range sums {
		if h.whole.Sign() > 0 {
			keys["48"+be(2, key[0])+be(2, key[1])] = leBig(8, h.whole) + leBig(8, h.free) + leBig(8, h.counted) + leBig(8, h.claimed)
		}
	}
	for i, c := range m.custody {
		counted, all, claimed, whole := m.worthOf(sums, int64(i), nil)
		flags := int64(boolToInt(c.suspended) + 2*boolToInt(c.defaulted))
		bonds := le(1, int64(len(c.bonds)))
		for _, b := range c.bonds {
			bonds += outHex(b.out) + leBig(8, b.units)
			keys[outKey(b.out)] = "04" + le(2, int64(i))
		}
		keys["43"+be(2, int64(i))] = le(1, flags) + le(4, c.suspendedAt) + leBig(8, c.debt) + le(4, c.defaultAt) + le(8, m.untendered(int64(i))) +
			leBig(8, c.announced) + le(4, c.ready) + shortHex(c.script) + bonds + leBig(16, counted) + leBig(16, all) +
			leBig(16, claimed) + leBig(16, whole)
		if c.defaultAt > 0 {
			keys["44"+be(4, c.defaultAt)+be(2, int64(i))] = "01"
		}
	}
	if r, d, c := m.reserve(); r.Sign() > 0 || d.Sign() > 0 || c.Sign() > 0 {
		keys["57"] = leBig(16, r) + leBig(16, d) + leBig(16, c)
	}
}

func (m *model) changeBytes(keys map[string]string) {
	for slot, c := range m.pending {
		if c == nil {
			continue
		}
		scripts := le(1, int64(len(c.scripts)))
		for i, s := range c.scripts {
			scripts += shortHex(s)
			keys[outKey(wire.OutPoint{Hash: c.txid, Index: uint32(1 + i)})] = "05" + le(1, int64(slot))
		}
		keys["49"+be(1, int64(slot))] = c.id + le(4, c.announced) + le(4, c.effective) + hex.EncodeToString(c.txid[:]) + scripts +
			textHex(c.rec.body[2:])
	}
}

// modelRoot is the tree's definition over stateBytes.
func modelRoot(keys map[string]string) chainhash.Hash {
	type leaf struct {
		key  []byte
		hash chainhash.Hash
	}
	var leaves []leaf
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		key, _ := hex.DecodeString(k)
		value, _ := hex.DecodeString(keys[k])
		leaves = append(leaves, leaf{key, *chainhash.TaggedHash([]byte("granary/leaf"), binary.LittleEndian.AppendUint16(nil, uint16(len(key))), key, value)})
	}
	one := func(l leaf, bit int) bool { return l.key[bit/8]>>(7-bit%8)&1 == 1 }
	var walk func(sorted []leaf, bit int) chainhash.Hash
	walk = func(sorted []leaf, bit int) chainhash.Hash {
		if len(sorted) == 1 {
			return sorted[0].hash
		}
		if one(sorted[0], bit) == one(sorted[len(sorted)-1], bit) { // all agree
			return walk(sorted, bit+1)
		}
		at := slices.IndexFunc(sorted, func(l leaf) bool { return one(l, bit) })
		left, right := walk(sorted[:at], bit+1), walk(sorted[at:], bit+1)
		return *chainhash.TaggedHash([]byte("granary/node"), binary.LittleEndian.AppendUint16(nil, uint16(bit)), left[:], right[:])
	}
	return walk(leaves, 0)
}
