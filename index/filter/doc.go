// Package filter keeps the compact filters of BIP158 (--blockfilterindex): it
// stands beside the river, is told every block that joins or leaves the active
// chain, and gives p2p/filters and getblockfilter what a light wallet needs to
// find its blocks without telling anybody its addresses.
//
// Per block it keeps the basic filter, the filter's hash and the filter header,
// which chains the hashes, under height and block hash: what a reorganisation
// left behind stays readable. The block up to which it has followed moves in
// one batch with the rows. Rows are gathered for a moment before they are
// written: a kill loses nothing but work, since the index goes on at the start
// from the tip it wrote last.
package filter
