// Package goods is the law that makes a Granary chain different from Bitcoin:
// what the treasury, the seats, the records and the coinbase may do, and what
// every block commits to. docs/goods-rules.md fixes the bytes.
//
// On the way of a block rules/block calls it between the inputs and the
// scripts: Begin, Tx for each transaction, Coinbase, Finish. Everything it
// changes goes into the block's overlay; taking a block back is Revert. The
// package is pure: the same block on the same state gives the same verdict.
//
// Each family of rules is one file with the same verbs: parse (bytes to a
// record), check (every condition, reading only), apply (the change). A
// record that no file knows is invalid.
package goods
