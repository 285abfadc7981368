package chain

import (
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/holiman/uint256"

	"granary/state"
)

// ErrUnknownBlock says that no header has the hash that was asked for.
var ErrUnknownBlock = errors.New("block not found")

// control runs f on the engine's goroutine, between two batches' moves.
func (e *Engine) control(f func() error) error {
	return e.submit(&request{apply: f})
}

// onHeader runs f on the engine's goroutine for the header with this hash.
func (e *Engine) onHeader(hash chainhash.Hash, f func(h *state.Header) error) error {
	return e.control(func() error {
		h := e.tree.get(hash)
		if h == nil {
			return fmt.Errorf("%w: %v", ErrUnknownBlock, hash)
		}
		return f(h)
	})
}

// Invalidate treats a block as if it broke a rule, durably: the chain goes
// back to its parent and on to the best branch without it (invalidateblock).
func (e *Engine) Invalidate(hash chainhash.Hash) error {
	return e.onHeader(hash, func(h *state.Header) error {
		if h.Parent == nil {
			return errors.New("the genesis block cannot be invalidated")
		}
		if err := e.retreat(h); err != nil {
			return err
		}
		e.condemn(h)
		e.refill()
		return nil
	})
}

// retreat disconnects h and everything above it, where h is active.
func (e *Engine) retreat(h *state.Header) error {
	tip := e.tip.Load()
	if !tip.Descends(h) {
		return nil
	}
	for walk := tip; walk != h.Parent; walk = walk.Parent {
		if walk.Status&state.StatusHaveUndo == 0 || walk.Status&state.StatusHaveData == 0 {
			return fmt.Errorf("block %d is pruned: the chain cannot go back below it without --reindex", walk.Height)
		}
	}
	for e.tip.Load() != h.Parent {
		if err := e.disconnectTip(); err != nil {
			return err
		}
		if e.full() {
			if err := e.settle(); err != nil {
				return err
			}
		}
	}
	return nil
}

// Reconsider takes the marks of invalidity off a block, its ancestors and its
// descendants, and goes to the best branch with them (reconsiderblock).
func (e *Engine) Reconsider(hash chainhash.Hash) error {
	return e.onHeader(hash, func(h *state.Header) error {
		e.change(func() {
			for walk := h; walk != nil; walk = walk.Parent {
				e.pardon(walk)
			}
			for _, d := range e.tree.descendants(h) {
				e.pardon(d)
			}
		})
		e.bestHeader.Store(e.tree.mostWork(e.tip.Load()))
		e.refill()
		return nil
	})
}

func (e *Engine) pardon(h *state.Header) {
	if h.Status&failed != 0 {
		h.Status &^= failed
		e.store.SaveHeader(h)
	}
}

// preciousMark is what Precious remembers between calls.
type preciousMark struct {
	work  uint256.Int // of the tip at the last call
	place int64       // given at the last call
}

// Precious treats a block as if it had arrived before all others of the same
// work (preciousblock). A later call overrides an earlier one; nothing is kept
// across a restart. A block with less work than the tip is left alone.
func (e *Engine) Precious(hash chainhash.Hash) error {
	return e.onHeader(hash, func(h *state.Header) error {
		tip := e.tip.Load()
		if h.Work.Lt(&tip.Work) {
			return nil
		}
		if tip.Work.Gt(&e.lastPrecious.work) {
			e.lastPrecious = preciousMark{work: tip.Work}
		}
		e.lastPrecious.place--
		e.order[h] = e.lastPrecious.place
		e.refill()
		return nil
	})
}
