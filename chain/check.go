package chain

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"granary/rules/goods"
	"granary/state"
	"granary/store"
)

// checkBatchBytes bounds the uncommitted changes of a replay.
const checkBatchBytes = 64 << 20

// Check replays every block of the active chain from the block files into a
// fresh state, with all rules but the scripts (VerifyChain checks those), and
// compares it with the state that the chain stands on. An error names the
// block that does not replay, or the first coin or goods key that differs
// ("files" is what the blocks give, "state" what is stored). On a chain with a
// charter the whole goods state is counted again too. The chain may go on
// meanwhile, but must not leave a block that was replayed; once the replay has
// caught up the two are frozen, compared, and the chain is free.
//
// It takes long and needs the disk space of a second state. progress (may be
// nil) is as for Import. A pruned chain cannot be checked.
func (e *Engine) Check(ctx context.Context, progress func(Progress)) (err error) {
	fresh, err := e.store.OpenScratch()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fresh.RemoveScratch()) }()
	_, at, err := fresh.LoadHeaders()
	if err != nil {
		return err
	}
	r := &replay{engine: e, fresh: fresh, at: at, started: time.Now()}
	stop := reportEvery(progress, r.progress)
	defer stop()
	for {
		tip := e.Tip()
		if err := r.upTo(ctx, tip); err != nil {
			return err
		}
		if e.Tip() == tip {
			break
		}
	}
	return e.frozen(func() error { return r.upTo(ctx, e.tip.Load()) }, r.compare)
}

// replay is the state of one Check.
type replay struct {
	engine  *Engine
	fresh   *store.Store
	at      *state.Header // fresh's own header of the last block replayed
	started time.Time
	blocks  atomic.Int64
	height  atomic.Int32
}

func (r *replay) progress() Progress {
	return Progress{Blocks: r.blocks.Load(), Height: r.height.Load(), Elapsed: time.Since(r.started)}
}

// upTo replays the blocks up to tip.
func (r *replay) upTo(ctx context.Context, tip *state.Header) error {
	if on := tip.Ancestor(r.at.Height); on == nil || on.Hash != r.at.Hash {
		return errors.New("the chain was reorganised during the check: check again")
	}
	for r.at.Height < tip.Height {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if err := r.engine.mayWalk(); err != nil {
			return err
		}
		h := tip.Ancestor(r.at.Height + 1)
		if err := r.block(h); err != nil {
			return fmt.Errorf("block %d (%v) does not replay: %w", h.Height, h.Hash, err)
		}
	}
	return r.fresh.Commit()
}

// block replays one block.
func (r *replay) block(h *state.Header) error {
	b, err := r.engine.Block(h)
	if err != nil {
		return err
	}
	rules := r.engine.rules
	if err := rules.CheckBlock(b); err != nil {
		return err
	}
	if err := rules.CheckBlockContext(b, r.at); err != nil {
		return err
	}
	own := state.NewHeader(&h.Raw, r.at) // the store marks headers as its own
	delta, undo, _, err := rules.Connect(b, own, r.fresh, nil)
	if err != nil {
		return err
	}
	own.Status = state.StatusHeaderValid | state.StatusBlockValid
	own.TxCount = uint32(len(b.Txids))
	if err := r.fresh.Connect(own, delta, undo); err != nil {
		return err
	}
	r.at = own
	r.blocks.Add(1)
	r.height.Store(own.Height)
	if r.fresh.PendingBytes() < checkBatchBytes {
		return nil
	}
	return r.fresh.Commit()
}

// compare holds the replayed state against the chain's.
func (r *replay) compare(stored *store.Snapshot) (err error) {
	fresh, err := r.fresh.Snapshot(r.engine.goOn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fresh.Close()) }()
	want, err := fresh.StateHash()
	if err != nil {
		return err
	}
	got, err := stored.StateHash()
	if err != nil {
		return err
	}
	// Equal hashes leave the nodes of the goods tree, which follow from the
	// rest, so the two are walked in any case.
	line, err := store.FirstDifference(fresh, stored)
	if err != nil {
		return err
	}
	if line != "" || got != want {
		return fmt.Errorf("the state differs from what the block files give, first at %s (files against state): start with --reindex to build it anew", line)
	}
	if charter := r.engine.rules.Charter; charter != nil {
		return goods.CheckState(charter, r.at.Height, stored, stored.RangeCoins)
	}
	return nil
}
