// Package demo is what makes `granary up` worth watching: a charter and the
// keys of its seats from one random seed, a rhythm of blocks, and people who
// live on the chain (node/life).
//
// The keys are for trying out. They lie in a file that only the owner can
// read, and nothing here works on a network other than regtest.
package demo
