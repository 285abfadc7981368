package goods_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/cockroachdb/datadriven"

	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

// The words of changes:
//
//	wide height=N       begins anew: short windows, and parameters that an amendment may set to anything
//	change NAME         makes a record that "attest" and "record change NAME" know, by lines:
//	                      parameter NAME VALUE
//	                      good N [par NUM den DEN] [haircut N] [age N] [receipt N] [redemption N] [code|name|measure WORD]
//	                      allowance CUSTODIAN GOOD LIMIT
//	                      custodian NAME [GOOD LIMIT ...], auditor NAME ("_" stands for a blank)
//	                      withdraw [ID]                         the pending amendment
//	                      reseat custodian|auditor N SCRIPT
//	                      unreseat [ID]                         the pending reseat
//	                      council by N expires BLOCKS SCRIPT
//	                      uncouncil by N expires BLOCKS [ID]    the pending reseat of the council
//	in waiting SLOT PLACE [BLOCKS]        an output that waits, or did so many blocks ago; from 0
//	in before BLOCKS custodian|auditor|council N   where a seat was so many blocks ago
func init() {
	vectorCommands["wide"] = func(w *world, d *datadriven.TestData) string {
		var height int
		d.ScanArgs(w.t, "height", &height)
		*w = *wideWorld(w.t)
		w.mine(height)
		return fmt.Sprintf("height %d\n", w.height)
	}
	vectorCommands["change"] = (*world).vectorChange
	vectorRecords["change"] = func(w *world, words []string) goods.Record { return w.proposals[words[1]] }
	vectorInputs["waiting"] = func(w *world, words []string) *wire.OutPoint {
		p := w.past(words, 3).pending(state.Slot(numeral(w, words[1])))
		op := p.Out(int(numeral(w, words[2])))
		return &op
	}
	vectorInputs["before"] = func(w *world, words []string) *wire.OutPoint {
		past := w.past(words, 1)
		return past.outpoint(nil, append([]string{"seat"}, words[2:]...))
	}
	vectorEvents = append(vectorEvents, describeChange)
	vectorStates = append(vectorStates, (*world).describeChanges)
}

// wideCharter is the demo's with windows of a few blocks and coffee that ages
// in 40, whose parameters an
// amendment may set to all that a charter may.
func wideCharter(t testing.TB) params.Charter {
	t.Helper()
	c := *newWorld(t).charter
	c.Parameters.DeliveryWindowBlocks, c.Parameters.PickupWindowBlocks, c.Parameters.GraceWindowBlocks = 5, 3, 4
	c.Parameters.AmendmentDelayBlocks, c.Parameters.AttestationLifeBlocks = 10, 60
	c.Goods = slices.Clone(c.Goods)
	c.Goods[1].MaxAgeBlocks = 40
	for i, rule := range params.ParameterRules {
		*c.Low.Values()[i], *c.High.Values()[i] = rule.Low, rule.High
	}
	return c
}

func wideWorld(t testing.TB) *world {
	t.Helper()
	charter, err := params.NewCharter(wideCharter(t))
	if err != nil {
		t.Fatal(err)
	}
	return worldOf(t, charter)
}

// past is the world so many blocks ago, to read the goods state only; words
// may end before the place that says how many.
func (w *world) past(words []string, place int) *world {
	w.t.Helper()
	if place >= len(words) {
		return w
	}
	ago := int(numeral(w, words[place]))
	return &world{t: w.t, charter: w.charter, goods: w.undo[len(w.undo)-ago].goods, height: w.height - int32(ago)}
}

func (w *world) pending(slot state.Slot) *state.Pending {
	w.t.Helper()
	p, err := goods.ReadPending(w, slot)
	if err != nil || p == nil {
		w.t.Fatalf("slot %d: %v", slot, err)
	}
	return p
}

func (w *world) vectorChange(d *datadriven.TestData) string {
	w.t.Helper()
	var amend goods.Amend
	var r goods.Record
	for _, line := range strings.Split(d.Input, "\n") {
		words := strings.Fields(line)
		switch words[0] {
		case "withdraw":
			amend.Withdraw, amend.ID = true, w.changeID(state.SlotAmend, words[1:])
		case "reseat", "unreseat", "council", "uncouncil":
			r = w.reseatOf(words)
		default:
			w.amendLine(&amend, words)
		}
	}
	if r == nil {
		r = amend
	}
	return w.named(d, r)
}

// changeID is that of the pending change, or the one given.
func (w *world) changeID(slot state.Slot, words []string) (id state.ObjectID) {
	w.t.Helper()
	if len(words) > 0 {
		copy(id[:], unhex(w.t, words[0]))
		return id
	}
	return w.pending(slot).ID
}

func (w *world) reseatOf(words []string) goods.Reseat {
	w.t.Helper()
	roles := map[string]state.Role{"custodian": state.RoleCustodian, "auditor": state.RoleAuditor, "council": state.RoleCouncil}
	switch words[0] {
	case "reseat":
		return goods.Reseat{Role: roles[words[1]], Index: uint16(numeral(w, words[2])), Script: w.script(words[3:])}
	case "unreseat":
		return goods.Reseat{Step: goods.ReseatWithdraw, ID: w.changeID(state.SlotReseat, words[1:])}
	}
	r := goods.Reseat{Auditor: uint16(mustWord(w, words, "by")), Expiry: w.height + 1 + int32(mustWord(w, words, "expires"))}
	if r.Step = goods.ReseatAnnounceCouncil; words[0] == "council" {
		r.Script = w.script(words[5:])
		return r
	}
	r.Step, r.ID = goods.ReseatWithdrawCouncil, w.changeID(state.SlotReseatCouncil, words[5:])
	return r
}

func (w *world) amendLine(r *goods.Amend, words []string) {
	w.t.Helper()
	number := func(i int) uint16 { return uint16(numeral(w, words[i])) }
	switch words[0] {
	case "parameter":
		place := slices.IndexFunc(params.ParameterRules[:], func(p params.ParameterRule) bool { return p.Name == words[1] })
		if place < 0 {
			place = int(number(1))
		}
		r.Parameters = append(r.Parameters, goods.ParameterChange{Parameter: uint8(place), Value: numeral(w, words[2])})
	case "good":
		r.Goods = append(r.Goods, goods.GoodChange{Index: number(1), Good: w.goodOf(words)})
	case "allowance":
		a := goods.AllowanceChange{Custodian: number(1)}
		a.Good, a.Limit = number(2), numeral(w, words[3])
		r.Allowances = append(r.Allowances, a)
	case "custodian":
		c := goods.NewCustodian{Name: spaced(words[1])}
		for i := 2; i+1 < len(words); i += 2 {
			c.Allowances = append(c.Allowances, params.Allowance{Good: number(i), Limit: numeral(w, words[i+1])})
		}
		r.Custodians = append(r.Custodians, c)
	case "auditor":
		r.Auditors = append(r.Auditors, spaced(words[1]))
	default:
		w.t.Fatalf("unknown line %q", words)
	}
}

func spaced(word string) string { return strings.ReplaceAll(word, "_", " ") }

// goodOf is the good in force, or one that is new, with what the words change.
func (w *world) goodOf(words []string) params.Good {
	w.t.Helper()
	good := params.Good{Code: "NEW", Name: "Something new", Measure: "kg", ParNum: 1_000, ParDen: 1, HaircutBP: 2_000, MaxAgeBlocks: 100, MinReceipt: 10, MinRedemption: 10}
	if now, err := goods.ReadGood(w, uint16(numeral(w, words[1]))); err == nil && now != nil {
		good = now.Good
	}
	for i := 2; i+1 < len(words); i += 2 {
		numbers := map[string]*int64{
			"par": &good.ParNum, "den": &good.ParDen, "haircut": &good.HaircutBP, "age": &good.MaxAgeBlocks,
			"receipt": &good.MinReceipt, "redemption": &good.MinRedemption,
		}
		texts := map[string]*string{"code": &good.Code, "name": &good.Name, "measure": &good.Measure}
		switch {
		case numbers[words[i]] != nil:
			*numbers[words[i]] = numeral(w, words[i+1])
		case texts[words[i]] != nil:
			*texts[words[i]] = spaced(words[i+1])
		default:
			w.t.Fatalf("unknown word %q", words[i])
		}
	}
	return good
}

// describeChange writes the line of an event of changes.
func describeChange(b *strings.Builder, e goods.Event) {
	switch e := e.(type) {
	case goods.ChangeAnnounced:
		fmt.Fprintf(b, "change %x announced in slot %d for %d, %d outputs wait\n", e.Pending.ID[:], e.Slot, e.Pending.Effective, len(e.Pending.Scripts))
	case goods.ChangeWithdrawn:
		fmt.Fprintf(b, "change %x withdrawn from slot %d\n", e.Pending.ID[:], e.Slot)
	case goods.ChangeEffective:
		fmt.Fprintf(b, "change %x of slot %d is effective\n", e.Pending.ID[:], e.Slot)
	case goods.SeatReplaced:
		fmt.Fprintf(b, "%s replaced: from %x to %x since %d\n", e.Seat.ID(), e.Before.Script, e.Seat.Script, e.Seat.Since)
	}
}

// describeChanges shows what waits, and what is not as the charter says.
func (w *world) describeChanges(b *strings.Builder) {
	w.t.Helper()
	for slot := range state.Slot(state.SlotCount) {
		p, err := goods.ReadPending(w, slot)
		if err != nil {
			w.t.Fatal(err)
		}
		if p != nil {
			fmt.Fprintf(b, "change %x waits in slot %d from %d for %d with %d outputs\n", p.ID[:], slot, p.Announced, p.Effective, len(p.Scripts))
		}
	}
	now, err := goods.ReadParameters(w)
	if err != nil {
		w.t.Fatal(err)
	}
	for i, rule := range params.ParameterRules {
		if value := *now.Values()[i]; value != *w.charter.Parameters.Values()[i] {
			fmt.Fprintf(b, "%s %d\n", rule.Name, value)
		}
	}
	w.describeGoodsInForce(b)
}

func (w *world) describeGoodsInForce(b *strings.Builder) {
	w.t.Helper()
	counts, err := goods.ReadCounts(w)
	if err != nil {
		w.t.Fatal(err)
	}
	for index := range counts.Goods {
		good, err := goods.ReadGood(w, index)
		if err != nil || good == nil {
			w.t.Fatalf("good %d: %v", index, err)
		}
		if good.Since > 1 {
			fmt.Fprintf(b, "good %d %s par %d/%d haircut %d since %d\n", index, good.Code, good.ParNum, good.ParDen, good.HaircutBP, good.Since)
		}
		for custodian := range counts.Custodians {
			if limit, charter := w.limit(custodian, index), w.charterLimit(custodian, index); limit != charter {
				fmt.Fprintf(b, "custodian %d may hold %d of good %d\n", custodian, limit, index)
			}
		}
	}
}

func (w *world) limit(custodian, good uint16) int64 {
	w.t.Helper()
	value := w.goods[string(state.KeyAllowance(custodian, good))]
	if value == nil {
		return 0
	}
	limit, err := state.DecodeLimit(value)
	if err != nil || limit == 0 {
		w.t.Fatalf("allowance of custodian %d for good %d: %d %v", custodian, good, limit, err)
	}
	return limit
}

func (w *world) charterLimit(custodian, good uint16) int64 {
	if int(custodian) >= len(w.charter.Custodians) {
		return 0
	}
	for _, a := range w.charter.Custodians[custodian].Allowances {
		if a.Good == good {
			return a.Limit
		}
	}
	return 0
}
