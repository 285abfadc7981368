package mempool

import (
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
// "bad-txns-inputs-missingorspent" of kind Unconnected. Any other error is the
// world's.
func (p *Pool) Accept(tx *state.Tx) (*Entry, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, err := p.admit(tx, fromOutside)
	if err != nil {
		return nil, err
	}
	p.trim()
	if p.txs[e.Tx.Txid] != e {
		return nil, refuse("mempool full", "it pays too little for the room that is left")
	}
	return e, nil
}

// origin says where a transaction comes from.
type origin uint8

const (
	fromOutside   origin = iota
	fromPackage          // with others: it replaces nothing
	fromLostBlock        // it was in a block: no fee is asked again
)

// admit judges a transaction and puts it in, in the place of what it replaces.
func (p *Pool) admit(tx *state.Tx, from origin) (*Entry, error) {
	t, err := p.judge(tx, from)
	if err != nil {
		return nil, err
	}
	for _, e := range t.conflicts {
		if p.txs[e.Tx.Txid] == e { // else it went with another
			p.removeTree(e, Replaced)
		}
	}
	p.insert(t.entry)
	return t.entry, nil
}

// trial is what is found out about a transaction on its way in.
type trial struct {
	tx        *state.Tx
	from      origin
	goods     *policy.Goods
	conflicts []*Entry      // what it replaces
	spent     []*state.Coin // by input; owned
	parent    *state.Header // the tip
	entry     *Entry
}

// judge finds the entry that a transaction would be.
func (p *Pool) judge(tx *state.Tx, from origin) (*trial, error) {
	t := &trial{tx: tx, from: from, goods: policy.ReadGoods(p.treasury, tx.Msg)}
	if err := p.checkAlone(t); err != nil {
		return nil, err
	}
	err := p.chain.View(func(tip *state.Header, v state.View) error {
		t.parent = tip
		return p.checkState(t, v)
	})
	if err != nil {
		return nil, err
	}
	if err := p.checkScripts(t); err != nil {
		return nil, err
	}
	t.entry.Tx, err = clone(tx)
	return t, err
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
		if err := policy.CheckTx(tx, t.goods); err != nil {
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
	if t.spent, err = p.coinsOf(t.tx, t.parent, v); err != nil {
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
		FeeUnits: feeUnits, Weight: t.tx.Weight(),
		SigOpCost: script.SigOpCost(t.tx.Msg, t.spent, script.StandardFlags),
		Added:     p.clock.Now(), Height: t.parent.Height,
		Record: t.goods != nil, object: object,
		usageBytes: usageOf(t.tx) + objectUsage(object), timed: isTimed(t.tx.Msg),
	}
	e.VBytes = policy.VBytes(e.Weight, e.SigOpCost)
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

// checkWorth asks for the price, and that a chain of unconfirmed
// transactions stays short.
func (p *Pool) checkWorth(t *trial) error {
	e := t.entry
	if err := policy.CheckSigOps(e.SigOpCost); err != nil {
		return err
	}
	if t.from != fromLostBlock && !e.free() {
		if err := policy.CheckFee(e.FeeUnits, e.VBytes, p.floorRate()); err != nil {
			return err
		}
	}
	if err := p.checkReplacement(t); err != nil {
		return err
	}
	ancestors := p.reach(up, p.parentsOf(t.tx.Msg)...)
	if err := p.checkChain(t, ancestors); err != nil {
		return err
	}
	relatives := make([]policy.Relative, len(ancestors))
	for i, a := range ancestors {
		relatives[i] = policy.Relative{Version: a.Tx.Msg.Version, Descendants: a.descendants.count}
	}
	return policy.CheckTRUC(t.tx.Msg.Version, e.VBytes, relatives)
}

// checkChain holds the bounds on ancestors and descendants. One small child
// more is taken where the parent is its only ancestor, so that each side of a
// contract can bump a shared transaction.
func (p *Pool) checkChain(t *trial, ancestors []*Entry) error {
	err := chainFits(t.entry, ancestors, policy.MaxDescendants, policy.MaxDescendantVBytes)
	if err == nil || len(ancestors) != 1 || t.entry.VBytes > policy.ExtraDescendantVBytes ||
		t.tx.Msg.Version == policy.TRUCVersion {
		return err
	}
	if chainFits(t.entry, ancestors, policy.MaxDescendants+1,
		policy.MaxDescendantVBytes+policy.ExtraDescendantVBytes) != nil {
		return err
	}
	return nil
}

func chainFits(e *Entry, ancestors []*Entry, maxDescendants int, maxDescendantVBytes int64) error {
	const code = "too-long-mempool-chain"
	vbytes := e.VBytes
	for _, a := range ancestors {
		vbytes += a.VBytes
		switch {
		case a.descendants.vbytes+e.VBytes > maxDescendantVBytes:
			return refuse(code, "exceeds descendant size limit for tx %v [limit: %d]", a.Tx.Txid, maxDescendantVBytes)
		case a.descendants.count+1 > maxDescendants:
			return refuse(code, "too many descendants for tx %v [limit: %d]", a.Tx.Txid, maxDescendants)
		}
	}
	switch {
	case len(ancestors)+1 > policy.MaxAncestors:
		return refuse(code, "too many unconfirmed ancestors [limit: %d]", policy.MaxAncestors)
	case vbytes > policy.MaxAncestorVBytes:
		return refuse(code, "exceeds ancestor size limit [limit: %d]", policy.MaxAncestorVBytes)
	}
	return nil
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
		return err
	}
	if rule := check.AsRule(strict); rule != nil {
		return refuse("non-mandatory-script-verify-flag", "%s", rule.Detail)
	}
	return nil
}
