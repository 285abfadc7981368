// Package chain is the engine in the middle of the river: blocks come in from
// peers, miners, files and the RPC door, and one ordered stream of events goes
// out to everybody who follows.
//
// # The way of a block through the engine
//
// AcceptHeader puts a header into the tree once its work, time and difficulty
// hold. AcceptBlock checks what needs no context, appends the bytes to the
// block files and links the block to its ancestors. The branch with the most
// work whose blocks are all there wins; of two equal ones the first that was
// there (state.Header.Sequence) or the one that Precious names. The engine
// walks from the tip back to the fork with rules/block.Disconnect and forward
// with rules/block.Connect; each step gives a delta to the store. A block that
// breaks a rule is marked for ever (state.StatusFailed, its descendants
// state.StatusFailedParent) and the walk goes on to the next best branch, so
// that the engine never rests on less work than it knows to be valid.
//
// Then the store commits: block and undo files are synced, and one atomic
// batch moves coins, goods, headers and tip. Only after that are the followers
// called, in the order of their list, and only after that do AcceptBlock and
// friends return: what is acknowledged, or told to a follower, is durable.
//
// # One writer
//
// One goroutine owns the state. It takes all requests that wait in its queue
// as one batch, so that a burst of blocks shares one commit; Import goes
// further and lets many blocks share one, bounded by the bytes of their
// changes. A kill at any moment loses at most what was not acknowledged: the
// state files always stand at one block, Open goes on from there with the
// blocks that are in the files.
//
// Submit and SubmitHeaders are AcceptBlock and AcceptHeaders for those who must
// not wait, the peers: a second goroutine checks blocks without their context
// and queues them. Far below the best header their blocks share commits too, so
// that a download is as fast as an import.
//
// Reindex builds tree and state anew from our own block files, in that same
// goroutine. Check replays the files into a second state and compares;
// VerifyChain takes the last blocks back and forward again in memory.
//
// When the world fails (a full disk, a failed sync, a follower that cannot
// write), the engine stops for good: nothing is acknowledged afterwards, Err
// tells why, and every call that would write returns that error.
//
// # Locking order
//
// There are two locks. Engine.mu guards the store's state and the mutable
// fields of headers (Status, TxCount, DataPos, UndoPos, Sequence): the
// engine's goroutine holds it for writing while it moves, everybody else for
// reading. tree.mu guards the map from hash to header. Order:
//
//	a follower's own lock  →  Engine.mu  →  tree.mu
//
// tree.mu is a leaf: nothing is called while it is held. Followers are called
// without any lock of the engine, so that they may take their own and then
// read through View. Inside the function given to View, call nothing of the
// Engine but Tip, BestHeader, Header, AtHeight and Contains, which take no
// Engine.mu: a second read lock can wait for ever behind a writer.
//
// A follower must not wait for a call that the engine's goroutine answers
// (AcceptBlock, Invalidate, UTXOStats, ...): it runs on that goroutine.
//
// What walks the whole state (UTXOStats, RangeCoins, StateHash, the comparison
// of Check) holds no lock at all: the engine's goroutine commits and freezes
// the state, and the walk reads that while blocks go on. Close ends it.
package chain
