package mempool

import (
	"runtime"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/mempool/policy"
	"granary/state"
)

// TestUsageIsHonest holds the accounted bytes against what the runtime says.
func TestUsageIsHonest(t *testing.T) {
	shapes := []struct {
		name                  string
		ins, outs, witnessLen int
	}{{"small", 1, 2, 0}, {"many inputs", 20, 1, 107}, {"many outputs", 1, 200, 0}, {"long witness", 1, 1, 50_000}}
	for _, shape := range shapes {
		t.Run(shape.name, func(t *testing.T) {
			n := min(3000, 60_000/(shape.ins+shape.outs)+1)
			if shape.witnessLen > 1000 {
				n = 200
			}
			w := newWorld(t, n*shape.ins, func(o *Options) { o.Standard = false })
			raws := make([][]byte, n)
			for i := range raws {
				msg := w.spendMsg(coinUnits/2, shape.outs, w.ripe[i*shape.ins:(i+1)*shape.ins]...)
				if shape.witnessLen > 0 {
					for _, in := range msg.TxIn {
						in.Witness = wire.TxWitness{make([]byte, shape.witnessLen/2), make([]byte, shape.witnessLen/2)}
					}
				}
				raws[i] = state.NewTx(msg).Raw
			}
			before := heapBytes()
			for _, raw := range raws {
				tx, err := state.DecodeTx(raw)
				if err != nil {
					t.Fatal(err)
				}
				w.accept(tx)
			}
			grown, accounted := heapBytes()-before, w.pool.Info().UsageBytes
			runtime.KeepAlive(raws)
			ratio := float64(accounted) / float64(grown)
			t.Logf("%d transactions: %d bytes accounted, %d measured (%.2f)", n, accounted, grown, ratio)
			if ratio < 0.9 || ratio > 1.5 {
				t.Errorf("accounting is off")
			}
			runtime.KeepAlive(w)
		})
	}
}

func heapBytes() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestEviction(t *testing.T) {
	w := newWorld(t, 60, nil)
	one := usageOf(w.spend(1000, 1, w.ripe[0]))
	w.pool.maxBytes = 10 * one
	// A poor parent with a rich child is worth keeping; a poor one alone goes.
	poor := w.spend(200, 1, w.ripe[0])
	w.accept(poor)
	rich := w.spend(50_000, 1, out(poor, 0))
	w.accept(rich)
	var alone []*state.Tx
	for i := range 8 {
		tx := w.spend(int64(1000+i), 1, w.ripe[1+i])
		w.accept(tx)
		alone = append(alone, tx)
	}
	if got := w.pool.Info().MinUnitsPerKVB; got != policy.MinRelayUnitsPerKVB {
		t.Errorf("floor is %d before anything left", got)
	}
	w.accept(w.spend(9000, 1, w.ripe[20]))
	if w.pool.Get(alone[0].Txid) != nil || w.pool.Get(alone[1].Txid) == nil || w.pool.Get(poor.Txid) == nil {
		t.Error("the wrong transaction left")
	}
	paid := policy.RateOf(1000, alone[0].VBytes())
	if got, want := w.pool.Info().MinUnitsPerKVB, paid+policy.IncrementalUnitsPerKVB; got != want {
		t.Errorf("floor is %d, want %d", got, want)
	}
	w.refused(w.spend(1000, 1, w.ripe[21]), "mempool min fee not met")
	if info := w.pool.Info(); info.UsageBytes > info.MaxBytes {
		t.Errorf("%d bytes used, %d allowed", info.UsageBytes, info.MaxBytes)
	}
	checkPool(t, w.pool)
}

func TestMempoolFull(t *testing.T) {
	w := newWorld(t, 20, nil)
	w.pool.maxBytes = 5 * usageOf(w.spend(1000, 1, w.ripe[0]))
	for i := range 5 {
		w.accept(w.spend(5000, 1, w.ripe[i]))
	}
	w.refused(w.spend(4000, 1, w.ripe[6]), "mempool full")
	checkPool(t, w.pool)
}

func TestFloorSinks(t *testing.T) {
	w := newWorld(t, 20, nil)
	w.pool.maxBytes = 5 * usageOf(w.spend(1000, 1, w.ripe[0]))
	for i := range 6 {
		w.accept(w.spend(int64(100_000+i), 1, w.ripe[i]))
	}
	high := w.pool.Info().MinUnitsPerKVB
	pass := func(d time.Duration) int64 {
		w.clock.Set(w.clock.Now().Add(d))
		return w.pool.Info().MinUnitsPerKVB
	}
	if got := pass(floorHalfLife); got != high {
		t.Errorf("the floor sank to %d before a block came", got)
	}
	w.mine()
	if got := pass(floorHalfLife); got < high/2-1 || got > high/2+1 {
		t.Errorf("after its half life the floor is %d, was %d", got, high)
	}
	// Another eviction stops it until the next block.
	w.accept(w.spend(200_000, 1, w.ripe[8]))
	high = w.pool.Info().MinUnitsPerKVB
	if got := pass(floorHalfLife); got != high {
		t.Errorf("the floor sank from %d to %d without a block", high, got)
	}
	w.mine()
	if got := pass(20 * floorHalfLife); got != policy.MinRelayUnitsPerKVB {
		t.Errorf("after long it is %d", got)
	}
}

// TestStorm lets far more transactions in than there is room, with children
// and conflicts, and looks at every sum now and then.
func TestStorm(t *testing.T) {
	const coins = 600
	w := newWorld(t, coins, nil)
	w.pool.maxBytes = 100 * usageOf(w.spend(1000, 1, w.ripe[0]))
	for i := range 4 * coins {
		tx := w.spend(int64(500+(i*7919)%5000), 2, w.ripe[(i*31)%coins])
		if e, err := w.pool.Accept(tx); err == nil && i%3 == 0 {
			w.pool.Accept(w.spend(int64(400+(i*104729)%20_000), 1, out(e.Tx, 0))) //nolint:errcheck // either is fine
		}
		if info := w.pool.Info(); info.UsageBytes > info.MaxBytes {
			t.Fatalf("%d bytes used, %d allowed", info.UsageBytes, info.MaxBytes)
		}
		if i%100 == 0 {
			checkPool(t, w.pool)
		}
	}
	checkPool(t, w.pool)
	if n := w.pool.Info().Count; n < 50 {
		t.Errorf("only %d transactions are left", n)
	}
}
