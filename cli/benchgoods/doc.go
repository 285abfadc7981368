// Package benchgoods makes a chain with a charter, many receipts and many open
// claims, and measures a node on it: `granary bench goods`.
//
// The chain is made through the real engine, in a real data directory. Seats,
// receipts and claims lie under scripts that anyone can spend, as long as those
// of ordinary addresses, so that making the chain needs no signature; the goods
// rules do all of their work.
//
// One block of 500 records of mixed kinds is what is measured (mix.go), twice:
// while the chain is small and when it is full. All blocks of a measurement are
// made before it, on overlays over the state (ahead.go); then the node is
// closed and opened, and it gets them one by one. Then a whole node is started
// and asked over JSON-RPC (serve.go).
package benchgoods
