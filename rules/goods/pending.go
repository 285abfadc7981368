package goods

import (
	"bytes"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/params"
	"granary/state"
)

// changeTag separates the ids of pending changes.
const changeTag = "granary/change"

// ChangeID is the id of the change that the transaction txid announces.
func ChangeID(txid chainhash.Hash) (id state.ObjectID) {
	sum := chainhash.TaggedHash([]byte(changeTag), txid[:], make([]byte, 4))
	copy(id[:], sum[:])
	return id
}

// ReadPending gives the change that waits in a slot, nil if there is none.
func ReadPending(view state.GoodsView, slot state.Slot) (*state.Pending, error) {
	value, err := view.Goods(state.KeyPending(slot))
	if err != nil {
		return nil, fmt.Errorf("read a pending change: %w", err)
	}
	if value == nil {
		return nil, nil
	}
	return state.DecodePending(value)
}

// DecodeChange gives what a pending change will do: an Amend from the slot of
// amendments, otherwise a Reseat. The error says that the state is damaged.
func DecodeChange(slot state.Slot, p *state.Pending) (Record, error) {
	parse := parseReseat
	if slot == state.SlotAmend {
		parse = parseAmend
	}
	r, err := parse(p.Body)
	if err != nil {
		return nil, fmt.Errorf("stored change %x is damaged: %v", p.ID[:], err) // a RuleError no more
	}
	return r, nil
}

// readAmendment gives what a pending amendment will do; it must be one.
func readAmendment(p *state.Pending) (Amend, error) {
	r, err := DecodeChange(state.SlotAmend, p)
	if err != nil {
		return Amend{}, err
	}
	return r.(Amend), nil
}

// pendingGoods gives the goods that a pending amendment will change or add, as
// they will be.
func pendingGoods(view state.GoodsView) (map[uint16]*params.Good, error) {
	p, err := ReadPending(view, state.SlotAmend)
	if err != nil || p == nil {
		return nil, err
	}
	r, err := readAmendment(p)
	if err != nil {
		return nil, err
	}
	return r.goodsByIndex(), nil
}

func (r *Amend) goodsByIndex() map[uint16]*params.Good {
	if len(r.Goods) == 0 {
		return nil
	}
	goods := make(map[uint16]*params.Good, len(r.Goods))
	for i := range r.Goods {
		goods[r.Goods[i].Index] = &r.Goods[i].Good
	}
	return goods
}

// change finds the pending change that a record names. It must have been
// announced below this block.
func (g *Block) change(slot state.Slot, id state.ObjectID) (*state.Pending, error) {
	p, err := ReadPending(g.over, slot)
	if err != nil {
		return nil, err
	}
	if p == nil || p.ID != id || p.Announced == g.height {
		return nil, check.Rule(CodeChangeUnknown, "no change with id %x waits in slot %d below this block", id[:], slot)
	}
	return p, nil
}

// checkNoChange: nothing waits in these slots.
func (g *Block) checkNoChange(slots ...state.Slot) error {
	for _, slot := range slots {
		p, err := ReadPending(g.over, slot)
		if err != nil {
			return err
		}
		if p != nil {
			return check.Rule(CodeChangePending, "the change %x waits in slot %d until height %d", p.ID[:], slot, p.Effective)
		}
	}
	return nil
}

// announce lets the record's change wait in a slot, and outputs 1 to seats
// with it.
func (a *action) announce(slot state.Slot, seats int, delayBlocks int64) error {
	g := a.g
	p := &state.Pending{
		ID: ChangeID(a.tx.Txid), Announced: g.height, Effective: later(g.height, delayBlocks), Txid: a.tx.Txid, Body: a.record.Body(),
	}
	for i := range seats {
		p.Scripts = append(p.Scripts, bytes.Clone(a.tx.Msg.TxOut[1+i].PkScript))
		if err := g.setMeaning(p.Out(i), state.Meaning{Kind: state.MeansWaiting, Slot: slot}); err != nil {
			return err
		}
	}
	if err := g.set(state.KeyPending(slot), p.Encode()); err != nil {
		return err
	}
	g.events = append(g.events, ChangeAnnounced{Slot: slot, Pending: *p})
	return nil
}

// withdrawChange takes back what waits in a slot, if anything does: its
// outputs are ordinary.
func (g *Block) withdrawChange(slot state.Slot) error {
	p, err := ReadPending(g.over, slot)
	if err != nil || p == nil {
		return err
	}
	if slot == state.SlotAmend {
		if err := g.withdrawGoods(p); err != nil {
			return err
		}
	}
	for i := range p.Scripts {
		if err := g.setMeaning(p.Out(i), state.Meaning{}); err != nil {
			return err
		}
	}
	if err := g.set(state.KeyPending(slot), nil); err != nil {
		return err
	}
	g.events = append(g.events, ChangeWithdrawn{Slot: slot, Pending: *p})
	return nil
}

// activate lets the changes that are due come into force, by slot.
func (g *Block) activate() error {
	for slot := range state.Slot(state.SlotCount) {
		p, err := ReadPending(g.over, slot)
		if err != nil {
			return err
		}
		if p == nil || p.Effective > g.height {
			continue
		}
		if err := g.makeEffective(slot, p); err != nil {
			return err
		}
	}
	return nil
}

// makeEffective writes what a change wants. What waited is a seat after it.
func (g *Block) makeEffective(slot state.Slot, p *state.Pending) error {
	change, err := DecodeChange(slot, p)
	if err != nil {
		return err
	}
	if err := g.set(state.KeyPending(slot), nil); err != nil {
		return err
	}
	g.events = append(g.events, ChangeEffective{Slot: slot, Pending: *p})
	switch r := change.(type) {
	case Amend:
		return r.makeEffective(g, p)
	case Reseat:
		return r.makeEffective(g, p)
	}
	return nil
}

// seat gives a seat that is there.
func (g *Block) seat(role state.Role, index uint16) (*state.Seat, error) {
	seat, err := readSeat(g.over, role, index)
	if err == nil && seat == nil {
		err = fmt.Errorf("goods state is damaged: there is no seat of %s %d", role, index)
	}
	return seat, err
}

// askedUnits is what a quantity of good index is priced at in this block: at
// the higher par, and no lower than at that of an amendment withdrawn in this
// block, whose par D is still valued at.
func (g *Block) askedUnits(index uint16, good *Good, quantity int64) int64 {
	units := good.HighUpUnits(quantity)
	if withdrawn := g.withdrawn[index]; withdrawn != nil {
		units = max(units, withdrawn.ValueUpUnits(quantity))
	}
	return units
}

// ChangeTx makes the transaction of a seat that announces or withdraws a
// change, to be signed for input 0: the seat goes on under next, and waiting
// are the scripts of the outputs that will be seats, in the order of the
// record's new members.
func ChangeTx(seat *state.Seat, next []byte, waiting [][]byte, r Record) *wire.MsgTx {
	msg := wire.NewMsgTx(2)
	msg.AddTxIn(wire.NewTxIn(&seat.Out, nil, nil))
	msg.AddTxOut(wire.NewTxOut(0, bytes.Clone(next)))
	for _, script := range waiting {
		msg.AddTxOut(wire.NewTxOut(0, bytes.Clone(script)))
	}
	msg.AddTxOut(wire.NewTxOut(0, RecordScript(r)))
	return msg
}
