package params

// Limits of Bitcoin's consensus and of the house. Every bound that a peer, a
// person or a file can run into stands here, with its unit in its name.
const (
	// UnitsPerCoin is Bitcoin's 10^8.
	UnitsPerCoin = 100_000_000
	// MaxMoneyUnits bounds any amount and any sum of amounts.
	MaxMoneyUnits = 21_000_000 * UnitsPerCoin

	// MaxBlockWeight and MaxBlockSigOpsCost bound one block (BIP141).
	MaxBlockWeight     = 4_000_000
	MaxBlockSigOpsCost = 80_000
	// WitnessScaleFactor turns a stripped byte into weight.
	WitnessScaleFactor = 4
	// MaxBlockBytes is the longest serialized block that can be valid.
	MaxBlockBytes = 4_000_000
	// MinTxWeight is the weight of the smallest transaction that can be.
	MinTxWeight = WitnessScaleFactor * 60
	// CoinbaseMaturity is the blocks before a coinbase output may be spent.
	CoinbaseMaturity = 100
	// MaxFutureSeconds is how far a header may run ahead of the clock.
	MaxFutureSeconds = 2 * 60 * 60
	// MedianTimeBlocks is the span of the median time past.
	MedianTimeBlocks = 11
	// LockTimeThreshold divides block heights from Unix times.
	LockTimeThreshold = 500_000_000
	// MaxScriptBytes makes a longer output script unspendable.
	MaxScriptBytes = 10_000
	// MaxStandardTxWeight is the mempool's bound on one transaction.
	MaxStandardTxWeight = 400_000
	// MaxStandardTxSigOpsCost is the mempool's bound on sigop cost.
	MaxStandardTxSigOpsCost = MaxBlockSigOpsCost / 5
	// BIP54MaxLegacySigOps bounds legacy sigops run by one transaction
	// (BIP54), on chains with a charter.
	BIP54MaxLegacySigOps = 2_500
	// TimewarpGraceSeconds is BIP94's slack at a retarget, BIP54's too.
	TimewarpGraceSeconds      = 600
	BIP54TimewarpGraceSeconds = 7_200

	// MaxRPCBodyBytes bounds one JSON-RPC request.
	MaxRPCBodyBytes = 32 << 20
	// MaxRPCBatch bounds the calls in one JSON-RPC batch.
	MaxRPCBatch = 1_000
	// DefaultMempoolBytes bounds the memory of the mempool (--maxmempool).
	DefaultMempoolBytes = 300_000_000
	// DefaultDBCacheMiB is the coin cache (--dbcache), as Core's.
	DefaultDBCacheMiB = 450
	// MinPruneTargetMiB is the least that --prune=N takes, as Core's.
	MinPruneTargetMiB = 550
	// MinBlocksToKeep below the tip are never pruned, as Core's.
	MinBlocksToKeep = 288
	// MaxBlockFileBytes is where a blk file is closed, as Core's.
	MaxBlockFileBytes = 128 << 20
)
