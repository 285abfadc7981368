// Package sim is a network in one process under one seed: several nodes with
// the real chain, mempool and handlers of the peer protocol, on a clock that
// only the simulation moves, over links whose delays, cuts and losses come from
// the seed, on file systems that lose what was not synced when a node is killed.
// One event happens at a time. The same seed gives the same trace, so that what
// went wrong once can be looked at again: make sim SEED=7.
//
// It leaves out what makes real runs differ: sockets, the encrypted transport,
// address book and eviction (p2p and p2p/peer, whose own tests have them), and
// the order in which processors get to work. Messages pass through the codec, as
// bytes. The network takes everything at once, so that no queue is ever full and
// nobody is held back; the engine answers within the call, so that nothing
// arrives while a block is being judged; packages, the node's own transactions
// and filters are not connected. What these hide has its tests in p2p/sync,
// p2p/txrelay and p2p/peer.
package sim
