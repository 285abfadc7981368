package state

import "github.com/btcsuite/btcd/wire/v2"

// CoinChange is one outpoint with its coin, created or spent.
type CoinChange struct {
	Out  wire.OutPoint
	Coin *Coin
}

// GoodsChange is one key of the goods state going from Old to New; nil means
// absent. Old and New differ.
type GoodsChange struct {
	Key, Old, New []byte
}

// Delta is what connecting (or disconnecting) one block does to the state.
// Coins created and spent within the block appear in neither list. Goods
// holds the state keys in ascending order, Nodes the nodes of the commitment
// tree, which follow from Goods and are therefore not part of an Undo.
// A Delta owns its memory: nothing in it aliases a block.
type Delta struct {
	Spent   []CoinChange // in block order
	Created []CoinChange // in block order
	Goods   []GoodsChange
	Nodes   []GoodsChange
}

// Undo takes one block back: the coins its inputs spent, transaction by
// transaction without the coinbase, input by input (Bitcoin Core's order),
// and the goods changes to reverse. Coins created and spent within the block
// are in it too.
type Undo struct {
	Spent [][]*Coin
	Goods []GoodsChange
}
