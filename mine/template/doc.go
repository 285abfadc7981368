// Package template builds the block that comes next: valid by every rule but
// for its work.
//
// It stands between the pool and the miner. Build takes the tip, fills a block
// from the pool (the seat lane first, then packages by what they and their
// ancestors pay per weight), lets the goods rules judge each transaction
// against those before it, so that an invalid combination is left out, adds
// the coinbase that the chain's rules ask for, and holds the whole against
// rules/block once more before it hands it out. BuildWith does the same for a
// given list of transactions.
//
// Template.SetExtraNonce and SetTime give a miner room for more work without
// building anew.
package template
