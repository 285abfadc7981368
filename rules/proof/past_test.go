package proof_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"

	"granary/rules/goods"
	"granary/rules/proof"
	"granary/state"
	"granary/state/tree"
)

// TestPast goes back over random blocks: every state of the past is there
// again, with its tree.
func TestPast(t *testing.T) {
	w := newWorld(t, 11, 60)
	type moment struct {
		values map[string][]byte
		undo   *state.Undo
	}
	var moments []moment
	for range 12 {
		values := maps.Clone(w.view.values)
		for range 1 + w.rng.IntN(20) {
			key := state.KeyReceipt(uint64(w.rng.IntN(90)))
			switch value := w.view.values[string(key)]; {
			case value == nil || w.rng.IntN(3) == 0:
				w.set(key, fmt.Appendf(nil, "value %d", w.rng.Uint32()))
			case w.rng.IntN(2) == 0:
				w.set(key, nil)
			}
		}
		moments = append(moments, moment{values, &state.Undo{Goods: w.commit()}})
	}
	var undos []*state.Undo
	for _, m := range slices.Backward(moments) {
		undos = append(undos, m.undo)
		then := &mapView{values: m.values}
		past, err := proof.Rewind(w.view, undos)
		if err != nil {
			t.Fatal(err)
		}
		comparePast(t, past.Over(w.view), then)
		comparePast(t, proof.Leaves(undos).Over(w.view), then)
		compareProofs(t, past.Over(w.view), then)
	}
	undos[0].Goods[0].New = []byte("not what is there")
	if _, err := proof.Rewind(w.view, undos); err == nil {
		t.Error("an undo that does not fit is taken")
	}
}

func comparePast(t *testing.T, got, want state.GoodsView) {
	t.Helper()
	list := func(view state.GoodsView, from, to []byte, most int) (all []string) {
		err := view.GoodsRange(from, to, func(key, value []byte) bool {
			all = append(all, fmt.Sprintf("%x=%x", key, value))
			return len(all) < most
		})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	for _, r := range []struct {
		from, to []byte
		most     int
	}{
		{state.FirstStateKey(), nil, 1 << 30},
		{state.KeyReceipt(10), state.KeyReceipt(60), 1 << 30},
		{state.FirstStateKey(), nil, 7},
		{state.KeyReceipt(3), nil, 4},
		{state.KeyReceipt(89), nil, 1 << 30},
	} {
		if a, b := list(got, r.from, r.to, r.most), list(want, r.from, r.to, r.most); !slices.Equal(a, b) {
			t.Fatalf("range %x to %x gives\n%v\nwas\n%v", r.from, r.to, a, b)
		}
	}
	for number := range uint64(100) {
		a, errA := got.Goods(state.KeyReceipt(number))
		b, errB := want.Goods(state.KeyReceipt(number))
		if !bytes.Equal(a, b) || errA != nil || errB != nil {
			t.Fatalf("receipt %d: %x, was %x", number, a, b)
		}
	}
}

func compareProofs(t *testing.T, got, want state.GoodsView) {
	t.Helper()
	root, err := goods.Root(want)
	if err != nil {
		t.Fatal(err)
	}
	for number := range uint64(100) {
		key := state.KeyReceipt(number)
		p, err := tree.Prove(got, key)
		if err != nil {
			t.Fatal(err)
		}
		value, present, err := p.Verify(root, key)
		was, _ := want.Goods(key)
		if err != nil || present != (was != nil) || !bytes.Equal(value, was) {
			t.Fatalf("receipt %d is proved as %x, was %x: %v", number, value, was, err)
		}
	}
}
