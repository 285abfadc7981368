package chain

import (
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/state"
)

// logEvery is the time between two lines about a long walk.
const logEvery = 30 * time.Second

// activate walks to the best chain. It returns when nothing is better than
// the tip, when the world has failed, or when it may stop; the last never on
// less work than it began with.
func (e *Engine) activate() {
	start := e.tip.Load()
	for e.failure == nil && !e.mayStop(start) {
		target := e.best()
		if target == e.tip.Load() {
			return
		}
		e.walk(target)
	}
}

// mayStop reports whether somebody wants the engine back and the tip has at
// least the work of start.
func (e *Engine) mayStop(start *state.Header) bool {
	leash := e.leash.Load()
	return (e.stopping() || leash != nil && (*leash).Err() != nil) && !e.tip.Load().Work.Lt(&start.Work)
}

// walk goes from the tip to target, back to the fork and forward again, and
// stops early at a block that breaks a rule, which is marked.
func (e *Engine) walk(target *state.Header) {
	start := e.tip.Load()
	fork := state.ForkPoint(start, target)
	if start != fork {
		e.log.Info("reorganisation", "from", start.Hash.String(), "to", target.Hash.String(),
			"fork", fork.Height, "back", start.Height-fork.Height, "forward", target.Height-fork.Height)
	}
	for h := start; h != fork; h = h.Parent {
		// A kill behind such a commit finds the state further down with all
		// blocks in the files: Open walks to the best branch again.
		if e.disconnectTip() != nil || e.full() && e.settle() != nil {
			return
		}
	}
	if start != fork {
		e.propose(start) // it is valid: where target fails, it may be the best
	}
	blocks := e.ahead(fork, target)
	defer blocks.stop()
	for height := fork.Height + 1; height <= target.Height; height++ {
		b, err := blocks.next()
		if err != nil || !e.connectTip(target.Ancestor(height), b) {
			return
		}
		if height < target.Height && (e.full() && e.commit() != nil || e.mayStop(start)) {
			return
		}
		e.tellProgress(target)
	}
}

// connectTip moves the tip one block up to h with block b. It reports false
// where the block breaks a rule or the world fails.
func (e *Engine) connectTip(h *state.Header, b *state.Block) bool {
	e.prefetch(b)
	scripts := e.scripts
	if h.Status&state.StatusBlockValid != 0 {
		scripts = nil // the same branch, the same inputs: they passed before
	}
	delta, undo, goods, err := e.rules.Connect(b, h, e.store, scripts)
	if check.AsRule(err) != nil {
		e.markFailed(h, err)
		return false
	}
	if e.world(err, "block %d could not be connected", h.Height) != nil {
		return false
	}
	e.change(func() {
		h.Status |= state.StatusBlockValid
		if err = e.store.Connect(h, delta, undo); err == nil {
			e.tip.Store(h)
		}
	})
	if e.world(err, "block %d could not be written", h.Height) != nil {
		return false
	}
	if best := e.bestHeader.Load(); !best.Work.Gt(&h.Work) {
		e.bestHeader.Store(h)
	}
	e.note(&Event{Connected: true, Header: h, Block: b, Undo: undo, Goods: goods})
	return true
}

// prefetchInputs is the number of inputs from which a block's coins are read
// many at a time before the rules ask for them one by one.
const prefetchInputs = 64

// prefetch brings the coins that b spends into memory.
func (e *Engine) prefetch(b *state.Block) {
	inputs := 0
	for _, tx := range b.Msg.Transactions[1:] {
		inputs += len(tx.TxIn)
	}
	if inputs < prefetchInputs {
		return
	}
	own := make(map[chainhash.Hash]struct{}, len(b.Txids))
	for _, txid := range b.Txids {
		own[txid] = struct{}{}
	}
	ops := make([]wire.OutPoint, 0, inputs)
	for _, tx := range b.Msg.Transactions[1:] {
		for _, in := range tx.TxIn {
			if _, made := own[in.PreviousOutPoint.Hash]; !made {
				ops = append(ops, in.PreviousOutPoint)
			}
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.store.Prefetch(ops)
}

// disconnectTip moves the tip one block down.
func (e *Engine) disconnectTip() error {
	h := e.tip.Load()
	b, err := e.blockOf(h)
	if err != nil {
		return err
	}
	undo, err := e.store.ReadUndo(h)
	if err != nil {
		return e.world(err, "the undo of block %d cannot be read: start again with --reindex", h.Height)
	}
	delta, err := e.rules.Disconnect(b, h, undo, e.store)
	if err != nil {
		return e.world(err, "block %d cannot be taken back: start again with --reindex", h.Height)
	}
	e.change(func() {
		if err = e.store.Disconnect(h, delta); err == nil {
			e.tip.Store(h.Parent)
		}
	})
	if err != nil {
		return e.world(err, "taking block %d back could not be written", h.Height)
	}
	e.note(&Event{Header: h, Block: b, Undo: undo})
	return nil
}

// blockOf gives h's block, from this batch or from the files.
func (e *Engine) blockOf(h *state.Header) (*state.Block, error) {
	if b := e.fresh[h]; b != nil {
		return b, nil
	}
	b, err := e.readBlock(h)
	if err != nil {
		return nil, e.world(err, "block %d cannot be read: start again with --reindex", h.Height)
	}
	return b, nil
}

// markFailed remembers that h breaks a rule and that nothing can stand on it.
func (e *Engine) markFailed(h *state.Header, err error) {
	e.verdicts[h] = err
	if left, ok := e.refusals.spend(time.Now()); ok {
		e.log.Warn("invalid block", "height", h.Height, "hash", h.Hash.String(), "reason", err.Error(), "unsaid", left)
	}
	e.condemn(h)
	if f := e.onInvalid.Load(); f != nil {
		(*f)(h, err)
	}
}

// refusalLines about invalid blocks go to the log in a minute: a peer can
// cause them.
const refusalLines = 20

// logBudget bounds the lines of one sort.
type logBudget struct {
	start        time.Time // of this minute
	said, unsaid int
}

// spend reports whether a line may be written, and how many were not before.
func (b *logBudget) spend(now time.Time) (unsaid int, ok bool) {
	if now.Sub(b.start) > time.Minute {
		b.start, b.said = now, 0
	}
	if b.said >= refusalLines {
		b.unsaid++
		return 0, false
	}
	b.said++
	unsaid, b.unsaid = b.unsaid, 0
	return unsaid, true
}

// condemn sets the marks of an invalid block and of its descendants.
func (e *Engine) condemn(h *state.Header) {
	e.change(func() {
		h.Status |= state.StatusFailed
		h.Status &^= state.StatusBlockValid
		e.store.SaveHeader(h)
		for _, d := range e.tree.descendants(h) {
			if d.Status&state.StatusFailedParent == 0 {
				d.Status |= state.StatusFailedParent
				e.store.SaveHeader(d)
			}
		}
	})
	e.bestHeader.Store(e.tree.mostWork(e.tip.Load()))
}

// tellProgress logs a long walk every half minute.
func (e *Engine) tellProgress(target *state.Header) {
	now := time.Now()
	if e.nextLog.IsZero() || target == e.tip.Load() {
		e.nextLog = now.Add(logEvery)
		return
	}
	if now.After(e.nextLog) {
		e.nextLog = now.Add(logEvery)
		e.log.Info("connecting blocks", "height", e.tip.Load().Height, "of", target.Height)
	}
}
