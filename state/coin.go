package state

import "github.com/btcsuite/btcd/wire/v2"

// Coin is an unspent output. It is immutable once it is shared; Script may
// alias a block's bytes only while that block is being connected: whoever
// keeps a coin longer clones the script (see Coin.Clone).
type Coin struct {
	ValueUnits int64
	Script     []byte
	Height     int32 // of the block that created it
	Coinbase   bool
}

// Clone gives a coin that shares no memory with c.
func (c *Coin) Clone() *Coin {
	d := *c
	d.Script = append(make([]byte, 0, len(c.Script)), c.Script...)
	return &d
}

// Unspendable reports whether an output with this script can never be spent
// and therefore never enters the UTXO set: first byte 0x6a, or longer than
// 10,000 bytes. Nothing else counts (goods-rules section 3).
func Unspendable(script []byte) bool {
	return len(script) > 10_000 || (len(script) > 0 && script[0] == 0x6a)
}

// CoinView reads the UTXO set.
type CoinView interface {
	// Coin gives the coin at op, or nil if there is none (never created, or
	// spent). The result must not be modified. An error is the world's, and
	// final.
	Coin(op wire.OutPoint) (*Coin, error)
}

// GoodsView reads the goods state: one sorted map from key to value. The keys
// are those of keys.go (state a verdict can depend on, all of it committed to)
// and the nodes of the commitment tree.
type GoodsView interface {
	// Goods gives the value under key, or nil if there is none. The result
	// must not be modified.
	Goods(key []byte) ([]byte, error)
	// GoodsRange calls f for each key with from <= key < to in ascending
	// order, until f returns false. key and value must not be kept.
	GoodsRange(from, to []byte, f func(key, value []byte) bool) error
}

// View is the whole state after some block.
type View interface {
	CoinView
	GoodsView
}
