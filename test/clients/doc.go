// Package clients holds the whole program against unmodified JSON-RPC clients
// of other people: a command line of the Core family (litecoin-cli, the Debian
// package litecoind) and the npm package bitcoin-core, pinned by
// package-lock.json and installed into bin/clients by "make clients". Tests are
// skipped, with a line that says so, where a client is missing; with
// GRANARY_REQUIRE_CLIENTS=1 they fail instead. The door's own tests try
// python3-bitcoinlib and the same command line call by call.
package clients
