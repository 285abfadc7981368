package goods_test

import (
	"encoding/hex"
	"math/big"
	"slices"

	"github.com/btcsuite/btcd/wire/v2"
)

// draft is a transaction in the making: everything in hex, the record apart.
type draft struct {
	ins  []draftIn
	outs []draftOut
	body string // type and body of the record, "" for none
	burn int64  // value of the record's output
}

type draftIn struct {
	coin modelCoin
	sig  []byte
	wit  wire.TxWitness
}

type draftOut struct {
	units  int64
	script string
}

// spends tells whether the coin comes in already.
func (d *draft) spends(op wire.OutPoint) bool {
	return slices.ContainsFunc(d.ins, func(i draftIn) bool { return i.coin.op == op })
}

func (d *draft) in(m *model, op wire.OutPoint) *draft {
	if c := m.coin(op); c != nil && !d.spends(op) {
		d.ins = append(d.ins, draftIn{coin: *c})
	}
	return d
}

func (d *draft) out(units int64, script string) *draft {
	d.outs = append(d.outs, draftOut{units, script})
	return d
}

// left is what comes in and does not go out.
func (d *draft) left() int64 {
	left := -d.burn
	for _, in := range d.ins {
		left += in.coin.units.Int64()
	}
	for _, out := range d.outs {
		left -= out.units
	}
	return left
}

func (d *draft) msg() *wire.MsgTx {
	msg := wire.NewMsgTx(2)
	for _, in := range d.ins {
		msg.AddTxIn(wire.NewTxIn(&in.coin.op, in.sig, in.wit))
	}
	for _, out := range d.outs {
		script, _ := hex.DecodeString(out.script)
		msg.AddTxOut(wire.NewTxOut(out.units, script))
	}
	if d.body != "" {
		script, _ := hex.DecodeString(recordForm(d.body))
		msg.AddTxOut(wire.NewTxOut(d.burn, script))
	}
	return msg
}

func (h *history) chance(n int) bool { return h.rng.IntN(n) == 0 }

func pick[T any](h *history, list []T) T { return list[h.rng.IntN(len(list))] }

// coinsOf are the coins of a kind, "" for ordinary ones.
func coinsOf(m *model, kind string) []modelCoin {
	specials := m.specials()
	var list []modelCoin
	for _, c := range m.coins {
		if m.kind(specials, c).kind == kind {
			list = append(list, c)
		}
	}
	return list
}

// wealth is the sum of coins.
func wealth(coins []modelCoin) int64 {
	sum := int64(0)
	for _, c := range coins {
		sum += c.units.Int64()
	}
	return sum
}

// fund adds coins until the outputs are paid, and change; it tells whether
// there were enough.
func (h *history) fund(d *draft, coins []modelCoin) bool {
	at := h.rng.IntN(len(coins) + 1)
	for i := range coins {
		if d.left() >= 0 && (len(d.ins) > 0 || i > 0) {
			break
		}
		c := coins[(at+i)%len(coins)]
		if c.units.Sign() > 0 && !d.spends(c.op) {
			d.ins = append(d.ins, draftIn{coin: c})
		}
	}
	left := d.left()
	if left < 0 || len(d.ins) == 0 {
		return false
	}
	if fee := int64(h.rng.IntN(300)); left > fee {
		d.out(left-fee, h.someScript())
	}
	return true
}

// someScript is one of a few, so that scripts meet again.
func (h *history) someScript() string { return hex.EncodeToString(keyScript(byte(40 + h.rng.IntN(6)))) }

// seatDraft is a transaction of a seat.
func (h *history) seatDraft(m *model, seat int, body string) *draft {
	script := hex.EncodeToString(keyScript(byte(h.rng.IntN(256))))
	return (&draft{body: body}).in(m, m.seats[seat].out).out(0, script)
}

// randomSeat is a seat of a role, one that has not acted if there is one; now
// and then any seat.
func (h *history) randomSeat(m *model, role int64) int {
	if h.chance(40) {
		return h.rng.IntN(len(m.seats))
	}
	var idle, all []int
	for i, s := range m.seats {
		if s.role == role {
			all = append(all, i)
			if s.height < m.height {
				idle = append(idle, i)
			}
		}
	}
	if len(idle) > 0 && !h.chance(20) {
		return pick(h, idle)
	}
	return pick(h, all)
}

// nameHex is a number and id as a record names an object.
func nameHex(number int64, id string) string { return le(8, number) + id }

// mutate spoils a draft in one or two small ways.
func (h *history) mutate(m *model, d *draft) {
	for range 1 + h.rng.IntN(2) {
		switch h.rng.IntN(12) {
		case 0, 1, 2:
			h.mutateBody(d)
		case 3, 4:
			h.mutateInput(m, d)
		case 5, 6:
			if len(d.outs) > 0 {
				out := &d.outs[h.rng.IntN(len(d.outs))]
				out.units = max(0, out.units+int64(h.rng.IntN(5))-2)
			}
		case 7, 8:
			if len(d.outs) > 0 {
				d.outs[h.rng.IntN(len(d.outs))].script = h.anyScript(m)
			}
		case 9:
			if len(d.outs) > 0 {
				at := h.rng.IntN(len(d.outs))
				d.outs = slices.Delete(slices.Clone(d.outs), at, at+1)
			}
		case 10:
			at := h.rng.IntN(len(d.outs) + 1)
			d.outs = slices.Insert(slices.Clone(d.outs), at, draftOut{0, h.anyScript(m)})
		case 11:
			if len(d.outs) > 1 {
				i, j := h.rng.IntN(len(d.outs)), h.rng.IntN(len(d.outs))
				d.outs[i], d.outs[j] = d.outs[j], d.outs[i]
			}
		}
	}
}

func (h *history) mutateBody(d *draft) {
	raw, _ := hex.DecodeString(d.body)
	if len(raw) == 0 {
		return
	}
	switch h.rng.IntN(8) {
	case 0:
		raw = raw[:len(raw)-1]
	case 1:
		raw = append(raw, byte(h.rng.IntN(3)))
	case 2, 3, 4:
		raw[h.rng.IntN(min(len(raw), 20))] ^= 1 << h.rng.IntN(8)
	case 5:
		raw[h.rng.IntN(len(raw))] ^= 1 << h.rng.IntN(8)
	case 6:
		raw[h.rng.IntN(len(raw))] += byte(h.rng.IntN(3) - 1)
	case 7:
		d.burn = 1
	}
	d.body = hex.EncodeToString(raw)
}

func (h *history) mutateInput(m *model, d *draft) {
	at := h.rng.IntN(len(d.ins))
	for range 3 { // what the treasury holds is worth a trial
		if d.ins[at].coin.script != m.treasury() {
			at = h.rng.IntN(len(d.ins))
		}
	}
	switch h.rng.IntN(7) {
	case 0:
		d.ins[at].wit = wire.TxWitness{nil}
	case 1:
		d.ins[at].sig = []byte{0x51}
	case 2:
		if len(d.ins) > 1 {
			d.ins = slices.Delete(slices.Clone(d.ins), at, at+1)
		}
	case 3:
		other := h.rng.IntN(len(d.ins))
		d.ins[at], d.ins[other] = d.ins[other], d.ins[at]
	default: // something else comes in, at any place
		kind := []string{"seat", "token", "escrow", "bond", "pending", "pool", ""}[h.rng.IntN(7)]
		coins := coinsOf(m, kind)
		if len(coins) == 0 {
			return
		}
		c := pick(h, coins)
		if d.spends(c.op) {
			return
		}
		if h.chance(2) {
			d.ins[at].coin = c
		} else {
			d.ins = slices.Insert(slices.Clone(d.ins), h.rng.IntN(len(d.ins)+1), draftIn{coin: c})
		}
	}
}

func (h *history) anyScript(m *model) string {
	switch h.rng.IntN(14) {
	case 0:
		return m.treasury()
	case 1:
		return "6a0102"
	case 2:
		return hex.EncodeToString(slices.Repeat([]byte{0x51}, h.rng.IntN(50)))
	case 3:
		return hex.EncodeToString(slices.Repeat([]byte{0x51}, 9_999+h.rng.IntN(3)))
	}
	return h.someScript()
}

// below is a number from 1 to v, often near an end.
func (h *history) below(v *big.Int) *big.Int {
	if v.Sign() <= 0 || !v.IsInt64() {
		return v
	}
	n := v.Int64()
	switch h.rng.IntN(6) {
	case 0:
		return v
	case 1:
		return big.NewInt(1)
	case 2:
		return big.NewInt(max(1, n-1))
	}
	return big.NewInt(1 + h.rng.Int64N(n))
}
