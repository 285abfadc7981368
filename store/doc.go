// Package store makes blocks and state durable: append-only block and undo
// files, and beside them one database with the header tree, the UTXO set, the
// goods state and the tip.
//
// On the way of a block, chain appends its bytes (AppendBlock), lets the rules
// judge it over the Store as a View, and hands the resulting Delta and Undo
// to Connect. Nothing of that is durable until Commit, which syncs the files
// and then moves coins, goods, headers, undo references and tip in one atomic
// synced batch. So whatever happens, a Store reopens at a commit; what the
// files hold beyond it is written over.
//
// One goroutine writes. Between its calls any number of goroutines may read
// (the View, ReadBlock, ReadUndo); whoever owns the Store keeps them apart, as
// chain does with one RWMutex. What takes long reads a Snapshot, the state
// after one commit: counting the UTXO set (Stats), hashing the state
// (StateHash), comparing two (FirstDifference). The writer goes on meanwhile.
//
// Values of the goods state that were read or committed stay in memory up to an
// eighth of Options.CacheBytes, on a chain with a charter only. A Snapshot does
// not look there.
//
// The first error of the disk under a write is final: every later call gives
// it again, and nothing is acknowledged after it.
package store
