// Package peer is the link to one other node: handshake, queues, pings, bounds.
//
// On the way of a block it stands between p2p/transport, which gives it the
// peer's messages, and the handlers (blocks in p2p/sync, transactions in
// p2p/txrelay, addresses and filters beside them), which decide. A Link reads on
// one goroutine and writes on another; everything that decides runs on the one
// goroutine of a Loop, so that handlers need no locks and a simulation can run
// the same handlers under one seed.
//
// A peer's next message is read only when the last one has been handled: a fast
// talker waits for itself and for nobody else.
package peer
