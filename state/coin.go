package state

import (
	"bytes"

	"github.com/btcsuite/btcd/wire/v2"
)

// Coin is an unspent output. It is immutable once it is shared; Script may
// alias a block's bytes only while that block is being connected: whoever
// keeps a coin longer clones the script (see Coin.Clone).
type Coin struct {
	ValueUnits int64
	Script     []byte
	Height     int32 // of the block that created it
	Coinbase   bool
}

// inlineScriptBytes is how long a script may be to lie in one allocation with
// its coin; the usual forms are at most 35 bytes.
const inlineScriptBytes = 40

// NewCoin makes a coin with its own copy of script. Usual scripts share one
// allocation with the coin, and none shares memory with another coin.
func NewCoin(valueUnits int64, script []byte, height int32, coinbase bool) *Coin {
	if len(script) > inlineScriptBytes {
		own := append(make([]byte, 0, len(script)), script...)
		return &Coin{ValueUnits: valueUnits, Script: own, Height: height, Coinbase: coinbase}
	}
	both := &struct {
		Coin
		script [inlineScriptBytes]byte
	}{Coin: Coin{ValueUnits: valueUnits, Height: height, Coinbase: coinbase}}
	n := copy(both.script[:], script)
	both.Script = both.script[:n:n]
	return &both.Coin
}

// Clone gives a coin that shares no memory with c.
func (c *Coin) Clone() *Coin { return NewCoin(c.ValueUnits, c.Script, c.Height, c.Coinbase) }

// Equal reports whether two coins say the same.
func (c *Coin) Equal(d *Coin) bool {
	return c.ValueUnits == d.ValueUnits && c.Height == d.Height && c.Coinbase == d.Coinbase &&
		bytes.Equal(c.Script, d.Script)
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
	// must not be modified; it may be kept, since nothing modifies it.
	Goods(key []byte) ([]byte, error)
	// GoodsRange calls f for each key with from <= key < to in ascending
	// order, until f returns false. key and value must not be kept.
	GoodsRange(from, to []byte, f func(key, value []byte) bool) error
}

// GoodsWarmer is a GoodsView that can read many keys at a time.
type GoodsWarmer interface {
	// WarmGoods says that Goods will soon be asked for each of keys. It
	// changes nothing but the time that takes, and reports nothing: an error
	// of the world comes again with Goods.
	WarmGoods(keys [][]byte)
}

// View is the whole state after some block.
type View interface {
	CoinView
	GoodsView
}
