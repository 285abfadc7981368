package mempool

import (
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/base/check"
	"granary/mempool/policy"
)

// checkWorth asks for the price, and that a chain of unconfirmed
// transactions stays short.
func (p *Pool) checkWorth(t *trial) error {
	e := t.entry
	if err := policy.CheckSigOps(e.SigOpCost); err != nil {
		return err
	}
	if err := p.checkFee(t); err != nil {
		return err
	}
	t.ancestors = p.reach(up, p.parentsOf(t.tx.Msg)...)
	if err := p.checkChain(t); err != nil {
		return err
	}
	if err := p.checkTRUC(t); err != nil {
		return err
	}
	for _, a := range t.ancestors {
		if slices.Contains(t.conflicts, a) {
			return check.Rule("bad-txns-spends-conflicting-tx", "%v spends conflicting transaction %v", t.tx.Txid, a.Tx.Txid)
		}
	}
	return nil
}

// checkFee asks for the price. Where a child pays, version 3 needs no fee of
// its own: that version's bounds keep parent and child together.
func (p *Pool) checkFee(t *trial) error {
	e := t.entry
	if t.from == fromLostBlock {
		return nil
	}
	if err := policy.CheckDust(e.dust, e.FeeUnits, e.modified()); err != nil {
		return err
	}
	if e.free() {
		if len(e.dust) > 0 {
			return refuse("dust", "what travels free leaves none")
		}
		return nil
	}
	if t.tx.Msg.Version != policy.TRUCVersion {
		if err := p.policy.CheckRelayFee(e.modified(), e.VBytes); err != nil {
			return err
		}
	}
	if t.from == fromHelped {
		return nil
	}
	return p.policy.CheckFee(e.modified(), e.VBytes, p.floorRate())
}

// checkChain holds the bounds on ancestors and descendants. What the only
// conflict leaves free may be taken. One small child more is taken where the
// parent is its only ancestor, so that each side of a contract can bump a
// shared transaction.
func (p *Pool) checkChain(t *trial) error {
	bounds := *p.policy
	if len(t.conflicts) == 1 {
		bounds.MaxDescendants++
		bounds.MaxDescendantVBytes += t.conflicts[0].descendants.vbytes
	}
	err := chainFits(t.entry, t.ancestors, &bounds)
	if err == nil || t.entry.VBytes > policy.ExtraDescendantVBytes || t.tx.Msg.Version == policy.TRUCVersion {
		return err
	}
	bounds.MaxAncestors = 2
	bounds.MaxDescendants++
	bounds.MaxDescendantVBytes += policy.ExtraDescendantVBytes
	if chainFits(t.entry, t.ancestors, &bounds) != nil {
		return err
	}
	return nil
}

const codeLongChain check.Code = "too-long-mempool-chain"

func chainFits(e *Entry, ancestors []*Entry, bounds *policy.Settings) error {
	vbytes, parents := e.VBytes, make(map[chainhash.Hash]bool, len(e.Tx.Msg.TxIn))
	for _, in := range e.Tx.Msg.TxIn {
		parents[in.PreviousOutPoint.Hash] = true
	}
	// In Bitcoin Core's order: the parents' descendants, one's own ancestors,
	// the descendants of the others. Tests and users compare the reason.
	var near, far []*Entry
	for _, a := range ancestors {
		vbytes += a.VBytes
		if parents[a.Tx.Txid] {
			near = append(near, a)
		} else {
			far = append(far, a)
		}
	}
	if err := descendantsFit(e, near, bounds); err != nil {
		return err
	}
	switch {
	case len(ancestors)+1 > bounds.MaxAncestors:
		return refuse(codeLongChain, "too many unconfirmed ancestors [limit: %d]", bounds.MaxAncestors)
	case vbytes > bounds.MaxAncestorVBytes:
		return refuse(codeLongChain, "exceeds ancestor size limit [limit: %d]", bounds.MaxAncestorVBytes)
	}
	return descendantsFit(e, far, bounds)
}

// descendantsFit holds the bounds of what e adds to ancestors.
func descendantsFit(e *Entry, ancestors []*Entry, bounds *policy.Settings) error {
	for _, a := range ancestors {
		switch {
		case a.descendants.vbytes+e.VBytes > bounds.MaxDescendantVBytes:
			return refuse(codeLongChain, "exceeds descendant size limit for tx %v [limit: %d]", a.Tx.Txid, bounds.MaxDescendantVBytes)
		case a.descendants.count+1 > bounds.MaxDescendants:
			return refuse(codeLongChain, "too many descendants for tx %v [limit: %d]", a.Tx.Txid, bounds.MaxDescendants)
		}
	}
	return nil
}

// checkDustSpent asks a child to spend all dust of its unconfirmed parents, so
// that none is left in the state ("missing-ephemeral-spends").
func (p *Pool) checkDustSpent(t *trial) error {
	if !p.standard || t.from == fromLostBlock {
		return nil
	}
	for _, in := range t.tx.Msg.TxIn {
		parent := p.find(&in.PreviousOutPoint.Hash, t.mates)
		if parent == nil {
			continue
		}
		for _, index := range parent.dust {
			if !spendsOutput(t.tx.Msg, parent.Tx.Txid, index) {
				return refuse("missing-ephemeral-spends", "tx %v (wtxid=%v) did not spend parent's ephemeral dust", t.tx.Txid, t.tx.Wtxid)
			}
		}
	}
	return nil
}
