// Package mempool holds the valid transactions that wait for a block.
//
// On the way of a transaction it is the middle of the road: a door hands a
// state.Tx to Accept; mempool/policy says whether it is wanted; the rules say
// over the tip's state, overlaid with what already waits, whether it is valid
// (inputs, finality, goods rules, scripts); from then on templates, pages and
// peers find it here. On the way of a block it is a follower of the chain:
// Connect takes out what was confirmed and what can no longer be, Disconnect
// brings the transactions of a lost block back.
//
// # What is kept
//
// What pays more replaces what spends the same outpoint, by Core 28's rules
// with full replacement; a child may pay for its parent (SubmitPackage), and
// the two together replace what a miner would rather do without. Version 3
// (BIP431) keeps parent and child alone; a parent without fee may have one
// dust output, which its child must sweep. The pool is bounded in bytes of
// memory, its own book-keeping included: above the bound the worst package (a
// transaction with all that spends from it, by fee per virtual byte) leaves and
// the floor that new transactions must pay rises, to sink again by halves. Each
// entry owns its bytes, so that a transaction never pins the block or request
// that it came in.
//
// # Goods records
//
// On a chain with a charter a goods record is judged as if it were alone in
// the next block, when it comes and again after every block; what is valid no
// more leaves. Draws, lapses, settlements and slashes are anyone's to make: at
// most one waits for each receipt, claim or custodian's debt, the first, unless
// a later one pays more, for they replace each other like what spends the same. Together they may still
// be too much for a block (cap, coverage): whoever builds it chooses. What an
// unconfirmed record makes a seat, token, escrow, bond or waiting output is not
// spent here before it is confirmed.
//
// # The free lanes
//
// A transaction that spends a seat with a valid record needs no fee, and is
// never thrown out for room: a seat has one outpoint, so there is at most one
// for each, of at most 40,000 weight units. Nor does one that settles or lapses
// a claim or slashes a debt, of at most 4,000 weight units each and 400,000
// together; beyond that they pay like others. Neither lane takes a transaction
// with an unconfirmed parent.
//
// # Following a chain that runs ahead
//
// The engine may make several steps before it tells of the first. So the pool
// judges transactions against the state it can see, and puts itself in order
// (transactions of lost blocks, immature coins, locks that closed again) only
// when the event that it hears is about the state it sees. In between it may
// hold what the state no longer allows; whoever builds a block checks anyway.
//
// # Locking order
//
// Pool.mu is one plain mutex. Order:
//
//	Pool.mu  →  the engine's read lock (through Chain.View)
//
// Never the reverse: inside the function given to Chain.View nothing calls the
// Pool, and the engine calls Connect and Disconnect on its own goroutine with
// none of its locks held. Scripts are run with Pool.mu held but outside of
// Chain.View, so that a slow transaction delays other transactions and not
// the state. Watchers are called with Pool.mu held: they must be quick and
// must not call the Pool.
package mempool
