// Package txrelay carries transactions between peers: it hears of them, asks
// for each from one peer at a time, hands them to the mempool, and announces
// what the mempool took.
//
// On the way of a transaction it stands between p2p/peer and mempool.Accept. A
// Relay is one Handler of the peers' loop: everything here runs on that one
// goroutine, draws time from a Clock and chance from a Rand, and lets no map's
// order reach a message, so that a simulation repeats under one seed.
//
// # Asking (requests.go)
//
// Whoever announces a transaction becomes a candidate for delivering it. One
// candidate is asked at a time; peers that we chose ourselves come first,
// others two seconds later; who does not answer within a minute loses its
// turn to the next. The choice among equals is drawn from a keyed hash, so that
// nobody can place himself first, and a peer that stays silent delays a
// transaction but never keeps it away. A peer has 5,000 candidates at most,
// and beyond 100 unanswered requests its announcements wait longer.
//
// # Judging (admit.go, orphans.go)
//
// The mempool judges on this goroutine: the peer's next message waits
// meanwhile, and so does everybody's, for as long as one standard transaction
// takes. What it refuses is remembered until the next block. A transaction whose
// parents are missing waits as an orphan, at the expense of the peers that
// announced it; its parents are asked from them. A parent that pays too little
// alone is tried with a child among the orphans, both together.
//
// Who sends what breaks Bitcoin's rules is disconnected and discouraged. What
// breaks the goods rules is refused without blame: an unmodified node relays it
// in good faith.
//
// # Telling (pool.go, announce.go, serve.go, feefilter.go)
//
// The mempool's changes are followed in a list of ids. Every peer has a queue
// of what it is still to be told, the best payer first and parents before
// children, and is told a few at random intervals, so that nobody sees from
// the time or order where a transaction entered the network. Only what a peer
// could have been told of is served to it. A peer's fee filter is respected,
// but not against the free lanes: what is free by the rules of the goods has
// no fee to compare. Own transactions are announced again until a peer has
// asked for them.
//
// # Bounds
//
// For each peer: 5,000 candidates (1 MB), 100,000 queued announcements
// (pointers), 10,000 items that it asks for, one megabyte of orphans and 375 kB
// of what it is known to know. Together: 16 MB of orphans, 3 MB of refusals,
// 10 MB of transactions that a compact block may need, and about 200 bytes for
// each in the mempool.
package txrelay
