package chain

import (
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/state"
	"granary/store/blockfile"
)

// Reindexing reports whether the store was opened to be built anew from its
// block files, now or in a run that did not finish: Reindex is due then.
func (e *Engine) Reindexing() bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.store.Reindexing()
}

// Reindex builds header tree and state anew from our own block files, where
// that is due; otherwise it does nothing. First all files are scanned for
// blocks, parents before children; then the best chain is activated. Other
// requests wait meanwhile. It may be stopped by ctx or a kill: the next start
// goes on. progress is as for Import; damaged records are counted as refused
// and logged, a *RefusedError at the end tells of them.
func (e *Engine) Reindex(ctx context.Context, progress func(Progress)) (*state.Header, error) {
	x := &reindex{engine: e, ctx: ctx, started: time.Now(), sigs: e.signatures(), waiting: make(map[chainhash.Hash][]state.FilePos)}
	stop := reportEvery(progress, x.progress)
	defer stop()
	e.leash.Store(&ctx)
	defer e.leash.Store(nil)
	if err := e.control(x.scan); err != nil {
		return e.Tip(), err
	}
	if ctx.Err() != nil {
		return e.Tip(), context.Cause(ctx)
	}
	// What the scan proposed is active now.
	if x.count.Refused == 0 && len(x.waiting) == 0 {
		return e.Tip(), nil
	}
	refused := &RefusedError{Refused: x.count.Refused, First: x.first}
	for _, spots := range x.waiting {
		refused.Unconnected += int64(len(spots))
	}
	return e.Tip(), refused
}

// reindex is the state of one Reindex.
type reindex struct {
	engine  *Engine
	ctx     context.Context
	started time.Time
	sigs    uint64
	waiting map[chainhash.Hash][]state.FilePos // by parent: places of blocks that came too early

	mu    sync.Mutex
	count Progress
	first error
}

func (x *reindex) progress() Progress {
	x.mu.Lock()
	defer x.mu.Unlock()
	p := x.count
	p.Height = x.engine.Tip().Height
	p.Signatures = x.engine.signatures() - x.sigs
	p.Elapsed = time.Since(x.started)
	return p
}

// scan goes through the files, on the engine's goroutine. The store notes the
// checksum of each record before it calls back, so the lock is held between
// the calls and free during them.
func (x *reindex) scan() error {
	e := x.engine
	if !e.store.Reindexing() {
		return nil
	}
	e.mu.Lock()
	err := e.store.ScanFiles(func(raw []byte, pos state.FilePos) error {
		e.mu.Unlock()
		defer e.mu.Lock()
		return x.record(raw, pos)
	})
	if err == nil {
		e.store.FinishReindex()
		e.dirty = true
	}
	e.mu.Unlock()
	if e.failure != nil {
		return e.failure
	}
	if err != nil && x.ctx.Err() == nil && !e.stopping() {
		return e.world(err, "the block files could not be scanned")
	}
	if commitErr := e.commit(); commitErr != nil {
		return commitErr
	}
	return err
}

// record takes one record of the files.
func (x *reindex) record(raw []byte, pos state.FilePos) error {
	if x.ctx.Err() != nil {
		return context.Cause(x.ctx)
	}
	if x.engine.stopping() {
		return ErrClosed
	}
	x.tally(func(p *Progress) { p.BytesRead += int64(len(raw)) + blockfile.HeadBytes })
	b, err := state.DecodeBlock(bytes.Clone(raw))
	if err != nil {
		x.refuse(err)
		return blockfile.ErrNotBlock
	}
	if b.Hash == x.engine.rules.Net.GenesisHash() {
		return nil
	}
	if parent := b.Msg.Header.PrevBlock; x.engine.tree.get(parent) == nil {
		x.waiting[parent] = append(x.waiting[parent], pos)
		return nil
	}
	return x.family(b, pos)
}

// family takes a block whose parent is known and all that waited for it.
func (x *reindex) family(b *state.Block, pos state.FilePos) error {
	if err := x.block(b, pos); err != nil {
		return err
	}
	for queue := []chainhash.Hash{b.Hash}; len(queue) > 0; queue = queue[1:] {
		spots := x.waiting[queue[0]]
		delete(x.waiting, queue[0])
		for _, spot := range spots {
			raw, err := x.engine.store.ReadAt(spot)
			if err != nil {
				return err
			}
			child, err := state.DecodeBlock(raw)
			if err != nil {
				return err
			}
			if err := x.block(child, spot); err != nil {
				return err
			}
			queue = append(queue, child.Hash)
		}
	}
	return nil
}

// block puts one block into the tree.
func (x *reindex) block(b *state.Block, pos state.FilePos) error {
	e := x.engine
	isNew, err := e.applyBlock(b, e.rules.CheckBlock(b), &pos)
	clear(e.fresh) // the blocks are read again when the best chain is known
	clear(e.verdicts)
	switch {
	case e.failure != nil:
		return e.failure
	case err != nil:
		x.refuse(err)
	case isNew:
		x.tally(func(p *Progress) { p.Blocks++ })
	default:
		x.tally(func(p *Progress) { p.Skipped++ })
	}
	if e.full() {
		return e.commit()
	}
	return nil
}

func (x *reindex) tally(f func(p *Progress)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	f(&x.count)
}

func (x *reindex) refuse(err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.count.Refused++
	if x.first == nil {
		x.first = err
	}
	if x.count.Refused <= refusalsLogged {
		x.engine.log.Warn("a record of the block files is left out", "reason", err.Error())
	}
}
