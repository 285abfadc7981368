package goods

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"granary/params"
)

// bigCeil is ceil(a / b), held at 2^63-1.
func bigCeil(a, b *big.Int) int64 {
	q, rest := new(big.Int).QuoRem(a, b, new(big.Int))
	if rest.Sign() > 0 {
		q.Add(q, big.NewInt(1))
	}
	if !q.IsInt64() {
		return math.MaxInt64
	}
	return q.Int64()
}

func bigProduct(factors ...int64) *big.Int {
	p := big.NewInt(1)
	for _, f := range factors {
		p.Mul(p, big.NewInt(f))
	}
	return p
}

// extremes are numbers at which arithmetic breaks.
var extremes = []int64{
	0, 1, 2, 3, 9_999, 10_000, 10_001, 1<<31 - 1, 1 << 31, 1<<32 - 1, 1 << 32, 1<<32 + 1,
	params.MaxMoneyUnits - 1, params.MaxMoneyUnits, params.MaxMoneyUnits + 1, 1 << 62, math.MaxInt64 - 1, math.MaxInt64,
}

// numbers calls f with every combination of extremes and many random numbers
// of every length.
func numbers(f func(a, b, c int64)) {
	for _, a := range extremes {
		for _, b := range extremes {
			for _, c := range extremes {
				f(a, b, c)
			}
		}
	}
	rng := rand.New(rand.NewPCG(6, 6))
	anyNumber := func() int64 { return rng.Int64() >> rng.IntN(63) }
	for range 200_000 {
		f(anyNumber(), anyNumber(), anyNumber())
	}
}

func TestPriceOracle(t *testing.T) {
	fees := []int64{0, 1, 50, 9_999, 10_000}
	at := 0
	numbers(func(value, circulating, base int64) {
		fee := fees[at%len(fees)]
		at++
		if base == 0 {
			return
		}
		want := bigCeil(bigProduct(value, max(circulating, base), 10_000+fee), bigProduct(base, 10_000))
		if got := PriceUnits(value, circulating, base, fee); got != want {
			t.Fatalf("value %d, L %d, D %d, fee %d: %d, want %d", value, circulating, base, fee, got, want)
		}
		if want < value {
			t.Fatalf("value %d, L %d, D %d, fee %d: the price %d is below par", value, circulating, base, fee, want)
		}
	})
}

func TestPenaltyOracle(t *testing.T) {
	numbers(func(units, penalty, _ int64) {
		penalty %= 1_000_001
		want := bigCeil(bigProduct(units, 10_000+penalty), big.NewInt(10_000))
		if got := shareUpUnits(units, 10_000+penalty); got != want {
			t.Fatalf("%d with %d basis points: %d, want %d", units, penalty, got, want)
		}
	})
}

// A redemption at its price never makes the next one dearer: what it pays is
// at least its share of what circulates.
func TestPriceIsFair(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	for range 100_000 {
		base := 2 + rng.Int64N(1<<40)
		circulating := rng.Int64N(1 << 42)
		value := 1 + rng.Int64N(base-1)
		fee := rng.Int64N(10_001)
		price := PriceUnits(value, circulating, base, fee)
		if price > circulating {
			continue // there are not so many coins
		}
		other := 1 + rng.Int64N(1<<20)
		if before, after := PriceUnits(other, circulating, base, fee), PriceUnits(other, circulating-price, base-value, fee); after > before {
			t.Fatalf("L %d D %d: goods worth %d cost %d, then others worth %d cost %d, before %d", circulating, base, value, price, other, after, before)
		}
	}
}
