// Package transport cuts the bytes of a connection into messages and back:
// Bitcoin's transport in the clear (v1) and the encrypted one of BIP324 (v2).
//
// On the way of a block it stands between the network and p2p/peer. It knows
// names and lengths of messages and nothing of what is in them. What a peer
// declares is never believed: buffers grow with the bytes that came, lengths
// are bounded by what the message can need, and time is bounded by progress
// and not in all, so that a slow link may take minutes for one block.
package transport
