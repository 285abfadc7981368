package proof_test

import (
	"bufio"
	"io"
	"os"
	"strconv"
	"testing"
	"time"

	"granary/rules/proof"
	"granary/state"
)

// BenchmarkMillion measures with 1,000,000 receipts (GRANARY_RECEIPTS=N for
// others; without it 20,000) making, checking and auditing.
func BenchmarkMillion(b *testing.B) {
	receipts := 20_000
	if text := os.Getenv("GRANARY_RECEIPTS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			b.Fatal(err)
		}
		receipts = n
	}
	w := newWorld(b, 1, receipts)
	anchor := w.anchor(40)
	var encoded []byte
	b.Run("make", func(b *testing.B) {
		for b.Loop() {
			number := uint64(w.rng.IntN(receipts))
			keys, err := proof.Keys(w.charter, w.view, proof.Subject{Receipt: &number})
			if err != nil {
				b.Fatal(err)
			}
			p, err := proof.Make(anchor, w.view, keys)
			if err != nil {
				b.Fatal(err)
			}
			encoded = p.Encode()
		}
		b.ReportMetric(float64(len(encoded)), "bytes")
	})
	b.Run("verify", func(b *testing.B) {
		for b.Loop() {
			p, err := proof.Decode(encoded)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := p.Verify(w.charter); err != nil {
				b.Fatal(err)
			}
		}
	})
	// The last block changed 2,500 receipts, as many keys as one of 500 records
	// does: they are taken back.
	for i := range 2500 {
		receipt := uint64(i * (receipts / 2500))
		r, err := state.DecodeReceipt(state.KeyReceipt(receipt), w.view.values[string(state.KeyReceipt(receipt))])
		if err != nil {
			b.Fatal(err)
		}
		r.ReleasedUnits++
		w.set(r.Key(), r.Encode())
	}
	undo := []*state.Undo{{Goods: w.commit()}}
	b.Run("rewind", func(b *testing.B) {
		for b.Loop() {
			if _, err := proof.Rewind(w.view, undo); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("audit", func(b *testing.B) {
		for b.Loop() {
			r, out := io.Pipe()
			go writeAudit(b, w, out)
			start := time.Now()
			facts, err := proof.VerifyAudit(bufio.NewReader(r), nil)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(facts.Keys)/time.Since(start).Seconds(), "keys/s")
			b.ReportMetric(float64(facts.Bytes), "bytes")
		}
	})
}

func writeAudit(b *testing.B, w *world, out *io.PipeWriter) {
	page, from := proof.AppendAuditStart(nil, w.charter, w.anchor(3)), []byte(nil)
	for {
		var err error
		if page, from, err = proof.AppendAuditKeys(page, w.view, from, 1<<20); err != nil {
			b.Error(err)
		}
		if from == nil {
			page = proof.AppendAuditEnd(page)
		}
		if _, err := out.Write(page); err != nil || from == nil {
			_ = out.CloseWithError(err)
			return
		}
		page = page[:0]
	}
}
