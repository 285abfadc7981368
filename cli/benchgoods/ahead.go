package benchgoods

import (
	"fmt"

	"granary/state"
)

// ahead makes n blocks of the mix (behind the warm-up) on top of the tip, on an
// overlay over the state: the engine does not see them yet. Each is raw bytes,
// to be decoded by who measures.
func (m *maker) ahead(n int) (raws [][]byte, err error) {
	err = m.engine.View(func(tip *state.Header, v state.View) error {
		over := state.NewOverlay(v, 0)
		x, err := newMix(m, over)
		if err != nil {
			return err
		}
		parent := tip
		for k := range warmUpBlocks + n {
			if parent, err = x.next(k, parent, over, &raws); err != nil {
				return fmt.Errorf("making measured block %d: %w", k, err)
			}
		}
		return nil
	})
	return raws, err
}

// next makes block k and moves over by it.
func (x *mix) next(k int, parent *state.Header, over *state.Overlay, raws *[][]byte) (*state.Header, error) {
	acts := x.planned
	d, err := newDraft(x.rules.Charter, parent, over, &x.purse)
	if err != nil {
		return nil, err
	}
	if err := x.fill(d, k); err != nil {
		return nil, err
	}
	if k >= warmUpBlocks && len(d.txs) != RecordsPerBlock {
		return nil, fmt.Errorf("the block has %d records, it should have %d", len(d.txs), RecordsPerBlock)
	}
	b, err := assemble(x.rules, parent, over, d.txs, d.feesUnits)
	if err != nil {
		return nil, err
	}
	h := state.NewHeader(&b.Msg.Header, parent)
	delta, _, _, err := x.rules.Connect(b, h, over, nil)
	if err != nil {
		return nil, err
	}
	if err := move(over, delta); err != nil {
		return nil, err
	}
	d.done(b)
	x.note(acts)
	*raws = append(*raws, b.Raw)
	return h, nil
}

// note keeps what a block brought: its tenders, receipts and claims.
func (x *mix) note(acts []planned) {
	for _, p := range acts {
		x.tendered = append(x.tendered, p.tendered...)
		x.receipts += p.receipts
	}
	for range x.opening {
		x.open = append(x.open, x.claims)
		x.claims++
	}
	x.opening = 0
}

// move changes the overlay by a block.
func move(over *state.Overlay, delta *state.Delta) error {
	for _, spent := range delta.Spent {
		if _, err := over.Spend(spent.Out); err != nil {
			return err
		}
	}
	for _, created := range delta.Created {
		if err := over.Create(created.Out, created.Coin, true); err != nil {
			return err
		}
	}
	for _, changes := range [][]state.GoodsChange{delta.Goods, delta.Nodes} {
		for _, c := range changes {
			if err := over.SetGoods(c.Key, c.New); err != nil {
				return err
			}
		}
	}
	return nil
}
