package index

import (
	"context"
	"encoding/hex"
	"errors"
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

// flushAfter is how long rows are gathered before they are written.
const flushAfter = time.Second

// Options of an index.
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

// Chain is what an index needs of the engine.
type Chain interface {
	Follow(ctx context.Context, f chain.Follower, at chainhash.Hash, progress func(height, tip int32)) error
	AtHeight(height int32) *state.Header
	Block(h *state.Header) (*state.Block, error)
}

var _ Chain = (*chain.Engine)(nil)

// Tip is a block up to which an index has followed; the zero hash says that it
// has not begun.
type Tip struct {
	Hash   chainhash.Hash
	Height int32
}

// Keeper is what every index has beside its rows: the database, the block up
// to which it has followed, and the moment to write. The index fills in the
// upper part and calls Open.
type Keeper struct {
	// Name is what a person calls the index; Kind and Version are of its
	// database.
	Name, Kind string
	Version    uint32
	// Mu guards what the index gathers and the Keeper itself. Methods that say
	// so want it held.
	Mu *sync.RWMutex
	// Commit writes what was gathered in one batch with Tip; Forget empties the
	// database and what was gathered. Both are called with Mu held.
	Commit, Forget func() error

	DB  *kv.DB
	Log *slog.Logger
	// Tip goes with what was gathered. The index reads it from its database
	// after Open.
	Tip Tip

	flushed time.Time
	closed  bool
}

// Open opens or makes the database.
func (k *Keeper) Open(o Options) (err error) {
	magic := o.Net.Magic()
	id := kv.Identity{
		Kind: k.Kind, Version: k.Version, Network: o.Net.Name,
		Genesis: o.Net.GenesisHash().String(), Magic: hex.EncodeToString(magic[:]),
	}
	if o.CharterID != (params.CharterID{}) {
		id.Charter = hex.EncodeToString(o.CharterID[:])
	}
	if k.Log = o.Log; k.Log == nil {
		k.Log = slog.New(slog.DiscardHandler)
	}
	k.DB, err = kv.Open(o.Dir, id, kv.Options{FS: o.FS, CacheBytes: o.CacheBytes, Log: o.Log})
	return err
}

// ErrPruned says that blocks between an index and the chain are gone.
var ErrPruned = errors.New("blocks that the index needs were deleted")

// Sync calls follow, which brings the index up to the active chain from its
// tip. Where the chain does not know the tip (its data was replaced), or with
// ErrPruned, the index forgets everything and follow is called again.
func (k *Keeper) Sync(follow func() error) error {
	err := follow()
	if errors.Is(err, chain.ErrUnknownBlock) || errors.Is(err, ErrPruned) {
		k.Log.Warn("the "+k.Name+" does not fit the block data and is built anew", "tip", k.tip().Hash.String(), "err", err)
		if err := k.clear(); err != nil {
			return err
		}
		err = follow()
	}
	return errors.Join(err, k.Flush())
}

func (k *Keeper) tip() Tip {
	k.Mu.RLock()
	defer k.Mu.RUnlock()
	return k.Tip
}

// Stand is the block up to which the index has followed.
func (k *Keeper) Stand() (chainhash.Hash, int32) {
	at := k.tip()
	return at.Hash, at.Height
}

// Moved notes the new tip and writes when that is due: the last time is a while
// ago, or the index says that much has gathered. The caller holds Mu.
func (k *Keeper) Moved(tip *state.Header, much bool) error {
	k.Tip = Tip{tip.Hash, tip.Height}
	if !much && time.Since(k.flushed) < flushAfter {
		return nil
	}
	return k.Write()
}

// Write makes everything that was followed durable. The caller holds Mu.
func (k *Keeper) Write() error {
	if k.closed || k.Tip.Hash == (chainhash.Hash{}) {
		return nil
	}
	if err := k.Commit(); err != nil {
		return err
	}
	k.flushed = time.Now()
	return nil
}

// Flush is Write for whoever does not hold Mu.
func (k *Keeper) Flush() error {
	k.Mu.Lock()
	defer k.Mu.Unlock()
	return k.Write()
}

// Clear forgets everything. The caller holds Mu.
func (k *Keeper) Clear() error {
	k.Tip = Tip{}
	return k.Forget()
}

func (k *Keeper) clear() error {
	k.Mu.Lock()
	defer k.Mu.Unlock()
	return k.Clear()
}

// Close writes what was gathered and closes the database.
func (k *Keeper) Close() error {
	k.Mu.Lock()
	defer k.Mu.Unlock()
	if k.closed {
		return nil
	}
	err := k.Write()
	k.closed = true
	return errors.Join(err, k.DB.Close())
}
