package chain

import (
	"errors"

	"granary/params"
)

// pruneStepBytes is how much the files grow between two attempts to prune.
const pruneStepBytes = 16 << 20

// Prune deletes the block files all of whose blocks are at height or below,
// and at least params.MinBlocksToKeep below the tip (pruneblockchain). The
// followers hear of it first.
func (e *Engine) Prune(height int32) error {
	if height < 0 {
		return errors.New("a height to prune to is never negative")
	}
	return e.control(func() error { return e.prune(height, 0) })
}

// autoPrune deletes old files when there are more than the target, after a
// commit.
func (e *Engine) autoPrune() error {
	if e.pruneBytes <= 0 {
		return nil
	}
	size := e.store.FileBytes()
	if size <= e.pruneBytes || size < e.prunedBytes+pruneStepBytes {
		return nil
	}
	if err := e.prune(e.tip.Load().Height, e.pruneBytes); err != nil {
		return err
	}
	e.prunedBytes = e.store.FileBytes()
	return nil
}

// prune tells the followers and lets the store delete.
func (e *Engine) prune(height int32, targetBytes int64) error {
	height = min(height, e.tip.Load().Height-params.MinBlocksToKeep)
	if height <= 0 {
		return nil
	}
	if err := e.settle(); err != nil {
		return err
	}
	for _, f := range e.followers {
		if err := f.Prune(height); err != nil {
			return e.world(err, "%T could not give up the blocks up to %d", f, height)
		}
	}
	e.mu.Lock()
	files, err := e.store.Prune(e.tree.all(), height, targetBytes)
	e.mu.Unlock()
	if files > 0 {
		e.log.Info("block files pruned", "files", files, "up to height", height)
	}
	return e.world(err, "old block files could not be deleted")
}
