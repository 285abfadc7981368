package chain

import (
	"iter"
	"maps"
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/state"
)

// tree is the header tree: every header by hash, the headers without children,
// and the blocks whose bytes are there while some ancestor's are not.
//
// mu guards byHash only and is a leaf lock. The rest belongs to whoever holds
// Engine.mu: the engine's goroutine writes it under the write lock.
type tree struct {
	mu     sync.RWMutex
	byHash map[chainhash.Hash]*state.Header

	leaves   map[*state.Header]struct{}
	unlinked map[*state.Header]struct{}        // have data, but an ancestor has not
	waiting  map[*state.Header][]*state.Header // the same, by parent
}

const failed = state.StatusFailed | state.StatusFailedParent

// load fills the tree; headers come parents first.
func (t *tree) load(headers []*state.Header) {
	t.byHash = make(map[chainhash.Hash]*state.Header, len(headers))
	t.leaves = make(map[*state.Header]struct{})
	t.unlinked = make(map[*state.Header]struct{})
	t.waiting = make(map[*state.Header][]*state.Header)
	for _, h := range headers {
		t.insert(h)
		if h.TxCount > 0 && h.Parent != nil && !t.linked(h.Parent) {
			t.wait(h)
		}
	}
}

// insert adds a header whose parent is there.
func (t *tree) insert(h *state.Header) {
	t.mu.Lock()
	t.byHash[h.Hash] = h
	t.mu.Unlock()
	delete(t.leaves, h.Parent)
	t.leaves[h] = struct{}{}
}

// get finds a header by hash, nil if it is not known.
func (t *tree) get(hash chainhash.Hash) *state.Header {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.byHash[hash]
}

// all gives every header, in no order. It is for the engine's goroutine, the
// only one that writes byHash.
func (t *tree) all() iter.Seq[*state.Header] { return maps.Values(t.byHash) }

// linked reports whether the bytes of h and of all its ancestors are or, once
// pruned, were there. Genesis always is.
func (t *tree) linked(h *state.Header) bool {
	if h.Parent == nil {
		return true
	}
	_, waits := t.unlinked[h]
	return h.TxCount > 0 && !waits
}

// wait notes that h has data and its parent is not linked.
func (t *tree) wait(h *state.Header) {
	t.unlinked[h] = struct{}{}
	t.waiting[h.Parent] = append(t.waiting[h.Parent], h)
}

// release gives h and those of its descendants that waited for it, parents
// first, and links them. h's parent must be linked and h have data.
func (t *tree) release(h *state.Header) []*state.Header {
	freed := []*state.Header{h}
	for i := 0; i < len(freed); i++ {
		delete(t.unlinked, freed[i])
		freed = append(freed, t.waiting[freed[i]]...)
		delete(t.waiting, freed[i])
	}
	return freed
}

// unlink takes note that h's bytes are gone: h has no data any more, and the
// descendants that have wait for it.
func (t *tree) unlink(h *state.Header) {
	h.TxCount = 0
	delete(t.unlinked, h)
	for _, d := range t.descendants(h) {
		if _, waits := t.unlinked[d]; !waits && d.TxCount > 0 {
			t.wait(d)
		}
	}
}

// descendants gives every header below h in the tree, parents first within a
// branch.
func (t *tree) descendants(h *state.Header) []*state.Header {
	var found []*state.Header
	seen := make(map[*state.Header]struct{})
	for leaf := range t.leaves {
		if leaf == h || !leaf.Descends(h) {
			continue
		}
		start := len(found)
		for walk := leaf; walk != h; walk = walk.Parent {
			if _, again := seen[walk]; again {
				break
			}
			seen[walk] = struct{}{}
			found = append(found, walk)
		}
		reverse(found[start:])
	}
	return found
}

func reverse(headers []*state.Header) {
	for i, j := 0, len(headers)-1; i < j; i, j = i+1, j-1 {
		headers[i], headers[j] = headers[j], headers[i]
	}
}

// mostWork is the header with the most work on a branch that has not failed.
// Of equal ones it is the tip, or else the one with the smaller hash, so that
// map order does not matter.
func (t *tree) mostWork(tip *state.Header) *state.Header {
	best := tip
	for leaf := range t.leaves {
		h := leaf
		for h.Status&failed != 0 && h.Parent != nil {
			h = h.Parent
		}
		if h.Work.Gt(&best.Work) ||
			best != tip && h.Work.Eq(&best.Work) && lessHash(&h.Hash, &best.Hash) {
			best = h
		}
	}
	return best
}

func lessHash(a, b *chainhash.Hash) bool {
	for i := len(a) - 1; i >= 0; i-- {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return false
}
