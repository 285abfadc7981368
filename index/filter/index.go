package filter

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
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
	flushBytes = 8 << 20
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

// Index is the filter index, safe for concurrent use.
type Index struct {
	db  *kv.DB
	log *slog.Logger

	// mu guards what is gathered and not yet written.
	mu      sync.RWMutex
	heads   map[blockKey]Head
	filters map[blockKey][]byte
	bytes   int
	tip     blockKey // with the zero hash: nothing is indexed yet
	flushed time.Time
	closed  bool
}

// Open opens or makes the index. It does not follow yet: see Sync.
func Open(o Options) (*Index, error) {
	magic := o.Net.Magic()
	id := kv.Identity{
		Kind: "filterindex", Version: formatVersion, Network: o.Net.Name,
		Genesis: o.Net.GenesisHash().String(), Magic: hex.EncodeToString(magic[:]),
	}
	if o.CharterID != (params.CharterID{}) {
		id.Charter = hex.EncodeToString(o.CharterID[:])
	}
	db, err := kv.Open(o.Dir, id, kv.Options{FS: o.FS, CacheBytes: o.CacheBytes, Log: o.Log})
	if err != nil {
		return nil, err
	}
	x := &Index{db: db, log: o.Log, heads: map[blockKey]Head{}, filters: map[blockKey][]byte{}}
	if x.log == nil {
		x.log = slog.New(slog.DiscardHandler)
	}
	if x.tip, _, err = tipTable.Get(db, struct{}{}); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return x, nil
}

// Sync brings the index up to the active chain and lets it follow from there.
// It may take long the first time; progress (may be nil) hears the heights of
// index and chain. Stopped by ctx or a kill, the next Sync goes on. Where the
// chain does not know the index's tip (its data was replaced), the index
// starts anew. A pruned block on the way is an error.
func (x *Index) Sync(ctx context.Context, c Chain, progress func(height, tip int32)) error {
	err := x.follow(ctx, c, progress)
	if errors.Is(err, chain.ErrUnknownBlock) {
		tip, _ := x.Tip()
		x.log.Warn("the filter index belongs to other block data and is built anew", "tip", tip.String())
		if err := x.clear(); err != nil {
			return err
		}
		err = x.follow(ctx, c, progress)
	}
	return errors.Join(err, x.Flush())
}

func (x *Index) follow(ctx context.Context, c Chain, progress func(height, tip int32)) error {
	tip, _ := x.Tip()
	if tip == (chainhash.Hash{}) {
		if err := x.addGenesis(c); err != nil {
			return err
		}
		tip, _ = x.Tip()
	}
	return c.Follow(ctx, x, tip, progress)
}

// addGenesis adds the block that nobody is told of.
func (x *Index) addGenesis(c Chain) error {
	genesis := c.AtHeight(0)
	b, err := c.Block(genesis)
	if err != nil {
		return err
	}
	return x.Connect(&chain.Event{Connected: true, Header: genesis, Block: b, Undo: &state.Undo{}})
}

// Tip is the block up to which the index has followed; the zero hash where it
// has not begun.
func (x *Index) Tip() (chainhash.Hash, int32) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.tip.hash, x.tip.height
}

// Connect implements chain.Follower.
func (x *Index) Connect(event *chain.Event) error {
	raw := Basic(event.Block, event.Undo.Spent)
	x.mu.Lock()
	defer x.mu.Unlock()
	var previous chainhash.Hash
	if parent := event.Header.Parent; parent != nil {
		head, found, err := x.head(keyOf(parent))
		if err != nil {
			return err
		}
		if !found {
			return fmt.Errorf("the filter index lacks block %d: delete its folder to build it anew", parent.Height)
		}
		previous = head.Header
	}
	key := keyOf(event.Header)
	filterHash := HashOf(raw)
	x.heads[key] = Head{Filter: filterHash, Header: HeaderOf(filterHash, previous)}
	x.filters[key] = raw
	x.bytes += len(raw) + 200
	return x.moved(event.Header)
}

// Disconnect implements chain.Follower: the rows stay, under their hash.
func (x *Index) Disconnect(event *chain.Event) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.moved(event.Header.Parent)
}

// Prune implements chain.Follower: filters outlive their blocks.
func (x *Index) Prune(int32) error { return nil }

func keyOf(h *state.Header) blockKey { return blockKey{h.Height, h.Hash} }

// moved notes the new tip and writes when enough has gathered.
func (x *Index) moved(tip *state.Header) error {
	x.tip = keyOf(tip)
	if x.bytes < flushBytes && time.Since(x.flushed) < flushAfter {
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
	batch := x.db.NewBatch(x.bytes)
	for key, head := range x.heads {
		headTable.Put(batch, key, head)
		filterTable.Put(batch, key, x.filters[key])
	}
	tipTable.Put(batch, struct{}{}, x.tip)
	if err := batch.Commit(); err != nil {
		return err
	}
	x.forget()
	return nil
}

func (x *Index) forget() {
	clear(x.heads)
	clear(x.filters)
	x.bytes, x.flushed = 0, time.Now()
}

// clear begins anew.
func (x *Index) clear() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	batch := x.db.NewBatch(64)
	headTable.Clear(batch)
	filterTable.Clear(batch)
	tipTable.Clear(batch)
	x.forget()
	x.tip = blockKey{}
	return batch.Commit()
}

// head gives a block's row as followed so far; the caller holds mu.
func (x *Index) head(key blockKey) (Head, bool, error) {
	if head, ok := x.heads[key]; ok {
		return head, true, nil
	}
	return headTable.Get(x.db, key)
}

// Head gives the filter hash and header of a block, of whichever branch;
// found is false where the index has not seen it.
func (x *Index) Head(h *state.Header) (head Head, found bool, err error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.head(keyOf(h))
}

// Filter gives the basic filter of a block, of whichever branch, as BIP158
// serialises it; nil where the index has not seen it. The caller must not
// change it.
func (x *Index) Filter(h *state.Header) ([]byte, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	key := keyOf(h)
	if raw, ok := x.filters[key]; ok {
		return raw, nil
	}
	raw, _, err := filterTable.Get(x.db, key)
	return raw, err
}

// Heads gives the rows of stop's branch from height start up to and with stop,
// in order; nil where the index has not seen one of them.
func (x *Index) Heads(start int32, stop *state.Header) ([]Head, error) {
	if start < 0 || start > stop.Height {
		return nil, nil
	}
	branch := make([]*state.Header, 0, stop.Height-start+1)
	for h := stop; h != nil && h.Height >= start; h = h.Parent {
		branch = append(branch, h)
	}
	slices.Reverse(branch)
	x.mu.RLock()
	defer x.mu.RUnlock()
	heads, err := x.writtenHeads(branch)
	if err != nil {
		return nil, err
	}
	for _, h := range branch[len(heads):] {
		head, found := x.heads[keyOf(h)]
		if !found {
			return nil, nil
		}
		heads = append(heads, head)
	}
	return heads, nil
}

// writtenHeads reads as much of the beginning of a branch as is in the
// database, in one walk.
func (x *Index) writtenHeads(branch []*state.Header) (heads []Head, err error) {
	it, err := x.db.Iter(headTable.Key(keyOf(branch[0])), headTable.Key(blockKey{height: branch[len(branch)-1].Height + 1}))
	if err != nil {
		return nil, err
	}
	heads = make([]Head, 0, len(branch))
	for it.Next() && len(heads) < len(branch) {
		key, err := parseKey(it.Key()[1:])
		if err == nil && key.hash == branch[len(heads)].Hash {
			var head Head
			head, err = headTable.ParseValue(it.Value())
			heads = append(heads, head)
		}
		if err != nil {
			return nil, errors.Join(err, it.Close())
		}
	}
	return heads, it.Close()
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
