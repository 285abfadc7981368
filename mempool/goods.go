package mempool

import (
	"granary/mempool/policy"
	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

const (
	// maxDueTxWeight bounds a transaction in the lane of what is due: a
	// settlement, a lapse with a signature, a slash of eight bonds fit.
	maxDueTxWeight = 4_000
	// maxDueWeight bounds that lane as a whole: a tenth of a block.
	maxDueWeight = 400_000
)

// checkGoods asks the goods rules, and finds whether a free lane is open to the
// transaction.
func (p *Pool) checkGoods(t *trial, v state.View) error {
	if p.rules.Charter == nil {
		return nil
	}
	if err := p.goodsError(t.tx, t.spent, t.parent, v, t.mates); err != nil {
		return err
	}
	e := t.entry
	if !e.Record || p.hasParents(t.tx.Msg, t.mates) {
		return nil
	}
	seat, err := goods.IsSeat(v, t.tx.Msg.TxIn[0].PreviousOutPoint)
	if err != nil {
		return err
	}
	e.Seat = seat && e.Weight <= params.MaxSeatTxWeight
	waiting := p.dueWeight
	for _, mate := range t.mates {
		waiting += mate.entry.dueWeight()
	}
	e.Due = t.goods.Due() && e.Weight <= maxDueTxWeight && waiting+e.Weight <= maxDueWeight
	return nil
}

// goodsError judges a transaction by the goods rules on the tip, and refuses
// what spends an output that an unconfirmed transaction makes a seat, token,
// escrow, bond or one that waits: the rules would refuse it in the same block,
// and know it for nothing before.
func (p *Pool) goodsError(tx *state.Tx, spent []*state.Coin, tip *state.Header, v state.View, mates []*trial) error {
	for _, in := range tx.Msg.TxIn {
		op := in.PreviousOutPoint
		parent := p.find(&op.Hash, mates)
		if parent == nil || !parent.Record {
			continue
		}
		msg := parent.Tx.Msg
		if code := policy.ReadGoods(p.treasury, msg).Bound(int(op.Index), msg.TxOut[op.Index]); code != "" {
			return refuse(code, "output %v is the goods rules', and %v waits for a block itself: send this one after it", op, op.Hash)
		}
	}
	next, err := p.nextBlock(tip, v)
	if err != nil {
		return err
	}
	return next.CheckTx(tx, spent)
}

// nextBlock is the block above tip for the goods rules. It is begun once for a
// tip: what a height brings can be the work of many transactions, which nobody
// may ask for with one that pays nothing, or again for each that waits.
func (p *Pool) nextBlock(tip *state.Header, v state.View) (*goods.Next, error) {
	if p.next != nil && p.nextTo == tip.Hash {
		return p.next, nil
	}
	next, err := goods.BeginNext(p.rules.Charter, tip, v)
	if err != nil {
		return nil, err
	}
	p.next, p.nextTo = next, tip.Hash
	return next, nil
}
