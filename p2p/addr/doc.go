// Package addr is the address book: where other nodes may be found, and which
// of them to try next.
//
// On the way into the network it comes first: p2p asks it whom to dial, and
// puts in what peers say about others. Whoever can fill the book decides whom
// this node meets after a restart, so it is built like Bitcoin Core's: two
// tables of buckets, "new" (heard of) and "tried" (met), whose places follow
// from a secret key and from the address's group; one source can reach few
// buckets, one group fewer, and an address that was met is thrown out only
// after it has been tried again and does not answer.
//
// Addresses are those of IPv4, IPv6 and CJDNS. Onion and I2P addresses are
// understood on the wire (BIP155) and dropped: this node has no proxies, so it
// could not reach them. An IPv6 address in fc00::/8 is CJDNS's here.
//
// Book (peers.dat), anchors (anchors.dat) and bans (banlist.json) are kept on
// disk; each is replaced as a whole, and a damaged one is set aside.
package addr
