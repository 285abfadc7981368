package mempool

import (
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

// seatWorld is a world whose chain has a charter and n auditors' seats.
func seatWorld(t *testing.T, n int) (*world, []wire.OutPoint) {
	charter, err := params.DemoCharter(params.DemoScripts{
		Custodians: [2][]byte{holder(1), holder(2)}, Auditors: [3][]byte{holder(3), holder(4), holder(5)}, Council: holder(6),
	})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, 40, func(o *Options) { o.Rules.Charter = charter })
	w.goods = map[string][]byte{
		string(state.KeyTotals()):     (&state.Totals{}).Encode(),
		string(state.KeyParameters()): charter.Parameters.Encode(),
	}
	var ops []wire.OutPoint
	for i := range n {
		ops = append(ops, w.putSeat(uint16(i), wire.OutPoint{Hash: chainhash.Hash{byte(i), 5}}))
	}
	return w, ops
}

// holder is the script of a seat.
func holder(n byte) []byte { return append([]byte{txscript.OP_0, 20, n}, make([]byte, 19)...) }

// putSeat places an auditor's seat.
func (w *world) putSeat(index uint16, op wire.OutPoint) wire.OutPoint {
	seat := state.Seat{Role: state.RoleAuditor, Index: index, Name: "seat", Out: op, Script: anyone, Height: 1}
	w.goods[string(seat.Key())] = seat.Encode()
	w.goods[string(state.KeyOutpoint(op))] = state.Meaning{Kind: state.MeansSeat, Role: state.RoleAuditor, Index: index}.Encode()
	w.coins[op] = &state.Coin{Script: anyone, Height: 1}
	return op
}

// rotate moves a seat, with further inputs if any, without a fee.
func (w *world) rotate(op wire.OutPoint, more ...wire.OutPoint) *wire.MsgTx {
	msg := wire.NewMsgTx(2)
	msg.AddTxIn(&wire.TxIn{PreviousOutPoint: op, Sequence: wire.MaxTxInSequenceNum})
	msg.AddTxOut(wire.NewTxOut(0, anyone))
	for _, in := range more {
		msg.AddTxIn(&wire.TxIn{PreviousOutPoint: in, Sequence: wire.MaxTxInSequenceNum})
		msg.AddTxOut(wire.NewTxOut(w.valueOf(in), anyone))
	}
	msg.AddTxOut(wire.NewTxOut(0, goods.RecordScript(goods.Rotate{})))
	return msg
}

func TestSeatLane(t *testing.T) {
	w, seats := seatWorld(t, 2)
	tx := state.NewTx(w.rotate(seats[0]))
	e := w.accept(tx)
	if !e.Seat || !e.Record || e.FeeUnits != 0 {
		t.Errorf("not in the lane: %+v", e)
	}
	w.refused(state.NewTx(w.rotate(seats[0], w.ripe[0])), "insufficient fee")

	// The seat goes on in the waiting transaction: its children wait, too.
	w.refused(state.NewTx(w.rotate(out(tx, 0))), "goods-seat-twice")
	plain := w.spendMsg(1000, 1, w.ripe[1])
	plain.AddTxIn(&wire.TxIn{PreviousOutPoint: out(tx, 0)})
	w.refused(state.NewTx(plain), "goods-seat-twice")

	// With an unconfirmed parent there is no free lane.
	parent := w.accept(w.spend(1000, 1, w.ripe[2])).Tx
	w.refused(state.NewTx(w.rotate(seats[1], out(parent, 0))), "min relay fee not met")
	paying := w.rotate(seats[1], out(parent, 0))
	paying.TxOut[1].Value -= 1000
	if e := w.accept(state.NewTx(paying)); e.Seat {
		t.Error("a transaction with an unconfirmed parent is in the lane")
	}
	checkPool(t, w.pool)
}

// TestSeatRefusals: what the goods rules refuse alone does not come in.
func TestSeatRefusals(t *testing.T) {
	cases := []struct {
		want string
		edit func(w *world, msg *wire.MsgTx)
	}{
		{"", func(*world, *wire.MsgTx) {}},
		{"goods-seat-missing", func(w *world, msg *wire.MsgTx) { msg.TxIn[0].PreviousOutPoint = w.ripe[0] }},
		{"goods-seat-record", func(w *world, msg *wire.MsgTx) {
			msg.AddTxIn(&wire.TxIn{PreviousOutPoint: w.ripe[0]})
			msg.TxOut = []*wire.TxOut{wire.NewTxOut(1000, anyone)}
		}},
		{"goods-seat-value", func(w *world, msg *wire.MsgTx) {
			msg.AddTxIn(&wire.TxIn{PreviousOutPoint: w.ripe[0]})
			msg.TxOut[0].Value = 1000
		}},
		{"dust", func(w *world, msg *wire.MsgTx) { // only output 0 may hold nothing
			msg.TxOut = append(msg.TxOut[:1], wire.NewTxOut(0, anyone), msg.TxOut[1])
		}},
		{"goods-record-malformed", func(w *world, msg *wire.MsgTx) { // a record's tag and nonsense after it
			msg.TxOut[1].PkScript = append([]byte{txscript.OP_RETURN, txscript.OP_PUSHDATA1, 90}, append([]byte("GrRe\x01"), make([]byte, 85)...)...)
		}},
		{"goods-treasury-spend", func(w *world, msg *wire.MsgTx) {
			w.pool.standard = false
			w.coins[w.ripe[0]].Script = goods.TreasuryScript(w.pool.rules.Charter.ID())
			msg.TxIn[0].PreviousOutPoint = w.ripe[0]
			msg.TxOut = []*wire.TxOut{wire.NewTxOut(1000, anyone)}
		}},
	}
	for _, c := range cases {
		w, seats := seatWorld(t, 1)
		msg := w.rotate(seats[0])
		c.edit(w, msg)
		if _, err := w.pool.Accept(state.NewTx(msg)); reasonOf(err) != c.want {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

func reasonOf(err error) string { return (&Result{Err: err}).RejectReason() }

// TestSeatIsNeverEvicted fills the pool above its bound with the dearest.
func TestSeatIsNeverEvicted(t *testing.T) {
	w, seats := seatWorld(t, 3)
	w.pool.maxBytes = 4 * usageOf(w.spend(1000, 1, w.ripe[0]))
	for i := range 10 {
		if _, err := w.pool.Accept(w.spend(int64(50_000+1000*i), 1, w.ripe[i])); err != nil && reasonOf(err) != "mempool full" {
			t.Fatal(err)
		}
	}
	var lane []*state.Tx
	for _, op := range seats { // the pool is full, and the lane is open
		tx := state.NewTx(w.rotate(op))
		w.accept(tx)
		lane = append(lane, tx)
	}
	for i := range 10 {
		w.pool.Accept(w.spend(int64(500_000+1000*i), 1, w.ripe[20+i])) //nolint:errcheck // room decides
	}
	for _, tx := range lane {
		if w.pool.Get(tx.Txid) == nil {
			t.Error("a seat lost its place")
		}
	}
	w.pool.maxBytes = 1
	w.mine()
	w.want(lane...)
}

// TestSeatLeavesWhenItsStateChanges: a block that moves the seat otherwise
// makes the waiting record pointless even if the outpoint were free.
func TestSeatLeavesWhenItsStateChanges(t *testing.T) {
	w, seats := seatWorld(t, 1)
	tx := state.NewTx(w.rotate(seats[0]))
	w.accept(tx)
	delete(w.goods, string(state.KeyOutpoint(seats[0])))
	w.mine()
	w.want()
}

// TestSeatComesBack: a lost block's seat transaction is in the lane again.
func TestSeatComesBack(t *testing.T) {
	w, seats := seatWorld(t, 1)
	tx := state.NewTx(w.rotate(seats[0]))
	w.mine(tx)
	w.drop()
	w.want(tx)
	if !w.pool.Get(tx.Txid).Seat {
		t.Error("not in the lane")
	}
}
