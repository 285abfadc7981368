package goods_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/params"
	"granary/rules/goods"
	"granary/state"
	"granary/state/tree"
)

// custodyWorld is a chain at height 100 whose charter differs from the demo's
// as edit says.
func custodyWorld(t *testing.T, edit func(c *params.Charter)) *world {
	t.Helper()
	c := *newWorld(t).charter
	c.Goods = append([]params.Good(nil), c.Goods...)
	edit(&c)
	c.Low, c.High = c.Parameters, c.Parameters
	charter, err := params.NewCharter(c)
	if err != nil {
		t.Fatal(err)
	}
	w := worldOf(t, charter)
	w.mine(100)
	return w
}

// bondTx is a bond of a new coin.
func (w *world) bondTx(custodian uint16, units int64) *wire.MsgTx {
	w.t.Helper()
	op, seat := w.grant(units), w.seat(state.RoleCustodian, custodian)
	bond, record := goods.BondOutputs(w.charter.ID(), custodian, units, keyScript(40))
	msg := wire.NewMsgTx(2)
	msg.AddTxIn(wire.NewTxIn(&seat.Out, nil, nil))
	msg.AddTxIn(wire.NewTxIn(&op, nil, nil))
	msg.AddTxOut(wire.NewTxOut(0, seat.Script))
	msg.AddTxOut(bond)
	msg.AddTxOut(record)
	return msg
}

// withdrawTx withdraws what a custodian announced.
func (w *world) withdrawTx(custodian uint16) *wire.MsgTx {
	w.t.Helper()
	seat := w.seat(state.RoleCustodian, custodian)
	bonds, outs, record := goods.WithdrawParts(w.charter.ID(), custodian, w.standing(custodian))
	msg := wire.NewMsgTx(2)
	msg.AddTxIn(wire.NewTxIn(&seat.Out, nil, nil))
	for i := range bonds {
		msg.AddTxIn(wire.NewTxIn(&bonds[i], nil, nil))
	}
	msg.AddTxOut(wire.NewTxOut(0, seat.Script))
	for _, out := range append(outs, record) {
		msg.AddTxOut(out)
	}
	return msg
}

// code judges a transaction in a block of its own and gives the code, "" if it
// is valid. The world stays.
func (w *world) code(msg *wire.MsgTx) check.Code {
	w.t.Helper()
	return check.CodeOf(w.begin().tx(msg))
}

// What bonds must cover is rounded up: of goods worth 333 units at 333 basis
// points that is 11.0889.
func TestBondsSufficeRoundsUp(t *testing.T) {
	w := custodyWorld(t, func(c *params.Charter) {
		c.Parameters.UnbondedAllowanceUnits, c.Parameters.BondRatioBP = 0, 333
		c.Goods[2].ParNum, c.Goods[2].ParDen = 1, 3
	})
	r := goods.Receive{
		Custodian: 1, Expiry: 110, Observed: goods.Observed{Height: 100, Hash: w.tip.Hash},
		Openings: []goods.Opening{{Good: 2, Serial: "S", Quantity: 1_000, Script: keyScript(30)}},
	}
	hash := goods.ProposalHash(w.charter.ID(), r)
	w.blockOf(w.attestTx(0, hash), w.attestTx(1, hash))
	w.blockOf(w.bondTx(1, 11))
	if got := w.code(w.seatTx(state.RoleCustodian, 1, r)); got != goods.CodeBond {
		t.Fatalf("bonds of 11 units: %q", got)
	}
	w.blockOf(w.bondTx(1, 1))
	w.blockOf(w.seatTx(state.RoleCustodian, 1, r))
	w.check()
}

// An amendment that raises the ratio between announcement and withdrawal keeps
// the bonds where they are.
func TestWithdrawalNeedsTheRatioOfItsDay(t *testing.T) {
	w := newWorld(t)
	w.mine(100)
	w.blockOf(w.bondTx(0, 10_000_000))
	w.stock(0, goods.Opening{Good: 0, Serial: "A", Quantity: 2_001_000, Script: keyScript(30)}) // needs 5,000,000
	if got := w.code(w.seatTx(state.RoleCustodian, 0, goods.Unbond{Units: 5_000_001})); got != goods.CodeBond {
		t.Fatalf("a unit too many announced: %q", got)
	}
	w.blockOf(w.seatTx(state.RoleCustodian, 0, goods.Unbond{Units: 5_000_000}))
	w.mine(40)
	w.force(func(p *params.Parameters) { p.BondRatioBP = 1_001 })
	if got := w.code(w.withdrawTx(0)); got != goods.CodeBond {
		t.Fatalf("a ratio that rose: %q", got)
	}
	w.force(func(p *params.Parameters) { p.BondRatioBP = 1_000 })
	w.blockOf(w.withdrawTx(0))
	w.check()
	if s := w.standing(0); s.BondUnits() != 5_000_000 || s.AnnouncedUnits != 0 {
		t.Fatalf("after the withdrawal: %+v", s)
	}
}

// force changes the parameters in force as if an amendment had.
func (w *world) force(edit func(p *params.Parameters)) {
	w.t.Helper()
	p, err := goods.ReadParameters(w)
	if err != nil {
		w.t.Fatal(err)
	}
	edit(&p)
	over := state.NewOverlay(w, 0)
	if err := over.SetGoods(state.KeyParameters(), p.Encode()); err != nil {
		w.t.Fatal(err)
	}
	if _, err := tree.Update(over, []state.GoodsChange{{Key: state.KeyParameters(), New: p.Encode()}}); err != nil {
		w.t.Fatal(err)
	}
	w.apply(over.Changes(state.IsNodeKey))
	w.undo = nil
	w.check()
}

// What a slash leaves to its miner: nothing, or a tenth rounded up, as the
// charter says. A custodian that mines its own slash gains that and no more.
func TestMinersShareOfASlash(t *testing.T) {
	for share, pool := range map[int64]int64{0: 10_001, 1: 9_999, 1_000: 9_000} {
		w := custodyWorld(t, func(c *params.Charter) { c.Parameters.MinerShareBP = share })
		w.blockOf(w.bondTx(0, 20_000))
		w.owe(0, 10_001)
		before, err := goods.ReadTotals(w)
		if err != nil {
			t.Fatal(err)
		}
		subsidy := w.subsidy()
		w.blockOf(goods.SlashTx(w.charter.ID(), 0, w.standing(0), share))
		w.check()
		after, err := goods.ReadTotals(w)
		if err != nil {
			t.Fatal(err)
		}
		if got := after.PoolUnits - before.PoolUnits - subsidy; got != pool || before.CirculatingUnits-after.CirculatingUnits != pool {
			t.Errorf("share %d: the pool got %d units, L fell by %d", share, got, before.CirculatingUnits-after.CirculatingUnits)
		}
		if s := w.standing(0); s.DebtUnits != 0 || s.BondUnits() != 9_999 {
			t.Errorf("share %d: %+v", share, s)
		}
	}
}

// Whoever slashes how many bonds at a time: the debt is paid by as much as the
// bonds lose, the pool gets it but for the shares, and the recount holds.
func TestSlashesInAnyPieces(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 11))
	for round := range 40 {
		w := newWorld(t)
		w.mine(100)
		for range 1 + random.IntN(params.MaxBonds) {
			w.blockOf(w.bondTx(0, 1+random.Int64N(1_000)))
		}
		debt := 1 + random.Int64N(5_000)
		w.owe(0, debt)
		bonds := w.standing(0).BondUnits()
		for {
			s := w.standing(0)
			if random.IntN(3) == 0 && len(s.Bonds) > 0 { // only the oldest
				s.Bonds = s.Bonds[:1]
			}
			tx := goods.SlashTx(w.charter.ID(), 0, s, w.charter.Parameters.MinerShareBP)
			if tx == nil {
				break
			}
			w.blockOf(tx)
			w.check()
		}
		s, paid := w.standing(0), min(debt, bonds)
		if s.DebtUnits != debt-paid || s.BondUnits() != bonds-paid {
			t.Fatalf("round %d: debt %d over bonds of %d left %+v", round, debt, bonds, s)
		}
	}
}

// SlashTx and WithdrawParts where there is nothing to do.
func TestCustodyBuildersOfNothing(t *testing.T) {
	w := newWorld(t)
	id, bond := w.charter.ID(), []state.Bond{{Units: 5}}
	for _, s := range []*state.Standing{{}, {DebtUnits: 1}, {Bonds: bond}} {
		if tx := goods.SlashTx(id, 0, s, 100); tx != nil {
			t.Errorf("%+v: a slash %v", s, tx)
		}
		if bonds, outs, record := goods.WithdrawParts(id, 0, s); bonds != nil || outs != nil || record != nil {
			t.Errorf("%+v: a withdrawal", s)
		}
	}
}

// DebtOutputs pay a debt, wherever the payer's own outputs stand between them.
func TestDebtOutputs(t *testing.T) {
	w := newWorld(t)
	w.mine(100)
	w.owe(1, 600)
	op := w.grant(1_000)
	payment, record := goods.DebtOutputs(w.charter.ID(), 1, 600)
	msg := wire.NewMsgTx(2)
	msg.AddTxIn(wire.NewTxIn(&op, nil, nil))
	for _, out := range []*wire.TxOut{payment, wire.NewTxOut(300, keyScript(50)), record} {
		msg.AddTxOut(out)
	}
	w.blockOf(msg)
	w.check()
	if s := w.standing(1); s.DebtUnits != 0 || s.DefaultAt != 0 {
		t.Fatalf("%+v", s)
	}
}

// The largest audit: 248 receipts, a loss in each. It fits a record and a
// seat's weight, and costs a change of each.
func TestLargestAudit(t *testing.T) {
	w := newWorld(t)
	w.mine(100)
	for opened := 0; opened < params.MaxAudited; {
		var openings []goods.Opening
		for range min(params.MaxOpenings, params.MaxAudited-opened) {
			openings = append(openings, goods.Opening{Good: 0, Serial: fmt.Sprintf("L-%d", opened), Quantity: 1_000, Script: keyScript(30)})
			opened++
		}
		w.stock(0, openings...)
	}
	r := goods.Audit{Auditor: 2, Expiry: w.height + 2, Observed: goods.Observed{Height: w.height, Hash: w.tip.Hash}}
	err := goods.RangeReceipts(w, func(receipt *state.Receipt) bool {
		r.Audited = append(r.Audited, goods.AuditedReceipt{Receipt: receipt.Number, ID: receipt.ID, Lost: receipt.Lost, Loss: 1 + int64(receipt.Number)})
		return true
	})
	if err != nil || len(r.Audited) != params.MaxAudited {
		t.Fatalf("%d receipts: %v", len(r.Audited), err)
	}
	w.attested(r, state.RoleAuditor, 2)
	if s := w.standing(0); s.DebtUnits != 50_000*(248*249/2) {
		t.Fatalf("debt %d", s.DebtUnits)
	}
}

// Bodies of every length: nothing but the whole body is a record, and what is
// read is written the same.
func TestCustodyBodies(t *testing.T) {
	audit := goods.Audit{Auditor: 1, Expiry: 5, Audited: []goods.AuditedReceipt{{Receipt: 3, Lost: 7, Loss: 9}, {Receipt: 1 << 60}}}
	for _, r := range []goods.Record{
		audit,
		goods.Suspend{Role: state.RoleCouncil, Expiry: 7, Custodian: 2},
		goods.Lift{Auditor: 2, Expiry: 9, Custodian: 1, SuspendedAt: 8},
		goods.Bond{Custodian: 1, ReturnScript: keyScript(3)},
		goods.Slash{Custodian: 65_535},
		goods.Unbond{Units: 1, Custodian: 3},
		goods.Unbond{Step: goods.UnbondWithdraw},
		goods.Unbond{Step: goods.UnbondCancel, Custodian: 1},
	} {
		script := goods.RecordScript(r)
		back, ok, err := goods.DecodeRecord(script)
		if !ok || err != nil || !bytes.Equal(goods.RecordScript(back), script) {
			t.Fatalf("%v: %v %v", r.Type(), ok, err)
		}
		body := r.Body()
		for n := range len(body) {
			if _, _, err := goods.DecodeRecord(recordScript(t, fmt.Sprintf("%02x%x", byte(r.Type()), body[:n]))); check.CodeOf(err) != goods.CodeRecordMalformed {
				t.Errorf("%v of %d bytes: %v", r.Type(), n, err)
			}
		}
		if _, _, err := goods.DecodeRecord(recordScript(t, fmt.Sprintf("%02x%x00", byte(r.Type()), body))); check.CodeOf(err) != goods.CodeRecordMalformed {
			t.Errorf("%v with a byte too many: %v", r.Type(), err)
		}
	}
	for _, seen := range []goods.AuditedReceipt{{Lost: -1}, {Loss: -1}} { // 2^64 - 1
		r := goods.Audit{Expiry: 5, Audited: []goods.AuditedReceipt{seen}}
		if _, _, err := goods.DecodeRecord(goods.RecordScript(r)); check.CodeOf(err) != goods.CodeRecordMalformed {
			t.Errorf("%+v: %v", seen, err)
		}
	}
}

// A reorganisation over every record of custody and a default: each block back
// leaves the bytes below it, and the same blocks lead to the same state.
func TestCustodyReorganisation(t *testing.T) {
	w := newWorld(t)
	w.mine(100)
	bonds := []wire.OutPoint{w.grant(900_000), w.grant(800_000), w.grant(25_000)}
	start := maps.Clone(w.goods)
	w.custodyStory(bonds)
	end, height := maps.Clone(w.goods), w.height
	for w.height > 100 {
		w.disconnect()
		w.check()
	}
	if !maps.EqualFunc(start, w.goods, bytes.Equal) {
		t.Fatal("the blocks back do not lead to the state below them")
	}
	w.nonce = 100 // the same headers
	w.custodyStory(bonds)
	if w.height != height || !maps.EqualFunc(end, w.goods, bytes.Equal) {
		t.Fatal("the same blocks lead to another state")
	}
}

// custodyStory is a custodian from its bonds to its default; coins are three
// that it bonds and pays with.
func (w *world) custodyStory(coins []wire.OutPoint) {
	w.t.Helper()
	w.stock(0, goods.Opening{Good: 0, Serial: "A", Quantity: 10_000, Script: keyScript(30)})
	w.blockOf(w.drawTx(0, 4_000))
	for _, op := range coins[:2] {
		seat, units := w.seat(state.RoleCustodian, 0), w.coins[op].ValueUnits
		bond, record := goods.BondOutputs(w.charter.ID(), 0, units, keyScript(40))
		msg := wire.NewMsgTx(2)
		msg.AddTxIn(wire.NewTxIn(&seat.Out, nil, nil))
		msg.AddTxIn(wire.NewTxIn(&op, nil, nil))
		msg.TxOut = []*wire.TxOut{wire.NewTxOut(0, seat.Script), bond, record}
		w.blockOf(msg)
	}
	w.blockOf(w.seatTx(state.RoleCustodian, 0, goods.Unbond{Units: 500_000}))
	w.blockOf(w.seatTx(state.RoleCustodian, 0, goods.Unbond{Step: goods.UnbondCancel}))
	w.blockOf(w.seatTx(state.RoleCustodian, 0, goods.Unbond{Units: 600_000}))
	w.mine(40)
	w.blockOf(w.withdrawTx(0))
	w.auditLoss(1, 2)
	w.blockOf(goods.SlashTx(w.charter.ID(), 0, w.standing(0), w.charter.Parameters.MinerShareBP))
	w.attested(goods.Suspend{Role: state.RoleCouncil, Expiry: w.height + 2}, state.RoleCouncil, 0)
	w.attested(goods.Lift{Auditor: 2, Expiry: w.height + 2, SuspendedAt: w.height}, state.RoleAuditor, 2)
	w.auditLoss(2, 30)
	payment, record := goods.DebtOutputs(w.charter.ID(), 0, 25_000)
	msg := wire.NewMsgTx(2)
	msg.AddTxIn(wire.NewTxIn(&coins[2], nil, nil))
	msg.TxOut = []*wire.TxOut{payment, record}
	w.blockOf(msg)
	w.mine(11)
	w.auditLoss(0, 9_968)
	w.blockOf(goods.SlashTx(w.charter.ID(), 0, w.standing(0), w.charter.Parameters.MinerShareBP))
	w.mine(150)
	w.check()
	if s := w.standing(0); !s.Defaulted || len(s.Bonds) != 0 || s.DebtUnits == 0 {
		w.t.Fatalf("at the end: %+v", s)
	}
}

// auditLoss is an audit of receipt 0.
func (w *world) auditLoss(auditor uint16, loss int64) {
	w.t.Helper()
	receipt, err := goods.ReadReceipt(w, 0)
	if err != nil || receipt == nil {
		w.t.Fatalf("receipt 0: %v", err)
	}
	w.attested(goods.Audit{
		Auditor: auditor, Expiry: w.height + 2, Observed: goods.Observed{Height: w.height, Hash: w.tip.Hash},
		Audited: []goods.AuditedReceipt{{ID: receipt.ID, Lost: receipt.Lost, Loss: loss}},
	}, state.RoleAuditor, auditor)
}
