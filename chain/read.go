package chain

import (
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/state"
)

// Tip is the last block of the active chain. It takes no lock.
func (e *Engine) Tip() *state.Header { return e.tip.Load() }

// BestHeader is the header with the most work that is not known to be
// invalid; its blocks may not be there yet. It takes no lock.
func (e *Engine) BestHeader() *state.Header { return e.bestHeader.Load() }

// Header finds a header of any branch, nil if it is not known.
func (e *Engine) Header(hash chainhash.Hash) *state.Header { return e.tree.get(hash) }

// AtHeight gives the active chain's header at height, nil outside of it.
func (e *Engine) AtHeight(height int32) *state.Header { return e.Tip().Ancestor(height) }

// Contains reports whether h is in the active chain.
func (e *Engine) Contains(h *state.Header) bool { return e.Tip().Descends(h) }

// View calls f with the tip and the state after it, which do not move while f
// runs: nor does the chain, so f should be short. Coins from v live as long as
// f does, goods values may be kept. v is read inside f only, or inside another
// f that finds the same tip. Inside f call nothing of the Engine but the five
// methods above.
func (e *Engine) View(f func(tip *state.Header, v state.View) error) error {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return f(e.tip.Load(), e.store)
}

// Block reads the block of h from the files; the caller owns it.
func (e *Engine) Block(h *state.Header) (*state.Block, error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.readBlock(h)
}

// RawBlock reads the bytes of h's block from the files without decoding them;
// the caller owns them. They are checked against their checksum and h's hash.
func (e *Engine) RawBlock(h *state.Header) ([]byte, error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if h.Parent != nil && h.Status&state.StatusHaveData == 0 {
		return nil, fmt.Errorf("block %d (%v) is not in the block files", h.Height, h.Hash)
	}
	return e.store.ReadBlock(h)
}

// readBlock is Block without the lock.
func (e *Engine) readBlock(h *state.Header) (*state.Block, error) {
	if h.Parent == nil {
		return state.NewBlock(e.rules.Net.Chain.GenesisBlock), nil
	}
	if h.Status&state.StatusHaveData == 0 {
		if h.TxCount > 0 {
			return nil, fmt.Errorf("block %d (%v) is pruned", h.Height, h.Hash)
		}
		return nil, fmt.Errorf("block %d (%v) has not arrived yet", h.Height, h.Hash)
	}
	raw, err := e.store.ReadBlock(h)
	if err != nil {
		return nil, err
	}
	b, err := state.DecodeBlock(raw)
	if err != nil {
		// Not %w: what the disk damaged is nobody's broken rule.
		return nil, fmt.Errorf("block %d (%v) is damaged in the block files: %v", h.Height, h.Hash, err)
	}
	if b.Hash != h.Hash {
		return nil, fmt.Errorf("the block files hold %v where block %d (%v) should be", b.Hash, h.Height, h.Hash)
	}
	return b, nil
}

// Undo reads the coins that the block of h spent; the caller owns them.
// Genesis and blocks that were never connected have none: an error.
func (e *Engine) Undo(h *state.Header) (*state.Undo, error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if h.Status&state.StatusHaveUndo == 0 {
		return nil, fmt.Errorf("there is no undo of block %d (%v)", h.Height, h.Hash)
	}
	return e.store.ReadUndo(h)
}

// HeaderStatus is a copy of what can change about a header.
type HeaderStatus struct {
	Status   state.Status
	TxCount  uint32 // 0 while the block has not arrived
	DataPos  state.FilePos
	UndoPos  state.FilePos
	Sequence uint64
	Active   bool // in the active chain
	Linked   bool // its bytes and those of all ancestors are or were there
}

// Have reports whether the block's bytes are in the files.
func (s HeaderStatus) Have() bool { return s.Status&state.StatusHaveData != 0 }

// Failed reports whether the block or an ancestor is invalid.
func (s HeaderStatus) Failed() bool { return s.Status&failed != 0 }

// Status gives what can change about h, as it is now.
func (e *Engine) Status(h *state.Header) HeaderStatus {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return HeaderStatus{
		Status: h.Status, TxCount: h.TxCount, DataPos: h.DataPos, UndoPos: h.UndoPos,
		Sequence: h.Sequence, Active: e.Contains(h), Linked: e.tree.linked(h),
	}
}

// TipInfo is the end of one branch, as getchaintips shows it.
type TipInfo struct {
	Header *state.Header
	// BranchLen is the number of blocks off the active chain.
	BranchLen int32
	// Status is active, invalid, headers-only, valid-headers or valid-fork.
	Status string
}

// Tips lists the ends of all branches, the highest first; of equal height the
// smaller hash first.
func (e *Engine) Tips() []TipInfo {
	e.mu.RLock()
	defer e.mu.RUnlock()
	tip := e.tip.Load()
	tips := []TipInfo{{Header: tip, Status: "active"}}
	for leaf := range e.tree.leaves {
		if leaf == tip {
			continue
		}
		fork := state.ForkPoint(leaf, tip)
		tips = append(tips, TipInfo{leaf, leaf.Height - fork.Height, e.branchStatus(leaf)})
	}
	slices.SortFunc(tips, func(a, b TipInfo) int {
		if a.Header.Height != b.Header.Height {
			return int(b.Header.Height) - int(a.Header.Height)
		}
		if lessHash(&a.Header.Hash, &b.Header.Hash) {
			return -1
		}
		return 1
	})
	return tips
}

func (e *Engine) branchStatus(leaf *state.Header) string {
	switch {
	case leaf.Status&failed != 0:
		return "invalid"
	case !e.tree.linked(leaf):
		return "headers-only"
	case leaf.Status&state.StatusBlockValid != 0:
		return "valid-fork"
	default:
		return "valid-headers"
	}
}
