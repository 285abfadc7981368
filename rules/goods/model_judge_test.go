package goods_test

import (
	"encoding/hex"
	"math/big"
	"slices"

	"github.com/btcsuite/btcd/wire/v2"
)

// modelTx is a transaction with what its inputs are.
type modelTx struct {
	msg   *wire.MsgTx
	ins   []modelIn
	outs  []modelOut // without the record
	taken map[int]bool
	rec   *modelRecord
	form  string // the code of a wrong record, "" if it is right or none
	seat  int    // the acting seat's place in seats, -1 if none acts
}

type modelIn struct {
	modelCoin
	special
	empty bool // neither signature script nor witness item
}

type modelOut struct {
	units  *big.Int
	script string
}

// view looks a transaction up in the model's coins.
func (m *model) view(msg *wire.MsgTx) *modelTx {
	tx := &modelTx{msg: msg, taken: map[int]bool{}, seat: -1}
	specials := m.specials()
	for _, in := range msg.TxIn {
		v := modelIn{modelCoin: *m.coin(in.PreviousOutPoint), empty: len(in.SignatureScript) == 0 && len(in.Witness) == 0}
		v.special = m.kind(specials, v.modelCoin)
		tx.ins = append(tx.ins, v)
	}
	records, at, body := 0, 0, ""
	for i, out := range msg.TxOut {
		script := hex.EncodeToString(out.PkScript)
		if found, ok := recordOf(script); ok {
			records++
			at, body = i, found
		}
		tx.outs = append(tx.outs, modelOut{big.NewInt(out.Value), script})
	}
	if records == 0 {
		return tx
	}
	tx.outs = tx.outs[:len(tx.outs)-1]
	ok := false
	switch {
	case records > 1:
		tx.form = "goods-record-many"
	case at != len(msg.TxOut)-1:
		tx.form = "goods-record-position"
	case m.height < 101:
		tx.form = "goods-record-early"
	case body == "":
		tx.form = "goods-record-malformed"
	case len(body) > 2*8_001:
		tx.form = "goods-record-size"
	case body[:2] < "01" || body[:2] > "13":
		tx.form = "goods-record-unknown"
	default:
		if tx.rec, ok = parseModel(body); !ok {
			tx.form = "goods-record-malformed"
		}
	}
	return tx
}

// judge is the code of the first rule that a transaction breaks, "" if none.
func (m *model) judge(tx *modelTx) string {
	if code := tx.amountCode(); code != "" {
		return code
	}
	if tx.form != "" {
		return tx.form
	}
	switch {
	case tx.rec == nil:
		for _, in := range tx.ins {
			if in.kind == "seat" {
				return "goods-seat-record"
			}
		}
	case tx.rec.acts():
		if code := m.seatCode(tx); code != "" {
			return code
		}
	}
	if tx.rec != nil {
		if code := m.recordCode(tx, tx.rec); code != "" {
			return code
		}
	}
	for i, in := range tx.ins {
		if tx.taken[i] {
			continue
		}
		switch in.kind {
		case "pool", "escrow", "bond":
			return "goods-treasury-spend"
		case "seat":
			return "goods-seat-record"
		case "token":
			return "goods-token-spend"
		case "pending":
			return "goods-pending-spend"
		}
	}
	return ""
}

func (tx *modelTx) amountCode() string {
	sum := int64(0)
	for _, out := range tx.msg.TxOut {
		if out.Value < 0 || out.Value > 21e14 || sum+out.Value > 21e14 {
			return "goods-amount"
		}
		sum += out.Value
	}
	return ""
}

// left is what comes in and does not go out.
func (tx *modelTx) left() int64 {
	left := int64(0)
	for _, in := range tx.ins {
		left += in.units.Int64()
	}
	for _, out := range tx.msg.TxOut {
		left -= out.Value
	}
	return left
}

// seatCode judges a record that acts for a seat: the seat's own conditions.
func (m *model) seatCode(tx *modelTx) string {
	var places []int
	for i, in := range tx.ins {
		if in.kind == "seat" {
			places = append(places, i)
		}
	}
	switch {
	case len(places) == 0:
		return "goods-seat-missing"
	case len(places) > 1:
		return "goods-seat-many"
	case places[0] != 0:
		return "goods-seat-input"
	}
	tx.seat = int(tx.ins[0].of)
	tx.taken[0] = true
	first := tx.msg.TxOut[0]
	switch {
	case m.seats[tx.seat].height == m.height:
		return "goods-seat-twice"
	case tx.msg.SerializeSizeStripped()*3+tx.msg.SerializeSize() > 40_000:
		return "goods-seat-weight"
	case first.Value != 0:
		return "goods-seat-value"
	case !m.mayName(hex.EncodeToString(first.PkScript)):
		return "goods-seat-script"
	}
	return ""
}

func (m *model) recordCode(tx *modelTx, rec *modelRecord) string {
	switch rec.kind {
	case "02":
		if m.seats[tx.seat].role != 2 {
			return "goods-actor"
		}
	case "03":
		return m.receiveCode(tx, rec)
	case "04":
		return m.drawCode(tx, rec)
	case "05":
		return m.reclaimCode(tx, rec)
	case "06":
		return m.redeemCode(tx, rec)
	case "07":
		return m.tenderCode(tx, rec)
	case "08":
		return m.deliverCode(tx, rec)
	case "09":
		return m.lapseCode(tx, rec)
	case "0a":
		return m.settleCode(tx, rec)
	case "0b":
		return m.slashCode(tx, rec)
	case "0c":
		return m.assignCode(tx, rec)
	case "0d":
		return m.auditCode(tx, rec)
	case "0e":
		return m.suspendCode(tx, rec)
	case "0f":
		return m.liftCode(tx, rec)
	case "10":
		return m.bondCode(tx, rec)
	case "11":
		return m.unbondCode(tx, rec)
	case "12":
		return m.amendCode(tx, rec)
	case "13":
		return m.reseatCode(tx, rec)
	}
	return ""
}

// apply does what a valid transaction says, and moves coins and seats.
func (m *model) apply(tx *modelTx) {
	m.meanings = nil
	in, out := new(big.Int), new(big.Int)
	for _, i := range tx.ins {
		in = plus(in, i.units)
		if i.kind == "pool" || i.kind == "escrow" {
			m.moved = plus(m.moved, i.units)
		}
	}
	if tx.rec != nil {
		m.applyRecord(tx, tx.rec)
	}
	if tx.seat >= 0 {
		s := &m.seats[tx.seat]
		s.out, s.script, s.height = wire.OutPoint{Hash: tx.msg.TxHash()}, hex.EncodeToString(tx.msg.TxOut[0].PkScript), m.height
	}
	for _, i := range tx.ins {
		for at := range m.coins {
			if m.coins[at].op == i.op {
				m.coins = slices.Delete(m.coins, at, at+1)
				break
			}
		}
	}
	m.create(tx.msg)
	specials := m.specials()
	m.meanings = specials
	for i, o := range tx.msg.TxOut {
		units := big.NewInt(o.Value)
		out = plus(out, units)
		script := hex.EncodeToString(o.PkScript)
		kind := m.kind(specials, modelCoin{op: outpoint(tx, uint32(i)), script: script}).kind
		if kind == "pool" || kind == "escrow" || dead(script) {
			m.moved = minus(m.moved, units)
		}
	}
	m.fees = plus(m.fees, minus(in, out))
}

func (m *model) applyRecord(tx *modelTx, rec *modelRecord) {
	if rec.attested() {
		m.used[m.proposalOf(rec.body)] = rec.expiry
	}
	m.seen[rec.name()]++
	if tx.seat >= 0 && m.seats[tx.seat].since > 1 {
		m.seen["acts, after "+[]string{"", "joining", "a reseat"}[1+boolToInt(m.launched(m.seats[tx.seat]))]]++
	}
	switch rec.kind {
	case "02":
		for _, hash := range rec.proposals {
			m.attested[hash+be(2, m.seats[tx.seat].index)] = [2]int64{m.height, height31(m.height + m.params[pLife])}
		}
	case "03":
		m.receive(tx, rec)
	case "04":
		m.draw(tx, rec)
	case "05", "06":
		m.claim(tx, rec)
	case "07":
		for _, c := range m.open(rec) {
			c.tendered = m.height
			m.claims[c.number] = c
		}
		m.seen["passed over in a list"] += len(rec.items) - len(m.open(rec))
	case "08":
		for _, c := range m.open(rec) {
			m.endClaim(c.number, "delivered")
		}
	case "09":
		m.endClaim(rec.items[0].number.Int64(), "lapsed")
	case "0a":
		m.settle(rec)
	case "0b":
		m.slash(tx, rec)
	case "0c":
		c := m.claims[rec.items[0].number.Int64()]
		c.token, c.tokenHeight, c.tokenScript = wire.OutPoint{Hash: tx.msg.TxHash()}, m.height, tx.outs[0].script
		m.claims[c.number] = c
	case "0d":
		m.audit(rec)
	case "0e":
		m.suspend(rec.custodian)
	case "0f":
		m.custody[rec.custodian].suspended, m.custody[rec.custodian].suspendedAt = false, 0
	case "10":
		m.bond(tx, rec)
	case "11":
		m.unbond(tx, rec)
	case "12", "13":
		m.change(tx, rec)
	}
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// launched: the seat is of the charter, not of an amendment.
func (m *model) launched(s modelSeat) bool {
	switch s.role {
	case 1:
		return int(s.index) < len(m.charter.Custodians)
	case 2:
		return int(s.index) < len(m.charter.Auditors)
	}
	return true
}

var recordNames = map[string]string{
	"01": "rotate", "02": "attest", "03": "receive", "04": "draw", "05": "reclaim", "06": "redeem", "07": "tender", "08": "deliver",
	"09": "lapse", "0a": "settle", "0b": "slash", "0c": "assign", "0d": "audit", "0e": "suspend", "0f": "lift", "10": "bond",
	"11": "unbond", "12": "amend", "13": "reseat",
}

// name is the record for the counters, with its form.
func (rec *modelRecord) name() string {
	name := recordNames[rec.kind]
	if rec.sub >= 0 {
		name += " " + be(1, rec.sub)
	}
	return name
}
