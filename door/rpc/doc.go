// Package rpc is the JSON-RPC door: the way by which programs that know
// Bitcoin Core talk to the node. A request comes in over HTTP, is guarded
// (address, Host, Origin, authorisation), decoded strictly (value.go,
// request.go), matched against one table of methods with typed parameters
// (table.go), handed to a service, and its answer encoded with exact amounts
// (encode.go). The door has no logic of its own: decode, call, encode.
//
// Field names, error codes and request forms are those of Bitcoin Core 28;
// what is ours is labelled so. The same table drives parsing, the help texts
// and the conversion of command line words (ConvertArgs).
//
// A Server lives before the chain is open: until Ready is called every
// method answers with the warm-up error −28. It is also a follower of the
// chain, which is how the waitfor methods learn of a new tip.
package rpc
