// Package desc reads output descriptors (BIP380 and its children) and
// addresses and turns them into scripts. It is where a person's words for
// "pay here" enter the river: charters, the miner's payout, and the doors.
//
// The forms are a fixed list, and anything else is refused by name:
//
//	addr(ADDRESS)  raw(HEX)
//	pk(KEY)  pkh(KEY)  wpkh(KEY)  tr(KEY)
//	multi(k,KEY,...)  sortedmulti(k,KEY,...)
//	sh(X)   with X one of pk, pkh, wpkh, multi, sortedmulti, wsh
//	wsh(X)  with X one of pk, pkh, multi, sortedmulti
//
// A KEY is a hex public key, a WIF private key (only its public part is used),
// or an extended key with unhardened steps and an optional last /*; each may
// carry an origin in brackets. A parsed Descriptor is immutable.
package desc
