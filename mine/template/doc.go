// Package template builds the block that comes next: valid by every rule but
// for its work.
//
// It stands between the pool and the miner. Build takes the tip, fills a block
// from the pool (the free lanes first, then packages by what they and their
// ancestors pay per weight), lets the goods rules judge each transaction
// against those before it, so that an invalid combination is left out, adds
// the coinbase that the chain's rules ask for, and holds the whole against
// rules/block once more before it hands it out. BuildWith does the same for a
// given list of transactions.
//
// On a chain with a charter the builder adds transactions of its own, which
// need no signature and pay their miner a share: draws of every open receipt,
// the oldest first, and slashes. A Vault, a follower of the chain, remembers
// for them where the pool's outputs and the undrawn measures are. The pool's
// transactions go first; a hundredth of the block's weight is kept from them.
//
// Template.SetExtraNonce and SetTime give a miner room for more work without
// building anew.
package template
