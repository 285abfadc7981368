// Package goods remembers what happened to the goods of a chain with a charter:
// it stands beside the river, is told every block that joins or leaves the
// active chain, and keeps the history that people ask for and no rule needs.
//
//   - The log: one Event for each thing that a record or a height did, and for
//     every receipt, claim, custodian, auditor and proposal the list of its
//     events.
//   - Closed receipts and claims in their last form, since the state forgets
//     them; and lists of open and closed ones by custodian and good.
//   - Coverage after each block, so that it can be drawn over time.
//   - The record of each custodian (how punctual, how short) and auditor.
//   - The inspection draw: which receipts auditors are asked to recount.
//
// Everything is derived from a block and its undo alone: the records of its
// transactions and the goods keys that changed, with their values before and
// after. So the index can be built late, from any block on, and catches up
// after a kill by the same road by which it follows; the rules' own events are
// not there while it does. Nothing in it is consensus. A test holds what it
// derives against the state after each block.
//
// Rows are gathered for a moment and written in one atomic batch with the block
// up to which they go. Each block's rows keep what they replaced, so that a
// block that leaves the chain is taken back to the byte. Where block files were
// deleted before the index was there, the history begins at the tip of that
// moment (Index.Since). Heights, amounts in units and quantities in measures
// are as in docs/goods-rules.md.
package goods
