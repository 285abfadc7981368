package goods_test

import (
	"encoding/hex"
	"math/big"
	"slices"
	"strings"
)

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
	raw, _ := hex.DecodeString(r.take(n))
	slices.Reverse(raw)
	return new(big.Int).SetBytes(raw)
}

func (r *hexReader) small(n int) int64 { return r.number(n).Int64() }

// below reads a number that must be below 2^bits.
func (r *hexReader) below(n, bits int) *big.Int {
	v := r.number(n)
	r.bad = r.bad || v.BitLen() > bits
	return v
}

func (r *hexReader) height() int64 { return r.below(4, 31).Int64() }
func (r *hexReader) short() string { return r.take(int(r.small(1))) }
func (r *hexReader) text16() string {
	return r.take(int(r.small(2)))
}

// list reads a count and so many items; one out of bounds is malformed.
func (r *hexReader) list(least, most int64, item func()) {
	n := r.small(2)
	if n < least || n > most {
		r.bad = true
		return
	}
	for range n {
		if !r.bad {
			item()
		}
	}
}

// ascending marks the reader bad unless v is above the last.
func (r *hexReader) ascending(last **big.Int, v *big.Int) {
	r.bad = r.bad || *last != nil && v.Cmp(*last) <= 0
	*last = v
}

type modelOpening struct {
	good, registry                     int64
	serial, document, location, script string
	quantity                           *big.Int
}

// modelItem is a receipt or claim that a record names.
type modelItem struct {
	number   *big.Int
	id       string
	document string
	lost     *big.Int // as an audit says that it was before
	loss     *big.Int
}

type modelAllowance struct {
	custodian, good int64
	limit           *big.Int
}

type modelRecord struct {
	body        string // type and body
	kind        string // type
	sub         int64  // the first byte of those that have several forms
	proposals   []string
	openings    []modelOpening
	items       []modelItem
	role        int64
	index       int64 // of the custodian, auditor or seat that is named
	custodian   int64 // whom suspend and lift are about
	suspendedAt int64 // the suspension that a lift ends
	expiry      int64
	observed    int64
	block       string
	quantity    *big.Int // units of unbond
	script      string

	parameters [][2]int64
	goods      []modelGood
	goodIndex  []int64
	allowances []modelAllowance
	custodians []modelMember
	auditors   []modelMember
}

type modelMember struct {
	name       string
	allowances []modelAllowance
}

// acts tells a record that acts for a seat.
func (rec *modelRecord) acts() bool {
	switch rec.kind {
	case "04", "05", "06", "09", "0a", "0b", "0c":
		return false
	case "08":
		return rec.sub == 1
	}
	return true
}

// parseModel reads type and body; ok is false for one that is malformed.
func parseModel(body string) (rec *modelRecord, ok bool) {
	r := &hexReader{text: body[2:]}
	rec = &modelRecord{body: body, kind: body[:2], sub: -1}
	switch rec.kind {
	case "01":
	case "02":
		r.list(1, 64, func() { rec.proposals = append(rec.proposals, r.take(32)) })
		for i := 1; i < len(rec.proposals); i++ {
			r.bad = r.bad || rec.proposals[i] <= rec.proposals[i-1]
		}
	case "03":
		rec.index, rec.expiry, rec.observed, rec.block = r.small(2), r.height(), r.height(), r.take(32)
		r.list(1, 64, func() { rec.openings = append(rec.openings, r.opening()) })
	case "04", "05", "06":
		r.item(rec)
		rec.quantity = r.below(8, 63)
		r.bad = r.bad || rec.quantity.Sign() == 0
	case "07":
		rec.index, rec.expiry = r.small(2), r.height()
		var last *big.Int
		r.list(1, 200, func() { r.item(rec); r.ascending(&last, rec.last().number) })
	case "08":
		r.deliver(rec)
	case "09", "0a", "0c":
		r.item(rec)
	case "0b":
		rec.index = r.small(2)
	case "0d":
		rec.index, rec.expiry, rec.observed, rec.block = r.small(2), r.height(), r.height(), r.take(32)
		var last *big.Int
		r.list(1, 248, func() {
			r.item(rec)
			r.ascending(&last, rec.last().number)
			rec.last().lost, rec.last().loss = r.below(8, 63), r.below(8, 63)
		})
	case "0e":
		rec.role, rec.index, rec.expiry, rec.custodian = r.small(1), r.small(2), r.height(), r.small(2)
		r.bad = r.bad || rec.role != 2 && rec.role != 3
	case "0f":
		rec.index, rec.expiry, rec.custodian, rec.suspendedAt = r.small(2), r.height(), r.small(2), r.height()
	case "10":
		rec.index, rec.script = r.small(2), r.short()
	case "11":
		rec.sub, rec.index = r.small(1), r.small(2)
		if rec.sub == 0 {
			rec.quantity = r.below(8, 63)
			r.bad = r.bad || rec.quantity.Sign() == 0
		}
		r.bad = r.bad || rec.sub > 2
	case "12":
		r.amend(rec)
	case "13":
		r.reseat(rec)
	}
	return rec, !r.bad && r.text == ""
}

func (rec *modelRecord) last() *modelItem { return &rec.items[len(rec.items)-1] }

func (r *hexReader) item(rec *modelRecord) {
	rec.items = append(rec.items, modelItem{number: r.number(8), id: r.take(8)})
}

func (r *hexReader) opening() modelOpening {
	o := modelOpening{good: r.small(2), registry: r.small(2), serial: r.short(), quantity: r.below(8, 63)}
	o.document, o.location, o.script = r.take(32), r.short(), r.short()
	serial, _ := hex.DecodeString(o.serial)
	location, _ := hex.DecodeString(o.location)
	r.bad = r.bad || len(serial) == 0 || len(serial) > 40 ||
		strings.Trim(string(serial), "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != "" ||
		len(location) > 64 || slices.ContainsFunc(location, func(c byte) bool { return c < 0x20 || c > 0x7e })
	return o
}

func (r *hexReader) deliver(rec *modelRecord) {
	rec.sub = r.small(1)
	switch rec.sub {
	case 0:
		r.item(rec)
	case 1:
		rec.index, rec.expiry = r.small(2), r.height()
		var last *big.Int
		r.list(1, 100, func() {
			r.item(rec)
			r.ascending(&last, rec.last().number)
			rec.last().document = r.take(32)
		})
	default:
		r.bad = true
	}
}

func (r *hexReader) allowance() modelAllowance {
	return modelAllowance{good: r.small(2), limit: r.below(8, 63)}
}

func (r *hexReader) amend(rec *modelRecord) {
	rec.sub = r.small(1)
	if rec.sub == 1 {
		rec.items = append(rec.items, modelItem{id: r.take(8)})
		return
	}
	r.bad = r.bad || rec.sub != 0
	var last *big.Int
	r.list(0, 64, func() {
		which := r.small(1)
		rec.parameters = append(rec.parameters, [2]int64{which, r.below(8, 63).Int64()})
		r.ascending(&last, big.NewInt(which))
		r.bad = r.bad || which >= 14
	})
	last = nil
	r.list(0, 64, func() {
		rec.goodIndex = append(rec.goodIndex, r.small(2))
		r.ascending(&last, big.NewInt(rec.goodIndex[len(rec.goodIndex)-1]))
		rec.goods = append(rec.goods, modelGood{
			code: r.text16(), name: r.text16(), measure: r.text16(), num: r.below(8, 63), den: r.below(8, 63),
			haircut: r.small(4), age: r.small(4), minReceipt: r.below(8, 63), minRedemption: r.below(8, 63),
		})
	})
	last = nil
	r.list(0, 64, func() {
		custodian := r.small(2)
		a := r.allowance()
		a.custodian = custodian
		rec.allowances = append(rec.allowances, a)
		r.ascending(&last, big.NewInt(custodian<<16|a.good))
	})
	r.list(0, 64, func() {
		who := modelMember{name: r.short()}
		r.list(0, 65_535, func() { who.allowances = append(who.allowances, r.allowance()) })
		rec.custodians = append(rec.custodians, who)
	})
	r.list(0, 64, func() { rec.auditors = append(rec.auditors, modelMember{name: r.short()}) })
	r.bad = r.bad || len(rec.parameters)+len(rec.goods)+len(rec.allowances)+len(rec.custodians)+len(rec.auditors) == 0
}

func (r *hexReader) reseat(rec *modelRecord) {
	rec.sub = r.small(1)
	switch rec.sub {
	case 0:
		rec.role, rec.index, rec.script = r.small(1), r.small(2), r.short()
		r.bad = r.bad || rec.role != 1 && rec.role != 2
	case 1:
		rec.items = append(rec.items, modelItem{id: r.take(8)})
	case 2:
		rec.index, rec.expiry, rec.script = r.small(2), r.height(), r.short()
	case 3:
		rec.index, rec.expiry = r.small(2), r.height()
		rec.items = append(rec.items, modelItem{id: r.take(8)})
	default:
		r.bad = true
	}
}
