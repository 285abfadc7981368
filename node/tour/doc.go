// Package tour tells the whole story of a chain with a charter once, in the
// terminal: goods in, coins out, payment, redemption, delivery, what the rules
// refuse, and what happens when a custodian does not deliver. Nothing in it is
// made up: a real chain is made in a directory, every transaction is signed,
// mined and judged, and every figure is read back from the state.
package tour
