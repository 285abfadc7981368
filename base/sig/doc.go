// Package sig verifies signatures in batches: the callers hand over a slice of
// Check values and get one verdict for each. How the arithmetic is done is an
// Engine's business; every engine gives the same verdicts (Bitcoin's consensus
// semantics), so that callers never change when a faster one is built in.
//
// On the way of a block it stands between rules/script, which collects the
// checks of many inputs, and the curve. It handles public data only: nothing
// here is constant time and nothing here may see a private key.
package sig
