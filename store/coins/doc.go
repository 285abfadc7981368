// Package coins holds the UTXO set in its two forms: the bytes that go to the
// disk (Bitcoin Core's compressed coins and undo records) and the write-back
// Cache between the blocks and those bytes.
//
// A block creates and spends coins in the Cache; a coin that dies there
// before the next commit never reaches the disk. store takes what is dirty
// into one batch, and the Cache remembers the rest as long as memory allows.
package coins
