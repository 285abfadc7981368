package tx

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/chain"
	"granary/index"
	"granary/state"
)

// formatVersion is the version of the index's records.
const formatVersion = 1

// flushRows is how many rows are gathered at most.
const flushRows = 100_000

// Chain is what the index needs of the engine, Options are of an Index.
type (
	Chain   = index.Chain
	Options = index.Options
)

var _ chain.Follower = (*Index)(nil)

// Index is the transaction index, safe for concurrent use.
type Index struct {
	keep index.Keeper

	// mu guards keep and what is gathered and not yet written.
	mu      sync.RWMutex
	pending map[chainhash.Hash]*place // nil: the row goes
}

// Open opens or makes the index. It does not follow yet: see Sync.
func Open(o Options) (*Index, error) {
	x := &Index{pending: make(map[chainhash.Hash]*place)}
	x.keep = index.Keeper{
		Name: "transaction index", Kind: "txindex", Version: formatVersion,
		Mu: &x.mu, Commit: x.commit, Forget: x.forget,
	}
	err := x.keep.Open(o)
	if err != nil {
		return nil, err
	}
	if x.keep.Tip, _, err = tipTable.Get(x.keep.DB, struct{}{}); err != nil {
		return nil, errors.Join(err, x.keep.DB.Close())
	}
	return x, nil
}

// Sync brings the index up to the active chain and lets it follow from there.
// It may take long the first time; progress (may be nil) hears the heights of
// index and chain. Stopped by ctx or a kill, the next Sync goes on. Where the
// chain does not know the index's tip (its data was replaced), the index
// starts anew.
func (x *Index) Sync(ctx context.Context, c Chain, progress func(height, tip int32)) error {
	return x.keep.Sync(func() error {
		tip, _ := x.Tip()
		return c.Follow(ctx, x, tip, progress)
	})
}

// Tip is the block up to which the index has followed; the zero hash where it
// has not begun.
func (x *Index) Tip() (chainhash.Hash, int32) { return x.keep.Stand() }

// Connect implements chain.Follower.
func (x *Index) Connect(event *chain.Event) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	b := event.Block
	for i, txid := range b.Txids {
		x.pending[txid] = &place{
			height: event.Header.Height,
			offset: b.TxOffsets[i], bytes: b.TxOffsets[i+1] - b.TxOffsets[i],
		}
	}
	return x.moved(event.Header)
}

// Disconnect implements chain.Follower.
func (x *Index) Disconnect(event *chain.Event) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, txid := range event.Block.Txids {
		at, found, err := x.row(txid)
		if err != nil {
			return err
		}
		if found && at.height == event.Header.Height {
			x.pending[txid] = nil
		}
	}
	return x.moved(event.Header.Parent)
}

// Prune implements chain.Follower: rows stay, reading their blocks fails.
func (x *Index) Prune(int32) error { return nil }

// Flush makes everything that was followed durable.
func (x *Index) Flush() error { return x.keep.Flush() }

func (x *Index) moved(tip *state.Header) error {
	return x.keep.Moved(tip, len(x.pending) >= flushRows)
}

func (x *Index) commit() error {
	batch := x.keep.DB.NewBatch(len(x.pending) * 48)
	for txid, at := range x.pending {
		if at == nil {
			placeTable.Delete(batch, txid)
		} else {
			placeTable.Put(batch, txid, *at)
		}
	}
	tipTable.Put(batch, struct{}{}, x.keep.Tip)
	if err := batch.Commit(); err != nil {
		return err
	}
	clear(x.pending)
	return nil
}

func (x *Index) forget() error {
	batch := x.keep.DB.NewBatch(64)
	placeTable.Clear(batch)
	tipTable.Clear(batch)
	clear(x.pending)
	return batch.Commit()
}

// row gives the place of txid as followed so far; the caller holds mu.
func (x *Index) row(txid chainhash.Hash) (place, bool, error) {
	if at, ok := x.pending[txid]; ok {
		if at == nil {
			return place{}, false, nil
		}
		return *at, true, nil
	}
	return placeTable.Get(x.keep.DB, txid)
}

// Place says where a transaction is.
type Place struct {
	Block  *state.Header
	Offset uint32 // of the transaction in the block's bytes
	Bytes  uint32
}

// Find gives the place of a transaction of c's active chain; found is false
// where the index has none. The coinbase of genesis is not indexed.
func (x *Index) Find(c Chain, txid chainhash.Hash) (at Place, found bool, err error) {
	x.mu.RLock()
	row, found, err := x.row(txid)
	x.mu.RUnlock()
	if err != nil || !found {
		return Place{}, false, err
	}
	h := c.AtHeight(row.height)
	return Place{h, row.offset, row.bytes}, h != nil, nil
}

// Tx reads a transaction of c's active chain with its block's header; both are
// nil where there is none. The caller owns the transaction.
func (x *Index) Tx(c Chain, txid chainhash.Hash) (*state.Tx, *state.Header, error) {
	at, found, err := x.Find(c, txid)
	if err != nil || !found {
		return nil, nil, err
	}
	b, err := c.Block(at.Block)
	if err != nil {
		return nil, nil, fmt.Errorf("transaction %v: %w", txid, err)
	}
	for i := range b.Txids {
		if b.Txids[i] == txid {
			return b.Tx(i), at.Block, nil
		}
	}
	return nil, nil, nil // the chain has moved since the row was written
}

// Close writes what was gathered and closes the database.
func (x *Index) Close() error { return x.keep.Close() }
