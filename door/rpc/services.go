package rpc

import (
	"context"
	"log/slog"

	"granary/base/clock"
	"granary/chain"
	"granary/index/filter"
	history "granary/index/goods"
	"granary/index/tx"
	"granary/mempool"
	"granary/mempool/fees"
	"granary/mine/cpu"
	"granary/rules/block"
	"granary/rules/script"
)

// Services are what the door calls. All of them live until Close has
// returned.
type Services struct {
	Chain *chain.Engine
	Pool  *mempool.Pool
	Rules block.Rules
	// Fees estimates fees; nil where it is off.
	Fees *fees.Estimator
	// SaveMempool writes the mempool's file and tells its path, ImportMempool
	// reads one; nil where there is none. MempoolLoaded says that the node's
	// own file was read; nil: it was.
	SaveMempool   func() (path string, err error)
	ImportMempool func(ctx context.Context, path string, o mempool.LoadOptions) (mempool.Loaded, error)
	MempoolLoaded func() bool
	// Scripts checks the scripts of proposed blocks; it should be the chain's.
	Scripts *script.Checker
	// Templates makes what getblocktemplate hands out; it is refused where
	// this is nil.
	Templates TemplateBuilder
	// Miner makes the blocks of the generate methods, which are refused
	// where it is nil.
	Miner *cpu.Miner
	// Clock is the chain's clock; setmocktime stops it.
	Clock *clock.Mock
	// TxIndex is nil without --txindex.
	TxIndex *tx.Index
	// Goods is the history of the goods; nil on a chain without a charter.
	Goods *history.Index
	// Filters is the index of BIP158 filters; nil without blockfilterindex.
	Filters *filter.Index
	// Notifications are what is published over ZMQ.
	Notifications []Notification
	// LogLevel steers the log; nil where it cannot be steered.
	LogLevel *slog.LevelVar
	// PruneTargetBytes is the target of --prune, 0 where nothing is pruned
	// by itself; Prune says that pruning is on at all.
	Prune            bool
	PruneTargetBytes int64
	// Net is the peer-to-peer network; nil where it is off.
	Net *Net
}

// Notification is one topic that is published over ZMQ.
type Notification struct {
	Type    string // pubhashblock and so on
	Address string
	HWM     int // messages that wait for a subscriber at most
}
