// Package tx maps a transaction id to the block that holds it (--txindex): it
// stands beside the river, is told every block that joins or leaves the active
// chain, and answers getrawtransaction.
//
// Per transaction it keeps the height of the block and the place in the
// block's bytes, and beside them the block up to which it has followed. The
// rows and that tip move in one atomic batch. Rows are gathered for a moment
// before they are written: a kill loses nothing but work, since the index goes
// on at the start from the tip it wrote last, block by block, and backwards
// first where that block has left the chain meanwhile.
//
// A row is a hint, not a proof: whoever reads the bytes at the place checks
// that they hash to the id. So a row that a crash left behind does no harm.
package tx
