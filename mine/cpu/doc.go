// Package cpu finds the work for a block with the machine's own processors,
// and hands the block to the chain.
//
// Solve searches the nonces of one header. Miner joins template, search and
// chain: Generate makes blocks at once (generatetoaddress, the first blocks of
// a demo), Run makes one at each tick of a timer until it is stopped.
package cpu
