// Package tree is the commitment tree of the goods state: a binary radix tree
// without one-child nodes (a crit-bit tree) over the raw, prefix-free keys,
// with a hash in every node. Its shape follows from the set of keys alone, so
// its root does not depend on history; a change touches one path.
//
// On the way of a block it comes last: rules/goods hands it the changed keys,
// it brings the nodes up to date, and the next coinbase commits to the root.
//
//	leaf = H("granary/leaf", u16 len(key) | key | value)
//	node = H("granary/node", u16 bit | left | right)
//	root = the topmost hash, or 32 zero bytes for an empty state
//
// H is BIP340's tagged SHA-256, integers are little-endian; bit counts from
// the most significant bit of the first byte; left holds the keys with a 0
// there.
//
// How nodes are stored (page.go) is nobody's business but this package's and
// decides nothing: several levels share a page, so that a path costs few
// look-ups. Pages follow from the set of keys too, byte for byte. They lie
// beside the state, under keys for which state.IsNodeKey holds.
package tree
