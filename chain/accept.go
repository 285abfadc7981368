package chain

import (
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/state"
)

// AcceptHeader checks a header against its parent and puts it into the tree;
// it is durable on return. A known header is given as it is. Errors:
// "prev-blk-not-found" (Kind Unconnected) where the parent is not known,
// "bad-prevblk" where it is invalid, "duplicate-invalid" where this one is,
// and those of block.Rules.CheckHeader. raw is copied.
func (e *Engine) AcceptHeader(raw *wire.BlockHeader) (*state.Header, error) {
	if h, err := e.probe(raw); h != nil || err != nil {
		return h, err
	}
	var h *state.Header
	err := e.submit(&request{bytes: 80, apply: func() (err error) {
		h, err = e.applyHeader(raw)
		return err
	}})
	return h, err
}

// AcceptHeaders takes a run of headers, parents first, with one commit. It
// gives the last header that is in the tree now (nil if none), and the error
// of the first that is not.
func (e *Engine) AcceptHeaders(raws []wire.BlockHeader) (*state.Header, error) {
	var last *state.Header
	err := e.submit(&request{bytes: 80 * len(raws), apply: func() error {
		for i := range raws {
			h, err := e.applyHeader(&raws[i])
			if err != nil {
				return err
			}
			last = h
		}
		return nil
	}})
	return last, err
}

// AcceptBlock takes a block, waits until it is judged, and reports whether its
// bytes are new here. Its header is accepted first where it is not known. A
// block off the best chain is kept and not judged further: no error. A block
// that became the tip is durable on return.
//
// A RuleError of Kind Mutated says that these bytes are damaged while the
// block of that hash may still be valid; nothing is remembered then. Other
// RuleErrors mark the header invalid for ever, but for Kinds Unconnected
// ("prev-blk-not-found") and Future, which keep nothing.
func (e *Engine) AcceptBlock(b *state.Block) (isNew bool, err error) {
	if _, err := e.probe(&b.Msg.Header); err != nil {
		return false, err
	}
	r, fresh := e.blockRequest(b, e.rules.CheckBlock(b), nil)
	err = e.submit(r)
	return *fresh, err
}

// probe answers without the engine's goroutine: a known header that is valid,
// or the error of one that cannot be accepted; nil, nil for one that can.
func (e *Engine) probe(raw *wire.BlockHeader) (*state.Header, error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.lookUp(raw)
}

// lookUp is probe without the lock.
func (e *Engine) lookUp(raw *wire.BlockHeader) (*state.Header, error) {
	hash := raw.BlockHash()
	if h := e.tree.get(hash); h != nil {
		if h.Status&failed != 0 {
			return nil, check.Rule("duplicate-invalid", "block %v is already known to be invalid", hash)
		}
		return h, nil
	}
	parent := e.tree.get(raw.PrevBlock)
	if parent == nil {
		return nil, check.RuleKind(check.Unconnected, "prev-blk-not-found", "the parent %v is not known", raw.PrevBlock)
	}
	if parent.Status&failed != 0 {
		return nil, check.Rule("bad-prevblk", "the parent %v is invalid", raw.PrevBlock)
	}
	return nil, e.rules.CheckHeader(raw, parent, e.clock.Now().Unix())
}

// applyHeader puts a header into the tree, on the engine's goroutine.
func (e *Engine) applyHeader(raw *wire.BlockHeader) (*state.Header, error) {
	if h, err := e.lookUp(raw); h != nil || err != nil {
		return h, err
	}
	h := state.NewHeader(raw, e.tree.get(raw.PrevBlock))
	h.Status = state.StatusHeaderValid
	e.change(func() {
		e.tree.insert(h)
		e.store.SaveHeader(h)
	})
	if best := e.bestHeader.Load(); h.Work.Gt(&best.Work) {
		e.bestHeader.Store(h)
	}
	return h, nil
}

// change runs f, which changes the tree or pending state, under the write
// lock and remembers that a commit is due.
func (e *Engine) change(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f()
	e.dirty = true
}

// blockRequest makes the request for a block whose context-free checks gave
// checked. stored, if not nil, says where its bytes already are.
func (e *Engine) blockRequest(b *state.Block, checked error, stored *state.FilePos) (*request, *bool) {
	isNew := new(bool)
	return &request{
		bytes: len(b.Raw),
		apply: func() (err error) {
			*isNew, err = e.applyBlock(b, checked, stored)
			return err
		},
		judge: func() error { return e.verdict(b) },
	}, isNew
}

// verdict is what the batch found about b, whose bytes are accepted.
func (e *Engine) verdict(b *state.Block) error {
	h := e.tree.get(b.Hash)
	if err := e.verdicts[h]; err != nil {
		return err
	}
	if h.Status&failed == 0 {
		return nil
	}
	for walk := h.Parent; walk != nil; walk = walk.Parent {
		if err := e.verdicts[walk]; err != nil {
			return check.Rule("bad-prevblk", "the block %v below it is invalid: %v", walk.Hash, err)
		}
	}
	return check.Rule("bad-prevblk", "a block below %v is invalid", h.Hash)
}

// applyBlock checks a block in its context and appends it to the files.
func (e *Engine) applyBlock(b *state.Block, checked error, stored *state.FilePos) (bool, error) {
	h, err := e.applyHeader(&b.Msg.Header)
	if err != nil {
		return false, err
	}
	if h.Parent == nil || h.Status&state.StatusHaveData != 0 || h.TxCount > 0 && e.Contains(h) {
		return false, checked // other bytes under a known hash, where it is not nil
	}
	if checked == nil {
		checked = e.rules.CheckBlockContext(b, h.Parent)
	}
	if checked != nil {
		e.judgeBytes(h, checked)
		return false, checked
	}
	pos := stored
	if pos == nil {
		var at state.FilePos
		var err error
		// Readers look up the checksums that appending notes.
		e.change(func() { at, err = e.store.AppendBlock(b.Raw) })
		if err != nil {
			return false, e.world(err, "block %v could not be written", b.Hash)
		}
		pos = &at
	}
	e.receive(h, b, *pos)
	return true, nil
}

// judgeBytes remembers that h is invalid if its bytes prove that.
func (e *Engine) judgeBytes(h *state.Header, err error) {
	if rule := check.AsRule(err); rule != nil && rule.Kind == check.Consensus {
		e.markFailed(h, err)
	}
}

// receive notes that h's bytes are at pos and proposes what became linked.
func (e *Engine) receive(h *state.Header, b *state.Block, pos state.FilePos) {
	e.fresh[h] = b
	e.change(func() {
		h.Status |= state.StatusHaveData
		h.TxCount = uint32(len(b.Msg.Transactions))
		h.DataPos = pos
		if !e.tree.linked(h.Parent) {
			e.tree.wait(h)
			e.store.SaveHeader(h)
			return
		}
		for _, freed := range e.tree.release(h) {
			e.sequence++
			freed.Sequence = e.sequence
			e.store.SaveHeader(freed)
			e.propose(freed)
		}
	})
}
