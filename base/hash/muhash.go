package hash

import (
	"crypto/sha256"
	"encoding/binary"
	"math/big"
	"math/bits"

	"golang.org/x/crypto/chacha20"
)

// MuHashBytes is the length of one side of a serialized MuHash.
const MuHashBytes = 384

const (
	muLimbs = MuHashBytes / 8
	// muPrimeDiff: the modulus is 2^3072 - muPrimeDiff, the greatest 3072-bit
	// safe prime.
	muPrimeDiff = 1103717
)

// number is an integer below 2^3072, least limb first; it may be as great as
// or greater than the modulus until it is reduced.
type number [muLimbs]uint64

// MuHash is the MuHash3072 of a set of byte strings, as Bitcoin Core computes
// it: each string is expanded (ChaCha20 keyed by its SHA-256) to a number, and
// the set is the product of its numbers, so that order does not matter and a
// string can be taken out again. It is not safe for concurrent use. The zero
// value is not valid; use NewMuHash.
type MuHash struct {
	numerator, denominator number
}

// NewMuHash gives the hash of the empty set.
func NewMuHash() *MuHash {
	m := &MuHash{}
	m.numerator[0], m.denominator[0] = 1, 1
	return m
}

// Insert adds data to the set.
func (m *MuHash) Insert(data []byte) {
	n := expand(data)
	m.numerator.multiply(&n)
}

// Remove takes data out of the set.
func (m *MuHash) Remove(data []byte) {
	n := expand(data)
	m.denominator.multiply(&n)
}

// Join adds the set of other; other stays as it is.
func (m *MuHash) Join(other *MuHash) {
	m.numerator.multiply(&other.numerator)
	m.denominator.multiply(&other.denominator)
}

// Sum is the 32-byte digest of the set, in the byte order of a hash in memory
// (Core prints it reversed). The set stays as it is.
func (m *MuHash) Sum() [32]byte {
	modulus := new(big.Int).Lsh(big.NewInt(1), 3072)
	modulus.Sub(modulus, big.NewInt(muPrimeDiff))
	quotient := new(big.Int).ModInverse(m.denominator.big(), modulus)
	quotient.Mul(quotient, m.numerator.big())
	quotient.Mod(quotient, modulus)
	var le [MuHashBytes]byte
	quotient.FillBytes(le[:])
	for i, j := 0, len(le)-1; i < j; i, j = i+1, j-1 {
		le[i], le[j] = le[j], le[i]
	}
	return sha256.Sum256(le[:])
}

// expand turns data into a number: the ChaCha20 key stream under its SHA-256.
func expand(data []byte) (n number) {
	key := sha256.Sum256(data)
	var nonce [chacha20.NonceSize]byte
	stream, err := chacha20.NewUnauthenticatedCipher(key[:], nonce[:])
	if err != nil {
		panic(err) // the lengths of key and nonce are constants
	}
	var raw [MuHashBytes]byte
	stream.XORKeyStream(raw[:], raw[:])
	n.setBytes(raw[:])
	return n
}

func (n *number) setBytes(le []byte) {
	for i := range n {
		n[i] = binary.LittleEndian.Uint64(le[8*i:])
	}
}

func (n *number) big() *big.Int {
	var be [MuHashBytes]byte
	for i, limb := range n {
		binary.BigEndian.PutUint64(be[MuHashBytes-8*(i+1):], limb)
	}
	return new(big.Int).SetBytes(be[:])
}

// multiply sets n to n times other, modulo the prime but below 2^3072 only.
func (n *number) multiply(other *number) {
	var wide [2 * muLimbs]uint64
	for i, a := range n {
		var carry uint64
		for j, b := range other {
			hi, lo := bits.Mul64(a, b)
			var c uint64
			lo, c = bits.Add64(lo, wide[i+j], 0)
			hi += c
			lo, c = bits.Add64(lo, carry, 0)
			wide[i+j], carry = lo, hi+c
		}
		wide[i+muLimbs] = carry
	}
	n.fold(&wide)
}

// fold uses 2^3072 = muPrimeDiff (mod p): the upper half comes down times the
// difference, and so does what that carries, twice at most.
func (n *number) fold(wide *[2 * muLimbs]uint64) {
	var carry uint64
	for i := range n {
		hi, lo := bits.Mul64(wide[muLimbs+i], muPrimeDiff)
		var c uint64
		lo, c = bits.Add64(lo, wide[i], 0)
		hi += c
		lo, c = bits.Add64(lo, carry, 0)
		n[i], carry = lo, hi+c
	}
	for carry != 0 {
		hi, lo := bits.Mul64(carry, muPrimeDiff)
		var c uint64
		n[0], c = bits.Add64(n[0], lo, 0)
		n[1], c = bits.Add64(n[1], hi, c)
		for i := 2; i < muLimbs; i++ {
			n[i], c = bits.Add64(n[i], 0, c)
		}
		carry = c
	}
}
