package goods

import (
	"context"
	"errors"
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/chain"
	"granary/index"
	"granary/params"
	"granary/state"
)

// formatVersion is the version of the index's rows.
const formatVersion = 1

// flushBytes is how much is gathered at most, about.
const flushBytes = 32 << 20

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

// Options of an Index. There is a charter.
type Options = index.Options

// Index is the history of the goods, safe for concurrent use.
type Index struct {
	keep      index.Keeper
	charterID params.CharterID

	// mu guards keep, rows and what is below.
	mu       sync.RWMutex
	rows     *rows
	since    int32 // the first block of the history, 0: of the chain
	coverage Coverage
	// idle: it is closed, or the chain went back below the beginning of the
	// history; the next start begins anew.
	idle bool
}

// Open opens or makes the index. It does not follow yet: see Sync.
func Open(o Options) (*Index, error) {
	x := &Index{charterID: o.CharterID}
	x.keep = index.Keeper{
		Name: "goods history", Kind: "goodsindex", Version: formatVersion,
		Mu: &x.mu, Commit: x.commit, Forget: x.forget,
	}
	if err := x.keep.Open(o); err != nil {
		return nil, err
	}
	x.rows = newRows(x.keep.DB)
	if err := x.load(); err != nil {
		return nil, errors.Join(err, x.keep.DB.Close())
	}
	return x, nil
}

// load reads where the rows stand.
func (x *Index) load() error {
	at, _, err := get(x.rows, &tipTable, struct{}{})
	if err != nil {
		return err
	}
	x.keep.Tip, x.since = at.Tip, at.since
	x.coverage, _, err = get(x.rows, &coverageTable, at.Height)
	return err
}

// Sync brings the index up to the active chain and lets it follow from there.
// It may take long the first time; progress (may be nil) hears the heights of
// index and chain. Stopped by ctx or a kill, the next Sync goes on. Where the
// chain does not know the index's tip (its data was replaced), or a block on
// the way was deleted, the index starts anew.
func (x *Index) Sync(ctx context.Context, c Chain, progress func(height, tip int32)) error {
	return x.keep.Sync(func() error { return x.follow(ctx, c, progress) })
}

// follow is chain.Follow from the tip on. Nothing can be read below a pruned
// block: an index that has nothing yet begins at the tip then.
func (x *Index) follow(ctx context.Context, c Chain, progress func(height, tip int32)) error {
	at, height := x.Tip()
	if next := c.AtHeight(height + 1); next != nil && !c.Status(next).Have() {
		if at != (chainhash.Hash{}) {
			return index.ErrPruned
		}
		if err := x.beginAtTip(c); err != nil {
			return err
		}
		at, height = x.Tip()
		x.keep.Log.Warn("the goods history begins here: the blocks below were deleted", "height", height)
	}
	return c.Follow(ctx, x, at, progress)
}

// Tip is the block up to which the index has followed; the zero hash where it
// has not begun.
func (x *Index) Tip() (chainhash.Hash, int32) { return x.keep.Stand() }

// Since is the first height that the history tells of.
func (x *Index) Since() int32 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return max(x.since, 1)
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
	x.keep.Log.Error("the goods history ends here: it does not understand the next block", "height", h.Height, "err", why)
	return errors.Join(x.rows.takeBack(x.rows.takeJournal()), x.keep.Write())
}

// Disconnect implements chain.Follower.
func (x *Index) Disconnect(event *chain.Event) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	height := event.Header.Height
	if x.idle {
		return nil
	}
	if height < x.since {
		x.idle = true
		x.keep.Log.Error("the chain goes back below the beginning of the goods history: start again to begin it anew", "height", height)
		return x.keep.Clear()
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

// Flush makes everything that was followed durable.
func (x *Index) Flush() error { return x.keep.Flush() }

func (x *Index) moved(tip *state.Header) error { return x.keep.Moved(tip, x.rows.bytes >= flushBytes) }

func (x *Index) commit() error {
	putPlain(x.rows, &tipTable, struct{}{}, tipRow{x.keep.Tip, x.since})
	return x.rows.flush()
}

func (x *Index) forget() error {
	x.rows = newRows(x.keep.DB)
	x.since, x.coverage = 0, Coverage{}
	batch := x.keep.DB.NewBatch(64)
	batch.DeleteRange([]byte{firstPrefix}, []byte{lastPrefix + 1})
	return batch.Commit()
}

// Close writes what was gathered and closes the database.
func (x *Index) Close() error {
	x.mu.Lock()
	x.idle = true
	x.mu.Unlock()
	return x.keep.Close()
}
