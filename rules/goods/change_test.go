package goods_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/params"
	"granary/rules/goods"
	"granary/state"
	"granary/state/tree"
)

// changeTx is the council's transaction with so many outputs that wait.
func (w *world) changeTx(r goods.Record, waiting ...[]byte) *wire.MsgTx {
	w.t.Helper()
	seat := w.seat(state.RoleCouncil, 0)
	return goods.ChangeTx(&seat, seat.Script, waiting, r)
}

func u16(n uint16) []byte { return binary.LittleEndian.AppendUint16(nil, n) }
func u64(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }

func someGood(code string) params.Good {
	return params.Good{Code: code, Name: "Rye, " + code, Measure: "kg", ParNum: 40_000, ParDen: 3, HaircutBP: 2_000, MaxAgeBlocks: 99, MinReceipt: 10, MinRedemption: 1}
}

// A body has one form: what parses gives the same bytes again, and anything
// else is malformed.
func TestChangeBodies(t *testing.T) {
	full := goods.Amend{
		Parameters: []goods.ParameterChange{{Parameter: 0, Value: 11_000}, {Parameter: 13, Value: 5}},
		Goods:      []goods.GoodChange{{Index: 2, Good: someGood("A")}, {Index: 3, Good: someGood("B")}},
		Allowances: []goods.AllowanceChange{{Custodian: 0, Allowance: params.Allowance{Good: 9, Limit: 4}}, {Custodian: 1, Allowance: params.Allowance{Good: 0, Limit: math.MaxInt64}}},
		Custodians: []goods.NewCustodian{{Name: "Shed", Allowances: []params.Allowance{{Good: 0, Limit: 7}, {Good: 3, Limit: 8}}}, {Name: "Empty", Allowances: []params.Allowance{}}},
		Auditors:   []string{"Fourth", ""},
	}
	id := state.ObjectID{1, 2, 3, 4, 5, 6, 7, 8}
	for _, r := range []goods.Record{
		full,
		goods.Amend{Auditors: []string{"x"}},
		goods.Amend{Withdraw: true, ID: id},
		goods.Reseat{Role: state.RoleAuditor, Index: 300, Script: keyScript(1)},
		goods.Reseat{Step: goods.ReseatWithdraw, ID: id},
		goods.Reseat{Step: goods.ReseatAnnounceCouncil, Auditor: 2, Expiry: 77, Script: keyScript(2)},
		goods.Reseat{Step: goods.ReseatWithdrawCouncil, Auditor: 2, Expiry: 77, ID: id},
	} {
		script := goods.RecordScript(r)
		parsed, ok, err := goods.DecodeRecord(script)
		if !ok || err != nil || !bytes.Equal(goods.RecordScript(parsed), script) || fmt.Sprintf("%+v", parsed) != fmt.Sprintf("%+v", r) {
			t.Fatalf("%+v\ncame back as %+v: %v", r, parsed, err)
		}
		body := r.Body()
		for n := range body {
			malformed(t, "cut", r.Type(), body[:n])
		}
		malformed(t, "longer", r.Type(), append(bytes.Clone(body), 0))
	}
}

func malformed(t *testing.T, what string, kind goods.RecordType, body []byte) {
	t.Helper()
	payload := append([]byte("GrRe"), byte(kind))
	payload = append(payload, body...)
	script := append([]byte{0x6a, 0x4d, byte(len(payload)), byte(len(payload) >> 8)}, payload...)
	switch n := len(payload); {
	case n <= 75:
		script = append([]byte{0x6a, byte(n)}, payload...)
	case n <= 255:
		script = append([]byte{0x6a, 0x4c, byte(n)}, payload...)
	}
	if _, ok, err := goods.DecodeRecord(script); !ok || check.CodeOf(err) != goods.CodeRecordMalformed {
		t.Errorf("%s: %x: %t %v", what, body, ok, err)
	}
}

func TestMalformedChanges(t *testing.T) {
	list := func(parts ...[]byte) []byte { return slices.Concat(append([][]byte{{0}}, parts...)...) }
	none := u16(0)
	parameter := func(p byte, v uint64) []byte { return append([]byte{p}, u64(v)...) }
	allowance := func(c, g uint16, limit uint64) []byte { return slices.Concat(u16(c), u16(g), u64(limit)) }
	broken := someGood("A")
	broken.ParDen = math.MinInt64
	many := bytes.Repeat([]byte{1, 'a'}, 65)
	cases := map[string][]byte{
		"empty":                          {},
		"third step":                     {2},
		"changes nothing":                list(none, none, none, none, none),
		"parameter 14":                   list(u16(1), parameter(14, 1), none, none, none, none),
		"parameter of 2^63":              list(u16(1), parameter(0, 1<<63), none, none, none, none),
		"parameters descending":          list(u16(2), parameter(1, 1), parameter(0, 1), none, none, none, none),
		"a parameter twice":              list(u16(2), parameter(1, 1), parameter(1, 2), none, none, none, none),
		"a good twice":                   goods.Amend{Goods: []goods.GoodChange{{Index: 1, Good: someGood("A")}, {Index: 1, Good: someGood("A")}}}.Body(),
		"par of 2^63":                    goods.Amend{Goods: []goods.GoodChange{{Index: 1, Good: broken}}}.Body(),
		"an allowance twice":             list(none, none, u16(2), allowance(1, 2, 3), allowance(1, 2, 4), none, none),
		"allowances descending":          list(none, none, u16(2), allowance(1, 0, 3), allowance(0, 2, 4), none, none),
		"limit of 2^63":                  list(none, none, u16(1), allowance(1, 2, 1<<63), none, none),
		"a new custodian's limit":        list(none, none, none, u16(1), []byte{1, 'a'}, u16(1), u16(0), u64(1<<63), none),
		"a new custodian's 65,535 goods": list(none, none, none, u16(1), []byte{1, 'a'}, u16(65_535), none),
		"65 auditors":                    list(none, none, none, none, u16(65), many),
		"65,535 parameters":              list(u16(65_535), none, none, none, none),
	}
	for what, body := range cases {
		malformed(t, what, goods.TypeAmend, body)
	}
	script := append([]byte{1}, 0x51)
	for what, body := range map[string][]byte{
		"step 4":           slices.Concat([]byte{4}, make([]byte, 8)),
		"step 255":         slices.Concat([]byte{255}, make([]byte, 8)),
		"council by 00":    slices.Concat([]byte{0, 3}, u16(0), script),
		"role 0":           slices.Concat([]byte{0, 0}, u16(0), script),
		"role 4":           slices.Concat([]byte{0, 4}, u16(0), script),
		"expiry from 2^31": slices.Concat([]byte{2}, u16(0), []byte{0, 0, 0, 0x80}, script),
	} {
		malformed(t, what, goods.TypeReseat, body)
	}
}

// The largest amendment fits a seat's transaction; three more of them and
// there is no room for another member, good or name.
func TestLargestAmendments(t *testing.T) {
	w := wideWorld(t)
	w.mine(100)
	for round := range 4 {
		var r goods.Amend
		var waiting [][]byte
		counts, err := goods.ReadCounts(w)
		if err != nil {
			t.Fatal(err)
		}
		for i := range params.MaxAmendEntries {
			index := round*params.MaxAmendEntries + i
			if int(counts.Goods)+i < params.MaxGoods {
				good := someGood(fmt.Sprintf("G%d", index))
				good.Name = "x"
				r.Goods = append(r.Goods, goods.GoodChange{Index: counts.Goods + uint16(i), Good: good})
			}
			if int(counts.Custodians)+i < params.MaxMembers {
				r.Custodians = append(r.Custodians, goods.NewCustodian{Name: fmt.Sprintf("C%d", index), Allowances: []params.Allowance{{Good: uint16(i), Limit: 1}}})
				waiting = append(waiting, keyScript(byte(index)))
			}
		}
		for i := range params.MaxAmendEntries {
			if index := round*params.MaxAmendEntries + i; int(counts.Auditors)+i < params.MaxMembers {
				r.Auditors = append(r.Auditors, fmt.Sprintf("A%d", index))
				waiting = append(waiting, keyScript(byte(index)))
			}
		}
		w.blockOf(w.changeTx(r, waiting...))
		w.check()
		w.mine(10)
		w.check()
	}
	if counts, err := goods.ReadCounts(w); err != nil || counts != (state.Counts{Goods: 256, Custodians: 256, Auditors: 256}) {
		t.Fatalf("%+v %v", counts, err)
	}
	for code, r := range map[check.Code]goods.Amend{
		goods.CodeAmendGood:   {Goods: []goods.GoodChange{{Index: 256, Good: someGood("LAST")}}},
		goods.CodeAmendMember: {Auditors: []string{"Last"}},
	} {
		if err := w.begin().tx(w.changeTx(r, keyScript(1))); check.CodeOf(err) != code {
			t.Errorf("one more: %v, not %s", err, code)
		}
	}
	// Every auditor of 256, and the slowest of all blocks to judge.
	quorum := goods.Amend{Parameters: []goods.ParameterChange{{Parameter: 3, Value: 256}}}
	w.blockOf(w.changeTx(quorum))
	w.mine(10)
	w.check()
	for w.height > 100 {
		w.disconnect()
	}
	w.check()
}

// On an undercovered chain a withdrawal moves the price of a redemption up, not
// down, for the rest of its block: D still holds the par that was pending.
func TestWithdrawnParIsNoDiscount(t *testing.T) {
	w := wideWorld(t)
	w.mine(100)
	w.stock(0, goods.Opening{Good: 0, Serial: "A", Quantity: 10_000, Script: keyScript(30)}, goods.Opening{Good: 0, Serial: "B", Quantity: 10_000, Script: keyScript(31)})
	w.blockOf(w.drawTx(0, 10_000))
	w.grant(1_000_000_000)
	price := func() int64 {
		units, err := goods.ReadPrice(w, w.receipt(0), 100)
		if err != nil {
			t.Fatal(err)
		}
		return units
	}
	before := price()
	if par := int64(100 * 50_000); before <= 2*par {
		t.Fatalf("100 kg cost %d, the chain is not undercovered", before)
	}
	good, err := goods.ReadGood(w, 0)
	if err != nil {
		t.Fatal(err)
	}
	doubled := good.Good
	doubled.ParNum *= 2
	w.blockOf(w.changeTx(goods.Amend{Goods: []goods.GoodChange{{Index: 0, Good: doubled}}}))
	w.check()
	pending := price()
	withdraw := w.changeTx(goods.Amend{Withdraw: true, ID: w.pending(state.SlotAmend).ID})
	redeem := func(units int64) *wire.MsgTx {
		msg := wire.NewMsgTx(2)
		msg.AddTxIn(wire.NewTxIn(w.keyInput([]string{"key", "30", "420750000"}), nil, nil))
		msg.AddTxOut(wire.NewTxOut(0, keyScript(40)))
		msg.AddTxOut(wire.NewTxOut(units, goods.TreasuryScript(w.charter.ID())))
		msg.AddTxOut(wire.NewTxOut(0, goods.RecordScript(goods.Redeem{ID: w.receipt(0).ID, Quantity: 100})))
		return msg
	}
	for _, first := range []bool{true, false} {
		a := w.begin()
		if first {
			if err := a.tx(withdraw); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.tx(redeem(pending - 1)); check.CodeOf(err) != goods.CodeRedeemPrice {
			t.Errorf("withdrawn %t: %d units for what costs %d: %v", first, pending-1, pending, err)
		}
		if err := a.tx(redeem(pending)); err != nil {
			t.Errorf("withdrawn %t: %v", first, err)
		}
	}
	w.blockOf(withdraw)
	w.check()
	if after := price(); after != before {
		t.Errorf("after the withdrawal 100 kg cost %d, before the announcement %d", after, before)
	}
}

// What the mempool asks sees the change of the next block.
func TestCheckTxSeesChanges(t *testing.T) {
	w := wideWorld(t)
	w.mine(100)
	w.blockOf(w.changeTx(goods.Reseat{Role: state.RoleAuditor, Index: 1, Script: keyScript(50)}, keyScript(50)))
	old, waits := w.seat(state.RoleAuditor, 1).Out, w.pending(state.SlotReseat).Out(0)
	rotate := func(op wire.OutPoint) error {
		msg := wire.NewMsgTx(2)
		msg.AddTxIn(wire.NewTxIn(&op, nil, nil))
		msg.AddTxOut(wire.NewTxOut(0, keyScript(51)))
		msg.AddTxOut(wire.NewTxOut(0, goods.RecordScript(goods.Rotate{})))
		return goods.CheckTx(w.charter, w.tip, w, txOf(msg), []*state.Coin{w.coins[op]})
	}
	for range 9 {
		if err := rotate(old); err != nil {
			t.Fatalf("height %d: %v", w.height+1, err)
		}
		if err := rotate(waits); check.CodeOf(err) != goods.CodeSeatMissing {
			t.Fatalf("height %d: %v", w.height+1, err)
		}
		w.mine(1)
	}
	before := maps.Clone(w.goods)
	if err := rotate(old); check.CodeOf(err) != goods.CodeSeatMissing {
		t.Fatalf("the old seat in the block of the change: %v", err)
	}
	if err := rotate(waits); err != nil {
		t.Fatalf("the new seat in the block of the change: %v", err)
	}
	if !maps.EqualFunc(before, w.goods, bytes.Equal) {
		t.Error("asking changed the state")
	}
	p := w.pending(state.SlotReseat)
	r, err := goods.DecodeChange(state.SlotReseat, p)
	if err != nil || r.(goods.Reseat).Index != 1 {
		t.Fatalf("%+v %v", r, err)
	}
	p.Body = p.Body[:5]
	if _, err := goods.DecodeChange(state.SlotReseat, p); err == nil || check.AsRule(err) != nil {
		t.Fatalf("a damaged change: %v", err)
	}
}

// Random pars up and down, withdrawn or not, over random draws, ages and
// suspensions: the recount agrees after every block, and all of it taken back
// and done again leads to the same bytes.
func TestRandomPars(t *testing.T) {
	effective, drawn := 0, 0
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 18))
			w := wideWorld(t)
			w.mine(100)
			w.stock(0, goods.Opening{Good: 0, Serial: "A", Quantity: 10_001, Script: keyScript(30)}, goods.Opening{Good: 1, Serial: "B", Quantity: 333, Script: keyScript(31)})
			w.stock(1, goods.Opening{Good: 1, Serial: "C", Quantity: 777, Script: keyScript(32)}, goods.Opening{Good: 2, Serial: "D", Quantity: 5_003, Script: keyScript(33)})
			start := w.height
			var blocks [][]*wire.MsgTx
			for range 80 {
				txs := w.randomChange(rng)
				for _, e := range w.blockOf(txs...) {
					switch e.(type) {
					case goods.ChangeEffective:
						effective++
					case goods.Released:
						drawn++
					}
				}
				blocks = append(blocks, txs)
				w.check()
			}
			end, nonce := maps.Clone(w.goods), w.nonce
			for w.height > start {
				w.disconnect()
			}
			w.nonce = nonce - uint32(len(blocks))
			for _, txs := range blocks {
				w.blockOf(txs...)
			}
			if !maps.EqualFunc(w.goods, end, bytes.Equal) {
				t.Fatal("the way forward leads elsewhere")
			}
		})
	}
	if effective < 10 || drawn < 20 {
		t.Errorf("%d changes came into force and %d draws were made, too few to say anything", effective, drawn)
	}
}

// randomChange gives the transactions of one block, all of them valid.
func (w *world) randomChange(rng *rand.Rand) (txs []*wire.MsgTx) {
	w.t.Helper()
	if p, err := goods.ReadPending(w, state.SlotAmend); err != nil {
		w.t.Fatal(err)
	} else if p != nil && p.Effective > w.height+1 {
		if rng.IntN(12) == 0 {
			txs = append(txs, w.changeTx(goods.Amend{Withdraw: true, ID: p.ID}))
		}
	} else if p == nil && rng.IntN(3) == 0 {
		txs = append(txs, w.changeTx(goods.Amend{Goods: w.randomPars(rng)}))
	}
	number := uint64(rng.IntN(4))
	if undrawn := w.receipt(number).Undrawn; undrawn > 1 && rng.IntN(2) == 0 {
		a := w.begin() // beside the amendment, or at all, it may not be valid
		if all := append(slices.Clone(txs), w.drawTx(number, undrawn/2)); !slices.ContainsFunc(all, func(tx *wire.MsgTx) bool { return a.tx(tx) != nil }) {
			txs = all
		}
	}
	return txs
}

func (w *world) randomPars(rng *rand.Rand) (changes []goods.GoodChange) {
	w.t.Helper()
	for index := range uint16(3) {
		good, err := goods.ReadGood(w, index)
		if err != nil {
			w.t.Fatal(err)
		}
		if rng.IntN(2) == 0 && index < 2 {
			continue
		}
		next := good.Good
		next.ParDen = 1 + rng.Int64N(1_000)
		next.ParNum = max(1, int64(float64(good.ParNum)/float64(good.ParDen)*float64(next.ParDen)*(0.55+1.4*rng.Float64())))
		next.MinReceipt = min(10_000_000, max(next.MinReceipt, next.ParDen/next.ParNum+1))
		changes = append(changes, goods.GoodChange{Index: index, Good: next})
	}
	return changes
}

// crowdedWorld has as many goods and custodians as there can be, and each
// custodian holds each good.
func crowdedWorld(t testing.TB) *world {
	t.Helper()
	c := wideCharter(t)
	c.Goods, c.Custodians = nil, nil
	for i := range params.MaxGoods {
		c.Goods = append(c.Goods, someGood(fmt.Sprintf("G%d", i)))
	}
	for i := range params.MaxMembers {
		member := params.Custodian{Member: params.Member{Name: fmt.Sprintf("Custodian %d", i), Script: append(keyScript(9), byte(i))}}
		for good := range params.MaxGoods {
			member.Allowances = append(member.Allowances, params.Allowance{Good: uint16(good), Limit: 1_000_000})
		}
		c.Custodians = append(c.Custodians, member)
	}
	charter, err := params.NewCharter(c)
	if err != nil {
		t.Fatal(err)
	}
	w := worldOf(t, charter)
	w.mine(100)
	w.fill()
	return w
}

// fill lets each custodian hold each good, without receipts.
func (w *world) fill() {
	w.t.Helper()
	over := state.NewOverlay(w, 0)
	var changes []state.GoodsChange
	set := func(key, value []byte) {
		if err := over.SetGoods(key, value); err != nil {
			w.t.Fatal(err)
		}
		changes = append(changes, state.GoodsChange{Key: key, New: value})
	}
	var reserve state.Reserve
	for custodian := range uint16(params.MaxMembers) {
		var s state.Standing
		for good := range uint16(params.MaxGoods) {
			h := state.Holding{Whole: 3_000, Free: 2_000, Counted: 1_000}
			set(state.KeyHolding(custodian, good), h.Encode())
			value := func(q int64) int64 { return w.charter.Goods[good].ValueUnits(q) }
			s.Counted, s.All, s.Whole = s.Counted.Add(value(h.Counted)), s.All.Add(value(h.Free)), s.Whole.Add(value(h.Whole))
		}
		set(state.KeyStanding(custodian), s.Encode())
		reserve.Counted, reserve.All = reserve.Counted.Plus(s.Counted), reserve.All.Plus(s.All)
	}
	set(state.KeyReserve(), reserve.Encode())
	slices.SortFunc(changes, func(a, b state.GoodsChange) int { return bytes.Compare(a.Key, b.Key) })
	if _, err := tree.Update(over, changes); err != nil {
		w.t.Fatal(err)
	}
	w.apply(over.Changes(state.IsNodeKey))
	w.undo = nil
}

// BenchmarkLargestAmendment measures what an amendment costs that changes the
// pars of as many goods as it can, where 256 custodians hold all of 256.
func BenchmarkLargestAmendment(b *testing.B) {
	w := crowdedWorld(b)
	w.sorted = slices.Sorted(maps.Keys(w.goods))
	var r goods.Amend
	for i := range params.MaxAmendEntries {
		good := w.charter.Goods[i]
		good.ParNum++
		r.Goods = append(r.Goods, goods.GoodChange{Index: uint16(i), Good: good})
	}
	announce := w.changeTx(r)
	b.Run("announce", func(b *testing.B) {
		for b.Loop() {
			a := w.begin()
			if err := a.tx(announce); err != nil {
				b.Fatal(err)
			}
		}
	})
	w.sorted = nil
	w.blockOf(announce)
	w.sorted = slices.Sorted(maps.Keys(w.goods))
	w.mine(9)
	b.Run("activate", func(b *testing.B) {
		for b.Loop() {
			w.begin()
		}
	})
	b.Run("block", func(b *testing.B) {
		for b.Loop() {
			a := w.begin()
			if err := a.g.Coinbase(txOf(a.coinbase()), w.subsidy(), 0); err != nil {
				b.Fatal(err)
			}
			if _, err := a.g.Finish(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// Each name in use is refused for another of its role, and for no other role.
func TestNamesOfMembers(t *testing.T) {
	w := wideWorld(t)
	w.mine(100)
	for name, code := range map[string]check.Code{
		"First auditor": goods.CodeAmendMember, "North silo": "", "Demo council": "", strings.Repeat("x", 64): "",
		strings.Repeat("x", 65): goods.CodeAmendMember, "": goods.CodeAmendMember, "zero\u200bwidth": goods.CodeAmendMember, "\xff": goods.CodeAmendMember,
	} {
		if err := w.begin().tx(w.changeTx(goods.Amend{Auditors: []string{name}}, keyScript(1))); check.CodeOf(err) != code {
			t.Errorf("%q: %v, not %q", name, err, code)
		}
	}
}

// The reseat of the council cannot be withdrawn in the block of its
// announcement: who announces it cannot have attested, before its own
// transaction, what names that. The council never can.
func TestCouncilChangeInItsBlock(t *testing.T) {
	w := wideWorld(t)
	w.mine(100)
	id := w.charter.ID()
	announce := goods.Reseat{Step: goods.ReseatAnnounceCouncil, Auditor: 0, Expiry: 150, Script: keyScript(60)}
	w.blockOf(w.attestTx(1, goods.ProposalHash(id, announce)), w.attestTx(2, goods.ProposalHash(id, announce)))
	seat := w.seat(state.RoleAuditor, 0)
	announceTx := goods.ChangeTx(&seat, seat.Script, [][]byte{announce.Script}, announce)
	withdraw := goods.Reseat{Step: goods.ReseatWithdrawCouncil, Auditor: 1, Expiry: 150, ID: goods.ChangeID(announceTx.TxHash())}
	hash := goods.ProposalHash(id, withdraw)
	w.blockOf(w.attestTx(1, hash), w.attestTx(2, hash))
	a := w.begin()
	if err := a.tx(announceTx); err != nil {
		t.Fatal(err)
	}
	if err := a.tx(w.changeTx(goods.Reseat{Step: goods.ReseatWithdraw, ID: withdraw.ID})); check.CodeOf(err) != goods.CodeChangeUnknown {
		t.Errorf("the council withdraws what is the auditors': %v", err)
	}
	if err := a.tx(w.seatTx(state.RoleAuditor, 1, withdraw)); check.CodeOf(err) != goods.CodeQuorum {
		t.Errorf("two of three auditors: %v", err)
	}
	w.blockOf(announceTx)
	w.blockOf(w.attestTx(0, hash))
	w.blockOf(w.seatTx(state.RoleAuditor, 1, withdraw))
	w.check()
}
