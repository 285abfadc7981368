// Package web is the page: what the chain says of itself, for a person with a
// browser. It is the last stretch of a block's road: read, never written.
//
// Every figure carries how it is known (goods-rules section 11): proved by
// the chain, attested by named auditors, or claimed by somebody. Pages are
// complete without JavaScript; htmx refreshes the live part and uPlot draws
// over the charts that the server has drawn already. Everything is embedded:
// no request leaves the machine, and a strict content security policy says so
// to the browser. The door takes GET and HEAD only.
package web
