package filter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/chain"
	"granary/index"
	"granary/state"
)

// formatVersion is the version of the index's records.
const formatVersion = 1

// flushBytes is how much is gathered at most, about.
const flushBytes = 8 << 20

// Chain is what the index needs of the engine, Options are of an Index.
type (
	Chain   = index.Chain
	Options = index.Options
)

var _ chain.Follower = (*Index)(nil)

// Index is the filter index, safe for concurrent use.
type Index struct {
	keep index.Keeper

	// mu guards keep and what is gathered and not yet written.
	mu      sync.RWMutex
	heads   map[blockKey]Head
	filters map[blockKey][]byte
	bytes   int
}

// Open opens or makes the index. It does not follow yet: see Sync.
func Open(o Options) (*Index, error) {
	x := &Index{heads: map[blockKey]Head{}, filters: map[blockKey][]byte{}}
	x.keep = index.Keeper{
		Name: "filter index", Kind: "filterindex", Version: formatVersion,
		Mu: &x.mu, Commit: x.commit, Forget: x.forget,
	}
	if err := x.keep.Open(o); err != nil {
		return nil, err
	}
	tip, _, err := tipTable.Get(x.keep.DB, struct{}{})
	if err != nil {
		return nil, errors.Join(err, x.keep.DB.Close())
	}
	x.keep.Tip = index.Tip{Hash: tip.hash, Height: tip.height}
	return x, nil
}

// Sync brings the index up to the active chain and lets it follow from there.
// It may take long the first time; progress (may be nil) hears the heights of
// index and chain. Stopped by ctx or a kill, the next Sync goes on. Where the
// chain does not know the index's tip (its data was replaced), the index
// starts anew. A pruned block on the way is an error.
func (x *Index) Sync(ctx context.Context, c Chain, progress func(height, tip int32)) error {
	return x.keep.Sync(func() error { return x.follow(ctx, c, progress) })
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
func (x *Index) Tip() (chainhash.Hash, int32) { return x.keep.Stand() }

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

// Flush makes everything that was followed durable.
func (x *Index) Flush() error { return x.keep.Flush() }

func (x *Index) moved(tip *state.Header) error { return x.keep.Moved(tip, x.bytes >= flushBytes) }

func (x *Index) commit() error {
	batch := x.keep.DB.NewBatch(x.bytes)
	for key, head := range x.heads {
		headTable.Put(batch, key, head)
		filterTable.Put(batch, key, x.filters[key])
	}
	tipTable.Put(batch, struct{}{}, blockKey{x.keep.Tip.Height, x.keep.Tip.Hash})
	if err := batch.Commit(); err != nil {
		return err
	}
	x.drop()
	return nil
}

func (x *Index) forget() error {
	batch := x.keep.DB.NewBatch(64)
	headTable.Clear(batch)
	filterTable.Clear(batch)
	tipTable.Clear(batch)
	x.drop()
	return batch.Commit()
}

// drop empties what was gathered.
func (x *Index) drop() {
	clear(x.heads)
	clear(x.filters)
	x.bytes = 0
}

// head gives a block's row as followed so far; the caller holds mu.
func (x *Index) head(key blockKey) (Head, bool, error) {
	if head, ok := x.heads[key]; ok {
		return head, true, nil
	}
	return headTable.Get(x.keep.DB, key)
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
	raw, _, err := filterTable.Get(x.keep.DB, key)
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
	it, err := x.keep.DB.Iter(headTable.Key(keyOf(branch[0])), headTable.Key(blockKey{height: branch[len(branch)-1].Height + 1}))
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
func (x *Index) Close() error { return x.keep.Close() }
