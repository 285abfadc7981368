package hash

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/big"
	"math/rand/v2"
	"testing"

	"golang.org/x/crypto/chacha20"
)

func fromInt(i byte) []byte {
	data := make([]byte, 32)
	data[0] = i
	return data
}

// display is Core's printing order of a hash.
func display(sum [32]byte) string {
	for i, j := 0, 31; i < j; i, j = i+1, j-1 {
		sum[i], sum[j] = sum[j], sum[i]
	}
	return hex.EncodeToString(sum[:])
}

// TestMuHashCoreVectors are the values of Bitcoin Core's muhash_tests.
func TestMuHashCoreVectors(t *testing.T) {
	m := NewMuHash()
	if got := display(m.Sum()); got != "dd5ad2a105c2d29495f577245c357409002329b9f4d6182c0af3dc2f462555c8" {
		t.Errorf("empty set: %s", got)
	}
	m.Insert(fromInt(0))
	m.Insert(fromInt(1))
	m.Remove(fromInt(2))
	if got := display(m.Sum()); got != "10d312b100cbd32ada024a6646e40d3482fcff103668d2625f10002a607d5863" {
		t.Errorf("0 and 1 without 2: %s", got)
	}
	over := NewMuHash()
	for i := range over.numerator {
		over.numerator[i] = ^uint64(0)
	}
	sum := over.Sum()
	if got := hex.EncodeToString(sum[:]); got != "3a31e6903aff0de9f62f9a9f7f8b861de76ce2cda09822b90014319ae5dc2271" {
		t.Errorf("beyond the modulus: %s", got)
	}
	one := expand(fromInt(1))
	two := expand(fromInt(2))
	one.multiply(&two)
	var le [8]byte
	binary.LittleEndian.PutUint64(le[:], one[0])
	if got := hex.EncodeToString(le[:]); got != "1fa093295ea30a6a" {
		t.Errorf("product starts %s", got)
	}
}

// model is MuHash by math/big, with nothing clever in it.
type model struct{ product, modulus *big.Int }

func newModel() *model {
	modulus := new(big.Int).Lsh(big.NewInt(1), 3072)
	return &model{big.NewInt(1), modulus.Sub(modulus, big.NewInt(1103717))}
}

func (m *model) times(data []byte, inverse bool) {
	key := sha256.Sum256(data)
	stream, _ := chacha20.NewUnauthenticatedCipher(key[:], make([]byte, 12))
	raw := make([]byte, 384)
	stream.XORKeyStream(raw, raw)
	n := new(big.Int)
	for i := len(raw) - 1; i >= 0; i-- {
		n.Lsh(n, 8).Or(n, big.NewInt(int64(raw[i])))
	}
	if inverse {
		n.ModInverse(n, m.modulus)
	}
	m.product.Mul(m.product, n).Mod(m.product, m.modulus)
}

func (m *model) sum() [32]byte {
	raw := make([]byte, 384)
	rest := new(big.Int).Set(m.product)
	mask := big.NewInt(255)
	for i := range raw {
		raw[i] = byte(new(big.Int).And(rest, mask).Int64())
		rest.Rsh(rest, 8)
	}
	return sha256.Sum256(raw)
}

func TestMuHashAgainstModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 20 {
		fast, slow := NewMuHash(), newModel()
		for range rng.IntN(12) {
			data := make([]byte, rng.IntN(100))
			for i := range data {
				data[i] = byte(rng.Uint32())
			}
			remove := rng.IntN(3) == 0
			slow.times(data, remove)
			if remove {
				fast.Remove(data)
			} else {
				fast.Insert(data)
			}
		}
		if fast.Sum() != slow.sum() {
			t.Fatalf("round %d differs", round)
		}
	}
}

// TestMuHashFold drives the carries of the reduction with extreme limbs.
func TestMuHashFold(t *testing.T) {
	modulus := newModel().modulus
	extremes := []uint64{0, 1, muPrimeDiff, ^uint64(0), ^uint64(0) - muPrimeDiff + 1, 1 << 63}
	rng := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		var a, b number
		for i := range a {
			a[i], b[i] = extremes[rng.IntN(len(extremes))], extremes[rng.IntN(len(extremes))]
		}
		want := new(big.Int).Mul(a.big(), b.big())
		want.Mod(want, modulus)
		a.multiply(&b)
		if got := a.big(); got.Mod(got, modulus).Cmp(want) != 0 {
			t.Fatal("product differs from math/big")
		}
	}
}

func TestMuHashSet(t *testing.T) {
	a, b := NewMuHash(), NewMuHash()
	for i := range byte(10) {
		a.Insert(fromInt(i))
		b.Insert(fromInt(9 - i))
	}
	if a.Sum() != b.Sum() {
		t.Error("order matters")
	}
	half, rest := NewMuHash(), NewMuHash()
	for i := range byte(10) {
		if i%2 == 0 {
			half.Insert(fromInt(i))
		} else {
			rest.Insert(fromInt(i))
		}
	}
	half.Join(rest)
	if half.Sum() != a.Sum() {
		t.Error("joined halves differ from the whole")
	}
	for i := range byte(10) {
		a.Remove(fromInt(i))
	}
	if a.Sum() != NewMuHash().Sum() {
		t.Error("removing all does not give the empty set")
	}
}

func BenchmarkMuHashInsert(b *testing.B) {
	m, data := NewMuHash(), make([]byte, 70)
	for i := range b.N {
		binary.LittleEndian.PutUint64(data, uint64(i))
		m.Insert(data)
	}
}
