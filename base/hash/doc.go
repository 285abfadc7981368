// Package hash is double SHA-256 in bulk: ids of transactions and blocks,
// Merkle roots and branches. Every block that enters the house passes here
// once, on its way through state's decoder, and its ids travel with it.
//
// All functions are pure and safe for concurrent use; a Stream belongs to one
// goroutine.
package hash
