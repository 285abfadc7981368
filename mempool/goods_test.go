package mempool

import (
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/mempool/policy"
	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

// claimsWorld has n reclaims whose custodian never tendered: anyone may settle
// them.
func claimsWorld(t *testing.T, n int) (*world, []*state.Claim) {
	w, _ := seatWorld(t, 0)
	claims := make([]*state.Claim, n)
	for i := range claims {
		claims[i] = &state.Claim{
			Number: uint64(i), ID: state.ObjectID{byte(i)}, Kind: state.ClaimReclaim, Quantity: 1, Opened: 10, Deadline: 20,
			Token: wire.OutPoint{Index: uint32(i)}, TokenHeight: 10, TokenScript: anyone,
		}
		w.goods[string(claims[i].Key())] = claims[i].Encode()
	}
	return w, claims
}

// settle settles a claim with a coin, all of it but the fee going on.
func (w *world) settle(c *state.Claim, feeUnits int64, op wire.OutPoint) *wire.MsgTx {
	msg := goods.SettleTx(c)
	msg.AddTxIn(wire.NewTxIn(&op, nil, nil))
	goods.AddOutput(msg, wire.NewTxOut(w.valueOf(op)-feeUnits, anyone))
	return msg
}

// pad adds outputs until the transaction weighs at least this much.
func pad(msg *wire.MsgTx, weight int64) *wire.MsgTx {
	units := msg.TxOut[0].Value
	for n := int64(1); state.TxWeight(msg) < weight; n++ {
		goods.AddOutput(msg, wire.NewTxOut(1000, anyone))
		msg.TxOut[0].Value = units - 1000*n
	}
	return msg
}

func TestDueLane(t *testing.T) {
	w, claims := claimsWorld(t, 10)
	free := w.accept(state.NewTx(w.settle(claims[0], 0, w.ripe[0])))
	if !free.Due || free.Seat || !free.Record || free.FeeUnits != 0 {
		t.Errorf("not in the lane: %+v", free)
	}
	// What comes after it is like anything else.
	w.refused(w.spend(0, 1, out(free.Tx, 0)), "min relay fee not met")
	w.accept(w.spend(1000, 1, out(free.Tx, 0)))

	w.refused(state.NewTx(pad(w.settle(claims[1], 0, w.ripe[1]), maxDueTxWeight+1)), "min relay fee not met")
	paying := w.accept(state.NewTx(pad(w.settle(claims[1], 5000, w.ripe[1]), maxDueTxWeight+1)))
	parent := w.accept(w.spend(1000, 1, w.ripe[2])).Tx
	w.refused(state.NewTx(w.settle(claims[2], 0, out(parent, 0))), "min relay fee not met")
	if child := w.accept(state.NewTx(w.settle(claims[2], 1000, out(parent, 0)))); child.Due || paying.Due {
		t.Error("free beyond the bounds of the lane")
	}
	checkPool(t, w.pool)
}

// TestDueLaneIsBounded fills the lane to its weight.
func TestDueLaneIsBounded(t *testing.T) {
	w, claims := claimsWorld(t, 30)
	w.pool.dueWeight = maxDueWeight // as if it were full
	w.refused(state.NewTx(w.settle(claims[0], 0, w.ripe[0])), "min relay fee not met")
	w.pool.dueWeight = maxDueWeight - state.TxWeight(w.settle(claims[0], 0, w.ripe[0]))
	if e := w.accept(state.NewTx(w.settle(claims[0], 0, w.ripe[0]))); !e.Due {
		t.Error("not in the lane at its bound")
	}
	w.refused(state.NewTx(w.settle(claims[1], 0, w.ripe[1])), "min relay fee not met")
	w.pool.dueWeight -= maxDueWeight - state.TxWeight(w.settle(claims[0], 0, w.ripe[0]))

	var lane []*state.Tx
	for i := range claims[:20] {
		msg := w.settle(claims[i], 0, w.ripe[i])
		if tx := state.NewTx(msg); i > 0 {
			w.accept(tx)
		}
		lane = append(lane, state.NewTx(msg))
	}
	// Others have no claim on its room.
	w.pool.maxBytes = w.pool.usage
	w.refused(w.spend(900_000, 1, w.ripe[30]), "mempool full")
	w.want(lane...)
	w.mine(lane[:10]...)
	w.want(lane[10:]...)
}

// TestOneForEachObject: of two that settle the same claim the first stays,
// unless the second pays for its place.
func TestOneForEachObject(t *testing.T) {
	w, claims := claimsWorld(t, 3)
	first := w.accept(state.NewTx(w.settle(claims[0], 1000, w.ripe[0]))).Tx
	other := w.accept(state.NewTx(w.settle(claims[1], 0, w.ripe[1]))).Tx
	child := w.accept(w.spend(3000, 1, out(first, 0))).Tx

	w.refused(state.NewTx(w.settle(claims[0], 0, w.ripe[2])), "insufficient fee")    // free: no better rate
	w.refused(state.NewTx(w.settle(claims[0], 1000, w.ripe[2])), "insufficient fee") // the same rate
	w.refused(state.NewTx(w.settle(claims[0], 4000, w.ripe[2])), "insufficient fee") // nothing for its relay
	w.refused(state.NewTx(w.settle(claims[0], 9000, out(child, 0))), "bad-txns-spends-conflicting-tx")
	w.refused(state.NewTx(w.settle(claims[0], 9000, out(other, 0))), "replacement-adds-unconfirmed")
	w.refused(w.spend(3000, 1, w.ripe[0]), "insufficient fee") // its input alone: child and relay are not paid
	plain := w.accept(w.spend(6000, 1, w.ripe[3])).Tx
	w.refused(state.NewTx(w.settle(claims[0], 9000, w.ripe[3])), "insufficient fee") // three would leave

	better := state.NewTx(w.settle(claims[0], 5000, w.ripe[2]))
	results := w.pool.TestAccept([]*state.Tx{better})
	if results[0].Err != nil || results[0].Entry.FeeUnits != 5000 {
		t.Errorf("trying it: %+v", results[0])
	}
	w.want(first, child, other, plain)
	if reason := w.pool.TestAccept([]*state.Tx{better, w.spend(1000, 1, w.ripe[9])})[0].RejectReason(); reason != "bip125-replacement-disallowed" {
		t.Errorf("in a package: %q", reason)
	}
	var gone []Reason
	defer w.pool.Watch(func(c Change) {
		if !c.Added {
			gone = append(gone, c.Why)
		}
	})()
	w.accept(better)
	w.want(better, other, plain)
	if len(gone) != 2 || gone[0] != Replaced || gone[1] != Replaced {
		t.Errorf("left for %v", gone)
	}
}

// TestOvertaken: a block that settles the claim otherwise makes the waiting
// one pointless, though its inputs are there.
func TestOvertaken(t *testing.T) {
	w, claims := claimsWorld(t, 2)
	tx := state.NewTx(w.settle(claims[0], 0, w.ripe[0]))
	other := state.NewTx(w.settle(claims[1], 0, w.ripe[1]))
	w.accept(tx)
	w.accept(other)
	var why Reason
	defer w.pool.Watch(func(c Change) { why = c.Why })()
	delete(w.goods, string(claims[0].Key()))
	w.mine()
	w.want(other)
	if why != Overtaken {
		t.Errorf("left because of %v", why)
	}
	w.refused(tx, "goods-claim-unknown")
}

// TestEmptyCoinsAreJudgedAgain: a token that became an ordinary output is a
// token again when the block that ended its claim is lost.
func TestEmptyCoinsAreJudgedAgain(t *testing.T) {
	w, claims := claimsWorld(t, 1)
	token := wire.OutPoint{Index: 77}
	w.coins[token] = &state.Coin{Script: anyone, Height: 5}
	key := string(state.KeyOutpoint(token))
	w.goods[key] = state.Meaning{Kind: state.MeansToken, Claim: claims[0].Number}.Encode()
	msg := w.spendMsg(1000, 1, w.ripe[0])
	msg.AddTxIn(wire.NewTxIn(&token, nil, nil))
	tx := state.NewTx(msg)
	w.refused(tx, "goods-token-spend")
	meaning := w.goods[key]
	delete(w.goods, key)
	w.mine()
	w.accept(tx)
	w.mine()
	w.want(tx)
	w.goods[key] = meaning
	w.drop()
	w.want()
}

// TestChildrenOfGoods: what an unconfirmed record makes a token is not spent
// before it is confirmed; its change is.
func TestChildrenOfGoods(t *testing.T) {
	w, _ := claimsWorld(t, 0)
	r := &state.Receipt{
		Number: 1, ID: state.ObjectID{1}, Serial: "A", Script: anyone, Opened: 10, Observed: 9, ValidUntil: 1000,
		OpenedWith: 1_000_000, Undrawn: 1_000_000,
	}
	charter := w.pool.rules.Charter
	good := state.GoodInForce{Good: charter.Goods[0], Since: 1}
	for key, value := range map[string][]byte{
		string(r.Key()): r.Encode(), string(state.KeyGood(0)): good.Encode(),
		string(state.KeyStanding(0)): (&state.Standing{}).Encode(),
	} {
		w.goods[key] = value
	}
	msg := goods.ReclaimTx(r, charter.Goods[0].MinRedemption, w.ripe[0], anyone)
	goods.AddOutput(msg, wire.NewTxOut(coinUnits-1000, anyone))
	reclaim := w.accept(state.NewTx(msg)).Tx
	claim := &state.Claim{Token: out(reclaim, 0)}
	for name, child := range map[string]*wire.MsgTx{
		"plain":   w.spendMsg(1000, 1, w.ripe[1]),
		"assign":  goods.AssignTx(claim, anyone),
		"deliver": goods.DeliverTx(claim),
	} {
		if name == "plain" {
			child.AddTxIn(wire.NewTxIn(&claim.Token, nil, nil))
		} else {
			child.AddTxIn(wire.NewTxIn(&w.ripe[1], nil, nil))
			goods.AddOutput(child, wire.NewTxOut(coinUnits-1000, anyone))
		}
		if _, err := w.pool.Accept(state.NewTx(child)); reasonOf(err) != "goods-token-twice" {
			t.Errorf("%s: got %v", name, err)
		}
	}
	w.accept(w.spend(1000, 1, out(reclaim, 1)))
}

// TestTreasuryNeedsItsRecord: the treasury is not standard to spend but by a
// record that may, and then with nothing in the input.
func TestTreasuryNeedsItsRecord(t *testing.T) {
	w, seats := seatWorld(t, 1)
	treasury := goods.TreasuryScript(w.pool.rules.Charter.ID())
	w.coins[w.ripe[0]].Script = treasury
	draw := wire.NewMsgTx(2)
	draw.AddTxIn(wire.NewTxIn(&w.ripe[0], nil, nil))
	draw.AddTxOut(wire.NewTxOut(coinUnits-1000, anyone))
	draw.AddTxOut(wire.NewTxOut(0, goods.RecordScript(goods.Draw{Receipt: 5, Quantity: 1})))
	w.refused(state.NewTx(draw), "goods-receipt-unknown") // policy lets it through
	signed := draw.Copy()
	signed.TxIn[0].SignatureScript = []byte{1, 1}
	w.refused(state.NewTx(signed), "bad-txns-nonstandard-inputs")
	stuffed := draw.Copy()
	stuffed.TxIn[0].Witness = wire.TxWitness{{1}}
	w.refused(state.NewTx(stuffed), "bad-txns-nonstandard-inputs")
	plain := draw.Copy()
	plain.TxOut = plain.TxOut[:1]
	w.refused(state.NewTx(plain), "bad-txns-nonstandard-inputs")
	w.refused(state.NewTx(w.rotate(seats[0], w.ripe[0])), "bad-txns-nonstandard-inputs")
	w.pool.standard = false
	w.refused(state.NewTx(stuffed), "goods-draw-input")
	w.refused(state.NewTx(plain), "goods-treasury-spend")
}

// TestNestedUnknownPrograms: beside the treasury a program of unknown version
// stays what it is elsewhere, even inside of P2SH.
func TestNestedUnknownPrograms(t *testing.T) {
	treasury := goods.TreasuryScript(params.CharterID{})
	redeem := append([]byte{0x52, 0x02}, 1, 2) // version 2
	msg := goods.SettleTx(&state.Claim{Kind: state.ClaimRedemption, EscrowUnits: 5000, TokenScript: anyone})
	msg.AddTxIn(wire.NewTxIn(&wire.OutPoint{}, append([]byte{byte(len(redeem))}, redeem...), nil))
	p2sh := append(append([]byte{0xa9, 20}, make([]byte, 20)...), 0x87)
	spent := []*state.Coin{{ValueUnits: 5000, Script: treasury}, {ValueUnits: 5000, Script: p2sh}}
	if err := policy.CheckInputs(msg, spent, policy.ReadGoods(treasury, msg)); reasonOf(err) != "bad-txns-nonstandard-inputs" {
		t.Errorf("got %v", err)
	}
	msg.TxIn[1].SignatureScript = append([]byte{22, 0, 20}, make([]byte, 20)...)
	if err := policy.CheckInputs(msg, spent, policy.ReadGoods(treasury, msg)); err != nil {
		t.Error(err)
	}
}

// countingChain counts how often the block above a tip is begun: each begin
// reads the totals, and nothing else here does.
type countingChain struct {
	Chain
	begun int
}

func (c *countingChain) View(f func(tip *state.Header, v state.View) error) error {
	return c.Chain.View(func(tip *state.Header, v state.View) error { return f(tip, countingView{v, c}) })
}

type countingView struct {
	state.View
	chain *countingChain
}

func (v countingView) Goods(key []byte) ([]byte, error) {
	if string(key) == string(state.KeyTotals()) {
		v.chain.begun++
	}
	return v.View.Goods(key)
}

// TestNextBlockIsBegunOnce: what a height brings, which can be the work of a
// block, is done once for a tip. Who sends records that pay nothing or are
// refused, or has many wait, does not make the pool do it again.
func TestNextBlockIsBegunOnce(t *testing.T) {
	w, claims := claimsWorld(t, 10)
	counter := &countingChain{Chain: w.fakeChain}
	w.pool.chain = counter
	for i, claim := range claims {
		w.accept(state.NewTx(w.settle(claim, 0, w.ripe[i])))
		unknown := *claim
		unknown.Number = 1000
		w.refused(state.NewTx(w.settle(&unknown, 0, w.ripe[20])), "goods-claim-unknown")
	}
	if counter.begun != 1 {
		t.Errorf("20 records at one tip: the next block was begun %d times", counter.begun)
	}
	w.mine()
	if counter.begun != 2 {
		t.Errorf("10 records judged again: begun %d times", counter.begun)
	}
	w.drop()
	if counter.begun != 3 {
		t.Errorf("after a block was lost: begun %d times", counter.begun)
	}
}
