package mempool

import (
	"time"

	"granary/base/check"
	"granary/mempool/policy"
	"granary/params"
	"granary/rules/block"
	"granary/rules/script"
	"granary/state"
)

// refuse makes the RuleError of a transaction that is not wanted here now.
func refuse(code check.Code, format string, args ...any) error {
	return check.RuleKind(check.Policy, code, format, args...)
}

// Accept takes a transaction into the pool. It copies what it keeps, so tx
// stays the caller's. A refusal is a check.RuleError whose code is Bitcoin
// Core's reject reason or the goods rule's own; inputs that nobody knows are
// "bad-txns-inputs-missingorspent" of kind Unconnected, and what a lost or
// foreign witness may be to blame for is of kind Mutated. Any other error is
// the world's.
func (p *Pool) Accept(tx *state.Tx) (*Entry, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t, err := p.judge(tx, fromOutside)
	if err != nil {
		return nil, err
	}
	p.put(t)
	p.learn(t)
	p.trim()
	if p.txs[tx.Txid] != t.entry {
		return nil, errFull
	}
	return t.entry, nil
}

// currentTip is how old a tip may be for fees to be of today.
const currentTip = 3 * time.Hour

// learn lets the fee estimates follow what came by itself, on its own fee, while
// the chain is current.
func (p *Pool) learn(t *trial) {
	e := t.entry
	if p.fees == nil || len(e.parents) > 0 || e.free() || p.clock.Now().Sub(t.parent.Raw.Timestamp) > currentTip {
		return
	}
	p.fees.Came(t.tx.Txid, e.Height, e.FeeUnits, e.VBytes)
}

// errFull refuses what came in and was the worst at once.
var errFull = refuse("mempool full", "it pays too little for the room that is left")

// origin says where a transaction comes from.
type origin uint8

const (
	fromOutside   origin = iota
	fromTogether         // tried with others: it replaces nothing
	fromHelped           // with a child that pays for it, or as that child
	fromLostBlock        // it was in a block: no fee is asked again
)

// put lets trials in, one after the other, in the place of what they replace.
func (p *Pool) put(trials ...*trial) {
	for _, t := range trials {
		for _, e := range t.conflicts {
			if p.txs[e.Tx.Txid] == e { // else it went with another
				p.removeTree(e, Replaced)
			}
		}
	}
	for _, t := range trials {
		p.insert(t.entry)
	}
}

// judge finds the entry that a transaction by itself would be.
func (p *Pool) judge(tx *state.Tx, from origin) (*trial, error) {
	t, err := p.look(tx, from, nil)
	if err != nil {
		return nil, err
	}
	if err := p.checkDustSpent(t); err != nil {
		return nil, err
	}
	if err := p.checkReplacement(t); err != nil {
		return nil, err
	}
	return t, p.seal(t)
}

// look is all of the judgement that comes before what it replaces and its
// scripts. mates are the transactions of its package that come before it.
func (p *Pool) look(tx *state.Tx, from origin, mates []*trial) (*trial, error) {
	t := &trial{tx: tx, from: from, mates: mates, goods: policy.ReadGoods(p.treasury, tx.Msg)}
	if err := p.checkAlone(t); err != nil {
		return nil, err
	}
	err := p.chain.View(func(tip *state.Header, v state.View) error {
		t.parent = tip
		return p.checkState(t, v)
	})
	return t, err
}

// seal runs the scripts and gives the entry its own copy of the transaction.
func (p *Pool) seal(t *trial) (err error) {
	if err := p.checkScripts(t); err != nil {
		return err
	}
	t.entry.Tx, err = clone(t.tx)
	return err
}

// checkAlone is what needs no state.
func (p *Pool) checkAlone(t *trial) error {
	tx := t.tx
	if err := p.rules.CheckTx(tx); err != nil {
		return err
	}
	if block.IsCoinbase(tx.Msg) {
		return refuse("coinbase", "a coinbase lives in its block only")
	}
	if p.standard {
		if err := p.policy.CheckTx(tx, t.goods); err != nil {
			return err
		}
	} else if weight := tx.Weight(); weight > params.MaxBlockWeight-blockReserveWeight {
		return refuse("tx-size", "%d weight units fit into no block", weight)
	}
	return policy.CheckSize(tx.Msg)
}

// blockReserveWeight is the least that a block needs for itself.
const blockReserveWeight = 4_000

// checkState is what the tip's state and the pool say: in Core's order, so
// that of several reasons Core's is given.
func (p *Pool) checkState(t *trial, v state.View) error {
	next := t.parent.Height + 1
	if p.rules.CheckFinal(t.tx, next, t.parent.MedianTimePast()) != nil {
		return refuse("non-final", "the lock time is not over at block %d", next)
	}
	if err := p.checkNew(t); err != nil {
		return err
	}
	var err error
	if t.spent, err = p.coinsOf(t.tx, t.parent, v, t.mates); err != nil {
		return err
	}
	if err := p.rules.CheckSequenceLocks(t.tx, t.spent, t.parent); check.AsRule(err) != nil {
		return refuse("non-BIP68-final", "a relative lock is not over at block %d", next)
	} else if err != nil {
		return err
	}
	feeUnits, err := p.rules.CheckTxInputs(t.tx, t.spent, next)
	if err != nil {
		return err
	}
	if p.standard {
		if err := policy.CheckInputs(t.tx.Msg, t.spent, t.goods); err != nil {
			return err
		}
	}
	t.entry = p.newEntry(t, feeUnits)
	if err := p.checkGoods(t, v); err != nil {
		return err
	}
	return p.checkWorth(t)
}

// checkNew refuses what is here already or stands against what is here.
func (p *Pool) checkNew(t *trial) error {
	tx := t.tx
	if e := p.txs[tx.Txid]; e != nil {
		if e.Tx.Wtxid == tx.Wtxid {
			return refuse("txn-already-in-mempool", "")
		}
		return refuse("txn-same-nonwitness-data-in-mempool", "")
	}
	return p.checkConflicts(t)
}

// newEntry measures a transaction whose coins are known.
func (p *Pool) newEntry(t *trial, feeUnits int64) *Entry {
	object := t.goods.Object()
	e := &Entry{
		Tx: t.tx, delta: p.deltas[t.tx.Txid],
		FeeUnits: feeUnits, Weight: t.tx.Weight(),
		SigOpCost: script.SigOpCost(t.tx.Msg, t.spent, script.StandardFlags),
		Added:     p.clock.Now(), Height: t.parent.Height,
		Record: t.goods != nil, object: object,
		usageBytes: usageOf(t.tx) + objectUsage(object), timed: isTimed(t.tx.Msg),
	}
	e.VBytes = p.policy.VBytes(e.Weight, e.SigOpCost)
	if p.standard {
		e.dust = p.policy.Dust(t.tx.Msg, t.goods)
	}
	e.noteCoins(t.spent, t.parent.Height)
	return e
}

// noteCoins remembers what of the spent coins a reorganisation could take
// away. Coins above the tip are the pool's own.
func (e *Entry) noteCoins(spent []*state.Coin, tipHeight int32) {
	e.inputHeight, e.coinbaseHeight = 0, -1
	for _, coin := range spent {
		e.empties = e.empties || coin.ValueUnits == 0
		if coin.Height > tipHeight {
			continue
		}
		e.inputHeight = max(e.inputHeight, coin.Height)
		if coin.Coinbase {
			e.coinbaseHeight = max(e.coinbaseHeight, coin.Height)
		}
	}
}

// checkScripts runs the scripts by the mempool's flags, which are stricter,
// and then by the next block's, so that the block finds them checked.
func (p *Pool) checkScripts(t *trial) error {
	if p.scripts == nil {
		return nil
	}
	consensus := script.BlockFlags(p.rules.Net, t.parent.Height+1, nil)
	job := script.Job{Tx: t.tx, Spent: t.spent, Flags: script.StandardFlags}
	if t.goods.SpendsTreasury(t.tx.Msg, t.spent) {
		job.Flags &^= script.DiscourageUpgradableWitnessProgram // the treasury's is one
	}
	strict := p.scripts.Check([]script.Job{job})
	if strict != nil && check.AsRule(strict) == nil {
		return strict
	}
	job.Flags = consensus
	if err := p.scripts.Check([]script.Job{job}); err != nil {
		return stripped(t, err)
	}
	if rule := check.AsRule(strict); rule != nil {
		return refuse("non-mandatory-script-verify-flag", "%s", rule.Detail)
	}
	return nil
}

// stripped makes a failed script that may only lack its witness a matter of
// these bytes: under the same txid there may be a good transaction.
func stripped(t *trial, err error) error {
	rule := check.AsRule(err)
	if rule == nil || t.tx.Txid != t.tx.Wtxid || !policy.NeedsWitness(t.tx.Msg, t.spent) {
		return err
	}
	return check.RuleKind(check.Mutated, rule.Code, "%s", rule.Detail)
}
