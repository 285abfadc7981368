// Package rpcclient is the client side of JSON-RPC over HTTP, as Bitcoin
// Core's servers speak it: what the command line, the miner and the exchange
// use to reach a node. Its errors are one line that says what to do; an
// answer of the node itself is an *Error with the node's code.
package rpcclient
