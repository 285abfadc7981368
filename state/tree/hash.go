package tree

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// MaxKeyBytes bounds the keys of the tree.
const MaxKeyBytes = 255

// The beginnings of all hashed strings: a tag's hash twice (BIP340).
var (
	leafPrefix = tagPrefix("granary/leaf")
	nodePrefix = tagPrefix("granary/node")
)

func tagPrefix(tag string) []byte {
	sum := sha256.Sum256([]byte(tag))
	return append(sum[:], sum[:]...)
}

// LeafHash is the hash of one key with its value.
func LeafHash(key, value []byte) chainhash.Hash {
	b := make([]byte, 0, len(leafPrefix)+2+len(key)+len(value))
	b = append(b, leafPrefix...)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(key)))
	b = append(b, key...)
	b = append(b, value...)
	return sha256.Sum256(b)
}

// NodeHash joins two subtrees whose keys first differ at bit.
func NodeHash(bit uint16, left, right chainhash.Hash) chainhash.Hash {
	var b [64 + 2 + 64]byte
	copy(b[:], nodePrefix)
	binary.LittleEndian.PutUint16(b[64:], bit)
	copy(b[66:], left[:])
	copy(b[98:], right[:])
	return sha256.Sum256(b[:])
}

// bitOf is bit number bit of key, 0 beyond its end.
func bitOf(key []byte, bit uint16) byte {
	if at := int(bit / 8); at < len(key) {
		return key[at] >> (7 - bit%8) & 1
	}
	return 0
}

// firstDifference is the number of the first bit in which a and b differ
// below limit, or limit where they agree up to there. Beyond its end a key
// counts as zero bits.
func firstDifference(a, b []byte, limit uint16) uint16 {
	for at := 0; at < int(limit+7)/8; at++ {
		if x := byteOf(a, at) ^ byteOf(b, at); x != 0 {
			return min(limit, uint16(8*at+bits.LeadingZeros8(x)))
		}
	}
	return limit
}

func byteOf(key []byte, at int) byte {
	if at < len(key) {
		return key[at]
	}
	return 0
}
