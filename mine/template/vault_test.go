package template

import (
	"cmp"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/state"
)

func numbered(n int) (out wire.OutPoint) {
	binary.BigEndian.PutUint32(out.Hash[:], uint32(n))
	return out
}

// TestPurse takes the largest output first, and never one that was dropped.
func TestPurse(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	var p purse
	want := map[wire.OutPoint]int64{}
	for range 3_000 {
		out := numbered(random.IntN(500))
		if random.IntN(3) == 0 {
			p.drop(out)
			delete(want, out)
		} else if want[out] == 0 {
			want[out] = 1 + random.Int64N(50)
			p.put(out, want[out])
		} else {
			p.put(out, 1_000) // known: nothing happens
		}
	}
	var taken []*poolOutput
	for o := p.take(); o != nil; o = p.take() {
		if want[o.out] != o.units {
			t.Fatalf("%v holds %d, want %d", o.out, o.units, want[o.out])
		}
		delete(want, o.out)
		taken = append(taken, o)
	}
	if len(want) > 0 || !slices.IsSortedFunc(taken, compareOutputs) {
		t.Errorf("%d outputs are missing, or the order is wrong", len(want))
	}
	taken[0].ours = true
	p.giveBack(taken)
	if len(p.heap) != len(taken)-1 || p.outputs[taken[0].out] != nil {
		t.Error("what was given back is not there, or what is the block's own is")
	}
}

// TestPurseIsBounded: many small payments push nothing large out, and what was
// left out is found again when it is needed.
func TestPurseIsBounded(t *testing.T) {
	var p purse
	for i := range 2*purseMost + 1 {
		p.put(numbered(i), int64(i%7+1))
	}
	if len(p.heap) != purseMost || len(p.outputs) != purseMost || !p.leftOut || p.short() {
		t.Fatalf("%d and %d outputs, left out %v", len(p.heap), len(p.outputs), p.leftOut)
	}
	if least := slices.MinFunc(p.heap, func(a, b *poolOutput) int { return cmp.Compare(a.units, b.units) }); least.units < 4 {
		t.Errorf("an output of %d was kept", least.units)
	}
	for i, o := range p.heap {
		if o.place != i || i > 0 && p.heap.Less(i, (i-1)/2) {
			t.Fatal("the heap is out of order")
		}
	}
	for len(p.heap) >= purseLow {
		p.take()
	}
	v := &Vault{complete: true, purse: p}
	if !p.short() || v.startReading() || !v.following || v.purse.leftOut {
		t.Error("the outputs that were left out are not looked for")
	}
	if v.complete = true; !v.startReading() {
		t.Error("a complete vault is read again")
	}
}

// TestReceiptList holds the list against a map.
func TestReceiptList(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 2))
	var l receiptList
	want := map[uint64]receiptHint{}
	next := uint64(0)
	for range 30_000 {
		switch random.IntN(6) {
		case 0, 1:
			h := receiptHint{number: next, validUntil: random.Int32N(100), custodian: uint16(random.IntN(3))}
			next++
			l.put(h)
			want[h.number] = h
		case 2: // one comes back, or counts longer
			h := receiptHint{number: random.Uint64N(next + 1), validUntil: random.Int32N(100), custodian: 1}
			next = max(next, h.number+1)
			l.put(h)
			want[h.number] = h
		case 3, 4:
			if at := random.IntN(len(l.list) + 1); at < len(l.list) && !slices.ContainsFunc(l.late, func(h receiptHint) bool { return h.number == l.list[at].number }) {
				l.forget(at)
				delete(want, l.list[at].number)
			}
		case 5:
			if random.IntN(50) == 0 {
				l.settle()
			}
		}
	}
	l.settle()
	got := map[uint64]receiptHint{}
	for at, h := range l.list {
		if at > 0 && l.list[at-1].number >= h.number {
			t.Fatal("out of order")
		}
		if h.validUntil != gone {
			got[h.number] = h
		}
	}
	if len(l.late) > 0 || len(got) != len(want) {
		t.Fatalf("%d hints and %d late ones, want %d", len(got), len(l.late), len(want))
	}
	for number, h := range want {
		if got[number] != h {
			t.Errorf("receipt %d: got %+v, want %+v", number, got[number], h)
		}
	}
}

// BenchmarkReceiptList walks past a million receipts that cannot be drawn, as
// every template does.
func BenchmarkReceiptList(b *testing.B) {
	w, _ := goodsWorld(b)
	if err := w.vault.ready(); err != nil {
		b.Fatal(err)
	}
	for n := range uint64(1_000_000) {
		w.vault.receipts.put(receiptHint{number: n, validUntil: 1, custodian: uint16(n % 2)}) // too old
	}
	d, err := w.builder.begin(w.tip, w, anyone)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := d.draw(w.vault); err != nil {
			b.Fatal(err)
		}
	}
}

// TestVaultAsleep: a node that builds no block remembers nothing, and knows
// everything when it begins.
func TestVaultAsleep(t *testing.T) {
	w, p := goodsWorld(t)
	asleep := NewVault(w, w.rules.Charter)
	w.open(p, p.receive(0, 0, 25_000, 250_000))
	if err := asleep.Connect(nil); err != nil { // it does not even look
		t.Fatal(err)
	}
	if problem, err := asleep.Problem(NewVault(w, w.rules.Charter)); err != nil || problem == "" {
		t.Errorf("a vault that nobody asked knows everything (%v)", err)
	}
	w.vault = asleep
	w.builder.o.Vault = asleep
	next := w.build()
	if n := len(drawsOf(next)); n != 2 {
		t.Errorf("%d draws", n)
	}
	w.checkVault()
}

// TestDamagedState: what cannot be read is the world's error, not a panic.
func TestDamagedState(t *testing.T) {
	w, p := goodsWorld(t)
	w.open(p, p.receive(0, 0, 25_000))
	w.goods[string(state.KeyReceipt(0))] = []byte{1}
	if _, err := w.builder.Build(anyone, 1); err == nil {
		t.Error("a damaged receipt is not noticed")
	}
	if err := NewVault(w, w.rules.Charter).ready(); err == nil {
		t.Error("a damaged receipt is not noticed at the start")
	}
}
