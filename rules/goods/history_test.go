package goods_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"maps"
	"math/big"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/rules/goods"
)

// The random transactions of goods coming in and coins going out. Most are
// right or nearly right.

// acting is a transaction of a seat with a record.
func (h *history) acting(m *model, seat int, r goods.Record) *wire.MsgTx {
	msg := wire.NewMsgTx(2)
	msg.AddTxIn(wire.NewTxIn(&m.seats[seat].out, nil, nil))
	msg.AddTxOut(wire.NewTxOut(0, keyScript(byte(h.rng.IntN(256)))))
	record := goods.RecordScript(r)
	if h.rng.IntN(25) == 0 && len(record) < 70 { // a byte less
		record = append(bytes.Clone(record[:1]), record[1:len(record)-1]...)
		record[1]--
	}
	msg.AddTxOut(wire.NewTxOut(0, record))
	return msg
}

func (h *history) randomSeat(m *model, role int) int {
	var seats []int
	for i, s := range m.seats {
		if s.role == role {
			seats = append(seats, i)
		}
	}
	if h.rng.IntN(15) == 0 {
		return h.rng.IntN(len(m.seats))
	}
	return seats[h.rng.IntN(len(seats))]
}

// randomAttest stands behind some of the last proposals, or new ones.
func (h *history) randomAttest(m *model) *wire.MsgTx {
	for range h.rng.IntN(3) {
		h.proposals = append(h.proposals, h.proposal(m))
	}
	var r goods.Attest
	for _, p := range h.proposals[max(0, len(h.proposals)-6):] {
		if h.rng.IntN(5) > 0 {
			r.Proposals = append(r.Proposals, goods.ProposalHash(h.w.charter.ID(), p))
		}
	}
	if len(r.Proposals) == 0 || h.rng.IntN(8) == 0 {
		r.Proposals = append(r.Proposals, chainhash.Hash{byte(h.rng.IntN(256))})
	}
	slices.SortFunc(r.Proposals, func(a, b chainhash.Hash) int { return bytes.Compare(a[:], b[:]) })
	if h.rng.IntN(20) == 0 {
		slices.Reverse(r.Proposals)
	}
	return h.acting(m, h.randomSeat(m, 2), r)
}

// proposal makes a receive record for the blocks to come.
func (h *history) proposal(m *model) goods.Receive {
	next := m.height + 1
	r := goods.Receive{Custodian: uint16(h.rng.IntN(2)), Expiry: next + int32(h.rng.IntN(22))}
	if h.rng.IntN(20) == 0 {
		r.Custodian = uint16(h.rng.IntN(4))
	}
	depth := h.rng.IntN(4)
	switch h.rng.IntN(12) {
	case 0:
		depth = h.rng.IntN(20) - 2
	case 1:
		depth = 120
	}
	r.Observed.Height = max(0, m.height-int32(depth))
	if at := int(r.Observed.Height); at < len(m.goods.hashes) {
		hash, _ := hex.DecodeString(m.goods.hashes[at])
		copy(r.Observed.Hash[:], hash)
	}
	if h.rng.IntN(25) == 0 {
		r.Observed.Hash[3] ^= 1
	}
	for range 1 + h.rng.IntN(3) {
		r.Openings = append(r.Openings, h.opening(r.Custodian))
	}
	return r
}

func (h *history) opening(custodian uint16) goods.Opening {
	h.lots++
	o := goods.Opening{Serial: fmt.Sprintf("LOT-%d", h.lots), Location: "Hall", Script: keyScript(byte(h.rng.IntN(8)))}
	if h.rng.IntN(12) == 0 {
		o.Serial = fmt.Sprintf("LOT-%d", 1+h.rng.IntN(h.lots))
	}
	allowed := h.w.charter.Custodians[custodian%2].Allowances
	a := allowed[h.rng.IntN(len(allowed))]
	o.Good = a.Good
	least := h.w.charter.Goods[o.Good].MinReceipt
	o.Quantity = least + h.rng.Int64N(least)
	switch h.rng.IntN(25) {
	case 0:
		o.Good = uint16(h.rng.IntN(5))
	case 1:
		o.Quantity = least - 1
	case 2:
		o.Quantity = a.Limit/2 + h.rng.Int64N(a.Limit)
	case 3:
		o.Quantity = 1<<63 - 1
	case 4:
		o.Script = h.anyScript()
		o.Script = o.Script[:min(len(o.Script), 50)]
	case 5:
		o.Serial = []string{"", "low-a", "A B", "0123456789012345678901234567890123456789", "01234567890123456789012345678901234567890"}[h.rng.IntN(5)]
	case 6:
		o.Registry = uint16(h.rng.IntN(2))
	case 7:
		o.Location = []string{"", "a\x7f", "a\x1f", string(bytes.Repeat([]byte{' '}, 64)), string(bytes.Repeat([]byte{'~'}, 65))}[h.rng.IntN(5)]
	}
	return o
}

// randomReceive uses a proposal, attested or not, at the right seat mostly.
func (h *history) randomReceive(m *model) *wire.MsgTx {
	if len(h.proposals) == 0 {
		h.proposals = append(h.proposals, h.proposal(m))
	}
	last := h.proposals[max(0, len(h.proposals)-8):]
	var ready []goods.Receive // those that enough auditors attest
	for _, p := range last {
		hash := goods.ProposalHash(h.w.charter.ID(), p)
		count := 0
		for auditor := range 3 {
			if _, ok := m.goods.attested[fmt.Sprintf("%s%04x", hex.EncodeToString(hash[:]), auditor)]; ok {
				count++
			}
		}
		if count >= 2 {
			ready = append(ready, p)
		}
	}
	if len(ready) == 0 || h.rng.IntN(6) == 0 {
		ready = last
	}
	p := ready[h.rng.IntN(len(ready))]
	seat := int(p.Custodian) % 2
	if h.rng.IntN(15) == 0 {
		seat = h.randomSeat(m, 1+h.rng.IntN(3))
	}
	if h.rng.IntN(30) == 0 {
		p.Expiry++
	}
	return h.acting(m, seat, p)
}

// randomDraw carries coins of a receipt out, nil where there is no receipt.
func (h *history) randomDraw(m *model) *wire.MsgTx {
	numbers := slices.Sorted(maps.Keys(m.goods.receipts))
	if len(numbers) == 0 {
		return nil
	}
	r := m.goods.receipts[numbers[h.rng.IntN(len(numbers))]]
	quantity := new(big.Int).Set(r.undrawn)
	if h.rng.IntN(2) == 0 && quantity.Sign() > 0 {
		quantity = big.NewInt(1 + h.rng.Int64N(quantity.Int64()))
		for quantity.Int64() > 1 && h.rng.IntN(10) > 0 { // the smallest with this credit
			less := new(big.Int).Sub(quantity, big.NewInt(1))
			if m.goods.credit(&r, less).Cmp(m.goods.credit(&r, quantity)) != 0 {
				break
			}
			quantity = less
		}
	}
	if h.rng.IntN(30) == 0 {
		quantity.Add(quantity, big.NewInt(1))
	}
	draw := goods.Draw{Receipt: uint64(r.number), Quantity: quantity.Int64()}
	id, _ := hex.DecodeString(r.id)
	copy(draw.ID[:], id)
	switch h.rng.IntN(40) {
	case 0:
		draw.ID[7] ^= 1
	case 1:
		draw.Receipt += uint64(1 + h.rng.IntN(3))
	case 2:
		draw.Receipt |= 1 << 63
	}
	release := m.goods.credit(&r, quantity)
	return h.drawTx(m, &r, draw, release.Int64(), m.goods.fee(release).Int64())
}

func (h *history) drawTx(m *model, r *modelReceipt, draw goods.Draw, release, fee int64) *wire.MsgTx {
	msg := wire.NewMsgTx(2)
	in := int64(0)
	for tries := 0; in < release && tries < 60 || len(msg.TxIn) == 0; tries++ {
		op := h.anyCoin(m, h.rng.IntN(60) > 0)
		if slices.ContainsFunc(msg.TxIn, func(in *wire.TxIn) bool { return in.PreviousOutPoint == op }) {
			continue
		}
		msg.AddTxIn(wire.NewTxIn(&op, nil, nil))
		in += m.coins[op].units.Int64()
	}
	script, _ := hex.DecodeString(r.script)
	treasury := goods.TreasuryScript(h.w.charter.ID())
	pay, back := release-fee, in-release
	switch h.rng.IntN(30) { // kept within what comes in
	case 0:
		pay--
	case 1:
		pay, back = pay+1, back-1
	case 2:
		pay, back = pay-1, back+1
	case 3:
		script = keyScript(200)
	case 4:
		treasury = keyScript(201)
	case 5:
		msg.TxIn[0].Witness = wire.TxWitness{nil}
	case 6:
		msg.TxIn[0].SignatureScript = []byte{0x51}
	}
	msg.AddTxOut(wire.NewTxOut(max(pay, 0), script))
	if back > 0 || h.rng.IntN(3) == 0 {
		msg.AddTxOut(wire.NewTxOut(max(back, 0), treasury))
	}
	if h.rng.IntN(40) == 0 {
		msg.AddTxOut(wire.NewTxOut(0, keyScript(9)))
	}
	msg.AddTxOut(wire.NewTxOut(0, goods.RecordScript(draw)))
	return msg
}
