// Package rest is the door for programs that only read: Bitcoin Core's REST
// interface, /rest/... on the JSON-RPC port, without a password.
//
// Every answer comes from a method of door/rpc, so that both doors say the
// same; what is here is the form: paths, the endings .json, .hex and .bin, and
// the status of an error. Paths, texts and bytes are those of Core 28:
//
//	/rest/tx/TXID                              a transaction
//	/rest/block/HASH                           a block; /rest/block/notxdetails/HASH
//	/rest/headers/HASH?count=N                 headers upwards from a block
//	/rest/blockhashbyheight/HEIGHT             the hash of a block
//	/rest/blockfilter/basic/HASH               a BIP158 filter
//	/rest/blockfilterheaders/basic/HASH?count=N
//	/rest/chaininfo, /rest/deploymentinfo[/HASH]
//	/rest/mempool/info, /rest/mempool/contents
//	/rest/getutxos/[checkmempool/]TXID-N/...   unspent outputs (BIP64)
package rest
