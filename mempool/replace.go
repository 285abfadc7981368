package mempool

import (
	"slices"

	"granary/base/check"
	"granary/mempool/policy"
)

// checkConflicts finds what a transaction cannot stand beside and so would
// replace: what spends the same outpoint, and what moves the same receipt's
// coins, claim or debt.
func (p *Pool) checkConflicts(t *trial) error {
	add := func(e *Entry) error {
		switch {
		case e == nil || slices.Contains(t.conflicts, e):
			return nil
		case t.from == fromTogether:
			return refuse("bip125-replacement-disallowed", "")
		case t.from == fromLostBlock || p.optIn && !signals(e):
			return refuse("txn-mempool-conflict", "%v does or spends the same", e.Tx.Txid)
		}
		t.conflicts = append(t.conflicts, e)
		return nil
	}
	for _, in := range t.tx.Msg.TxIn {
		if err := add(p.spends[in.PreviousOutPoint]); err != nil {
			return err
		}
	}
	object := t.goods.Object()
	if object.Kind == policy.NoObject {
		return nil
	}
	for _, mate := range t.mates {
		if mate.entry.object == object {
			return refuse("conflict-in-package", "%v does the same", mate.tx.Txid)
		}
	}
	return add(p.objects[object])
}

// signals is BIP125's signal of the transaction itself; version 3 needs none,
// nor does what anyone may make.
func signals(e *Entry) bool {
	const finalMinus1 = 0xfffffffe
	if e.Tx.Msg.Version == policy.TRUCVersion || e.object.Kind != policy.NoObject {
		return true
	}
	for _, in := range e.Tx.Msg.TxIn {
		if in.Sequence < finalMinus1 {
			return true
		}
	}
	return false
}

// checkReplacement holds a transaction to Core's rules for what it replaces:
// it pays a better rate than each, depends on nothing unconfirmed that is new,
// and pays more than all of it with what depends on it by at least the price
// of its own relay.
func (p *Pool) checkReplacement(t *trial) error {
	if len(t.conflicts) == 0 {
		return nil
	}
	var suffix check.Code
	if t.evicts {
		suffix = " (including sibling eviction)"
	}
	e := t.entry
	for _, old := range t.conflicts {
		if policy.CompareRates(e.modified(), e.VBytes, old.modified(), old.VBytes) <= 0 {
			return refuse("insufficient fee"+suffix, "rejecting replacement %v; new feerate %s <= old feerate %s",
				e.Tx.Txid, rateText(e.modified(), e.VBytes), rateText(old.modified(), old.VBytes))
		}
	}
	leaving, err := p.leaving(t.tx.Txid.String(), t.conflicts)
	if err != nil {
		return refuse("too many potential replacements"+suffix, "%s", err)
	}
	for i, in := range t.tx.Msg.TxIn {
		parent := p.txs[in.PreviousOutPoint.Hash]
		if parent == nil || slices.ContainsFunc(t.conflicts, func(old *Entry) bool { return slices.Contains(old.parents, parent) }) {
			continue
		}
		return refuse("replacement-adds-unconfirmed"+suffix, "replacement %v adds unconfirmed input, idx %d", t.tx.Txid, i)
	}
	if text := p.underpays(sumFees(leaving), e.modified(), e.VBytes, t.tx.Txid.String()); text != "" {
		return refuse("insufficient fee"+suffix, "%s", text)
	}
	return nil
}

// tooMany says that a replacement would push out too much.
type tooMany struct {
	who   string
	count int
}

// Error implements error.
func (e tooMany) Error() string {
	return "rejecting replacement " + e.who + "; too many potential replacements (" +
		itoa(e.count) + " > " + itoa(policy.MaxReplaced) + ")"
}

// leaving lists what leaves with conflicts. As in Core what depends on two of
// them counts twice.
func (p *Pool) leaving(who string, conflicts []*Entry) ([]*Entry, error) {
	count := 0
	for _, e := range conflicts {
		count += e.descendants.count
	}
	if count > policy.MaxReplaced {
		return nil, tooMany{who, count}
	}
	return p.reach(down, conflicts...), nil
}

func sumFees(entries []*Entry) (feeUnits int64) {
	for _, e := range entries {
		feeUnits += e.modified()
	}
	return feeUnits
}

// underpays says what a replacement lacks against the fees of what leaves; ""
// if it lacks nothing.
func (p *Pool) underpays(leavingUnits, feeUnits, vbytes int64, who string) string {
	if feeUnits < leavingUnits {
		return "rejecting replacement " + who + ", less fees than conflicting txs; " +
			coinText(feeUnits) + " < " + coinText(leavingUnits)
	}
	relay := policy.FeeAt(p.policy.IncrementalUnitsPerKVB, vbytes)
	if feeUnits-leavingUnits < relay {
		return "rejecting replacement " + who + ", not enough additional fees to relay; " +
			coinText(feeUnits-leavingUnits) + " < " + coinText(relay)
	}
	return ""
}
