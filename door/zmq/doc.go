// Package zmq is the door that tells: programs that know Bitcoin Core's ZMQ
// notifications (lnd, Electrum servers, explorers) subscribe and hear of every
// block and transaction, without asking.
//
// A Publisher follows the chain and watches the mempool. What it is told it
// turns into messages of three parts, as Core does: the topic, the body, and a
// count per topic and address (four bytes, little-endian), by which a
// subscriber sees that it has missed something. The topics:
//
//	hashblock, rawblock  the new tip (after a reorganisation only the last)
//	hashtx, rawtx        each transaction that enters the mempool, and each of
//	                     a block that joins or leaves the chain
//	sequence             C and D for such blocks, A and R, with the mempool's
//	                     sequence number, for transactions that enter and leave
//
// Hashes are in the order in which they are shown.
//
// The wire protocol is ZMTP 3.0 with the NULL mechanism, sending side only,
// and is written here: a subscriber has its own bounded queue and its own
// goroutine, so one that stalls loses messages and costs neither the chain
// nor other subscribers anything, and no allocation follows a length that a
// subscriber declares.
package zmq
