package state

import (
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/holiman/uint256"
)

// grow adds n headers below parent (nil for a genesis) with times from r.
func grow(r *rand.Rand, parent *Header, n int) *Header {
	for range n {
		raw := wire.BlockHeader{Bits: 0x207fffff, Nonce: r.Uint32(), Timestamp: time.Unix(int64(r.Uint32()), 0)}
		if parent != nil {
			raw.PrevBlock = parent.Hash
		}
		parent = NewHeader(&raw, parent)
	}
	return parent
}

func TestAncestorAgainstWalking(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	tip := grow(r, nil, 700)
	for at := tip; at != nil; at = at.Parent {
		for range 20 {
			height := int32(r.IntN(720)) - 10
			walk := at
			for walk != nil && walk.Height > height {
				walk = walk.Parent
			}
			if height < 0 || height > at.Height {
				walk = nil
			}
			if got := at.Ancestor(height); got != walk {
				t.Fatalf("ancestor of %d at %d", at.Height, height)
			}
		}
	}
}

func TestForkPointAndDescends(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	trunk := grow(r, nil, 100)
	for range 50 {
		fork := trunk.Ancestor(int32(r.IntN(100)))
		a, b := grow(r, fork, r.IntN(30)), grow(r, fork, r.IntN(30))
		if ForkPoint(a, b) != fork || ForkPoint(b, a) != fork {
			t.Fatal("fork point")
		}
		if !a.Descends(fork) || (a != fork && fork.Descends(a)) || (b != fork && a.Descends(b)) {
			t.Fatal("descends")
		}
	}
}

func TestMedianTimePast(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	tip := grow(r, nil, 40)
	for ; tip != nil; tip = tip.Parent {
		var times []int64
		for walk := tip; walk != nil && len(times) < 11; walk = walk.Parent {
			times = append(times, walk.Raw.Timestamp.Unix())
		}
		slices.Sort(times)
		if got := tip.MedianTimePast(); got != times[len(times)/2] {
			t.Fatalf("median at height %d", tip.Height)
		}
	}
}

// naiveTarget expands compact bits in math/big: nil where they are no target.
func naiveTarget(bits uint32) *big.Int {
	n := big.NewInt(int64(bits & 0x007fffff))
	if size := uint(bits >> 24); size <= 3 {
		n.Rsh(n, 8*(3-size))
	} else {
		n.Lsh(n, 8*(size-3))
	}
	if bits&0x00800000 != 0 || n.Sign() == 0 || n.BitLen() > 256 {
		return nil
	}
	return n
}

func TestCompactBitsAgainstBig(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	cases := []uint32{0, 0x207fffff, 0x1d00ffff, 0x01003456, 0x01123456, 0x02008000, 0x03123456, 0x05009234, 0x04923456, 0x20123456, 0xff123456}
	for size := range uint32(40) {
		for range 50 {
			cases = append(cases, size<<24|r.Uint32()&0x00ffffff, size<<24|r.Uint32()&0xffff, size<<24|r.Uint32()&0xff)
		}
	}
	two256 := new(big.Int).Lsh(big.NewInt(1), 256)
	for _, bits := range cases {
		want := naiveTarget(bits)
		got, ok := TargetOf(bits)
		if ok != (want != nil) || (ok && got.ToBig().Cmp(want) != 0) {
			t.Fatalf("target of %08x: %s %v, want %v", bits, got.Hex(), ok, want)
		}
		work := WorkOf(bits)
		if !ok {
			if !work.IsZero() {
				t.Fatalf("work of %08x", bits)
			}
			continue
		}
		if again, _ := TargetOf(BitsOf(&got)); again != got {
			t.Fatalf("bits of %s lead to %s", got.Hex(), again.Hex())
		}
		naive := new(big.Int).Div(two256, new(big.Int).Add(want, big.NewInt(1)))
		if work.ToBig().Cmp(naive) != 0 {
			t.Fatalf("work of %08x: %s, want %v", bits, work.Hex(), naive)
		}
	}
}

// Targets between two compact numbers are rounded down.
func TestBitsOfRoundsDown(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for range 5000 {
		n := uint256.Int{r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64()}
		n.Rsh(&n, uint(r.IntN(256)))
		if n.IsZero() {
			continue
		}
		bits := BitsOf(&n)
		down, ok := TargetOf(bits)
		if !ok || down.Gt(&n) {
			t.Fatalf("bits %08x of %s", bits, n.Hex())
		}
		step := new(big.Int).Lsh(big.NewInt(1), uint(max(0, 8*(int(bits>>24)-3))))
		if new(big.Int).Sub(n.ToBig(), down.ToBig()).Cmp(step) >= 0 {
			t.Fatalf("bits %08x are further from %s than one step", bits, n.Hex())
		}
	}
}

func TestHashMeets(t *testing.T) {
	target, _ := TargetOf(0x1d00ffff)
	var at, above chainhash.Hash
	for i, b := range target.Bytes32() {
		at[31-i] = b
	}
	above = at
	above[0]++
	if !HashMeets(&at, &target) || HashMeets(&above, &target) {
		t.Error("the target itself is met, one more is not")
	}
}
