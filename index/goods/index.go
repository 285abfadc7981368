package goods

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

// formatVersion is the version of the index's rows.
const formatVersion = 1

// When the gathered rows are written.
const (
	flushBytes = 32 << 20
	flushAfter = time.Second
)

// Chain is what the index needs of the engine.
type Chain interface {
	Follow(ctx context.Context, f chain.Follower, at chainhash.Hash, progress func(height, tip int32)) error
	View(f func(tip *state.Header, v state.View) error) error
	AtHeight(height int32) *state.Header
	Status(h *state.Header) chain.HeaderStatus
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
	// Net and CharterID say whose chain it is. There is a charter.
	Net       *params.Network
	CharterID params.CharterID
	// CacheBytes bounds the database's memory; zero is a small default.
	CacheBytes int64
	// Log gets a line when the index starts anew; nil drops it.
	Log *slog.Logger
}

// Index is the history of the goods, safe for concurrent use.
type Index struct {
	db        *kv.DB
	log       *slog.Logger
	charterID params.CharterID

	// mu guards rows and what is below.
	mu       sync.RWMutex
	rows     *rows
	tip      tipRow // zero hash: nothing is followed yet
	coverage Coverage
	flushed  time.Time
	closed   bool
	// idle: it is closed, or the chain went back below the beginning of the
	// history; the next start begins anew.
	idle bool
}

// Open opens or makes the index. It does not follow yet: see Sync.
func Open(o Options) (*Index, error) {
	magic := o.Net.Magic()
	id := kv.Identity{
		Kind: "goodsindex", Version: formatVersion, Network: o.Net.Name, Genesis: o.Net.GenesisHash().String(),
		Magic: hex.EncodeToString(magic[:]), Charter: hex.EncodeToString(o.CharterID[:]),
	}
	db, err := kv.Open(o.Dir, id, kv.Options{FS: o.FS, CacheBytes: o.CacheBytes, Log: o.Log})
	if err != nil {
		return nil, err
	}
	x := &Index{db: db, log: o.Log, charterID: o.CharterID, rows: newRows(db)}
	if x.log == nil {
		x.log = slog.New(slog.DiscardHandler)
	}
	if err := x.load(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return x, nil
}

// load reads where the rows stand.
func (x *Index) load() (err error) {
	if x.tip, _, err = get(x.rows, &tipTable, struct{}{}); err != nil {
		return err
	}
	x.coverage, _, err = get(x.rows, &coverageTable, x.tip.height)
	return err
}

// Sync brings the index up to the active chain and lets it follow from there.
// It may take long the first time; progress (may be nil) hears the heights of
// index and chain. Stopped by ctx or a kill, the next Sync goes on. Where the
// chain does not know the index's tip (its data was replaced), or a block on
// the way was deleted, the index starts anew.
func (x *Index) Sync(ctx context.Context, c Chain, progress func(height, tip int32)) error {
	tip, _ := x.Tip()
	err := x.follow(ctx, c, tip, progress)
	if errors.Is(err, chain.ErrUnknownBlock) || errors.Is(err, errPruned) {
		x.log.Warn("the goods history does not fit the block data and is built anew", "tip", tip.String(), "err", err)
		if err := x.clear(); err != nil {
			return err
		}
		err = x.follow(ctx, c, chainhash.Hash{}, progress)
	}
	return errors.Join(err, x.Flush())
}

// errPruned says that blocks between the index and the chain are gone.
var errPruned = errors.New("blocks that the goods history needs were deleted")

// follow is chain.Follow from a block on. Nothing can be read below a pruned
// block: an index that has nothing yet begins at the tip then.
func (x *Index) follow(ctx context.Context, c Chain, at chainhash.Hash, progress func(height, tip int32)) error {
	_, height := x.Tip()
	if next := c.AtHeight(height + 1); next != nil && !c.Status(next).Have() {
		if at != (chainhash.Hash{}) {
			return errPruned
		}
		if err := x.beginAtTip(c); err != nil {
			return err
		}
		at, height = x.Tip()
		x.log.Warn("the goods history begins here: the blocks below were deleted", "height", height)
	}
	return c.Follow(ctx, x, at, progress)
}

// Tip is the block up to which the index has followed; the zero hash where it
// has not begun.
func (x *Index) Tip() (chainhash.Hash, int32) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.tip.hash, x.tip.height
}

// Since is the first height that the history tells of.
func (x *Index) Since() int32 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return max(x.tip.since, 1)
}

// Connect implements chain.Follower.
func (x *Index) Connect(event *chain.Event) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.idle {
		return nil
	}
	d, err := newDerivation(x.rows, x.charterID, event.Header.Height, event.Block, event.Undo)
	if err == nil {
		err = d.run()
	}
	if err == nil {
		err = d.apply()
	}
	if err != nil {
		return x.giveUp(event.Header, err)
	}
	for i := range d.events {
		x.write(&d.events[i])
	}
	if err := x.cover(event.Header, d); err != nil {
		return err
	}
	if err := x.inspect(event.Header, d.force.counts.Auditors); err != nil {
		return err
	}
	putPlain(x.rows, &journalTable, event.Header.Height, x.rows.takeJournal())
	return x.moved(event.Header)
}

// giveUp ends the history at the block below h, which it cannot tell: a node
// lives without it.
func (x *Index) giveUp(h *state.Header, why error) error {
	x.idle = true
	x.log.Error("the goods history ends here: it does not understand the next block", "height", h.Height, "err", why)
	return errors.Join(x.rows.takeBack(x.rows.takeJournal()), x.flush())
}

// Disconnect implements chain.Follower.
func (x *Index) Disconnect(event *chain.Event) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	height := event.Header.Height
	if x.idle {
		return nil
	}
	if height < x.tip.since {
		x.idle = true
		x.log.Error("the chain goes back below the beginning of the goods history: start again to begin it anew", "height", height)
		return x.forget()
	}
	journal, found, err := get(x.rows, &journalTable, height)
	if err == nil && !found {
		err = errRow("journal")
	}
	if err != nil {
		return err
	}
	if err := x.unwrite(height); err != nil {
		return err
	}
	if err := x.rows.takeBack(journal); err != nil {
		return err
	}
	x.rows.set(journalTable.Key(height), nil)
	x.rows.set(coverageTable.Key(height), nil)
	if x.coverage, _, err = get(x.rows, &coverageTable, height-1); err != nil {
		return err
	}
	return x.moved(event.Header.Parent)
}

// Prune implements chain.Follower: what was followed is made durable before
// the blocks go, so that they are never asked for again.
func (x *Index) Prune(int32) error { return x.Flush() }

// moved notes the new tip and writes when enough has gathered.
func (x *Index) moved(tip *state.Header) error {
	x.tip.hash, x.tip.height = tip.Hash, tip.Height
	if x.rows.bytes < flushBytes && time.Since(x.flushed) < flushAfter {
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
	if x.closed || x.tip.hash == (chainhash.Hash{}) {
		return nil
	}
	putPlain(x.rows, &tipTable, struct{}{}, x.tip)
	x.flushed = time.Now()
	return x.rows.flush()
}

// clear forgets everything.
func (x *Index) clear() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.forget()
}

func (x *Index) forget() error {
	x.rows = newRows(x.db)
	x.tip, x.coverage = tipRow{}, Coverage{}
	batch := x.db.NewBatch(64)
	batch.DeleteRange([]byte{firstPrefix}, []byte{lastPrefix + 1})
	return batch.Commit()
}

// Close writes what was gathered and closes the database.
func (x *Index) Close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return nil
	}
	err := x.flush()
	x.closed, x.idle = true, true
	return errors.Join(err, x.db.Close())
}
