package proof_test

import (
	"maps"
	"slices"
	"testing"

	"granary/state"
)

// TestPendingPar: while a par is about to change, what is counted again
// follows the lower and the higher of both.
func TestPendingPar(t *testing.T) {
	w := newWorld(t, 5, 100)
	dearer := w.charter.Goods[0]
	dearer.ParNum *= 2
	// Announce; no parameters; one good; no allowances, no new members.
	body := slices.Concat([]byte{0, 0, 0, 1, 0, 0, 0}, dearer.Encode(), []byte{0, 0, 0, 0, 0, 0})
	p := &state.Pending{Announced: 990, Effective: 1050, Body: body}
	w.set(state.KeyPending(state.SlotAmend), p.Encode())
	w.goods[0].Pending = &dearer
	for _, s := range w.standing {
		s.Counted, s.All, s.Claimed, s.Whole = state.Sum{}, state.Sum{}, state.Sum{}, state.Sum{}
	}
	before := maps.Clone(w.view.values)
	w.sums()
	w.commit()
	facts, err := verifyAudit(w.audit(1 << 20))
	if err != nil {
		t.Fatal(err)
	}
	old, err := state.DecodeReserve(before[string(state.KeyReserve())])
	if err != nil {
		t.Fatal(err)
	}
	if facts.Goods[0].Pending == nil || facts.Reserve.Counted != old.Counted || facts.Reserve.All.Units() <= old.All.Units() {
		t.Errorf("R %d was %d, D %d was %d", facts.Reserve.Counted.Units(), old.Counted.Units(), facts.Reserve.All.Units(), old.All.Units())
	}
	one, err := w.prove(0).Verify(w.charter)
	if err != nil || one.Amendment == nil || one.Receipt.Good.Pending == nil {
		t.Errorf("%+v %v", one, err)
	}
}
