package mempool

import (
	"math"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/base/check"
	"granary/chain"
	"granary/params"
	"granary/state"
)

// maxLostBytes bounds the transactions of lost blocks that wait for their way
// back into the pool.
const maxLostBytes = 20 << 20

// lostBlocks holds the transactions of blocks that left the chain until the
// pool sees the state it hears of: in the order of the chain.
type lostBlocks struct {
	txs    []*state.Tx // owned
	bytes  int
	lowest int32 // height of the lowest lost block
}

func (l *lostBlocks) reset() { *l = lostBlocks{lowest: math.MaxInt32} }

// add puts a block's transactions before those of later blocks. Beyond the
// bound those that came last are let go.
func (l *lostBlocks) add(b *state.Block, height int32) error {
	l.lowest = min(l.lowest, height)
	txs := make([]*state.Tx, 0, len(b.Txids)-1+len(l.txs))
	for i := 1; i < len(b.Txids); i++ {
		tx, err := clone(b.Tx(i))
		if err != nil {
			return err
		}
		txs = append(txs, tx)
		l.bytes += len(tx.Raw)
	}
	l.txs = append(txs, l.txs...)
	for l.bytes > maxLostBytes {
		last := len(l.txs) - 1
		l.bytes -= len(l.txs[last].Raw)
		l.txs[last] = nil
		l.txs = l.txs[:last]
	}
	return nil
}

// Connect implements chain.Follower: what the block confirmed leaves, and so
// does what spends an outpoint that the block spent otherwise.
func (p *Pool) Connect(ev *chain.Event) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var confirmed []chainhash.Hash
	for i := 1; i < len(ev.Block.Txids); i++ {
		delete(p.deltas, ev.Block.Txids[i])
		if e := p.txs[ev.Block.Txids[i]]; e != nil {
			p.remove(e, Confirmed, ev.Header.Height)
			confirmed = append(confirmed, ev.Block.Txids[i])
			continue
		}
		for _, in := range ev.Block.Msg.Transactions[i].TxIn {
			if e := p.spends[in.PreviousOutPoint]; e != nil {
				p.removeTree(e, Conflict)
			}
		}
	}
	if p.fees != nil {
		p.fees.Block(ev.Header.Height, confirmed)
	}
	p.floor.blockCame(p.clock.Now())
	p.expire()
	return p.settle(ev.Header)
}

// Disconnect implements chain.Follower: the block's transactions wait for
// their way back.
func (p *Pool) Disconnect(ev *chain.Event) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.lost.add(ev.Block, ev.Header.Height); err != nil {
		return err
	}
	return p.settle(ev.Header.Parent)
}

// Prune implements chain.Follower.
func (p *Pool) Prune(int32) error { return nil }

// settle puts the pool in order if the state that it sees is the one after
// at: lost transactions come back, and what the state no longer allows goes.
// The engine's goroutine is here, so the state does not move meanwhile.
func (p *Pool) settle(at *state.Header) error {
	p.next = nil
	var tip *state.Header
	err := p.chain.View(func(now *state.Header, _ state.View) error {
		tip = now
		return nil
	})
	if err != nil || tip.Hash != at.Hash {
		return err
	}
	lost := p.lost
	p.lost.reset()
	for _, tx := range lost.txs {
		t, err := p.judge(tx, fromLostBlock)
		if err == nil {
			p.put(t)
			p.shorten(t.entry)
		} else if check.AsRule(err) == nil {
			return err
		}
	}
	if err := p.recheck(lost.lowest); err != nil {
		return err
	}
	p.trim()
	return nil
}

// shorten holds the bounds on chains around an entry that came back below
// its children: the farthest descendants go.
func (p *Pool) shorten(e *Entry) {
	if len(e.children) == 0 {
		return
	}
	for _, d := range p.reach(down, e)[1:] {
		if p.txs[d.Tx.Txid] == d && beyond(d.ancestors, p.policy.MaxAncestors, p.policy.MaxAncestorVBytes) {
			p.removeTree(d, Reorg)
		}
	}
	for _, a := range p.reach(up, e) {
		if p.txs[a.Tx.Txid] != a {
			continue // went with one of its own ancestors
		}
		descendants := p.reach(down, a)
		slices.SortFunc(descendants, byDepth)
		for _, d := range slices.Backward(descendants) {
			if !beyond(a.descendants, p.policy.MaxDescendants, p.policy.MaxDescendantVBytes) {
				break
			}
			p.remove(d, Reorg, 0)
		}
	}
}

// beyond reports whether sums are over the bounds of a chain.
func beyond(s sums, maxCount int, maxVBytes int64) bool {
	return s.count > maxCount || s.vbytes > maxVBytes
}

// recheck judges anew what may have changed its standing: entries that spent
// a coin from height lowest upwards, whose locks or coinbases may not be ripe
// any more, and those that the goods rules judge by their state: what carries a
// record, and after a reorganisation what spends an output that may be a seat
// or a token again.
func (p *Pool) recheck(lowest int32) error {
	return p.chain.View(func(tip *state.Header, v state.View) error {
		reorganised := lowest != math.MaxInt32
		doubtful := p.entriesThat(func(e *Entry) bool {
			return e.Record || reorganised && (e.timed || e.empties || e.inputHeight >= lowest ||
				e.coinbaseHeight >= 0 && e.coinbaseHeight+params.CoinbaseMaturity > tip.Height+1)
		})
		for _, e := range doubtful {
			if p.txs[e.Tx.Txid] != e {
				continue // went with a parent
			}
			err := p.stillGood(e, tip, v)
			if check.AsRule(err) != nil {
				why := Overtaken
				if reorganised {
					why = Reorg
				}
				p.removeTree(e, why)
			} else if err != nil {
				return err
			}
		}
		return nil
	})
}

// stillGood judges an entry by the state without its scripts, which depend on
// its coins alone.
func (p *Pool) stillGood(e *Entry, tip *state.Header, v state.View) error {
	spent, err := p.coinsOf(e.Tx, tip, v, nil)
	if err != nil {
		return err
	}
	next := tip.Height + 1
	if err := p.rules.CheckFinal(e.Tx, next, tip.MedianTimePast()); err != nil {
		return err
	}
	if err := p.rules.CheckSequenceLocks(e.Tx, spent, tip); err != nil {
		return err
	}
	if _, err := p.rules.CheckTxInputs(e.Tx, spent, next); err != nil {
		return err
	}
	e.noteCoins(spent, tip.Height)
	if p.rules.Charter == nil {
		return nil
	}
	return p.goodsError(e.Tx, spent, tip, v, nil)
}

var (
	_ chain.Follower = (*Pool)(nil)
	_ Chain          = (*chain.Engine)(nil)
	_ state.CoinView = coinView{}
)
