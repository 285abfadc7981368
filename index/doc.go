// Package index is where the river is mapped: followers of the chain that
// answer what the state alone cannot, each in a folder of its own and in a
// database of its own. None of them is needed to judge a block; each can be
// deleted and built again, or switched on later.
//
//	index/tx     transaction id → block and place
//	index/filter compact filters of BIP158, for light wallets
//	index/goods  what happened to the goods: histories, records, coverage
//
// What they have in common is here, in the Keeper: the database, the block up
// to which the rows go, catching up with the chain, and the moment to write.
package index
