//go:build !libsecp256k1

package sig

// tagged gives the engines that build tags add: none here.
func tagged() []Engine { return nil }
