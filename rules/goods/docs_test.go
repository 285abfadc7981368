package goods_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/params"
	"granary/rules/goods"
	"granary/state"
	"granary/state/tree"
)

const docPath = "../../docs/goods-rules.md"

// vector is one line of the page's vectors.
type vector struct {
	name  string
	bytes []byte
}

// byteVectors are the vectors of docs/goods-rules.md, made by the code.
func byteVectors(t *testing.T) []vector {
	t.Helper()
	w := newWorld(t)
	id := w.charter.ID()
	open := *w.charter
	open.Base = params.CharterNetwork{Base: params.BaseSignetOpen}
	opened, err := params.NewCharter(open)
	if err != nil {
		t.Fatal(err)
	}
	openID := opened.ID()
	var txid chainhash.Hash
	for i := range txid {
		txid[i] = byte(i)
	}
	seat := state.Seat{
		Role: state.RoleAuditor, Index: 1, Name: "Second auditor",
		Out: wire.OutPoint{Hash: txid, Index: 3}, Script: keyScript(9), Height: 101, Since: 1,
	}
	totals := state.Totals{CirculatingUnits: 700, PoolUnits: 2_000, EscrowUnits: 300, UTXOUnits: 3_000}
	left, right := tree.LeafHash([]byte("A"), []byte("x")), tree.LeafHash([]byte("C"), nil)
	small := newWorld(t)
	small.goods = map[string][]byte{"A": []byte("x"), "C": {}}
	root, err := tree.Update(overlayInto(small), []state.GoodsChange{{Key: []byte("A"), New: []byte("x")}, {Key: []byte("C"), New: []byte{}}})
	if err != nil {
		t.Fatal(err)
	}
	present, err := tree.Prove(small, []byte("A"))
	if err != nil {
		t.Fatal(err)
	}
	vectors := []vector{
		{"charter.canonical", w.charter.Canonical()},
		{"charter.id", id[:]},
		{"treasury.script", goods.TreasuryScript(id)},
		{"open.id", openID[:]},
		{"open.challenge", opened.SignetChallenge()},
		{"key.totals", state.KeyTotals()},
		{"key.parameters", state.KeyParameters()},
		{"key.good.258", state.KeyGood(258)},
		{"key.allowance.1.258", state.KeyAllowance(1, 258)},
		{"key.auditor.1", seat.Key()},
		{"key.outpoint", state.KeyOutpoint(seat.Out)},
		{"value.totals", totals.Encode()},
		{"value.parameters", w.charter.Parameters.Encode()},
		{"value.good.2", (&state.GoodInForce{Good: w.charter.Goods[2], Since: 1}).Encode()},
		{"value.allowance", state.EncodeLimit(4_000_000)},
		{"value.seat", seat.Encode()},
		{"value.outpoint", state.Meaning{Kind: state.MeansSeat, Role: seat.Role, Index: seat.Index}.Encode()},
		{"record.rotate", goods.RecordScript(goods.Rotate{})},
		{"commitment.empty", goods.CommitmentScript(id, chainhash.Hash{})},
		{"leaf.A.x", left[:]},
		{"leaf.C.empty", right[:]},
		{"root.A.C", root[:]},
		{"page.A.C", small.goods["\x00\x40\x01"]},
		{"proof.A", present.Encode()},
	}
	vectors = append(vectors, receiptVectors(w, txid)...)
	vectors = append(vectors, claimVectors(w, txid)...)
	return append(vectors, blockVectors(t, w)...)
}

// receiptVectors are those of goods coming in and coins going out.
func receiptVectors(w *world, txid chainhash.Hash) []vector {
	receive := goods.Receive{
		Custodian: 0, Expiry: 160, Observed: goods.Observed{Height: 100, Hash: txid},
		Openings: []goods.Opening{{
			Good: 0, Registry: 0, Serial: "LOT-7", Quantity: 10_000, Document: txid, Location: "Hall 7", Script: keyScript(9),
		}},
	}
	proposal := goods.ProposalHash(w.charter.ID(), receive)
	o := &receive.Openings[0]
	receipt := state.Receipt{
		Number: 258, ID: goods.ReceiptID(txid, 0), Good: o.Good, Custodian: receive.Custodian, Registry: o.Registry,
		Serial: o.Serial, Document: o.Document, Location: o.Location, Script: o.Script, HaircutBP: 1_500,
		Opened: 102, Observed: 100, ValidUntil: 2_100, OpenedWith: 10_000, Undrawn: 9_764, Free: 236, ReleasedUnits: 10_030_000,
	}
	lot := goods.LotCommitment(o.Registry, o.Serial)
	units := w.charter.Goods[0].ValueUnits(receipt.Free)
	sum := state.Sum{}.Add(units)
	return []vector{
		{"record.attest", goods.RecordScript(goods.Attest{Proposals: []chainhash.Hash{proposal}})},
		{"record.receive", goods.RecordScript(receive)},
		{"record.draw", goods.RecordScript(goods.Draw{Receipt: receipt.Number, ID: receipt.ID, Quantity: 236})},
		{"proposal", proposal[:]},
		{"receipt.id", receipt.ID[:]},
		{"lot", lot[:]},
		{"key.receipt.258", receipt.Key()},
		{"key.lot", state.KeyLot(lot)},
		{"key.next", state.KeyNextReceipt()},
		{"key.holding.1.258", state.KeyHolding(1, 258)},
		{"key.reserve", state.KeyReserve()},
		{"key.fresh", state.KeyFresh(2_100, 1, 258)},
		{"key.attestation", state.KeyAttestation(proposal, 1)},
		{"key.used", state.KeyUsed(proposal)},
		{"key.expiry", state.KeyExpiry(246, proposal, 1)},
		{"key.expiry.used", state.KeyExpiry(161, proposal, state.UsedAuditor)},
		{"value.receipt", receipt.Encode()},
		{"value.lot", state.EncodeNumber(258)},
		{"value.next", state.EncodeNumber(259)},
		{"value.holding", state.Holding{Whole: 10_000, Free: 236, Counted: 236}.Encode()},
		{"value.reserve", state.Reserve{Counted: sum, All: sum}.Encode()},
		{"value.fresh", state.EncodeLimit(236)},
		{"value.attestation", state.Attestation{Height: 101, Until: 245}.Encode()},
		{"value.used", state.EncodeHeight(160)},
		{"value.expiry", state.ExpiryMark()},
	}
}

// claimVectors are those of goods going out, custodians and changes.
func claimVectors(w *world, txid chainhash.Hash) []vector {
	claim := state.Claim{
		Number: 259, ID: goods.ClaimID(txid), Receipt: 258, Custodian: 1, Quantity: 100,
		Escrow: wire.OutPoint{Hash: txid, Index: 1}, EscrowUnits: 5_025_000, FeeBP: 50, Opened: 110, Deadline: 140,
		PickupBlocks: 15, GraceBlocks: 10, Tendered: 120, Token: wire.OutPoint{Hash: txid}, TokenHeight: 110, TokenScript: keyScript(9),
	}
	standing := state.Standing{
		Suspended: true, SuspendedAt: 99, DebtUnits: 77, DefaultAt: 300, Untendered: 2, AnnouncedUnits: 5, ReadyAt: 200, ReturnScript: keyScript(8),
		Bonds:   []state.Bond{{Out: wire.OutPoint{Hash: txid, Index: 1}, Units: 50}},
		Counted: state.Sum{Lo: 1}, All: state.Sum{Lo: 2}, Whole: state.Sum{Hi: 1, Lo: 3},
	}
	pending := state.Pending{
		ID: claim.ID, Announced: 110, Effective: 170, Txid: txid, Scripts: [][]byte{keyScript(7)}, Body: []byte{0, 1},
	}
	counts := state.Counts{Goods: 3, Custodians: 2, Auditors: 4}
	return []vector{
		{"claim.id", claim.ID[:]},
		{"key.claim.259", claim.Key()},
		{"key.next.claim", state.KeyNextClaim()},
		{"key.untendered", state.KeyUntendered(1, 140)},
		{"key.standing.1", state.KeyStanding(1)},
		{"key.default", state.KeyDefault(300, 1)},
		{"key.pending.2", state.KeyPending(state.SlotReseatCouncil)},
		{"key.counts", state.KeyCounts()},
		{"value.claim", claim.Encode()},
		{"value.standing", standing.Encode()},
		{"value.pending", pending.Encode()},
		{"value.counts", counts.Encode()},
		{"value.outpoint.token", state.Meaning{Kind: state.MeansToken, Claim: 259}.Encode()},
		{"value.outpoint.escrow", state.Meaning{Kind: state.MeansEscrow, Claim: 259}.Encode()},
		{"value.outpoint.bond", state.Meaning{Kind: state.MeansBond, Index: 1}.Encode()},
		{"value.outpoint.waiting", state.Meaning{Kind: state.MeansWaiting, Slot: state.SlotReseat}.Encode()},
	}
}

// overlayInto lets the tree write into a world's map.
func overlayInto(w *world) tree.ReadWriter { return worldWriter{w} }

type worldWriter struct{ *world }

func (w worldWriter) SetGoods(key, value []byte) error {
	w.goods[string(key)] = value
	if value == nil {
		delete(w.goods, string(key))
	}
	return nil
}

func blockVectors(t *testing.T, w *world) []vector {
	t.Helper()
	a := w.begin()
	cb := a.coinbase()
	var raw bytes.Buffer
	if err := cb.SerializeNoWitness(&raw); err != nil {
		t.Fatal(err)
	}
	if _, err := a.finish(cb); err != nil {
		t.Fatal(err)
	}
	root, err := goods.Root(w)
	if err != nil {
		t.Fatal(err)
	}
	next := w.begin().coinbase()
	return []vector{
		{"block1.coinbase", raw.Bytes()},
		{"block1.root", root[:]},
		{"block2.commitment", next.TxOut[1].PkScript},
	}
}

// The page states the bytes; the code must make the same.
func TestPageVectors(t *testing.T) {
	page, err := os.ReadFile(docPath)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "```vectors\n")
	if !found {
		t.Fatal("the page has no vectors")
	}
	block, _, _ := strings.Cut(rest, "```")
	stated := map[string]string{}
	name := ""
	for _, line := range strings.Split(block, "\n") {
		if before, after, isNew := strings.Cut(line, " = "); isNew {
			name, line = before, after
		}
		stated[name] += strings.TrimSpace(line)
	}
	var made strings.Builder
	ok := true
	for _, v := range byteVectors(t) {
		text := hex.EncodeToString(v.bytes)
		if stated[v.name] != text {
			ok = false
			t.Errorf("%s: the page says %.80s, the code %.80s", v.name, stated[v.name], text)
		}
		delete(stated, v.name)
		fmt.Fprintf(&made, "%s = ", v.name)
		for i := 0; len(text) > 0; i++ {
			n := min(len(text), 96)
			if i > 0 {
				made.WriteString("  ")
			}
			made.WriteString(text[:n] + "\n")
			text = text[n:]
		}
	}
	for name := range stated {
		if name != "" {
			t.Errorf("the page has a vector %q that the code does not make", name)
		}
	}
	if !ok {
		t.Logf("the code makes:\n%s", made.String())
	}
}

// Every code is on the page, and every "goods-" code of the page is known.
func TestPageCodes(t *testing.T) {
	page, err := os.ReadFile(docPath)
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("codes.go")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, part := range strings.Split(string(source), `"`) {
		if strings.HasPrefix(part, "goods-") {
			known[part] = true
			if !strings.Contains(string(page), "`"+part+"`") {
				t.Errorf("code %s is not on the page", part)
			}
		}
	}
	for _, part := range strings.Split(string(page), "`") {
		if strings.HasPrefix(part, "goods-") && !strings.Contains(part, " ") && !strings.Contains(part, ".") && !known[part] {
			t.Errorf("the page has %s, the code has not", part)
		}
	}
	if len(known) < 20 {
		t.Fatalf("%d codes found", len(known))
	}
}
