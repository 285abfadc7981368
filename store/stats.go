package store

import (
	"crypto/sha256"
	"encoding/binary"
	stdhash "hash"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/base/hash"
	"granary/state"
	"granary/store/coins"
)

// HashKind says which hash of the UTXO set Stats computes.
type HashKind int

// The hashes of gettxoutsetinfo.
const (
	HashNone HashKind = iota
	HashSerialized3
	HashMuHash
)

// Stats are the figures of gettxoutsetinfo, as Bitcoin Core 28 computes them.
type Stats struct {
	Height int32
	Tip    chainhash.Hash
	// Transactions have an unspent output at least; TxOuts are the outputs.
	Transactions, TxOuts int64
	// BogoSize is Core's measure of the set that no database can change.
	BogoSize int64
	// Hash is of the kind that was asked for, zero for HashNone.
	Hash chainhash.Hash
	// TotalUnits is the sum of all coins.
	TotalUnits int64
	// DiskBytes estimates the set's space on the disk.
	DiskBytes int64
}

// bogoBytes is what an output counts beside its script: txid, output, height
// and coinbase bit, amount, length of the script.
const bogoBytes = 32 + 4 + 4 + 8 + 2

// Stats walks the whole UTXO set and takes its time.
func (s *Snapshot) Stats(kind HashKind) (Stats, error) {
	stats := Stats{Height: s.tip.Height, Tip: s.tip.Hash}
	walk, err := s.walkCoins()
	if err != nil {
		return stats, err
	}
	sum := newCoinSum(kind)
	var txid chainhash.Hash
	for walk.next() {
		if this := chainhash.Hash(walk.key[:32]); stats.TxOuts == 0 || this != txid {
			txid = this
			stats.Transactions++
		}
		stats.TxOuts++
		stats.TotalUnits += walk.coin.ValueUnits
		stats.BogoSize += bogoBytes + int64(len(walk.coin.Script))
		sum.add(&walk.key, walk.coin)
	}
	if err := walk.close(); err != nil {
		return stats, err
	}
	stats.Hash = sum.sum()
	size, err := s.store.db.DiskBytes([]byte{prefixCoins}, []byte{prefixCoins + 1})
	stats.DiskBytes = int64(size)
	return stats, err
}

// coinSum hashes coins that come in ascending order.
type coinSum struct {
	serialized stdhash.Hash // nil unless HashSerialized3
	muHash     *hash.MuHash // nil unless HashMuHash
	buf        []byte
}

func newCoinSum(kind HashKind) *coinSum {
	switch kind {
	case HashSerialized3:
		return &coinSum{serialized: sha256.New()}
	case HashMuHash:
		return &coinSum{muHash: hash.NewMuHash()}
	}
	return &coinSum{}
}

func (c *coinSum) add(key *coins.Key, coin *state.Coin) {
	if c.serialized == nil && c.muHash == nil {
		return
	}
	c.buf = appendHashedCoin(c.buf[:0], key, coin)
	if c.serialized != nil {
		c.serialized.Write(c.buf) //nolint:errcheck // a hash never fails
	} else {
		c.muHash.Insert(c.buf)
	}
}

// appendHashedCoin appends what both hashes see of a coin: the outpoint, the
// height with the coinbase bit, and the output, as Bitcoin serializes them.
func appendHashedCoin(dst []byte, key *coins.Key, coin *state.Coin) []byte {
	dst = append(dst, key[:32]...)
	dst = binary.LittleEndian.AppendUint32(dst, binary.BigEndian.Uint32(key[32:]))
	code := uint32(coin.Height) << 1
	if coin.Coinbase {
		code |= 1
	}
	dst = binary.LittleEndian.AppendUint32(dst, code)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(coin.ValueUnits))
	dst = state.AppendCompactSize(dst, uint64(len(coin.Script)))
	return append(dst, coin.Script...)
}

func (c *coinSum) sum() (sum chainhash.Hash) {
	switch {
	case c.serialized != nil:
		return sha256.Sum256(c.serialized.Sum(nil))
	case c.muHash != nil:
		return c.muHash.Sum()
	}
	return sum
}
