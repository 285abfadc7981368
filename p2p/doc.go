// Package p2p is the node among others: it listens, dials, and decides whom to
// keep.
//
// On the way of a block it is what makes the way: Network accepts and opens
// connections, lets p2p/transport and p2p/peer turn each into a Link, and hands
// the Link to the peer.Loop, where the handlers live. It keeps eight full
// outbound links, two for blocks only and a feeler now and then, each in a
// group of addresses of its own; inbound links take the places that are left,
// and when there are none, the least useful one goes. Gossip is the handler
// that tells and hears of addresses.
//
// Nothing is contacted that the user did not name or a peer told of: there are
// no seeds in the program.
package p2p
