// Package fees estimates the fee rate for which a transaction is mined within
// a number of blocks, as Bitcoin Core's estimatesmartfee does: from how long
// the transactions of each range of fee rates have waited in this mempool.
//
// On the way of a transaction it is told by the mempool what came, left and was
// confirmed, and answers whoever asks for a fee. It counts in 190 ranges of
// rates, five percent apart, on three horizons: the last hours by blocks, the
// last days by pairs of blocks, the last weeks by days of blocks; old counts
// fade with each block. An answer is the median rate of the lowest range, with
// all above it, of which the wanted share was mined in time.
//
// Counts are floating-point numbers, for nothing here reaches a rule. An
// Estimator is safe for concurrent use.
package fees
