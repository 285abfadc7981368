// Package message is what Bitcoin peers say to each other: one Go type for each
// message of the peer protocol, and the codec between it and payload bytes.
//
// On the way of a block it is the first room: p2p/transport cuts a peer's bytes
// into payloads, this package decodes them (an allocation is bounded by the
// bytes that are there, never by a count that they declare), p2p/peer hands the
// messages over, one at a time for each peer.
//
// Values are read-only once they are sent or received: the same message may go
// to many peers.
package message
