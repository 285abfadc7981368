package template

import (
	"encoding/binary"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/state"
)

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

// BenchmarkBuildFull fills a block from a mempool that is full to its 300 MB:
// every eighth transaction begins a chain of up to six.
func BenchmarkBuildFull(b *testing.B) {
	w := newWorld(b, plain())
	w.mine(101)
	count := 0
	for n := 0; ; n++ {
		if info := w.pool.Info(); info.UsageBytes > info.MaxBytes-8000 {
			break
		}
		op := wire.OutPoint{Hash: chainhash.Hash{31: 7}}
		binary.LittleEndian.PutUint64(op.Hash[:], uint64(n))
		w.coins[op] = &state.Coin{ValueUnits: 100_000_000, Script: anyone, Height: 1}
		length := 1
		if n%8 == 0 {
			length += n / 8 % 6
		}
		for i := range length {
			tx := w.accept(w.spend(int64(200+(n*7919+i*104_729)%30_000), 2, op))
			op = out(tx, 0)
			count++
		}
	}
	b.Logf("%d transactions wait", count)
	b.ReportAllocs()
	for b.Loop() {
		if weight := w.build().Weight; weight < 3_990_000 {
			b.Fatalf("%d weight units", weight)
		}
	}
}
