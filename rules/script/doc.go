// Package script decides whether the inputs of transactions may spend their
// coins: Bitcoin's script rules (BIP16, 65, 66, 112, 141, 143, 147, 341, 342).
//
// On the way of a block, rules/block gathers one Job for each transaction and
// gives them all to a Checker at once; the mempool does so for one. Spends
// that follow a known template are taken apart here, their signature hashes
// computed from midstates and their signatures handed to base/sig in batches;
// everything unusual runs through btcsuite's interpreter, which is also the
// slow oracle beside the fast road. The same verdict comes out of both.
package script
