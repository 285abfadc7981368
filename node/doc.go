// Package node is the composition root: it opens the parts of a node, wires
// them and starts them in order, and stops them in the reverse order. It has
// no logic of its own; every part has a file here that shows what it needs.
//
// The order: data directory (lock, log, process id) -> JSON-RPC door, which
// answers "warming up" from the first moment -> store -> script checker ->
// chain engine -> mempool -> transaction index -> page -> miner. What a later
// part needs of an earlier one is there when it starts and until it has
// stopped.
package node
