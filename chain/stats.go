package chain

import (
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/state"
	"granary/store"
)

// UTXOStats are the figures of gettxoutsetinfo.
type UTXOStats = store.Stats

// HashKind says which hash of the UTXO set is wanted.
type HashKind = store.HashKind

// The hashes of the UTXO set.
const (
	HashNone        = store.HashNone
	HashSerialized3 = store.HashSerialized3
	HashMuHash      = store.HashMuHash
)

// UTXOStats walks the whole UTXO set after one block and counts it. It reads
// only: everybody may read meanwhile, but the next block waits.
func (e *Engine) UTXOStats(kind HashKind) (UTXOStats, error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.store.Stats(kind)
}

// RangeCoins calls f for every coin after one block, in ascending order of
// txid bytes and output, until f returns false. The next block waits until it
// is done. Inside f the rules of View hold.
func (e *Engine) RangeCoins(f func(op wire.OutPoint, c *state.Coin) bool) error {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.store.RangeCoins(f)
}

// StateHash is one hash of everything that the tip determines; see
// store.Store.StateHash. It costs what UTXOStats costs.
func (e *Engine) StateHash() (chainhash.Hash, error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.store.StateHash()
}

// SizeOnDisk is the length of the block and undo files in bytes.
func (e *Engine) SizeOnDisk() int64 {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.store.FileBytes()
}
