package goods

import (
	"encoding/hex"
	"fmt"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/params"
	rules "granary/rules/goods"
)

// heap is a list of open receipts with quantities, as the draw is explained.
type heap []struct {
	number          uint64
	custodian, good uint16
	quantity        int64
}

func (h heap) strata(unitsPerMeasure int64) (strata []Stratum) {
	for _, r := range h {
		i := slices.IndexFunc(strata, func(s Stratum) bool { return s.Custodian == r.custodian && s.Good == r.good })
		if i < 0 {
			i = len(strata)
			strata = append(strata, Stratum{Custodian: r.custodian, Good: r.good})
		}
		strata[i].Quantity += r.quantity
		strata[i].ValueUnits += r.quantity * unitsPerMeasure
	}
	return strata
}

func (h heap) find(s Stratum, measure int64) (uint64, error) {
	for _, r := range h {
		if r.custodian != s.Custodian || r.good != s.Good {
			continue
		}
		if measure < r.quantity {
			return r.number, nil
		}
		measure -= r.quantity
	}
	return 0, fmt.Errorf("no measure %d", measure)
}

// TestDraw: the same for everybody, by value, each receipt once, and exactly
// as the comment says (the hash is worked out here for itself).
func TestDraw(t *testing.T) {
	receipts := heap{{0, 0, 0, 1_000}, {2, 0, 0, 9_000}, {1, 0, 1, 50}, {7, 1, 1, 90_000}}
	hits := map[uint64]int{}
	for i := range 2_000 {
		block := chainhash.HashH([]byte{byte(i), byte(i >> 8)})
		picks, err := Draw(block, 1, 3, receipts.strata(1), receipts.find)
		if err != nil || len(picks) != 1 || picks[0].Auditor > 2 {
			t.Fatal(picks, err)
		}
		hits[picks[0].Receipt]++
	}
	if hits[7] < 1_700 || hits[7] > 1_900 || hits[2] < 120 || hits[2] > 240 || hits[0] > 50 {
		t.Errorf("receipts are not drawn by value: %v", hits)
	}
	block := chainhash.HashH([]byte("block"))
	all, err := Draw(block, 4, 3, receipts.strata(1), receipts.find)
	if err != nil || len(all) < 2 {
		t.Fatal(all, err)
	}
	again, err := Draw(block, 4, 3, receipts.strata(1), receipts.find)
	if err != nil || !slices.Equal(all, again) {
		t.Error("the draw is not the same twice", again, err)
	}
	for i := range all {
		for j := range i {
			if all[i].Receipt == all[j].Receipt {
				t.Error("a receipt was drawn twice:", all)
			}
		}
	}
}

// TestDrawVector fixes one draw, so that another program can check its own.
func TestDrawVector(t *testing.T) {
	receipts := heap{{3, 0, 0, 4_000}, {5, 0, 0, 6_000}, {4, 1, 2, 10}}
	strata := []Stratum{{0, 0, 10_000, 500_000_000}, {1, 2, 10, 2_000_000}}
	raw, _ := hex.DecodeString("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
	picks, err := Draw(chainhash.Hash(raw), 2, 3, strata, receipts.find)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(picks); got != "[{5 0 0 2} {3 0 0 1}]" {
		t.Error(got)
	}
}

// TestDrawOfLittle: nothing to draw from, nobody to ask, goods worth nothing.
func TestDrawOfLittle(t *testing.T) {
	none := func(Stratum, int64) (uint64, error) { return 0, fmt.Errorf("asked") }
	if picks, err := Draw(chainhash.Hash{}, 4, 3, nil, none); picks != nil || err != nil {
		t.Error(picks, err)
	}
	one := heap{{9, 0, 0, 5}}
	if picks, err := Draw(chainhash.Hash{}, 4, 0, one.strata(1), one.find); picks != nil || err != nil {
		t.Error(picks, err)
	}
	picks, err := Draw(chainhash.Hash{}, 4, 1, one.strata(0), one.find)
	if err != nil || len(picks) != 1 || picks[0] != (Pick{9, 0, 0, 0}) {
		t.Error(picks, err)
	}
	if _, err := Draw(chainhash.Hash{}, 4, 1, one.strata(1), none); err == nil {
		t.Error("an error of find is lost")
	}
}

// TestInspections plays to a draw and answers it.
func TestInspections(t *testing.T) {
	p := openPlay(t, quick)
	for i := range 5 {
		p.receive(0, 0, 1_000+int64(i), "holder")
	}
	p.receive(1, 1, 200, "holder")
	height := int32(InspectEveryBlocks * ((params.GoodsStartHeight + InspectEveryBlocks) / InspectEveryBlocks))
	p.mineTo(height)
	drawn, more, err := p.index.Inspections(Cursor{}, 10)
	if err != nil || more || len(drawn) == 0 {
		t.Fatal(drawn, more, err)
	}
	// By the list of receipts, as anybody could.
	var list heap
	for number := range uint64(6) {
		r := p.receipt(number)
		list = append(list, struct {
			number          uint64
			custodian, good uint16
			quantity        int64
		}{number, r.Custodian, r.Good, r.Quantity()})
	}
	strata := list.strata(50_000)
	strata[1].ValueUnits = 200 * 1_000_000
	want, err := Draw(p.Chain.AtHeight(height).Hash, InspectReceipts, 3, strata, list.find)
	if err != nil || len(want) != len(drawn) {
		t.Fatal(want, drawn, err)
	}
	for i := range drawn {
		at := drawn[len(drawn)-1-i]
		if at.Pick != want[i] || at.Height != height || at.Place != uint32(i) || at.Quantity != p.receipt(at.Receipt).Quantity() {
			t.Errorf("pick %d is %+v, want %+v", i, at, want[i])
		}
	}
	asked := drawn[0]
	if _, found, err := p.index.Answered(&asked); found || err != nil {
		t.Error("answered before an audit", err)
	}
	observed, err := p.Cast.Observed()
	p.must(err)
	p.attestedByAuditor(rules.Audit{Auditor: 2, Expiry: p.expiry(), Observed: observed, Audited: []rules.AuditedReceipt{
		{Receipt: asked.Receipt, ID: p.receipt(asked.Receipt).ID, Lost: p.receipt(asked.Receipt).Lost},
	}})
	audit, found, err := p.index.Answered(&asked)
	if err != nil || !found || audit.Height != p.Height() || audit.Auditor != 2 {
		t.Errorf("answered by %+v %v %v", audit, found, err)
	}
	if page, more, err := p.index.Inspections(Cursor{drawn[0].Height, drawn[0].Place}, 1); err != nil || len(page) != 1 || page[0] != drawn[1] || more != (len(drawn) > 2) {
		t.Error("the second page is", page, more, err)
	}
}
