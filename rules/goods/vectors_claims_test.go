package goods_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/cockroachdb/datadriven"

	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

// The words of claims:
//
//	windows [delivery=N] [pickup=N] [grace=N] [fee=BP] [penalty=BP] [age=N] [thirds]
//	                                a chain of 100 blocks whose charter has these
//	price receipt=N quantity=N      what that costs in the next block
//	redeemed receipt=N quantity=N [token=K]   a block with what RedeemTx makes, at that price
//	reclaimed receipt=N quantity=N [token=K]  a block with what ReclaimTx makes
//	flood claims=N receipt=N quantity=N [reclaim]   a block with so many of them
//	tender NAME, delivery NAME      by custodian N expires BLOCKS; claim N [id HEX]; many N
//	tendered claims=(N, ...)        two blocks: attested, tendered
//	delivertx claim=N               a block with what DeliverTx makes; assigntx claim=N token=K,
//	                                lapsetx claim=N [token], settletx claim=N likewise
//	record reclaim|redeem RECEIPT MEASURES [ID]
//	record deliver|lapse|settle|assign CLAIM [ID]
//	in token CLAIM, in escrow CLAIM
func init() {
	for name, command := range map[string]func(w *world, d *datadriven.TestData) string{
		"windows": (*world).vectorWindows, "price": (*world).vectorPrice, "redeemed": (*world).vectorClaimed,
		"reclaimed": (*world).vectorClaimed, "flood": (*world).vectorFlood, "tender": (*world).vectorTender,
		"delivery": (*world).vectorDelivery, "tendered": (*world).vectorTendered, "delivertx": (*world).vectorClaimTx,
		"assigntx": (*world).vectorClaimTx, "lapsetx": (*world).vectorClaimTx, "settletx": (*world).vectorClaimTx,
	} {
		vectorCommands[name] = command
	}
	vectorRecords["reclaim"] = func(w *world, words []string) goods.Record {
		return goods.Reclaim(w.partWords(words))
	}
	vectorRecords["redeem"] = func(w *world, words []string) goods.Record {
		return goods.Redeem(w.partWords(words))
	}
	for name, record := range map[string]func(goods.ClaimRef) goods.Record{
		"deliver": func(r goods.ClaimRef) goods.Record { return goods.Deliver{ClaimRef: r} },
		"lapse":   func(r goods.ClaimRef) goods.Record { return goods.Lapse{ClaimRef: r} },
		"settle":  func(r goods.ClaimRef) goods.Record { return goods.Settle{ClaimRef: r} },
		"assign":  func(r goods.ClaimRef) goods.Record { return goods.Assign{ClaimRef: r} },
	} {
		vectorRecords[name] = func(w *world, words []string) goods.Record { return record(w.refWords(words[1:])) }
	}
	vectorInputs["token"] = func(w *world, words []string) *wire.OutPoint {
		return &w.claim(uint64(numeral(w, words[1]))).Token
	}
	vectorInputs["escrow"] = func(w *world, words []string) *wire.OutPoint {
		return &w.claim(uint64(numeral(w, words[1]))).Escrow
	}
	vectorEvents = append(vectorEvents, describeClaimEvent)
	vectorStates = append(vectorStates, (*world).describeClaims)
}

// part are the fields of reclaim and redeem.
type part struct {
	Receipt  uint64
	ID       state.ObjectID
	Quantity int64
}

func (w *world) partWords(words []string) part {
	w.t.Helper()
	p := part{Receipt: uint64(numeral(w, words[1])), Quantity: numeral(w, words[2])}
	if r, err := goods.ReadReceipt(w, p.Receipt); err == nil && r != nil {
		p.ID = r.ID
	}
	if len(words) > 3 {
		copy(p.ID[:], unhex(w.t, words[3]))
	}
	return p
}

func (w *world) refWords(words []string) goods.ClaimRef {
	w.t.Helper()
	r := goods.ClaimRef{Number: uint64(numeral(w, words[0]))}
	if c, err := goods.ReadClaim(w, r.Number); err == nil && c != nil {
		r.ID = c.ID
	}
	if id := words[len(words)-1]; len(id) == 16 {
		copy(r.ID[:], unhex(w.t, id))
	}
	return r
}

func (w *world) claim(number uint64) *state.Claim {
	w.t.Helper()
	c, err := goods.ReadClaim(w, number)
	if err != nil || c == nil {
		w.t.Fatalf("claim %d: %v", number, err)
	}
	return c
}

func (w *world) receipt(number uint64) *state.Receipt {
	w.t.Helper()
	r, err := goods.ReadReceipt(w, number)
	if err != nil || r == nil {
		w.t.Fatalf("receipt %d: %v", number, err)
	}
	return r
}

// windowsWorld is a chain whose charter differs from the demo's as edit says.
func (w *world) windowsWorld(edit func(c *params.Charter)) *world {
	w.t.Helper()
	c := *newWorld(w.t).charter
	c.Goods = slices.Clone(c.Goods)
	edit(&c)
	c.Low, c.High = c.Parameters, c.Parameters
	charter, err := params.NewCharter(c)
	if err != nil {
		w.t.Fatal(err)
	}
	return worldOf(w.t, charter)
}

func (w *world) vectorWindows(d *datadriven.TestData) string {
	w.t.Helper()
	*w = *w.windowsWorld(func(c *params.Charter) {
		p := &c.Parameters
		for name, value := range map[string]*int64{
			"delivery": &p.DeliveryWindowBlocks, "pickup": &p.PickupWindowBlocks, "grace": &p.GraceWindowBlocks,
			"fee": &p.RedemptionFeeBP, "penalty": &p.PenaltyBP,
		} {
			d.MaybeScanArgs(w.t, name, value)
		}
		d.MaybeScanArgs(w.t, "age", &c.Goods[0].MaxAgeBlocks)
		if d.HasArg("thirds") { // a kilogram of wheat is worth a third of a unit, any quantity will do
			c.Goods[0].ParNum, c.Goods[0].ParDen, c.Goods[0].MinRedemption = 1, 3, 1
			p.MinDrawUnits = 1
		}
	})
	w.mine(100)
	return fmt.Sprintf("height %d\n", w.height)
}

func (w *world) vectorPrice(d *datadriven.TestData) string {
	w.t.Helper()
	var number uint64
	var quantity int64
	d.ScanArgs(w.t, "receipt", &number)
	d.ScanArgs(w.t, "quantity", &quantity)
	price, err := goods.ReadPrice(w, w.receipt(number), quantity)
	if err != nil {
		return err.Error() + "\n"
	}
	return fmt.Sprintf("%d\n", price)
}

// redeemTx is RedeemTx at its price from a coin of units; what is left of it
// goes on at output 2.
func (w *world) redeemTx(number uint64, quantity int64, token byte, from wire.OutPoint, units int64) (tx *wire.MsgTx, change wire.OutPoint, left int64) {
	w.t.Helper()
	price, err := goods.ReadPrice(w, w.receipt(number), quantity)
	if err != nil {
		w.t.Fatal(err)
	}
	if left = units - price; left < 0 {
		w.t.Fatalf("a coin of %d units does not pay %d", units, price)
	}
	tx = goods.RedeemTx(w.charter.ID(), w.receipt(number), quantity, price, keyScript(token))
	tx.AddTxIn(wire.NewTxIn(&from, nil, nil))
	goods.AddOutput(tx, wire.NewTxOut(left, keyScript(0x98)))
	return tx, wire.OutPoint{Hash: tx.TxHash(), Index: 2}, left
}

// purse gives the largest ordinary coin.
func (w *world) purse() (op wire.OutPoint, units int64) {
	w.t.Helper()
	treasury := goods.TreasuryScript(w.charter.ID())
	for at, coin := range w.coins {
		larger := coin.ValueUnits > units || coin.ValueUnits == units && bytes.Compare(at.Hash[:], op.Hash[:]) < 0
		if larger && !bytes.Equal(coin.Script, treasury) {
			op, units = at, coin.ValueUnits
		}
	}
	return op, units
}

// reclaimTxs are ReclaimTx and, before it, a coin with the receipt's script.
func (w *world) reclaimTxs(number uint64, quantity int64, token byte) []*wire.MsgTx {
	w.t.Helper()
	pay := wire.NewMsgTx(2)
	op := w.grant(1_000)
	pay.AddTxIn(wire.NewTxIn(&op, nil, nil))
	pay.AddTxOut(wire.NewTxOut(1_000, w.receipt(number).Script))
	tx := goods.ReclaimTx(w.receipt(number), quantity, wire.OutPoint{Hash: pay.TxHash()}, keyScript(token))
	goods.AddOutput(tx, wire.NewTxOut(1_000, keyScript(0x98)))
	return []*wire.MsgTx{pay, tx}
}

func (w *world) vectorClaimed(d *datadriven.TestData) string {
	w.t.Helper()
	var number uint64
	var quantity int64
	token := 40
	d.ScanArgs(w.t, "receipt", &number)
	d.ScanArgs(w.t, "quantity", &quantity)
	d.MaybeScanArgs(w.t, "token", &token)
	if d.Cmd == "reclaimed" {
		return w.eventsOf(w.reclaimTxs(number, quantity, byte(token))...)
	}
	op, units := w.purse()
	tx, _, _ := w.redeemTx(number, quantity, byte(token), op, units)
	return w.eventsOf(tx)
}

// eventsOf makes a block and shows what it did.
func (w *world) eventsOf(txs ...*wire.MsgTx) string {
	w.t.Helper()
	var b strings.Builder
	for _, e := range w.blockOf(txs...) {
		describeGoods(&b, e)
	}
	w.check()
	return b.String()
}

func (w *world) vectorFlood(d *datadriven.TestData) string {
	w.t.Helper()
	var n int
	var number uint64
	var quantity int64
	d.ScanArgs(w.t, "claims", &n)
	d.ScanArgs(w.t, "receipt", &number)
	d.ScanArgs(w.t, "quantity", &quantity)
	var txs []*wire.MsgTx
	op, units := w.purse()
	for range n {
		if d.HasArg("reclaim") {
			txs = append(txs, w.reclaimTxs(number, quantity, 40)...)
			continue
		}
		tx, change, left := w.redeemTx(number, quantity, 40, op, units)
		txs, op, units = append(txs, tx), change, left
	}
	w.blockOf(txs...)
	w.check()
	return fmt.Sprintf("height %d, untendered %d\n", w.height, w.standing(w.receipt(number).Custodian).Untendered)
}

// claimsWords reads the lines of tender and delivery.
func (w *world) claimsWords(d *datadriven.TestData) (custodian uint16, expiry int32, refs []goods.ClaimRef) {
	w.t.Helper()
	for _, line := range strings.Split(d.Input, "\n") {
		words := strings.Fields(line)
		switch words[0] {
		case "by":
			custodian = uint16(mustWord(w, words, "custodian"))
			expiry = w.height + 1 + int32(mustWord(w, words, "expires"))
		case "claim":
			refs = append(refs, w.refWords(words[1:]))
		case "many":
			for i := range mustWord(w, words, "many") {
				refs = append(refs, goods.ClaimRef{Number: uint64(1_000 + i)})
			}
		default:
			w.t.Fatalf("unknown line %q", line)
		}
	}
	return custodian, expiry, refs
}

func (w *world) vectorTender(d *datadriven.TestData) string {
	w.t.Helper()
	custodian, expiry, refs := w.claimsWords(d)
	return w.named(d, goods.Tender{Custodian: custodian, Expiry: expiry, Claims: refs})
}

func (w *world) vectorDelivery(d *datadriven.TestData) string {
	w.t.Helper()
	custodian, expiry, refs := w.claimsWords(d)
	r := goods.DeliverAttested{Custodian: custodian, Expiry: expiry}
	for _, ref := range refs {
		r.Deliveries = append(r.Deliveries, goods.Delivery{ClaimRef: ref, Document: chainhash.HashH([]byte("note"))})
	}
	return w.named(d, r)
}

// tender lets the custodian of these claims tender them, in two blocks.
func (w *world) tender(numbers ...uint64) []goods.Event {
	w.t.Helper()
	var claims []*state.Claim
	for _, number := range numbers {
		claims = append(claims, w.claim(number))
	}
	custodian := claims[0].Custodian
	return w.attested(goods.TenderOf(custodian, w.height+2, claims), state.RoleCustodian, custodian)
}

func (w *world) vectorTendered(d *datadriven.TestData) string {
	w.t.Helper()
	var numbers []uint64
	for _, text := range d.CmdArgs[0].Vals {
		numbers = append(numbers, uint64(numeral(w, text)))
	}
	var b strings.Builder
	for _, e := range w.tender(numbers...) {
		describeGoods(&b, e)
	}
	return b.String()
}

// vectorClaimTx mines what a builder makes; a reclaim's has a granted coin.
func (w *world) vectorClaimTx(d *datadriven.TestData) string {
	w.t.Helper()
	var number uint64
	token := 41
	d.ScanArgs(w.t, "claim", &number)
	c := w.claim(number)
	var tx *wire.MsgTx
	switch d.Cmd {
	case "delivertx":
		tx = goods.DeliverTx(c)
	case "assigntx":
		d.ScanArgs(w.t, "token", &token)
		tx = goods.AssignTx(c, keyScript(byte(token)))
	case "lapsetx":
		tx = goods.LapseTx(w.charter.ID(), c, d.HasArg("token"))
	case "settletx":
		tx = goods.SettleTx(c)
	}
	if len(tx.TxIn) == 0 {
		op := w.grant(1_000)
		tx.AddTxIn(wire.NewTxIn(&op, nil, nil))
	}
	return w.eventsOf(tx)
}

// describeClaimEvent writes the line of an event of a claim.
func describeClaimEvent(b *strings.Builder, e goods.Event) {
	switch e := e.(type) {
	case goods.ClaimOpened:
		fmt.Fprintf(b, "claim %d id %x: %s of %d of receipt %d, escrow %d, deadline %d\n", e.Claim.Number, e.Claim.ID[:], e.Claim.Kind,
			e.Claim.Quantity, e.Claim.Receipt, e.Claim.EscrowUnits, e.Claim.Deadline)
	case goods.ClaimTendered:
		fmt.Fprintf(b, "claim %d tendered, pickup to %d, grace to %d\n", e.Claim.Number, e.Claim.PickupEnd(), e.Claim.PickupGraceEnd())
	case goods.ClaimDelivered:
		fmt.Fprintf(b, "claim %d delivered, by holder %t, note %x\n", e.Claim.Number, e.ByHolder, e.Document[:4])
	case goods.ClaimLapsed:
		fmt.Fprintf(b, "claim %d lapsed, by holder %t, paid %d, rest %d\n", e.Claim.Number, e.ByHolder, e.PaidUnits, e.RestUnits)
	case goods.ClaimSettled:
		fmt.Fprintf(b, "claim %d settled, paid %d, debt %d\n", e.Claim.Number, e.PaidUnits, e.DebtUnits)
	case goods.ClaimAssigned:
		fmt.Fprintf(b, "claim %d assigned to %x from %x\n", e.Claim.Number, e.Claim.TokenScript, e.FromScript)
		if e.From == e.Claim.Token || bytes.Equal(e.From.Hash[:], e.Claim.Token.Hash[:]) {
			b.WriteString("the token did not move\n")
		}
	}
}

// describeClaims shows the open claims.
func (w *world) describeClaims(b *strings.Builder) {
	w.t.Helper()
	err := goods.RangeClaims(w, func(c *state.Claim) bool {
		fmt.Fprintf(b, "claim %d: %s of %d of receipt %d, escrow %d, deadline %d, tendered %d, token of %d under %x\n", c.Number, c.Kind,
			c.Quantity, c.Receipt, c.EscrowUnits, c.Deadline, c.Tendered, c.TokenHeight, c.TokenScript)
		return true
	})
	if err != nil {
		w.t.Fatal(err)
	}
}
