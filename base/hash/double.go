package hash

import (
	"crypto/sha256"
	stdhash "hash"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// Double is SHA-256 of SHA-256 of b: Bitcoin's id of anything.
func Double(b []byte) chainhash.Hash {
	first := sha256.Sum256(b)
	return sha256.Sum256(first[:])
}

// Pair is Double of left followed by right: one node of a Merkle tree.
func Pair(left, right *chainhash.Hash) chainhash.Hash {
	var node [2 * chainhash.HashSize]byte
	copy(node[:chainhash.HashSize], left[:])
	copy(node[chainhash.HashSize:], right[:])
	return Double(node[:])
}

// Stream double-hashes a message given in parts, without joining them. The
// zero value is ready; it may be used again and again, by one goroutine.
type Stream struct {
	inner stdhash.Hash
	sum   [sha256.Size]byte
}

// Double is Double of the parts joined in order.
func (s *Stream) Double(parts ...[]byte) chainhash.Hash {
	if s.inner == nil {
		s.inner = sha256.New()
	}
	s.inner.Reset()
	for _, part := range parts {
		s.inner.Write(part) //nolint:errcheck // a hash never fails
	}
	s.inner.Sum(s.sum[:0])
	return sha256.Sum256(s.sum[:])
}
