package chain

import (
	"bytes"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/state"
)

// answer is what done was told.
type answer struct {
	isNew bool
	err   error
}

func headersOf(blocks []*state.Block) []wire.BlockHeader {
	headers := make([]wire.BlockHeader, len(blocks))
	for i, b := range blocks {
		headers[i] = b.Msg.Header
	}
	return headers
}

// submitHeaders waits for the answer to a run of headers.
func (w *world) submitHeaders(blocks []*state.Block) (last *state.Header, added int, err error) {
	done := make(chan struct{})
	w.engine.SubmitHeaders(headersOf(blocks), func(h *state.Header, n int, e error) {
		last, added, err = h, n, e
		close(done)
	})
	<-done
	return last, added, err
}

// Blocks far below the best header share commits, the last ones do not, and
// everybody is answered in order.
func TestSubmitSharesCommits(t *testing.T) {
	told := &recorder{}
	w := newWorld(t, told)
	blocks := w.run("a", w.genesis(), 0, 200)
	last, added, err := w.submitHeaders(blocks)
	if err != nil || added != 200 || last.Hash != blocks[199].Hash {
		t.Fatalf("headers: %v %d %v", last, added, err)
	}
	if _, added, err = w.submitHeaders(blocks); err != nil || added != 0 {
		t.Fatalf("the same headers again: %d new, %v", added, err)
	}
	answers := make(chan answer, len(blocks))
	for _, b := range blocks[:100] {
		w.engine.Submit(b, func(isNew bool, err error) { answers <- answer{isNew, err} })
	}
	for range 100 {
		if a := <-answers; !a.isNew || a.err != nil {
			t.Fatalf("answer %+v", a)
		}
	}
	w.mustTip(blocks[99])
	if w.engine.Status(w.engine.Tip()).Active != true {
		t.Fatal("the tip is not active")
	}
	deadline := time.Now().Add(10 * time.Second)
	for committed := 0; committed < 100; time.Sleep(10 * time.Millisecond) {
		if err := w.engine.control(func() error { committed = len(told.steps); return nil }); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			t.Fatalf("only %d blocks were committed", committed)
		}
	}
	for _, b := range blocks[100:] {
		w.engine.Submit(b, func(isNew bool, err error) { answers <- answer{isNew, err} })
	}
	for range 100 {
		<-answers
	}
	if told.tip == nil || told.tip.Hash != blocks[199].Hash {
		t.Fatal("the last block was answered before it was committed")
	}
}

// A block that waits lazily is committed by itself, with nobody asking.
func TestSubmitCommitsWhenIdle(t *testing.T) {
	committed := make(chan struct{}, 8)
	w := newWorld(t, followFunc(func() { committed <- struct{}{} }))
	blocks := w.run("a", w.genesis(), 0, 100)
	if _, _, err := w.submitHeaders(blocks); err != nil {
		t.Fatal(err)
	}
	w.engine.Submit(blocks[0], func(bool, error) {})
	select {
	case <-committed:
	case <-time.After(20 * time.Second):
		t.Fatal("nothing was committed")
	}
}

// followFunc is a follower that hears of connected blocks.
type followFunc func()

func (f followFunc) Connect(*Event) error    { f(); return nil }
func (f followFunc) Disconnect(*Event) error { return nil }
func (f followFunc) Prune(int32) error       { return nil }

// Damaged bytes are refused and do not stand in the way of the right ones; a
// broken rule found later is told to whoever listens.
func TestSubmitRefuses(t *testing.T) {
	w := newWorld(t)
	var heard []error
	w.engine.OnInvalid(func(_ *state.Header, err error) { heard = append(heard, err) })
	good := w.make(draft{parent: w.genesis(), height: 1, name: "good"})
	damaged := w.make(draft{parent: w.genesis(), height: 1, name: "good", break_: func(msg *wire.MsgBlock) {
		msg.Transactions[0].LockTime = 7
	}})
	bad := w.make(draft{parent: good, height: 2, name: "bad", fees: 1})
	answers := make(chan answer, 3)
	for _, b := range []*state.Block{damaged, good, bad} {
		w.engine.Submit(b, func(isNew bool, err error) { answers <- answer{isNew, err} })
	}
	a := <-answers
	if rule := check.AsRule(a.err); rule == nil || rule.Kind != check.Mutated {
		t.Fatalf("damaged: %+v", a)
	}
	if a = <-answers; a.err != nil || !a.isNew {
		t.Fatalf("good: %+v", a)
	}
	if a = <-answers; check.CodeOf(a.err) != "bad-cb-amount" {
		t.Fatalf("bad: %+v", a)
	}
	if err := w.engine.control(func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	if len(heard) != 1 || check.CodeOf(heard[0]) != "bad-cb-amount" {
		t.Fatalf("heard %v", heard)
	}
	raw, err := w.engine.RawBlock(w.engine.Tip())
	if err != nil || !bytes.Equal(raw, good.Raw) {
		t.Fatalf("the bytes of the tip: %v", err)
	}
}
