// Package benchchain writes a regtest chain that is full of real signatures,
// for measuring how fast a node imports it: `granary bench chain`.
//
// The chain is valid for any Bitcoin node in regtest mode and is the same,
// byte for byte, for the same Options. It has three stretches: empty blocks
// whose coinbases mature, blocks that fan those coinbases out into a pool of
// small coins, and the full blocks that are measured, in which every
// transaction spends two coins drawn from the pool and puts two back. Coins
// are P2WPKH, P2PKH, P2TR (key path) and P2WSH 2-of-3 in turn.
package benchchain
