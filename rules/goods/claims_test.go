package goods_test

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

// What a record of a claim is written as is read as the same; a byte less or
// more is refused.
func TestClaimBodies(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	id := func() (id state.ObjectID) { copy(id[:], randomBytes(rng, 8)); return id }
	refs := func(n int) (refs []goods.ClaimRef) {
		for i := range n {
			refs = append(refs, goods.ClaimRef{Number: uint64(i)<<40 + rng.Uint64N(1<<40), ID: id()})
		}
		return refs
	}
	for range 200 {
		var deliveries []goods.Delivery
		for _, ref := range refs(1 + rng.IntN(100)) {
			deliveries = append(deliveries, goods.Delivery{ClaimRef: ref, Document: chainhash.Hash(randomBytes(rng, 32))})
		}
		ref := refs(1)[0]
		for _, r := range []goods.Record{
			goods.Reclaim{Receipt: rng.Uint64(), ID: id(), Quantity: 1 + rng.Int64N(1<<62)},
			goods.Redeem{Receipt: rng.Uint64(), ID: id(), Quantity: 1<<63 - 1},
			goods.Tender{Custodian: uint16(rng.Uint32()), Expiry: rng.Int32(), Claims: refs(1 + rng.IntN(200))},
			goods.Deliver{ClaimRef: ref},
			goods.Lapse{ClaimRef: ref},
			goods.Settle{ClaimRef: ref},
			goods.Assign{ClaimRef: ref},
			goods.DeliverAttested{Custodian: uint16(rng.Uint32()), Expiry: rng.Int32(), Deliveries: deliveries},
		} {
			script := goods.RecordScript(r)
			back, ok, err := goods.DecodeRecord(script)
			if err != nil || !ok || back.Type() != r.Type() || !bytes.Equal(goods.RecordScript(back), script) {
				t.Fatalf("%T %+v comes back as %+v, %v", r, r, back, err)
			}
			for _, body := range [][]byte{r.Body()[:len(r.Body())-1], append(r.Body(), 0), nil} {
				if _, _, err := goods.DecodeRecord(goods.RecordScript(rawRecord{r.Type(), body, nil})); check.CodeOf(err) != goods.CodeRecordMalformed {
					t.Fatalf("%T with a body of %d bytes: %v", r, len(body), err)
				}
			}
		}
	}
}

// rawRecord has a body that its type does not know.
type rawRecord struct {
	kind goods.RecordType
	body []byte
	goods.Record
}

func (r rawRecord) Type() goods.RecordType { return r.kind }
func (r rawRecord) Body() []byte           { return r.body }

func randomBytes(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// claimsWorld has windows that are quickly over.
func claimsWorld(t *testing.T) *world {
	t.Helper()
	return newWorld(t).windowsWorld(func(c *params.Charter) {
		c.Parameters.DeliveryWindowBlocks, c.Parameters.PickupWindowBlocks, c.Parameters.GraceWindowBlocks = 4, 3, 2
		c.Parameters.AttestationLifeBlocks = 20
	})
}

// liveClaims is one chain with every record of claims and every end of one, in
// the custodian's good days and in default; every block is recounted.
func (w *world) liveClaims() {
	w.t.Helper()
	w.mine(100)
	w.stock(0, goods.Opening{Good: 0, Serial: "A", Quantity: 10_000, Script: keyScript(30)},
		goods.Opening{Good: 1, Serial: "B", Quantity: 60, Script: keyScript(31)})
	step := func(txs ...*wire.MsgTx) {
		w.blockOf(txs...)
		w.check()
	}
	step(w.drawTx(0, 9_000))
	redeem := func(quantities ...int64) {
		var txs []*wire.MsgTx
		op, units := w.purse()
		for i, quantity := range quantities {
			var tx *wire.MsgTx
			tx, op, units = w.redeemTx(0, quantity, byte(40+i), op, units)
			txs = append(txs, tx)
		}
		step(txs...)
	}
	redeem(100, 101, 102, 103, 104) // claims 0 to 4
	op, units := w.purse()          // claim 5, by who holds a coin with the receipt's script
	pay := wire.NewMsgTx(2)
	pay.AddTxIn(wire.NewTxIn(&op, nil, nil))
	pay.AddTxOut(wire.NewTxOut(units, keyScript(30)))
	reclaim := goods.ReclaimTx(w.receipt(0), 1_000, wire.OutPoint{Hash: pay.TxHash()}, keyScript(45))
	goods.AddOutput(reclaim, wire.NewTxOut(units, keyScript(152)))
	step(pay, reclaim)
	w.tender(0, 1, 2, 5)
	step(goods.DeliverTx(w.claim(0)), goods.AssignTx(w.claim(1), keyScript(50)))
	step(goods.LapseTx(w.charter.ID(), w.claim(1), true))
	id := w.charter.ID()
	r := goods.DeliveriesOf(0, w.height+10, []goods.Delivery{{ClaimRef: goods.RefOf(w.claim(5))}})
	hash := goods.ProposalHash(id, r)
	step(w.attestTx(0, hash), w.attestTx(1, hash))
	step(w.seatTx(state.RoleCustodian, 0, r), goods.SettleTx(w.claim(3)))
	step(goods.SettleTx(w.claim(4)))
	for range 4 {
		step()
	}
	step(goods.LapseTx(id, w.claim(2), false))
	redeem(500) // claim 6, of a custodian in default
	step(goods.DeliverTx(w.claim(6)))
	redeem(6_000)
	w.mine(20)
	w.check()
}

// A reorganisation over the whole life of claims: each block back leaves the
// bytes below it, and the way forward leads to the same state.
func TestClaimsReorganisation(t *testing.T) {
	w := claimsWorld(t)
	w.liveClaims()
	if s := w.standing(0); !s.Defaulted || s.DebtUnits == 0 || s.Untendered != 1 {
		t.Fatalf("the custodian stands at %+v", s)
	}
	if r := w.receipt(0); r.Delivered != 100+1_000+500 || r.Lost != 103+104 || r.Owed != 6_000 || r.Undrawn != 0 || r.Free != 10_000-1_600-207-6_000 {
		t.Fatalf("the receipt is %+v", r)
	}
	kept, height := maps.Clone(w.goods), w.height
	for w.height > 0 {
		w.disconnect()
	}
	w.nonce = 0 // the same headers again
	w.liveClaims()
	if w.height != height || !maps.EqualFunc(w.goods, kept, bytes.Equal) {
		t.Error("the way forward leads elsewhere")
	}
}

// CheckTx judges a claim's records like a block does, also what its height
// brings.
func TestCheckTxOfClaims(t *testing.T) {
	w := claimsWorld(t)
	w.mine(100)
	w.stock(0, goods.Opening{Good: 0, Serial: "A", Quantity: 10_000, Script: keyScript(30)})
	w.blockOf(w.drawTx(0, 10_000))
	op, units := w.purse()
	tx, _, _ := w.redeemTx(0, 100, 40, op, units)
	coins := []*state.Coin{w.coins[op]}
	if err := goods.CheckTx(w.charter, w.tip, w, txOf(tx), coins); err != nil {
		t.Fatal(err)
	}
	tx.TxOut[1].Value--
	if err := goods.CheckTx(w.charter, w.tip, w, txOf(tx), coins); check.CodeOf(err) != goods.CodeRedeemPrice {
		t.Fatalf("a unit too little: %v", err)
	}
	tx.TxOut[1].Value++
	w.blockOf(tx)
	settle := goods.SettleTx(w.claim(0))
	escrow := []*state.Coin{w.coins[w.claim(0).Escrow]}
	for ; w.height < w.claim(0).GraceEnd(); w.mine(1) {
		if err := goods.CheckTx(w.charter, w.tip, w, txOf(settle), escrow); check.CodeOf(err) != goods.CodeClaimEarly {
			t.Fatalf("height %d: %v", w.height+1, err)
		}
	}
	if err := goods.CheckTx(w.charter, w.tip, w, txOf(settle), escrow); err != nil {
		t.Fatal(err)
	}
}

// ReadPrice tells the price that the next block takes, to the unit, whatever
// circulates.
func TestReadPrice(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	w := claimsWorld(t)
	w.mine(100)
	w.stock(0, goods.Opening{Good: 0, Serial: "A", Quantity: 10_000, Script: keyScript(30)})
	if _, err := goods.ReadPrice(w, w.receipt(0), 100); check.CodeOf(err) != goods.CodeRedeemClosed {
		t.Fatalf("a price without goods: %v", err)
	}
	w.blockOf(w.drawTx(0, 10_000))
	for i := range 40 {
		w.grant(1 + rng.Int64N(1<<uint(20+i/2)))
		quantity := 100 + rng.Int64N(100)
		op, units := w.purse()
		tx, _, _ := w.redeemTx(0, quantity, 40, op, units)
		tx.TxOut[1].Value--
		if err := w.begin().tx(tx); check.CodeOf(err) != goods.CodeRedeemPrice {
			t.Fatalf("one unit below the price of %d: %v", quantity, err)
		}
		tx.TxOut[1].Value++
		w.blockOf(tx)
		w.check()
	}
}

// The proposals that tools make are in order whatever order the claims come in.
func TestProposalsOfClaims(t *testing.T) {
	claims := []*state.Claim{{Number: 7}, {Number: 2}, {Number: 5}}
	tender := goods.TenderOf(1, 9, claims)
	deliver := goods.DeliveriesOf(1, 9, []goods.Delivery{{ClaimRef: goods.RefOf(claims[0])}, {ClaimRef: goods.RefOf(claims[1])}})
	ascending := func(a, b goods.ClaimRef) int { return int(a.Number) - int(b.Number) }
	if !slices.IsSortedFunc(tender.Claims, ascending) || deliver.Deliveries[0].Number != 2 {
		t.Errorf("%+v %+v", tender, deliver)
	}
	for _, r := range []goods.Record{tender, deliver} {
		if _, _, err := goods.DecodeRecord(goods.RecordScript(r)); err != nil {
			t.Error(err)
		}
	}
}

// A claim cannot be used in the block that opens it, by its right id and its
// right token and escrow, whatever the record.
func TestClaimOfTheSameBlock(t *testing.T) {
	w := claimsWorld(t)
	w.mine(100)
	w.stock(0, goods.Opening{Good: 0, Serial: "A", Quantity: 10_000, Script: keyScript(30)})
	w.blockOf(w.drawTx(0, 10_000))
	op, units := w.purse()
	redeem, _, _ := w.redeemTx(0, 100, 40, op, units)
	txid := redeem.TxHash()
	c := &state.Claim{
		ID: goods.ClaimID(txid), Quantity: 100, FeeBP: 50, Token: wire.OutPoint{Hash: txid}, TokenScript: keyScript(40),
		Escrow: wire.OutPoint{Hash: txid, Index: 1}, EscrowUnits: redeem.TxOut[1].Value,
	}
	id := w.charter.ID()
	for name, tx := range map[string]*wire.MsgTx{
		"deliver": goods.DeliverTx(c), "assign": goods.AssignTx(c, keyScript(41)), "settle": goods.SettleTx(c),
		"lapse": goods.LapseTx(id, c, false), "lapse by token": goods.LapseTx(id, c, true),
	} {
		a := w.begin()
		if err := a.tx(redeem); err != nil {
			t.Fatal(err)
		}
		if err := a.tx(tx); check.CodeOf(err) != goods.CodeClaimUnknown {
			t.Errorf("%s in the block of the claim: %v", name, err)
		}
	}
	w.blockOf(redeem)
	if got := w.claim(0); got.ID != c.ID || got.Token != c.Token || got.Escrow != c.Escrow || got.EscrowUnits != c.EscrowUnits {
		t.Fatalf("the claim is %+v, not %+v", got, c)
	}
	w.blockOf(goods.DeliverTx(c))
	w.check()
}

// Two hundred claims are tendered by one record of the custodian's seat, and a
// hundred delivered by one, within its weight.
func TestMostClaimsOfARecord(t *testing.T) {
	w := newWorld(t).windowsWorld(func(c *params.Charter) {
		c.Parameters.DeliveryWindowBlocks, c.Parameters.PickupWindowBlocks = 10, 1
	})
	w.mine(100)
	w.stock(0, goods.Opening{Good: 0, Serial: "A", Quantity: 40_000, Script: keyScript(30)})
	w.blockOf(w.drawTx(0, 40_000))
	var txs []*wire.MsgTx
	op, units := w.purse()
	for range 200 {
		var tx *wire.MsgTx
		tx, op, units = w.redeemTx(0, 100, 40, op, units)
		txs = append(txs, tx)
	}
	w.blockOf(txs...)
	var numbers []uint64
	var deliveries []goods.Delivery
	for i := range uint64(200) {
		numbers = append(numbers, i)
		if i < 100 {
			deliveries = append(deliveries, goods.Delivery{ClaimRef: goods.RefOf(w.claim(i))})
		}
	}
	w.tender(numbers...)
	if w.standing(0).Untendered != 0 {
		t.Fatalf("%d claims are untendered", w.standing(0).Untendered)
	}
	w.attested(goods.DeliveriesOf(0, w.height+2, deliveries), state.RoleCustodian, 0)
	if r := w.receipt(0); r.Delivered != 10_000 || r.Owed != 10_000 {
		t.Fatalf("the receipt is %+v", r)
	}
}
