package template

import "testing"

// BenchmarkBuild fills a block from 5,000 transactions, every fourth with a
// child.
func BenchmarkBuild(b *testing.B) {
	w := newWorld(b, plain())
	w.mine(101)
	coins := w.fan(1, 4000)
	for i, op := range coins {
		tx := w.accept(w.spend(int64(1000+(i*7919)%9000), 2, op))
		if i%4 == 0 {
			w.accept(w.spend(int64(1000+(i*104729)%9000), 1, out(tx, 0)))
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if n := len(w.build().Block.Transactions); n != 5001 {
			b.Fatalf("%d transactions", n)
		}
	}
}
