package sig

import (
	"bytes"
	"encoding/csv"
	"encoding/hex"
	"math/rand/v2"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"

	"granary/test/vectors"
)

// onEngines runs f once for every engine of the build.
func onEngines(t *testing.T, f func(t *testing.T, e Engine)) {
	for _, e := range Engines() {
		t.Run(e.Name(), func(t *testing.T) { f(t, e) })
	}
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDefaultIsAnEngineOfTheBuild(t *testing.T) {
	if Default().Name() != Engines()[0].Name() {
		t.Fatalf("default engine %q is not the preferred one", Default().Name())
	}
}

func TestBIP340Vectors(t *testing.T) {
	rows, err := csv.NewReader(bytes.NewReader(vectors.Shared(t, "bip340.csv"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	onEngines(t, func(t *testing.T, e Engine) {
		run, otherLength := 0, 0
		for _, row := range rows[1:] {
			message := unhex(t, row[4])
			if len(message) != 32 {
				otherLength++
				continue
			}
			c := Check{Kind: Schnorr, PubKey: unhex(t, row[2]), Sig: unhex(t, row[5]), Digest: [32]byte(message)}
			if got, want := Verify(e, &c), row[6] == "TRUE"; got != want {
				t.Errorf("vector %s (%s): got %v, want %v", row[0], row[7], got, want)
			}
			run++
		}
		t.Logf("%d vectors run; %d left out: their message is not 32 bytes long, which Bitcoin never signs", run, otherLength)
		if run < 15 {
			t.Errorf("only %d vectors run", run)
		}
	})
}

// signer makes valid checks from a seed, so that failures repeat.
type signer struct{ rand *rand.Rand }

func newSigner(seed uint64) *signer { return &signer{rand.New(rand.NewPCG(seed, 340))} }

func (s *signer) bytes32() (b [32]byte) {
	for i := range b {
		b[i] = byte(s.rand.Uint32())
	}
	return b
}

func (s *signer) key() *btcec.PrivateKey {
	secret := s.bytes32()
	key, _ := btcec.PrivKeyFromBytes(secret[:])
	return key
}

func (s *signer) ecdsa() Check {
	key, digest := s.key(), s.bytes32()
	pub := key.PubKey().SerializeCompressed()
	switch s.rand.IntN(3) {
	case 0:
		pub = key.PubKey().SerializeUncompressed()
	case 1:
		pub = hybrid(key.PubKey())
	}
	return Check{Kind: ECDSA, PubKey: pub, Sig: ecdsa.Sign(key, digest[:]).Serialize(), Digest: digest}
}

func (s *signer) schnorr(t testing.TB) Check {
	key, digest := s.key(), s.bytes32()
	signature, err := schnorr.Sign(key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return Check{Kind: Schnorr, PubKey: schnorr.SerializePubKey(key.PubKey()), Sig: signature.Serialize(), Digest: digest}
}

func hybrid(key *btcec.PublicKey) []byte {
	pub := key.SerializeUncompressed()
	pub[0] = 6 + pub[64]&1
	return pub
}

func TestValidAndBroken(t *testing.T) {
	onEngines(t, func(t *testing.T, e Engine) {
		s := newSigner(1)
		for range 40 {
			for _, c := range []Check{s.ecdsa(), s.schnorr(t)} {
				if !Verify(e, &c) {
					t.Fatalf("a valid signature does not hold: kind %d key %x", c.Kind, c.PubKey)
				}
				for _, broken := range breaks(s.rand, c) {
					if Verify(e, &broken) {
						t.Fatalf("a broken signature holds: kind %d key %x sig %x", c.Kind, broken.PubKey, broken.Sig)
					}
				}
			}
		}
	})
}

// breaks gives variants of a valid check, none of which may hold.
func breaks(r *rand.Rand, c Check) []Check {
	clone := func() Check {
		d := c
		d.PubKey, d.Sig = bytes.Clone(c.PubKey), bytes.Clone(c.Sig)
		return d
	}
	digest, key, wrongKind, noSig, noKey := clone(), clone(), clone(), clone(), clone()
	digest.Digest[r.IntN(32)] ^= 1 << r.IntN(8)
	key.PubKey[1+r.IntN(31)] ^= 1 << r.IntN(8)
	wrongKind.Kind = 1 - c.Kind
	noSig.Sig = nil
	noKey.PubKey = nil
	unknown := clone()
	unknown.Kind = 7
	out := []Check{digest, key, wrongKind, noSig, noKey, unknown}
	if c.Kind == ECDSA {
		value := clone()
		value.Sig[8+r.IntN(20)] ^= 1 << r.IntN(8) // inside R
		prefix := clone()
		prefix.PubKey[0] ^= 1 // other half, or a form that is none
		out = append(out, value, prefix)
	} else {
		long, any := clone(), clone()
		long.Sig = append(long.Sig, 1)
		any.Sig[r.IntN(64)] ^= 1 << r.IntN(8)
		out = append(out, long, any)
	}
	return out
}

func TestBatchesOfManyLengths(t *testing.T) {
	onEngines(t, func(t *testing.T, e Engine) {
		s := newSigner(2)
		pool := make([]Check, 0, 24)
		for range 12 {
			good := s.ecdsa()
			bad := good
			bad.Digest[0] ^= 1
			pool = append(pool, good, bad)
		}
		for _, n := range []int{0, 1, 2, 7, 8, 9, 63, 257} {
			checks, verdicts := make([]Check, n), make([]bool, n+1)
			want := make([]bool, n)
			for i := range checks {
				pick := s.rand.IntN(len(pool))
				checks[i], want[i], verdicts[i] = pool[pick], pick%2 == 0, pick%2 == 1
			}
			verdicts[n] = true
			e.Verify(checks, verdicts)
			for i := range want {
				if verdicts[i] != want[i] {
					t.Fatalf("batch of %d: verdict %d is %v", n, i, verdicts[i])
				}
			}
			if !verdicts[n] {
				t.Fatalf("batch of %d: wrote beyond its verdicts", n)
			}
		}
	})
}

// order is secp256k1's group order n, prime its field prime p.
const (
	order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"
	prime = "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f"
)

// der encodes R and S with the given number of extra leading zeros.
func der(r, s []byte, padding int) []byte {
	integer := func(n []byte) []byte {
		n = append(make([]byte, padding), n...)
		return append([]byte{2, byte(len(n))}, n...)
	}
	body := append(integer(r), integer(s)...)
	return append([]byte{0x30, byte(len(body))}, body...)
}

func TestECDSASemantics(t *testing.T) {
	s := newSigner(3)
	key, digest := s.key(), s.bytes32()
	signature := ecdsa.Sign(key, digest[:])
	rScalar, sScalar := signature.R(), signature.S()
	highS := sScalar
	highS.Negate()
	r, low, high := rScalar.Bytes(), sScalar.Bytes(), highS.Bytes()
	zero, n := make([]byte, 32), unhex(t, order)
	good := der(r[:], low[:], 1)

	longForm := append([]byte{0x30, 0x81, 0x99}, []byte{2, 0x82, 0, 33, 0}...)
	longForm = append(append(longForm, r[:]...), 2, 0x81, 33, 0)
	longForm = append(longForm, low[:]...)
	wrongLength := bytes.Clone(good)
	wrongLength[1] = 3

	cases := []struct {
		name string
		sig  []byte
		want bool
	}{
		{"padded", good, true},
		{"heavily padded", der(r[:], low[:], 9), true},
		{"high S", der(r[:], high[:], 1), true},
		{"negative looking numbers", der(r[:], high[:], 0), true},
		{"long form lengths", longForm, true},
		{"wrong sequence length", wrongLength, true},
		{"bytes behind", append(bytes.Clone(good), 1, 2, 3), true},
		{"truncated", good[:len(good)-1], false},
		{"R zero", der(zero, low[:], 0), false},
		{"S zero", der(r[:], zero, 0), false},
		{"R is the order", der(n, low[:], 1), false},
		{"S is the order", der(r[:], n, 1), false},
		{"R beyond 256 bits", der(append([]byte{1}, r[:]...), low[:], 0), false},
		{"no integers", []byte{0x30, 0}, false},
		{"empty", nil, false},
	}
	onEngines(t, func(t *testing.T, e Engine) {
		for _, pub := range [][]byte{key.PubKey().SerializeCompressed(), key.PubKey().SerializeUncompressed(), hybrid(key.PubKey())} {
			for _, tc := range cases {
				c := Check{Kind: ECDSA, PubKey: pub, Sig: tc.sig, Digest: digest}
				if got := Verify(e, &c); got != tc.want {
					t.Errorf("%s with key %x…: got %v", tc.name, pub[0], got)
				}
			}
		}
		wrongParity := hybrid(key.PubKey())
		wrongParity[0] ^= 1
		offCurve := append([]byte{2}, unhex(t, prime)...)
		for _, pub := range [][]byte{wrongParity, offCurve, {4}, make([]byte, 33), make([]byte, 65)} {
			c := Check{Kind: ECDSA, PubKey: pub, Sig: good, Digest: digest}
			if Verify(e, &c) {
				t.Errorf("key %x holds", pub)
			}
		}
	})
}

// R is an x coordinate modulo n: a point whose x lies between n and p must be
// found too (libsecp256k1 tests the same corner).
func TestECDSALargeX(t *testing.T) {
	// x = n + 4 is on the curve; R = 4. With digest z and any s, the public
	// key Q = R⁻¹(s·P − z·G) makes (4, s) valid by construction.
	var x, y btcec.FieldVal
	x.SetByteSlice(unhex(t, "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364145"))
	found := btcec.DecompressY(&x, false, &y)
	if !found {
		t.Fatal("x is not on the curve")
	}
	point := btcec.MakeJacobianPoint(&x, y.Normalize(), new(btcec.FieldVal).SetInt(1))
	var r, s, z btcec.ModNScalar
	r.SetInt(4)
	s.SetInt(77)
	z.SetInt(1234567)
	var sP, zG, sum, q btcec.JacobianPoint
	btcec.ScalarMultNonConst(&s, &point, &sP)
	negZ := z
	negZ.Negate()
	btcec.ScalarBaseMultNonConst(&negZ, &zG)
	btcec.AddNonConst(&sP, &zG, &sum)
	var rInverse btcec.ModNScalar
	rInverse.InverseValNonConst(&r)
	btcec.ScalarMultNonConst(&rInverse, &sum, &q)
	q.ToAffine()
	pub := btcec.NewPublicKey(&q.X, &q.Y).SerializeCompressed()
	c := Check{Kind: ECDSA, PubKey: pub, Sig: der([]byte{4}, []byte{77}, 0), Digest: z.Bytes()}
	onEngines(t, func(t *testing.T, e Engine) {
		if !Verify(e, &c) {
			t.Error("a signature whose R lies beyond the order does not hold")
		}
	})
}

// An S beyond the order must not be reduced: (R, S+n) would be a second
// signature. S = 0 + n with a nonce chosen to fit shows it.
func TestSchnorrRefusesLargeS(t *testing.T) {
	s := newSigner(4)
	c := s.schnorr(t)
	copy(c.Sig[32:], unhex(t, order))
	beyond := s.schnorr(t)
	copy(beyond.Sig[:32], unhex(t, prime))
	onEngines(t, func(t *testing.T, e Engine) {
		if Verify(e, &c) || Verify(e, &beyond) {
			t.Error("a number out of range holds")
		}
	})
}

// Every engine must say what the first one of the list says, on whatever
// bytes: the batch an attacker would choose.
func FuzzEnginesAgree(f *testing.F) {
	s := newSigner(5)
	for range 4 {
		c := s.ecdsa()
		f.Add(uint8(0), c.PubKey, c.Sig, c.Digest[:])
		c = s.schnorr(f)
		f.Add(uint8(1), c.PubKey, c.Sig, c.Digest[:])
	}
	f.Fuzz(func(t *testing.T, kind uint8, key, signature, digest []byte) {
		c := Check{Kind: Kind(kind % 3), PubKey: key, Sig: signature}
		copy(c.Digest[:], digest)
		engines := Engines()
		want := Verify(engines[0], &c)
		for _, e := range engines[1:] {
			if Verify(e, &c) != want {
				t.Fatalf("%s says %v, %s the other: %x %x %x", engines[0].Name(), want, e.Name(), key, signature, c.Digest)
			}
		}
	})
}

func FuzzDER(f *testing.F) {
	s := newSigner(6)
	for range 4 {
		f.Add(s.ecdsa().Sig)
	}
	f.Add([]byte{0x30, 0x84, 0, 0, 0, 0, 2, 0x84, 0, 0, 0, 1, 5, 2, 1, 7, 9})
	f.Fuzz(func(t *testing.T, data []byte) {
		r, sNumber, ok := ParseDERLax(data)
		if !StrictDER(data) {
			return
		}
		// A strict encoding means the same to the lax reader and to btcec.
		theirs, err := ecdsa.ParseDERSignature(data)
		if err != nil {
			return // out of range for the curve: the framing alone is strict
		}
		theirR, theirS := theirs.R(), theirs.S()
		if !ok || theirR.Bytes() != r || theirS.Bytes() != sNumber {
			t.Fatalf("strict %x read as %x %x %v", data, r, sNumber, ok)
		}
		if LowS(data) == theirS.IsOverHalfOrder() {
			t.Fatalf("low S of %x", data)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	s := newSigner(7)
	for _, e := range Engines() {
		for _, kind := range []string{"ecdsa", "schnorr"} {
			b.Run(e.Name()+"/"+kind, func(b *testing.B) {
				checks, verdicts := make([]Check, PreferredBatch), make([]bool, PreferredBatch)
				for i := range checks {
					if kind == "ecdsa" {
						checks[i] = s.ecdsa()
						for len(checks[i].PubKey) != 33 {
							checks[i] = s.ecdsa()
						}
					} else {
						checks[i] = s.schnorr(b)
					}
				}
				b.ReportAllocs()
				for b.Loop() {
					e.Verify(checks, verdicts)
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(checks)), "µs/sig")
			})
		}
	}
}
