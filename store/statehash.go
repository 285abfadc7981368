package store

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/state"
)

// stateHashTag keeps state hashes apart from any other hash.
const stateHashTag = "granary/state"

// StateHash is one hash of everything that the tip determines: the SHA-256 of
// the tag, the tip's hash and height, the UTXO set's hash_serialized_3, and
// the SHA-256 of all goods keys and values (totals among them, tree nodes
// not, for they follow). Keys and values have their length before them. Two
// nodes at the same tip have the same StateHash, or one of them is wrong.
func (s *Snapshot) StateHash() (sum chainhash.Hash, err error) {
	stats, err := s.Stats(HashSerialized3)
	if err != nil {
		return sum, err
	}
	goods, err := s.goodsHash()
	if err != nil {
		return sum, err
	}
	h := sha256.New()
	h.Write([]byte(stateHashTag)) //nolint:errcheck // a hash never fails
	h.Write(stats.Tip[:])         //nolint:errcheck // a hash never fails
	var height [4]byte
	binary.BigEndian.PutUint32(height[:], uint32(stats.Height))
	h.Write(height[:])     //nolint:errcheck // a hash never fails
	h.Write(stats.Hash[:]) //nolint:errcheck // a hash never fails
	h.Write(goods[:])      //nolint:errcheck // a hash never fails
	return chainhash.Hash(h.Sum(nil)), nil
}

func (s *Snapshot) goodsHash() ([sha256.Size]byte, error) {
	h := sha256.New()
	var buf []byte
	err := s.GoodsRange(nil, nil, func(key, value []byte) bool {
		if !state.IsNodeKey(key) {
			buf = binary.AppendUvarint(buf[:0], uint64(len(key)))
			buf = append(buf, key...)
			buf = binary.AppendUvarint(buf, uint64(len(value)))
			h.Write(append(buf, value...)) //nolint:errcheck // a hash never fails
		}
		return true
	})
	return [sha256.Size]byte(h.Sum(nil)), err
}
