// Package proof lets someone who holds block headers only, or a single file,
// check what the chain says about goods: goods-rules section 8.
//
// On the way of a block it comes after everything else: a coinbase commits to
// the root of the goods state after the block before it. An Anchor carries
// that root from the coinbase to a header; a Proof adds tree proofs for the
// keys that one receipt depends on; an audit file carries every key of the
// state, in order, so that the root is computed again and everything is
// counted again in one pass; a header file carries the chain. Past gives the
// state that a block of the recent past commits to, which is never the newest.
//
// What a file says is proved relative to its block. That the block lies in the
// chain is for the caller to check, who holds the headers.
//
// docs/goods-rules.md fixes the bytes.
package proof
