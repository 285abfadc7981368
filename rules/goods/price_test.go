package goods

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"granary/base/check"
	"granary/params"
	"granary/state"
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
		for _, share := range []int64{penalty, 10_000 + penalty} { // of a reclaim, of a redemption
			want := bigCeil(bigProduct(units, share), big.NewInt(10_000))
			if got := shareUpUnits(units, share); got != want {
				t.Fatalf("%d of %d basis points: %d, want %d", units, share, got, want)
			}
		}
	})
}

// The price is the higher of that with claims and that without, over sums of
// 128 bits that saturate; a custodian in default adds its own.
func TestHigherPriceOracle(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	sum := func() state.Sum {
		s := state.Sum{Lo: rng.Uint64() >> rng.IntN(64)}
		if rng.IntN(8) == 0 {
			s.Hi = rng.Uint64() >> (1 + rng.IntN(63)) // two of them do not overflow
		}
		return s
	}
	saturated := func(sums ...state.Sum) *big.Int {
		total := new(big.Int)
		for _, s := range sums {
			hi := new(big.Int).Lsh(new(big.Int).SetUint64(s.Hi), 64)
			total.Add(total, hi.Add(hi, new(big.Int).SetUint64(s.Lo)))
		}
		if limit := big.NewInt(math.MaxInt64); total.Cmp(limit) > 0 {
			return limit
		}
		return total
	}
	ceil := func(value, coins, fee int64, base *big.Int) int64 {
		n := big.NewInt(coins)
		if base.Cmp(n) > 0 {
			n.Set(base)
		}
		return bigCeil(n.Mul(n, bigProduct(value, 10_000+fee)), new(big.Int).Mul(base, big.NewInt(10_000)))
	}
	higher := 0
	for range 200_000 {
		s := startOfBlock{
			circulatingUnits: rng.Int64N(params.MaxMoneyUnits+1) >> rng.IntN(50), escrowUnits: rng.Int64N(params.MaxMoneyUnits+1) >> rng.IntN(50),
			priceBase: priceBase{all: sum(), claimed: sum()},
		}
		own, defaulted := priceBase{all: sum(), claimed: sum()}, rng.IntN(2) == 0
		value, fee := rng.Int64()>>rng.IntN(63), rng.Int64N(10_001)
		all, claimed := []state.Sum{s.all}, []state.Sum{s.claimed}
		if defaulted {
			all, claimed = append(all, own.all), append(claimed, own.claimed)
		}
		got, err := s.priceUnits(defaulted, own, value, fee)
		if saturated(all...).Sign() == 0 {
			if check.CodeOf(err) != CodeRedeemClosed {
				t.Fatalf("%+v: %d, %v", s, got, err)
			}
			continue
		}
		without := ceil(value, s.circulatingUnits, fee, saturated(all...))
		with := ceil(value, s.circulatingUnits+s.escrowUnits, fee, saturated(append(all, claimed...)...))
		if with > without {
			higher++
		}
		if err != nil || got != max(without, with) {
			t.Fatalf("%+v, own %+v %t, value %d, fee %d: %d, want the higher of %d and %d: %v", s, own, defaulted, value, fee, got, without, with, err)
		}
	}
	if higher < 1_000 {
		t.Fatalf("only %d prices were of claims", higher)
	}
}

// A redemption at its price never makes the next one dearer: what it pays is
// at least its share of what circulates.
func TestPriceIsFair(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	for range 100_000 {
		base := 2 + rng.Int64N(1<<40)
		circulating, value, fee, other := rng.Int64N(1<<42), 1+rng.Int64N(base-1), rng.Int64N(10_001), 1+rng.Int64N(1<<20)
		start := startOfBlock{circulatingUnits: circulating, priceBase: priceBase{all: state.Sum{Lo: uint64(base)}}}
		if rng.IntN(2) == 0 { // claims that cost less, or more, than now
			start.escrowUnits, start.claimed = rng.Int64N(1<<41), state.Sum{Lo: rng.Uint64N(1 << 40)}
		}
		priceOf := func(units int64) int64 {
			price, err := start.priceUnits(false, priceBase{}, units, fee)
			if err != nil {
				t.Fatal(err)
			}
			return price
		}
		price := priceOf(value)
		if price > circulating {
			continue // there are not so many coins
		}
		before := priceOf(other)
		over := rng.Int64N(circulating-price+1) >> rng.IntN(43)
		start.circulatingUnits -= price + over
		start.escrowUnits += price + over
		start.all.Lo -= uint64(value)
		start.claimed.Lo += uint64(value)
		if after := priceOf(other); after > before {
			t.Fatalf("L %d D %d: goods worth %d cost %d, then others worth %d cost %d, before %d", circulating, base, value, price, other, after, before)
		}
	}
}
