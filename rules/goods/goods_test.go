package goods_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/params"
	"granary/rules/goods"
	"granary/state"
	"granary/state/tree"
)

// rotateTx moves a seat to a new key.
func (w *world) rotateTx(role state.Role, index uint16, to byte) *wire.MsgTx {
	w.t.Helper()
	seat := w.seat(role, index)
	msg := wire.NewMsgTx(2)
	msg.AddTxIn(wire.NewTxIn(&seat.Out, nil, nil))
	msg.AddTxOut(wire.NewTxOut(0, keyScript(to)))
	msg.AddTxOut(wire.NewTxOut(0, goods.RecordScript(goods.Rotate{})))
	return msg
}

// CheckTx judges like Tx and changes nothing.
func TestCheckTxReadsOnly(t *testing.T) {
	w := newWorld(t)
	w.mine(100)
	msg := w.rotateTx(state.RoleCouncil, 0, 50)
	spent := []*state.Coin{w.coins[msg.TxIn[0].PreviousOutPoint]}
	before := maps.Clone(w.goods)
	if err := goods.CheckTx(w.charter, w.tip, w, txOf(msg), spent); err != nil {
		t.Fatal(err)
	}
	if err := goods.CheckTx(w.charter, w.tip.Parent, w, txOf(msg), spent); check.CodeOf(err) != goods.CodeRecordEarly {
		t.Fatalf("height 100: %v", err)
	}
	msg.TxOut[0].Value = 1
	if err := goods.CheckTx(w.charter, w.tip, w, txOf(msg), spent); check.CodeOf(err) != goods.CodeSeatValue {
		t.Fatalf("got %v", err)
	}
	if !check.CodeOf(check.Rule(goods.CodeSeatValue, "")).Goods() {
		t.Fatal("a goods code is not known for one")
	}
	if !maps.EqualFunc(before, w.goods, bytes.Equal) {
		t.Fatal("CheckTx changed the state")
	}
}

func TestSeatLookups(t *testing.T) {
	w := newWorld(t)
	if seats, err := goods.ReadSeats(w); err != nil || len(seats) != 0 {
		t.Fatalf("before block 1: %v %v", seats, err)
	}
	w.mine(100)
	old := w.seat(state.RoleAuditor, 0)
	a := w.begin()
	if err := a.tx(w.rotateTx(state.RoleAuditor, 0, 60)); err != nil {
		t.Fatal(err)
	}
	if _, err := a.finish(a.coinbase()); err != nil {
		t.Fatal(err)
	}
	now := w.seat(state.RoleAuditor, 0)
	if was, err := goods.IsSeat(w, old.Out); err != nil || was {
		t.Fatalf("the old outpoint is still a seat: %v", err)
	}
	if is, err := goods.IsSeat(w, now.Out); err != nil || !is {
		t.Fatalf("the new outpoint is no seat: %v", err)
	}
	if got, err := goods.SeatOf(w, now.Out); err != nil || got.ID() != "auditor 0" || got.Height != 101 {
		t.Fatalf("%+v %v", got, err)
	}
	p, err := goods.ReadParameters(w)
	if err != nil || p != w.charter.Parameters {
		t.Fatalf("parameters in force %+v %v", p, err)
	}
}

// A holder of headers only: coinbase commitment, root, tree proof.
func TestSeatIsProvableFromACoinbase(t *testing.T) {
	w := newWorld(t)
	w.mine(3)
	root, err := goods.Root(w)
	if err != nil {
		t.Fatal(err)
	}
	next := w.begin().coinbase()
	if want := goods.CommitmentScript(w.charter.ID(), root); !bytes.Equal(next.TxOut[len(next.TxOut)-1].PkScript, want) {
		t.Fatal("the next coinbase does not commit to the root")
	}
	seat := w.seat(state.RoleCustodian, 1)
	proof, err := tree.Prove(w, seat.Key())
	if err != nil {
		t.Fatal(err)
	}
	value, present, err := proof.Verify(root, seat.Key())
	if err != nil || !present || !bytes.Equal(value, seat.Encode()) {
		t.Fatalf("%x %v %v", value, present, err)
	}
	missing := state.KeySeat(state.RoleCustodian, 2)
	if proof, err = tree.Prove(w, missing); err != nil {
		t.Fatal(err)
	}
	if _, present, err := proof.Verify(root, missing); err != nil || present {
		t.Fatalf("absence is not proved: %v %v", present, err)
	}
}

func TestCoinbaseOutputsRefuseBadMiners(t *testing.T) {
	w := newWorld(t)
	w.mine(1)
	for script, ok := range map[string]bool{
		string(keyScript(1)): true, string([]byte{0x6a}): false, string(goods.TreasuryScript(w.charter.ID())): false,
	} {
		if _, err := goods.CoinbaseOutputs(w.charter, 2, w, 50, 1, []byte(script)); (err == nil) != ok {
			t.Errorf("%x: %v", script, err)
		}
		if outs, err := goods.CoinbaseOutputs(w.charter, 2, w, 50, 0, []byte(script)); err != nil || len(outs) != 2 {
			t.Errorf("without fees the miner's script does not matter: %v", err)
		}
	}
}

// Undo that does not belong to the state is the world's fault, named so.
func TestRevertRefusesForeignUndo(t *testing.T) {
	w := newWorld(t)
	w.mine(2)
	changes := w.undo[0].delta.Goods
	if err := goods.Revert(state.NewOverlay(w, 0), changes); !errors.Is(err, goods.ErrUnclean) {
		t.Fatalf("the undo of another block: %v", err)
	}
	last := w.undo[1].delta
	if err := goods.Revert(state.NewOverlay(w, 0), last.Nodes); !errors.Is(err, goods.ErrUnclean) {
		t.Fatalf("nodes as undo: %v", err)
	}
	twice := append(append([]state.GoodsChange{}, last.Goods...), last.Goods...)
	if err := goods.Revert(state.NewOverlay(w, 0), twice); !errors.Is(err, goods.ErrUnclean) {
		t.Fatalf("an undo twice: %v", err)
	}
}

// open lets goods in: two receipts of custodian 0, the first drawn in part,
// attestations and a used proposal beside them.
func (w *world) open() {
	w.t.Helper()
	w.mine(100)
	r := goods.Receive{Expiry: 120, Observed: goods.Observed{Height: 100, Hash: w.tip.Hash}, Openings: []goods.Opening{
		{Good: 0, Serial: "A", Quantity: 10_000, Location: "Hall", Script: keyScript(30)},
		{Good: 1, Serial: "B", Quantity: 60, Script: keyScript(31)},
	}}
	hash := goods.ProposalHash(w.charter.ID(), r)
	w.blockOf(w.attestTx(0, hash), w.attestTx(1, hash))
	w.blockOf(w.seatTx(state.RoleCustodian, 0, r))
	receipt, err := goods.ReadReceipt(w, 0)
	if err != nil || receipt == nil {
		w.t.Fatalf("receipt 0: %v", err)
	}
	msg := wire.NewMsgTx(2)
	msg.AddTxIn(wire.NewTxIn(w.outpoint(nil, []string{"treasury", "1"}), nil, nil))
	msg.AddTxOut(wire.NewTxOut(9_929_700, receipt.Script))
	msg.AddTxOut(wire.NewTxOut(4_989_970_000, goods.TreasuryScript(w.charter.ID())))
	msg.AddTxOut(wire.NewTxOut(0, goods.RecordScript(goods.Draw{ID: receipt.ID, Quantity: 236})))
	w.blockOf(msg)
}

// blockOf adds a block with these transactions.
func (w *world) blockOf(txs ...*wire.MsgTx) []goods.Event {
	w.t.Helper()
	a := w.begin()
	for _, tx := range txs {
		if err := a.tx(tx); err != nil {
			w.t.Fatal(err)
		}
	}
	events, err := a.finish(a.coinbase())
	if err != nil {
		w.t.Fatal(err)
	}
	return events
}

// A reorganisation as deep as all of it, over every record and every expiry:
// each block back leaves the bytes below it, and the way forward leads to the
// same state as before.
func TestDeepReorganisation(t *testing.T) {
	w := oddWorldWithCap(t, 200*params.UnitsPerCoin)
	w.open()
	if reserve, err := goods.ReadReserve(w); err != nil || reserve.Counted.Units() != 11_800_000 {
		t.Fatalf("reserve %+v %v", reserve, err)
	}
	w.mine(150)
	w.check()
	if reserve, err := goods.ReadReserve(w); err != nil || reserve.Counted.Units() != 0 || reserve.All.Units() != 11_800_000 {
		t.Fatalf("after the receipt's age the reserve is %+v %v", reserve, err)
	}
	for kind, left := range map[byte]int{'V': 0, 'U': 0, 'E': 0, 'F': 0, 'R': 2, 'L': 2} {
		count := 0
		for key := range w.goods {
			if key[0] == kind {
				count++
			}
		}
		if count != left {
			t.Errorf("%d keys of kind %c are left, not %d", count, kind, left)
		}
	}
	kept := maps.Clone(w.goods)
	for w.height > 0 {
		w.disconnect()
	}
	if len(w.goods) > 0 {
		t.Fatalf("%d keys are left before block 1", len(w.goods))
	}
	w.nonce = 0 // the same headers again
	w.open()
	w.mine(150)
	if !maps.EqualFunc(w.goods, kept, bytes.Equal) {
		t.Error("the way forward leads elsewhere")
	}
}

// CheckTx forgets what is over before it judges a record.
func TestCheckTxSeesExpiry(t *testing.T) {
	w := oddWorldWithCap(t, 200*params.UnitsPerCoin)
	w.open()
	receipt, err := goods.ReadReceipt(w, 0)
	if err != nil {
		t.Fatal(err)
	}
	draw := func(quantity, payUnits, backUnits int64) error {
		msg := wire.NewMsgTx(2)
		msg.AddTxIn(wire.NewTxIn(w.outpoint(nil, []string{"treasury", "2"}), nil, nil))
		msg.AddTxOut(wire.NewTxOut(payUnits, receipt.Script))
		msg.AddTxOut(wire.NewTxOut(backUnits, goods.TreasuryScript(w.charter.ID())))
		msg.AddTxOut(wire.NewTxOut(0, goods.RecordScript(goods.Draw{ID: receipt.ID, Quantity: quantity})))
		return goods.CheckTx(w.charter, w.tip, w, txOf(msg), []*state.Coin{w.coins[msg.TxIn[0].PreviousOutPoint]})
	}
	for ; w.height < receipt.ValidUntil; w.mine(1) {
		if err := draw(236, 9_929_700, 4_989_970_000); err != nil {
			t.Fatalf("height %d: %v", w.height+1, err)
		}
	}
	if err := draw(236, 9_929_700, 4_989_970_000); check.CodeOf(err) != goods.CodeStale {
		t.Fatalf("a draw of a receipt that is too old: %v", err)
	}
}

// Every state key, changed or gone, is noticed by the recount.
func TestCheckStateFindsDamage(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.check()
	for key, good := range maps.Clone(w.goods) {
		for _, bad := range [][]byte{nil, append([]byte{good[0] ^ 1}, good[1:]...), append(bytes.Clone(good), 0)} {
			if bad == nil {
				delete(w.goods, key)
			} else {
				w.goods[key] = bad
			}
			if err := goods.CheckState(w.charter, w.height, w, w.rangeCoins); err == nil {
				t.Errorf("key %x as %x passed", key, bad)
			}
		}
		w.goods[key] = good
	}
	seat := w.seat(state.RoleCouncil, 0)
	for name, coin := range map[string]*state.Coin{
		"gone": nil, "another script": {Script: keyScript(9), Height: 1}, "another height": {Script: seat.Script, Height: 2},
	} {
		good := w.coins[seat.Out]
		if coin == nil {
			delete(w.coins, seat.Out)
		} else {
			w.coins[seat.Out] = coin
		}
		if err := goods.CheckState(w.charter, w.height, w, w.rangeCoins); err == nil {
			t.Errorf("a seat's coin: %s passed", name)
		}
		w.coins[seat.Out] = good
	}
	w.coins[wire.OutPoint{Index: 7}] = &state.Coin{ValueUnits: 1}
	if err := goods.CheckState(w.charter, w.height, w, w.rangeCoins); err == nil || !strings.Contains(err.Error(), "totals") {
		t.Errorf("a coin too many: %v", err)
	}
}

// A state of another place in the chain is refused, not judged on.
func TestBeginKnowsItsPlace(t *testing.T) {
	w := newWorld(t)
	if _, err := goods.Begin(w.charter, state.NewHeader(&wire.BlockHeader{}, w.tip), state.NewOverlay(w, 0)); err == nil || check.AsRule(err) != nil {
		t.Fatalf("an empty state below block 2: %v", err)
	}
	w.mine(1)
	if _, err := goods.Begin(w.charter, w.tip.Parent, state.NewOverlay(w, 0)); err == nil {
		t.Fatal("a launched state below block 1")
	}
}

// The pushes around each length's edge are read and written alike.
func TestRecordFormEdges(t *testing.T) {
	for _, n := range []int{0, 1, 69, 70, 71, 249, 250, 251, 252, 7_999, 8_000, 8_001, 65_530, 65_531} {
		payload := append([]byte("GrRe\x01"), make([]byte, n)...)
		for form := range 4 {
			size := len(payload)
			head := [][]byte{
				{0x6a, byte(size)},
				{0x6a, 0x4c, byte(size)},
				{0x6a, 0x4d, byte(size), byte(size >> 8)},
				{0x6a, 0x4e, byte(size), byte(size >> 8), byte(size >> 16), 0},
			}[form]
			minimal := map[bool]int{size <= 75: 0, size > 75 && size <= 255: 1, size > 255 && size <= 65_535: 2, size > 65_535: 3}[true]
			_, ok, err := goods.DecodeRecord(append(bytes.Clone(head), payload...))
			if ok != (form == minimal) {
				t.Errorf("body of %d in form %d: record %v", n, form, ok)
			}
			want := check.Code("")
			if n > 8_000 {
				want = goods.CodeRecordSize
			} else if n > 0 {
				want = goods.CodeRecordMalformed
			}
			if ok && check.CodeOf(err) != want {
				t.Errorf("body of %d: %v, want %q", n, err, want)
			}
		}
	}
}

func FuzzDecodeRecord(f *testing.F) {
	f.Add(goods.RecordScript(goods.Rotate{}))
	f.Add([]byte{0x6a, 0x4e, 0xff, 0xff, 0xff, 0xff})
	f.Add(goods.CommitmentScript([32]byte{}, chainhash.Hash{}))
	f.Add(goods.RecordScript(goods.Attest{Proposals: []chainhash.Hash{{1}, {2}}}))
	f.Add(goods.RecordScript(goods.Receive{Openings: []goods.Opening{{Serial: "A", Location: "B", Script: []byte{0x51}}}}))
	f.Add(goods.RecordScript(goods.Draw{Receipt: 1, Quantity: 2}))
	for _, r := range recordSeeds() {
		f.Add(goods.RecordScript(r))
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		record, ok, err := goods.DecodeRecord(script)
		if !ok && (record != nil || err != nil) {
			t.Fatal("no record, but something came back")
		}
		if ok && err == nil && !bytes.Equal(goods.RecordScript(record), script) {
			t.Fatalf("record %x is written as %x", script, goods.RecordScript(record))
		}
		_, want := recordOf(fmt.Sprintf("%x", script))
		if ok != want {
			t.Fatalf("record form of %x: %v, the model says %v", script, ok, want)
		}
	})
}

// The decoders of stored values take any bytes.
func FuzzDecodeStored(f *testing.F) {
	seat := state.Seat{Role: state.RoleAuditor, Name: "A", Script: []byte{0x51}, Height: 1}
	f.Add(seat.Encode())
	f.Add((&state.Totals{}).Encode())
	receipt := state.Receipt{Serial: "A", Location: "B", Script: []byte{0x51}, OpenedWith: 3, Undrawn: 1, Free: 2}
	f.Add(receipt.Encode())
	f.Add(state.Holding{Whole: 3, Free: 2, Counted: 1}.Encode())
	f.Add(state.Reserve{Counted: state.Sum{Lo: 1}}.Encode())
	f.Add(state.Attestation{Height: 1, Until: 2}.Encode())
	claim := state.Claim{Quantity: 1, EscrowUnits: 1, TokenScript: []byte{0x51}}
	f.Add(claim.Encode())
	f.Add((&state.Standing{Bonds: []state.Bond{{Units: 1}}, ReturnScript: []byte{0x51}}).Encode())
	f.Add((&state.Pending{Scripts: [][]byte{{0x51}}, Body: []byte{0}}).Encode())
	f.Add(state.Counts{Goods: 1}.Encode())
	f.Add((&state.GoodInForce{Since: 1}).Encode())
	f.Add(state.Meaning{Kind: state.MeansEscrow, Claim: 7}.Encode())
	f.Fuzz(func(t *testing.T, value []byte) {
		if s, err := state.DecodeSeat(seat.Key(), value); err == nil && !bytes.Equal(s.Encode(), value) {
			t.Fatal("a seat has two encodings")
		}
		if r, err := state.DecodeReceipt(receipt.Key(), value); err == nil && (!bytes.Equal(r.Encode(), value) || r.Quantity() > r.OpenedWith) {
			t.Fatal("a receipt has two encodings, or more than it opened with")
		}
		if h, err := state.DecodeHolding(value); err == nil && !bytes.Equal(h.Encode(), value) {
			t.Fatal("a holding has two encodings")
		}
		if r, err := state.DecodeReserve(value); err == nil && !bytes.Equal(r.Encode(), value) {
			t.Fatal("a reserve has two encodings")
		}
		if a, err := state.DecodeAttestation(value); err == nil && !bytes.Equal(a.Encode(), value) {
			t.Fatal("an attestation has two encodings")
		}
		if totals, err := state.DecodeTotals(value); err == nil && value != nil && !bytes.Equal(totals.Encode(), value) {
			t.Fatal("totals have two encodings")
		}
		if m, err := state.DecodeMeaning(value); err == nil && !bytes.Equal(m.Encode(), value) {
			t.Fatal("an outpoint has two encodings")
		}
		if c, err := state.DecodeClaim(claim.Key(), value); err == nil && !bytes.Equal(c.Encode(), value) {
			t.Fatal("a claim has two encodings")
		}
		if s, err := state.DecodeStanding(value); err == nil && !bytes.Equal(s.Encode(), value) {
			t.Fatal("a standing has two encodings")
		}
		if p, err := state.DecodePending(value); err == nil && !bytes.Equal(p.Encode(), value) {
			t.Fatal("a pending change has two encodings")
		}
		if c, err := state.DecodeCounts(value); err == nil && value != nil && !bytes.Equal(c.Encode(), value) {
			t.Fatal("counts have two encodings")
		}
		if g, err := state.DecodeGoodInForce(value); err == nil && !bytes.Equal(g.Encode(), value) {
			t.Fatal("a good has two encodings")
		}
		if limit, err := state.DecodeLimit(value); err == nil && !bytes.Equal(state.EncodeLimit(limit), value) {
			t.Fatal("a limit has two encodings")
		}
	})
}

// One block on a state of any size costs the same but for the tree's depth.
func BenchmarkEmptyBlock(b *testing.B) {
	for _, n := range []int{0, 100_000} {
		b.Run(fmt.Sprintf("%d keys", n), func(b *testing.B) {
			w := newWorld(b)
			w.mine(1)
			changes := make([]state.GoodsChange, n)
			for i := range changes {
				key := state.KeyOutpoint(wire.OutPoint{Hash: chainhash.Hash{byte(i >> 16), byte(i >> 8), byte(i)}})
				changes[i] = state.GoodsChange{Key: key, New: []byte{1}}
				w.goods[string(key)] = changes[i].New
			}
			if _, err := tree.Update(worldWriter{w}, changes); err != nil {
				b.Fatal(err)
			}
			w.sorted = slices.Sorted(maps.Keys(w.goods))
			b.ResetTimer()
			for range b.N {
				a := w.begin()
				cb := a.coinbase()
				if err := a.g.Coinbase(txOf(cb), w.subsidy(), 0); err != nil {
					b.Fatal(err)
				}
				if _, err := a.g.Finish(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
