package template

import (
	"bytes"
	"testing"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/params"
	"granary/rules/block"
	"granary/rules/goods"
	"granary/state"
)

// charterWorld is a world on the demo charter.
func charterWorld(t testing.TB) *world {
	holder := func(n byte) []byte { return append([]byte{txscript.OP_0, 20, n}, make([]byte, 19)...) }
	charter, err := params.DemoCharter(params.DemoScripts{
		Custodians: [2][]byte{holder(1), holder(2)}, Auditors: [3][]byte{holder(3), holder(4), holder(5)}, Council: holder(6),
	})
	if err != nil {
		t.Fatal(err)
	}
	net, err := charter.Network()
	if err != nil {
		t.Fatal(err)
	}
	return newWorld(t, block.Rules{Net: net, Charter: charter})
}

// rotate moves a seat, with the value of further inputs going to anyone.
func (w *world) rotate(seat state.Seat, feeUnits int64, more ...wire.OutPoint) *state.Tx {
	msg := wire.NewMsgTx(2)
	msg.AddTxIn(&wire.TxIn{PreviousOutPoint: seat.Out, Sequence: wire.MaxTxInSequenceNum})
	msg.AddTxOut(wire.NewTxOut(0, seat.Script))
	for _, op := range more {
		msg.AddTxIn(&wire.TxIn{PreviousOutPoint: op, Sequence: wire.MaxTxInSequenceNum})
		msg.AddTxOut(wire.NewTxOut(w.coins[op].ValueUnits-feeUnits, anyone))
	}
	msg.AddTxOut(wire.NewTxOut(0, goods.RecordScript(goods.Rotate{})))
	return state.NewTx(msg)
}

func (w *world) seats() []state.Seat {
	seats, err := goods.ReadSeats(w)
	if err != nil {
		w.t.Fatal(err)
	}
	return seats
}

func TestCharterCoinbase(t *testing.T) {
	w := charterWorld(t)
	first := w.build()
	coinbase := first.Block.Transactions[0]
	treasury := goods.TreasuryScript(w.rules.Charter.ID())
	if !bytes.Equal(coinbase.TxOut[0].PkScript, treasury) || coinbase.TxOut[0].Value != 50*params.UnitsPerCoin {
		t.Error("the subsidy does not go to the treasury")
	}
	if n := len(coinbase.TxOut); n != 1+w.rules.Charter.SeatCount()+2 || block.WitnessCommitmentIndex(coinbase) != n-1 {
		t.Errorf("%d outputs, the witness commitment is %d", n, block.WitnessCommitmentIndex(coinbase))
	}
	if coinbase.LockTime != 0 || coinbase.TxIn[0].Sequence == wire.MaxTxInSequenceNum {
		t.Error("the coinbase is not as BIP54 wants it")
	}
	w.mine(105)
	if got := w.build().Block.Transactions[0].LockTime; got != 105 {
		t.Errorf("lock time of block 106 is %d", got)
	}
	if len(w.seats()) != w.rules.Charter.SeatCount() {
		t.Error("seats are missing")
	}
}

// TestSeatLaneFirst: the lane goes in before what pays, for nothing.
func TestSeatLaneFirst(t *testing.T) {
	w := charterWorld(t)
	w.mine(100)
	var lane []*state.Tx
	seats := w.seats()
	for _, seat := range seats[:3] {
		lane = append(lane, w.accept(w.rotate(seat, 0)))
	}
	got := w.build()
	wantTxs(t, got, lane...)
	if got.FeesUnits != 0 {
		t.Errorf("fees are %d", got.FeesUnits)
	}
	if err := w.connect(got.Block); err != nil {
		t.Fatal(err)
	}
	moved := w.seats()
	if moved[0].Out == seats[0].Out || moved[3].Out != seats[3].Out {
		t.Error("the wrong seats moved")
	}
	// The same seats act again in the next block, and after it is lost.
	again := w.accept(w.rotate(moved[1], 0))
	w.mine(1)
	if w.pool.Get(again.Txid) != nil {
		t.Error("the transaction was not mined")
	}
	w.disconnect()
	if e := w.pool.Get(again.Txid); e == nil || !e.Seat {
		t.Error("the transaction did not come back into the lane")
	}
	w.disconnect()
	wantLane := w.pool.Info().Count
	if wantLane != len(lane) { // the second one spends a seat that moves in the first
		t.Errorf("%d transactions wait, want %d", wantLane, len(lane))
	}
	w.mine(1)
}

// TestInvalidCombinations: what is valid alone but not together is left out
// or, if asked for by name, refused; the rest of the block stands.
func TestInvalidCombinations(t *testing.T) {
	w := charterWorld(t)
	w.mine(100)
	seats := w.seats()
	first := w.rotate(seats[0], 0)
	w.coins[out(first, 0)] = nil
	delete(w.coins, out(first, 0))
	second := wire.NewMsgTx(2)
	second.AddTxIn(&wire.TxIn{PreviousOutPoint: out(first, 0), Sequence: wire.MaxTxInSequenceNum})
	second.AddTxOut(wire.NewTxOut(0, seats[0].Script))
	second.AddTxOut(wire.NewTxOut(0, goods.RecordScript(goods.Rotate{})))
	other := w.rotate(seats[1], 0)

	_, err := w.builder.BuildWith(anyone, 0, []*state.Tx{other, first, state.NewTx(second)})
	if check.CodeOf(err) != goods.CodeSeatTwice {
		t.Errorf("got %v", err)
	}
	got, err := w.builder.build(anyone, 1, func(d *draft) error {
		for _, tx := range []*state.Tx{other, first, state.NewTx(second), w.rotate(seats[2], 0)} {
			if err := d.include(tx); err != nil && check.CodeOf(err) != goods.CodeSeatTwice {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wantTxs(t, got, other, first, w.rotate(seats[2], 0))
	if err := w.connect(got.Block); err != nil {
		t.Error(err)
	}
}

// TestMinerScriptOnCharter: fees cannot be burned or given to the treasury.
func TestMinerScriptOnCharter(t *testing.T) {
	w := charterWorld(t)
	for _, script := range [][]byte{{txscript.OP_RETURN}, goods.TreasuryScript(w.rules.Charter.ID())} {
		if _, err := w.builder.Build(script, 0); err == nil || check.AsRule(err) != nil {
			t.Errorf("got %v", err)
		}
	}
}
