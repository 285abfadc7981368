package mempool

import (
	"slices"

	"granary/mempool/policy"
)

// maxReplaced bounds what one transaction may push out.
const maxReplaced = 100

// checkConflicts finds what a transaction cannot stand beside: what spends the
// same outpoint, and what moves the same receipt's coins, claim or debt. The
// first of them stays. Only among records that anyone may make, each an answer
// to the same question, may a later one that pays more take the place of
// earlier ones (checkReplacement).
func (p *Pool) checkConflicts(t *trial) error {
	object := t.goods.Object()
	add := func(e *Entry, format string, args ...any) error {
		if e == nil || slices.Contains(t.conflicts, e) {
			return nil
		}
		if t.from != fromOutside || object.Kind == policy.NoObject || e.object.Kind == policy.NoObject {
			return refuse("txn-mempool-conflict", format, args...)
		}
		t.conflicts = append(t.conflicts, e)
		return nil
	}
	for _, in := range t.tx.Msg.TxIn {
		if e := p.spends[in.PreviousOutPoint]; e != nil {
			if err := add(e, "%v spends %v already", e.Tx.Txid, in.PreviousOutPoint); err != nil {
				return err
			}
		}
	}
	if e := p.objects[object]; e != nil {
		return add(e, "%v does the same already", e.Tx.Txid)
	}
	return nil
}

// checkReplacement holds a transaction to Core's rules for what it replaces: it
// depends on none of it and on nothing unconfirmed that is new, pays a better
// rate than each, and more than all of it with what depends on it by at least
// the price of its own relay.
func (p *Pool) checkReplacement(t *trial) error {
	if len(t.conflicts) == 0 {
		return nil
	}
	e := t.entry
	leaving := p.reach(down, t.conflicts...)
	if len(leaving) > maxReplaced {
		return refuse("too many potential replacements", "%d transactions would leave, the most is %d", len(leaving), maxReplaced)
	}
	for _, parent := range p.parentsOf(t.tx.Msg) {
		if slices.Contains(leaving, parent) {
			return refuse("bad-txns-spends-conflicting-tx", "it spends an output of %v, which it replaces", parent.Tx.Txid)
		}
		if !slices.ContainsFunc(t.conflicts, func(old *Entry) bool { return slices.Contains(old.parents, parent) }) {
			return refuse("replacement-adds-unconfirmed", "it spends an output of %v, which what it replaces does not", parent.Tx.Txid)
		}
	}
	var leavingUnits int64
	for _, old := range leaving {
		leavingUnits += old.FeeUnits
	}
	for _, old := range t.conflicts {
		if policy.CompareRates(e.FeeUnits, e.VBytes, old.FeeUnits, old.VBytes) <= 0 {
			return refuse("insufficient fee", "it pays no better rate than %v, which it would replace", old.Tx.Txid)
		}
	}
	if least := leavingUnits + policy.FeeAt(policy.IncrementalUnitsPerKVB, e.VBytes); e.FeeUnits < least {
		return refuse("insufficient fee", "it pays %d units, %d are needed to replace what waits", e.FeeUnits, least)
	}
	return nil
}
