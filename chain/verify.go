package chain

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/rules/script"
	"granary/state"
)

// VerifyChain looks at the last nblocks of the active chain again (all of
// them where nblocks is not positive), as verifychain does. Each level adds to
// the one below: 0 reads the block from the files, 1 checks it without
// context, 2 reads its undo, 3 takes the blocks back in memory, 4 connects
// them again with all scripts and compares. On a pruned chain it stops where
// the blocks end. The chain stands still meanwhile. An error names the first
// block that is wrong.
func (e *Engine) VerifyChain(level, nblocks int) error {
	return e.control(func() error {
		v := &verification{
			engine: e, level: max(0, min(level, 4)),
			overlay: state.NewOverlay(e.store, 1024),
		}
		tip := e.tip.Load()
		low := tip.Height - int32(nblocks)
		if nblocks <= 0 || low < 0 {
			low = 0
		}
		for h := tip; h.Height > low; h = h.Parent {
			if err := e.mayWalk(); err != nil {
				return err
			}
			if h.Status&state.StatusHaveData == 0 {
				break
			}
			if err := v.back(h); err != nil {
				return fmt.Errorf("block %d (%v): %w", h.Height, h.Hash, err)
			}
		}
		return v.forward()
	})
}

// verification is the state of one VerifyChain.
type verification struct {
	engine  *Engine
	level   int
	overlay *state.Overlay
	taken   []*state.Header // taken back, the tip first
}

// back looks at one block, the last that is not taken back yet.
func (v *verification) back(h *state.Header) error {
	b, err := v.engine.readBlock(h)
	if err != nil {
		return err
	}
	if v.level >= 1 {
		if err := v.engine.rules.CheckBlock(b); err != nil {
			return err
		}
	}
	if v.level < 2 {
		return nil
	}
	undo, err := v.engine.store.ReadUndo(h)
	if err != nil || v.level < 3 {
		return err
	}
	delta, err := v.engine.rules.Disconnect(b, h, undo, v.overlay)
	if err != nil {
		return err
	}
	v.taken = append(v.taken, h)
	return applyDelta(v.overlay, delta)
}

// forward connects again what was taken back and compares with the state.
func (v *verification) forward() error {
	if v.level < 4 {
		return nil
	}
	for i := len(v.taken) - 1; i >= 0; i-- {
		h := v.taken[i]
		if err := v.engine.mayWalk(); err != nil {
			return err
		}
		if err := v.connect(h, v.engine.scripts); err != nil {
			return fmt.Errorf("block %d (%v): %w", h.Height, h.Hash, err)
		}
	}
	return unchanged(v.overlay)
}

func (v *verification) connect(h *state.Header, scripts *script.Checker) error {
	b, err := v.engine.readBlock(h)
	if err != nil {
		return err
	}
	delta, _, _, err := v.engine.rules.Connect(b, h, v.overlay, scripts)
	if err != nil {
		return err
	}
	return applyDelta(v.overlay, delta)
}

// applyDelta puts a delta onto an overlay.
func applyDelta(o *state.Overlay, d *state.Delta) error {
	for i := range d.Spent {
		coin, err := o.Spend(d.Spent[i].Out)
		if err != nil {
			return err
		}
		if coin == nil {
			return fmt.Errorf("the coin %v is missing", d.Spent[i].Out)
		}
	}
	for i := range d.Created {
		if err := o.Create(d.Created[i].Out, d.Created[i].Coin, false); err != nil {
			return err
		}
	}
	for _, changes := range [][]state.GoodsChange{d.Goods, d.Nodes} {
		for i := range changes {
			if err := o.SetGoods(changes[i].Key, changes[i].New); err != nil {
				return err
			}
		}
	}
	return nil
}

// unchanged reports the first thing in which an overlay differs from what is
// below it.
func unchanged(o *state.Overlay) error {
	d := o.Changes(state.IsNodeKey)
	spent := make(map[wire.OutPoint]*state.Coin, len(d.Spent))
	for i := range d.Spent {
		spent[d.Spent[i].Out] = d.Spent[i].Coin
	}
	for i := range d.Created {
		before := spent[d.Created[i].Out]
		if before == nil || !sameCoin(before, d.Created[i].Coin) {
			return fmt.Errorf("the coin %v differs from the state", d.Created[i].Out)
		}
		delete(spent, d.Created[i].Out)
	}
	for i := range d.Spent {
		if _, left := spent[d.Spent[i].Out]; left {
			return fmt.Errorf("the coin %v of the state does not come back", d.Spent[i].Out)
		}
	}
	if len(d.Goods) > 0 {
		return fmt.Errorf("the goods key %x differs from the state", d.Goods[0].Key)
	}
	if len(d.Nodes) > 0 {
		return errors.New("the goods tree differs from the state")
	}
	return nil
}

func sameCoin(a, b *state.Coin) bool {
	return a.ValueUnits == b.ValueUnits && a.Height == b.Height && a.Coinbase == b.Coinbase &&
		bytes.Equal(a.Script, b.Script)
}
