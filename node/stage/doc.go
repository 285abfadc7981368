// Package stage lets people act on a chain with a charter: it builds and signs
// the transactions of seats and holders whose keys are at hand, and finds the
// coins for them. `granary tour`, the demo of `granary up` and the tests that
// play whole histories stand on it.
//
// It is a small wallet for plays, not for money: keys are plain P2WPKH keys in
// memory, and coins are found by looking at the whole UTXO set.
package stage
