package web

import (
	"log/slog"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/base/clock"
	history "granary/index/goods"
	"granary/mempool"
	"granary/params"
	"granary/state"
)

// Headers is what the page needs of the header tree. The chain's engine has
// it.
type Headers interface {
	Tip() *state.Header
	AtHeight(height int32) *state.Header
	Header(hash chainhash.Hash) *state.Header
}

// Chain is what the page needs of the chain's engine.
type Chain interface {
	Headers
	Block(h *state.Header) (*state.Block, error)
	Undo(h *state.Header) (*state.Undo, error)
	View(f func(tip *state.Header, v state.View) error) error
}

// Pool is what the page needs of the mempool.
type Pool interface {
	Get(txid chainhash.Hash) *mempool.Entry
	Info() mempool.Info
}

// TxIndex finds the block of a transaction; the index of transactions has it.
type TxIndex interface {
	// Lookup gives the hash of the active block that holds txid; ok is false
	// where there is none.
	Lookup(txid chainhash.Hash) (block chainhash.Hash, ok bool, err error)
}

// Options are the services that the page reads.
type Options struct {
	Chain   Chain
	Pool    Pool            // nil: no mempool on the page
	Index   TxIndex         // nil: transactions are found through their block
	History *history.Index  // nil: what happened to the goods is not told
	Net     *params.Network // never nil
	Charter *params.Charter // nil: plain Bitcoin
	Clock   clock.Clock     // nil: the machine's
	Log     *slog.Logger    // nil: none
	// BlockEvery is how long this node waits before it mines the block after
	// height; nil where it does not mine by itself.
	BlockEvery func(height int32) time.Duration
	Version    string
}
