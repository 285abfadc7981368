package mempool

import (
	"sync"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/state"
)

// TestConcurrent lets doors ask and senders send while blocks come and go; it
// is for the race detector.
func TestConcurrent(t *testing.T) {
	const coins = 120
	w := newWorld(t, coins, nil)
	txs := make([]*state.Tx, coins)
	for i := range txs {
		txs[i] = w.spend(int64(1000+i), 1, w.ripe[i])
	}
	w.pool.Watch(func(Change) {})
	var wg sync.WaitGroup
	for worker := range 3 {
		wg.Go(func() {
			for i := worker; i < coins; i += 3 {
				w.pool.Accept(txs[i]) //nolint:errcheck // a block may be faster
				w.pool.TestAccept(txs[i : i+1])
			}
		})
	}
	wg.Go(func() {
		for range coins {
			for _, e := range w.pool.Entries() {
				w.pool.Family(e.Tx.Txid)
				w.pool.Descendants(e.Tx.Txid)
			}
			w.pool.Candidates()
			w.pool.Info()
			w.pool.View(func(_ *state.Header, v state.CoinView) error { //nolint:errcheck // read only
				_, err := v.Coin(wire.OutPoint{})
				return err
			})
		}
	})
	for i := range 20 {
		w.mine(txs[5*i], txs[5*i+1])
		if i%4 == 3 {
			w.drop()
			w.mine()
		}
	}
	wg.Wait()
	checkPool(t, w.pool)
}

// BenchmarkAccept takes 5,000 transactions into an empty pool, scripts apart.
func BenchmarkAccept(b *testing.B) {
	w := newWorld(b, 5000, nil)
	txs := make([]*state.Tx, len(w.ripe))
	for i, op := range w.ripe {
		txs[i] = w.spend(int64(1000+i), 2, op)
	}
	o := Options{Chain: w.fakeChain, Rules: w.pool.rules, Clock: w.clock, Standard: true}
	b.ReportAllocs()
	for b.Loop() {
		pool := New(o)
		for _, tx := range txs {
			if _, err := pool.Accept(tx); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(len(txs)), "µs/tx")
}
