package tx

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"granary/base/kv"
	"granary/chain"
	"granary/params"
	"granary/state"
)

// formatVersion is the version of the index's records.
const formatVersion = 1

// When the gathered rows are written.
const (
	flushRows  = 100_000
	flushAfter = time.Second
)

// Chain is what the index needs of the engine.
type Chain interface {
	Follow(ctx context.Context, f chain.Follower, at chainhash.Hash, progress func(height, tip int32)) error
	AtHeight(height int32) *state.Header
	Block(h *state.Header) (*state.Block, error)
}

var (
	_ Chain          = (*chain.Engine)(nil)
	_ chain.Follower = (*Index)(nil)
)

// Options of an Index.
type Options struct {
	// Dir is the folder of the index's own database; it is made if missing.
	Dir string
	// FS is the file system; nil is the operating system's.
	FS vfs.FS
	// Net and CharterID (zero: none) say whose chain it is.
	Net       *params.Network
	CharterID params.CharterID
	// CacheBytes bounds the database's memory; zero is a small default.
	CacheBytes int64
	// Log gets a line when the index starts anew; nil drops it.
	Log *slog.Logger
}

// Index is the transaction index, safe for concurrent use.
type Index struct {
	db  *kv.DB
	log *slog.Logger

	// mu guards what is gathered and not yet written.
	mu      sync.RWMutex
	pending map[chainhash.Hash]*place // nil: the row goes
	tip     chainhash.Hash            // zero: nothing is indexed yet
	height  int32
	flushed time.Time
	closed  bool
}

// Open opens or makes the index. It does not follow yet: see Sync.
func Open(o Options) (*Index, error) {
	id := kv.Identity{
		Kind: "txindex", Version: formatVersion, Network: o.Net.Name,
		Genesis: o.Net.GenesisHash().String(), Magic: magicHex(o.Net),
	}
	if o.CharterID != (params.CharterID{}) {
		id.Charter = hex.EncodeToString(o.CharterID[:])
	}
	db, err := kv.Open(o.Dir, id, kv.Options{FS: o.FS, CacheBytes: o.CacheBytes, Log: o.Log})
	if err != nil {
		return nil, err
	}
	x := &Index{db: db, log: o.Log, pending: make(map[chainhash.Hash]*place)}
	if x.log == nil {
		x.log = slog.New(slog.DiscardHandler)
	}
	at, found, err := tipTable.Get(db, struct{}{})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if found {
		x.tip, x.height = at.hash, at.height
	}
	return x, nil
}

func magicHex(net *params.Network) string {
	magic := net.Magic()
	return hex.EncodeToString(magic[:])
}

// Sync brings the index up to the active chain and lets it follow from there.
// It may take long the first time; progress (may be nil) hears the heights of
// index and chain. Stopped by ctx or a kill, the next Sync goes on. Where the
// chain does not know the index's tip (its data was replaced), the index
// starts anew.
func (x *Index) Sync(ctx context.Context, c Chain, progress func(height, tip int32)) error {
	tip, _ := x.Tip()
	err := c.Follow(ctx, x, tip, progress)
	if errors.Is(err, chain.ErrUnknownBlock) {
		x.log.Warn("the transaction index belongs to other block data and is built anew", "tip", tip.String())
		if err := x.clear(); err != nil {
			return err
		}
		err = c.Follow(ctx, x, chainhash.Hash{}, progress)
	}
	return errors.Join(err, x.Flush())
}

// Tip is the block up to which the index has followed; the zero hash where it
// has not begun.
func (x *Index) Tip() (chainhash.Hash, int32) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.tip, x.height
}

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

// moved notes the new tip and writes when enough has gathered.
func (x *Index) moved(tip *state.Header) error {
	x.tip, x.height = tip.Hash, tip.Height
	if len(x.pending) < flushRows && time.Since(x.flushed) < flushAfter {
		return nil
	}
	return x.flush()
}

// Flush makes everything that was followed durable.
func (x *Index) Flush() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.flush()
}

func (x *Index) flush() error {
	if x.closed || x.tip == (chainhash.Hash{}) {
		return nil
	}
	batch := x.db.NewBatch(len(x.pending) * 48)
	for txid, at := range x.pending {
		if at == nil {
			placeTable.Delete(batch, txid)
		} else {
			placeTable.Put(batch, txid, *at)
		}
	}
	tipTable.Put(batch, struct{}{}, tipRow{x.tip, x.height})
	if err := batch.Commit(); err != nil {
		return err
	}
	clear(x.pending)
	x.flushed = time.Now()
	return nil
}

// clear forgets everything.
func (x *Index) clear() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	batch := x.db.NewBatch(64)
	placeTable.Clear(batch)
	tipTable.Clear(batch)
	clear(x.pending)
	x.tip, x.height = chainhash.Hash{}, 0
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
	return placeTable.Get(x.db, txid)
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
func (x *Index) Close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return nil
	}
	err := x.flush()
	x.closed = true
	return errors.Join(err, x.db.Close())
}
