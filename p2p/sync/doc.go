// Package sync brings the chain to this node and takes it to others: headers
// first, then blocks, from many peers at a time; compact blocks both ways;
// announcing and serving.
//
// On the way of a block it stands between p2p/peer, which hands over a peer's
// messages one by one, and chain, which judges. A Manager is a peer.Handler:
// everything here runs on the one goroutine of a peer.Loop, without locks,
// clocks or goroutines of its own. What takes long goes to the engine (Intake)
// and comes back through Options.Post. Only the methods that say so may be
// called from elsewhere.
//
// # Headers, and what they may cost us
//
// A header in the tree stays there for ever, so a peer must show work before
// its headers are kept: as much as the largest of
//
//   - the minimum work that the charter or the user names;
//   - the tip's work less that of 144 blocks like it, so that a reorganisation
//     of a day's blocks is followed directly;
//   - once more than 50,000 headers off the best branch have been taken (15 MB),
//     the work of the best header, or, for peers that we chose and where there
//     are none for all, that of the tip: from then on only what is better is
//     kept.
//
// The last is for young chains, which have no minimum worth naming: their first
// headers are cheap to forge, above all where a signet's low difficulty is no
// defence and the signature that is stands in the block. Who floods such a node
// pays for every branch with more work than all before. The best header may be
// such a forgery, without blocks; the honest chain still comes through, from
// the peers that we chose.
//
// Headers that show less are looked at in two passes (presync): the first keeps
// one bit for each 600 headers, under a secret, and sums the work up; when it
// suffices, the peer gives the same headers again, and each is kept only after
// 24 of those bits above it have come back as they were. A peer costs at most
// 700 kB so, and no more than 16 peers are let do that at a time.
//
// # Blocks, and who is slow
//
// At most 1,024 blocks above the tip are asked for, at most 16 of one peer,
// fewer where that takes it long, and all together within a budget of bytes. A
// peer is measured by the bytes that arrive, never by a total time: the only
// road, however thin, brings full blocks. A block that stops arriving while we
// wait for it is asked of another peer too, of up to three at a time, one of
// which is one that we chose ourselves; so nobody withholds a block by
// announcing it first. Bytes that turn out damaged end the request to the peer
// that sent them and nobody else's.
//
// # Punishment
//
// A peer is punished for what breaks Bitcoin's rules, as Bitcoin Core does it:
// not for compact blocks, whose sender may not have judged them, nor for
// time. It is never punished for the goods rules, nor on a chain with a charter
// for BIP54's: an unmodified node relays such blocks in good faith.
package sync
