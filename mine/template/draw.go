package template

import (
	"bytes"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

const (
	// drawReserveWeight is kept from transactions that pay fees for draws and
	// slashes of the builder's own, so that full blocks do not keep coins from
	// depositors: a hundredth of a block, some sixty draws. What they leave
	// over is filled up afterwards.
	drawReserveWeight = 40_000
	// maxReceiptsRead and maxDrawsRefused bound the work for one block where
	// many receipts cannot be drawn, for want of coverage or room.
	maxReceiptsRead = 5_000
	maxDrawsRefused = 200
	// maxDrawInputs bounds the outputs of the pool that one draw collects.
	maxDrawInputs = 100
)

// drawer adds draws to a draft.
type drawer struct {
	*draft
	vault   *Vault
	params  params.Parameters
	goodOf  map[uint16]*goods.Good
	barred  map[uint16]bool // custodians whose receipts do not count
	held    []*poolOutput   // taken from the purse, in hand
	aside   []*poolOutput   // not for this block
	read    int
	refused int
}

// draws reports whether the builder adds transactions of its own.
func (d *draft) draws() bool {
	return d.builder.o.Vault != nil && d.goods != nil && d.height >= params.GoodsStartHeight
}

// draw fills the block with draws of open receipts, the oldest first, until the
// cap, the pool, the room or the receipts end it. A receipt that the pool's
// transactions have drawn already goes on from there.
func (d *draft) draw(v *Vault) error {
	p, err := goods.ReadParameters(d.over)
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	w := &drawer{draft: d, vault: v, params: p, goodOf: map[uint16]*goods.Good{}, barred: map[uint16]bool{}}
	defer func() {
		v.purse.giveBack(w.held)
		v.purse.giveBack(w.aside)
	}()
	return w.walk()
}

// walk goes through the receipts.
func (w *drawer) walk() error {
	receipts := &w.vault.receipts
	receipts.settle()
	for at := range receipts.list {
		hint := &receipts.list[at]
		if hint.validUntil < w.height || hint.small || w.barred[hint.custodian] {
			continue
		}
		if w.room() <= 0 || w.read == maxReceiptsRead || w.refused == maxDrawsRefused {
			return nil
		}
		w.read++
		receipt, err := goods.ReadReceipt(w.over, hint.number)
		if err != nil {
			return err
		}
		if receipt == nil || receipt.Undrawn == 0 {
			if err := w.forget(at, hint.number); err != nil {
				return err
			}
			continue
		}
		*hint = hintOf(receipt)
		counts, err := w.counts(receipt)
		if err != nil {
			return err
		}
		if !counts {
			continue
		}
		more, err := w.drawOne(hint, receipt)
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// room is what may still be released in this block.
func (w *drawer) room() int64 { return w.params.BlockReleaseCapUnits - w.releasedUnits }

// forget drops a hint that the tip's state has nothing to draw for; if only
// this block has drawn it, it stays.
func (w *drawer) forget(at int, number uint64) error {
	receipt, err := goods.ReadReceipt(w.view, number)
	if err == nil && (receipt == nil || receipt.Undrawn == 0) {
		w.vault.receipts.forget(at)
	}
	return err
}

// counts reports whether a receipt's age and custodian let it be drawn.
func (w *drawer) counts(r *state.Receipt) (bool, error) {
	barred, known := w.barred[r.Custodian]
	if !known {
		standing, err := goods.ReadStanding(w.over, r.Custodian)
		if err != nil {
			return false, err
		}
		barred = standing == nil || !standing.Counts()
		w.barred[r.Custodian] = barred
	}
	return !barred && r.Fresh(w.height), nil
}

// drawOne draws what it can of one receipt; more is false where nothing can
// follow.
func (w *drawer) drawOne(hint *receiptHint, r *state.Receipt) (more bool, err error) {
	good := w.goodOf[r.Good]
	if good == nil {
		if good, err = goods.ReadGood(w.over, r.Good); err != nil || good == nil {
			return false, err
		}
		w.goodOf[r.Good] = good
	}
	measures, units := goods.DrawQuantity(r, good, &w.params, w.room())
	if units == 0 {
		return true, w.noteSmall(hint, good)
	}
	heldUnits, err := w.hold(units)
	if err != nil {
		return false, err
	}
	if heldUnits < units {
		if measures, units = goods.DrawQuantity(r, good, &w.params, heldUnits); units == 0 {
			w.refused++
			return heldUnits >= w.params.MinDrawUnits, nil
		}
	}
	return w.add(r, measures, units)
}

// noteSmall finds out whether a receipt does not fit into this block, or is too
// little for any.
func (w *drawer) noteSmall(hint *receiptHint, good *goods.Good) error {
	r, err := goods.ReadReceipt(w.view, hint.number)
	if err != nil || r == nil {
		return err
	}
	if _, units := goods.DrawQuantity(r, good, &w.params, params.MaxMoneyUnits); units == 0 {
		hint.small = true
	} else {
		w.refused++
	}
	return nil
}

// hold takes outputs of the pool until they hold units, or there are no more,
// and gives what they hold.
func (w *drawer) hold(units int64) (heldUnits int64, err error) {
	for _, o := range w.held {
		heldUnits += o.units
	}
	for heldUnits < units && len(w.held) < maxDrawInputs {
		o := w.vault.purse.take()
		if o == nil {
			break
		}
		usable, known, err := w.usable(o.out)
		switch {
		case err != nil:
			w.aside = append(w.aside, o)
			return 0, err
		case usable:
			w.held = append(w.held, o)
			heldUnits += o.units
		case known:
			w.aside = append(w.aside, o)
		}
	}
	return heldUnits, nil
}

// usable reports whether a draw may spend an output in this block; known,
// whether a later block's may.
func (w *drawer) usable(out wire.OutPoint) (usable, known bool, err error) {
	coin, err := w.view.Coin(out)
	if err != nil || coin == nil || !bytes.Equal(coin.Script, w.vault.treasury) {
		return false, false, err
	}
	meaning, err := goods.MeaningOf(w.view, out)
	if err != nil || meaning.Kind != state.MeansNothing {
		return false, false, err
	}
	ripe := !coin.Coinbase || w.height-coin.Height >= params.CoinbaseMaturity
	coin, err = w.over.Coin(out) // nil: the block spends it already
	return ripe && coin != nil, true, err
}

// add puts the draw into the block. Its change is the first thing that the
// next draw takes.
func (w *drawer) add(r *state.Receipt, measures, units int64) (more bool, err error) {
	outs := make([]wire.OutPoint, len(w.held))
	var heldUnits int64
	for i, o := range w.held {
		outs[i] = o.out
		heldUnits += o.units
	}
	msg, err := goods.DrawTx(w.builder.o.Rules.Charter.ID(), r, &w.params, measures, units, outs, heldUnits)
	if err != nil {
		return false, err
	}
	tx := state.NewTx(msg)
	if err := w.include(tx); err != nil {
		w.refused++
		if check.AsRule(err) != nil {
			return check.CodeOf(err) != codeNoRoom, nil
		}
		return false, err
	}
	w.aside, w.held = append(w.aside, w.held...), nil
	if len(msg.TxOut) == 3 {
		w.held = []*poolOutput{{out: wire.OutPoint{Hash: tx.Txid, Index: 1}, units: msg.TxOut[1].Value, ours: true}}
	}
	return true, nil
}
