package cpu

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/holiman/uint256"

	"granary/state"
)

// target gives one with that many leading zero bits.
func target(zeroBits uint) *uint256.Int {
	all := new(uint256.Int).SetAllOne()
	return all.Rsh(all, zeroBits)
}

func header(n int64) *wire.BlockHeader {
	return &wire.BlockHeader{Version: 4, Bits: 0x207fffff, Timestamp: time.Unix(1_700_000_000+n, 0)}
}

// naive is the first nonce by the plain road.
func naive(h wire.BlockHeader, t *uint256.Int) uint32 {
	for h.Nonce = 0; ; h.Nonce++ {
		if id := h.BlockHash(); state.HashMeets(&id, t) {
			return h.Nonce
		}
	}
}

// TestSolveIsTheNaiveSearch: the lowest nonce is found, however many workers
// look, alone and together.
func TestSolveIsTheNaiveSearch(t *testing.T) {
	for _, zeroBits := range []uint{0, 1, 7, 8, 9, 12, 15} {
		for n := range int64(4) {
			h := header(n)
			want := naive(*h, target(zeroBits))
			found, err := Solve(t.Context(), h, target(zeroBits))
			if err != nil || !found || h.Nonce != want {
				t.Errorf("%d bits: found %t, nonce %d, want %d (%v)", zeroBits, found, h.Nonce, want, err)
			}
		}
	}
}

// TestKnownBlock finds the work of Bitcoin's first block again.
func TestKnownBlock(t *testing.T) {
	h := chaincfg.MainNetParams.GenesisBlock.Header
	goal, _ := state.TargetOf(h.Bits)
	nonce, ok := newSearch(&h, &goal).worker().try(int64(h.Nonce)-1000, int64(h.Nonce)+10)
	if !ok || nonce != h.Nonce {
		t.Errorf("found %t %d, want %d", ok, nonce, h.Nonce)
	}
}

func TestSolveWithin(t *testing.T) {
	h := header(5)
	goal := target(15)
	first := int64(naive(*h, goal))
	for _, c := range []struct {
		tries int64
		found bool
	}{{first + 1, true}, {first, false}, {1, false}, {0, false}, {-5, false}} {
		h.Nonce = 77
		found, used, err := SolveWithin(t.Context(), h, goal, c.tries)
		if err != nil || found != c.found || used > max(c.tries, 0) || !found && h.Nonce != 77 {
			t.Errorf("%d tries: found %t, used %d (%v)", c.tries, found, used, err)
		}
	}
}

func TestSolveStops(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	begin := time.Now()
	found, err := Solve(ctx, header(1), target(255))
	if found || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("found %t, %v", found, err)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("stopping took %v", took)
	}
}

// BenchmarkSolve is one processor's hashes.
func BenchmarkSolve(b *testing.B) {
	w := newSearch(header(1), target(255)).worker()
	b.ResetTimer()
	w.try(0, int64(b.N))
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "MH/s")
}
