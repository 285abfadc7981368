package goods_test

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/btcsuite/btcd/wire/v2"
)

// rare is how seldom something is, by the mood of the history.
func (h *history) rare(n int, mood string) int { return max(1, n*2/h.moods[mood]) }

// transaction makes one, often nearly right, with the model's verdict; nil
// where nothing fits.
func (h *history) transaction(m *model) *trial {
	choices := []struct {
		weight int
		mood   string
		make   func(*model) *draft
	}{
		{30, "attest", h.attest},
		{30, "act", h.act},
		{14, "draw", h.draw},
		{12 + 100*boolToInt(len(m.withdrawn) > 0), "redeem", h.redeem}, // the price keeps what was withdrawn
		{4, "reclaim", h.reclaim},
		{2, "deliver", h.deliverByToken},
		{5, "deliver", h.lapse},
		{6, "settle", h.settle},
		{2, "deliver", h.assign},
		{6, "bond", h.bond},
		{5, "unbond", h.unbond},
		{5, "bond", h.slash},
		{6, "amend", h.amend},
		{4, "reseat", h.reseat},
		{1, "other", h.rotate},
		{4, "other", h.other},
	}
	sum := 0
	for _, c := range choices {
		sum += c.weight * h.moods[c.mood]
	}
	for range 6 {
		at := h.rng.IntN(sum)
		for _, c := range choices {
			if at -= c.weight * h.moods[c.mood]; at >= 0 {
				continue
			}
			d := c.make(m)
			if d == nil || len(d.ins) == 0 {
				break
			}
			tx := m.view(h.finish(m, d))
			code := m.judge(tx)
			if tx.left() < 0 && code != "goods-amount" { // not a transaction by Bitcoin's rules
				break
			}
			if code == "" || h.chance(3) {
				return &trial{tx, code}
			}
			break
		}
	}
	return nil
}

// finish spoils a draft now and then.
func (h *history) finish(m *model, d *draft) *wire.MsgTx {
	if h.chance(7) {
		before := draft{ins: slices.Clone(d.ins), outs: slices.Clone(d.outs), body: d.body}
		h.mutate(m, d)
		if coins := coinsOf(m, ""); d.left() < 0 && len(coins) > 0 {
			if c := pick(h, coins); !d.spends(c.op) {
				d.ins = append(d.ins, draftIn{coin: c})
			}
		}
		if len(d.ins) == 0 || d.left() < 0 {
			d = &before
		}
	}
	msg := d.msg()
	if len(msg.TxOut) == 0 {
		msg.AddTxOut(wire.NewTxOut(0, keyScript(byte(h.rng.IntN(256)))))
	}
	switch h.rng.IntN(400) {
	case 0: // a weight at the edge of what a seat may have
		msg.TxIn[0].SignatureScript = make([]byte, 9_700+h.rng.IntN(300))
	case 1:
		msg.TxOut[h.rng.IntN(len(msg.TxOut))].Value = []int64{-1, 21e14, 21e14 + 1}[h.rng.IntN(3)]
	case 2:
		msg.AddTxOut(msg.TxOut[len(msg.TxOut)-1])
	case 3:
		msg.AddTxOut(wire.NewTxOut(0, keyScript(7)))
	}
	return msg
}

// other is anything: payments, burns, seats without a record, records
// without a seat, records that are none.
func (h *history) other(m *model) *draft {
	d := &draft{}
	acts := h.chance(3)
	if acts {
		d.in(m, m.seats[h.rng.IntN(len(m.seats))].out)
		d.out(0, h.anyScript(m))
	}
	kinds := []string{"", "", "", "", "", "", "", "seat", "token", "escrow", "bond", "pending", "pool"}
	for range 1 + h.rng.IntN(2) {
		if coins := coinsOf(m, pick(h, kinds)); len(coins) > 0 {
			d.in(m, pick(h, coins).op)
		}
	}
	for range h.rng.IntN(3) {
		if left := d.left(); left > 0 {
			d.out(h.rng.Int64N(left+1), h.anyScript(m))
		}
	}
	if acts && !h.chance(6) || h.chance(8) {
		d.outs = append(d.outs, draftOut{0, h.anyRecord()})
	}
	return d
}

func (h *history) anyRecord() string {
	if h.chance(3) {
		return recordForm("01")
	}
	script := recordForm(pick(h, []string{
		"", "00", "01", "0100", "02", "ff", "14", strings.Repeat("07", 1+h.rng.IntN(400)), strings.Repeat("00", 8_001), strings.Repeat("01", 8_002),
	}))
	if h.chance(60) {
		script = recordForm(strings.Repeat("00", 65_530+h.rng.IntN(4)))
	}
	switch h.rng.IntN(8) {
	case 0:
		return script + "51"
	case 1:
		return fmt.Sprintf("6a4c%02x", len(script)/2-2&0xff) + script[4:]
	case 2:
		return script[:len(script)-2]
	}
	return script
}

// spoil edits a valid coinbase, perhaps into another valid one.
func (h *history) spoil(m *model, cb *wire.MsgTx) {
	script := func(text string) []byte { b, _ := hex.DecodeString(text); return b }
	for range 1 + h.rng.IntN(2) {
		n := len(cb.TxOut)
		if n == 0 {
			return
		}
		i, j := h.rng.IntN(n), h.rng.IntN(n)
		if h.chance(4) {
			i = n - 1
		}
		out := *cb.TxOut[i]
		switch h.rng.IntN(9) {
		case 0:
			cb.TxOut = slices.Delete(slices.Clone(cb.TxOut), i, i+1)
		case 1:
			cb.TxOut[i], cb.TxOut[j] = cb.TxOut[j], cb.TxOut[i]
		case 2:
			out.Value += int64(h.rng.IntN(5)) - 2
			cb.TxOut[i] = &out
		case 3:
			cb.TxOut = slices.Insert(slices.Clone(cb.TxOut), i, wire.NewTxOut(0, script(h.anyScript(m))))
		case 4:
			cb.TxOut = slices.Insert(slices.Clone(cb.TxOut), i, cb.TxOut[j])
		case 5:
			cb.AddTxOut(wire.NewTxOut(0, script("6a24aa21a9ed"+strings.Repeat("00", h.rng.IntN(40)))))
		case 6:
			out.PkScript = slices.Clone(out.PkScript)
			if len(out.PkScript) > 0 {
				out.PkScript[len(out.PkScript)-1] ^= 1
			}
			cb.TxOut[i] = &out
		case 7:
			cb.TxOut = slices.Insert(slices.Clone(cb.TxOut), i, wire.NewTxOut(0, script(h.anyRecord())))
		case 8:
			if i != j {
				from, to := *cb.TxOut[i], *cb.TxOut[j]
				from.Value, to.Value = 0, to.Value+from.Value
				cb.TxOut[i], cb.TxOut[j] = &from, &to
			}
		}
	}
}
