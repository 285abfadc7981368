package rpc

import (
	"bytes"
	"testing"
	"time"

	"granary/state"
)

// watched notes what is read of the goods state.
type watched struct {
	state.View
	t     *testing.T
	reads int
}

func (w *watched) Goods(key []byte) ([]byte, error) {
	w.reads++
	return w.View.Goods(key)
}

func (w *watched) GoodsRange(from, to []byte, f func(key, value []byte) bool) error {
	return w.View.GoodsRange(from, to, func(key, value []byte) bool {
		w.reads++
		if first, last := state.ReceiptKeys(); bytes.Compare(key, first) >= 0 && bytes.Compare(key, last) < 0 {
			w.t.Errorf("getreserve reads a receipt, %x", key)
		}
		return f(key, value)
	})
}

// TestReserveReadsSums: what getreserve costs does not grow with receipts.
func TestReserveReadsSums(t *testing.T) {
	charter := playCharter(t)
	w := newWorld(t, charter)
	p := newPeople(w, charter)
	p.play("mine 101")
	reads := func() (n int) {
		err := w.door.services.Load().Chain.View(func(tip *state.Header, v state.View) error {
			seen := &watched{View: v, t: t}
			b, err := readBook(tip, seen)
			if err == nil {
				_, err = b.reserve(seen, 0)
			}
			n = seen.reads
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	p.play("receive 0 0 1000 holder")
	one := reads()
	for range 5 {
		p.play("receive 0 0 1000 holder")
	}
	if six := reads(); six != one {
		t.Errorf("one receipt costs %d reads, six cost %d", one, six)
	}
	begun := time.Now()
	w.must(nil, "getreserve", "")
	t.Logf("%d reads, %v over HTTP", one, time.Since(begun))
}
