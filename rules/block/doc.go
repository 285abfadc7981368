// Package block judges headers, blocks and transactions by Bitcoin's
// consensus rules, and by BIP54 and the goods rules where the chain has a
// charter.
//
// A block passes here three times on its way: CheckHeader when its header
// arrives, CheckBlock and CheckBlockContext before it is stored, and Connect
// when it becomes part of the best chain, which turns (view, block) into
// (delta, undo, events). Disconnect is the same road backwards. A transaction
// on its way into the mempool is judged by CheckTx, CheckTxInputs, CheckFinal
// and CheckSequenceLocks, the very functions that Connect uses.
//
// Everything here is a pure function of its arguments: no clock, disk, log or
// global; only the script checks run on the checker's own goroutines. All
// broken rules are RuleErrors whose codes are Bitcoin Core's reject reasons.
package block
