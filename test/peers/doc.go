// Package peers holds our chain against real, unmodified nodes of other
// projects, over their own RPC doors on loopback: what Bitcoin accepts we
// accept, what the goods rules forbid more is ours alone, and every block of a
// chain with a charter is a valid block to a node that never heard of goods.
//
// The node is btcd, built from the module in go.mod by "make peers". Tests look
// for it under $GRANARY_BTCD, bin/peers/btcd and in the PATH, and are skipped
// with a line that says so where it is nowhere; with GRANARY_REQUIRE_PEERS=1
// they fail instead. lnd, with its own light client and over RPC and ZMQ, is
// looked for in the same way ($GRANARY_LND). GRANARY_LONG=1 mines a signet past height 101 at real
// difficulty.
package peers
