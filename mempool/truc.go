package mempool

import (
	"granary/base/check"
	"granary/mempool/policy"
	"granary/state"
)

// The rules of version 3, BIP431: parent and child are alone and small, so
// that nobody can pin either of them.

const codeTRUC check.Code = "TRUC-violation"

func name(tx *state.Tx) string { return tx.Txid.String() + " (wtxid=" + tx.Wtxid.String() + ")" }

// checkTRUC holds a transaction to the rules among its ancestors in the pool.
// A child that comes second takes the place of the first, if that is all that
// stands below the parent and its own ways of replacement allow it.
func (p *Pool) checkTRUC(t *trial) error {
	for _, a := range t.ancestors {
		if err := sameVersion(t.tx, a.Tx); err != nil {
			return err
		}
	}
	if t.tx.Msg.Version != policy.TRUCVersion {
		return nil
	}
	if t.entry.VBytes > policy.MaxTRUCVBytes {
		return refuse(codeTRUC, "version=3 tx %s is too big: %d > %d virtual bytes", name(t.tx), t.entry.VBytes, policy.MaxTRUCVBytes)
	}
	if len(t.ancestors)+1 > policy.MaxTRUCCluster {
		return refuse(codeTRUC, "tx %s would have too many ancestors", name(t.tx))
	}
	if len(t.ancestors) == 0 {
		return nil
	}
	if err := childSize(t); err != nil {
		return err
	}
	return p.makeRoom(t, t.ancestors[0])
}

// makeRoom finds the child of parent that t would replace, where it does not
// anyway.
func (p *Pool) makeRoom(t *trial, parent *Entry) error {
	if parent.descendants.count+1 <= policy.MaxTRUCCluster {
		return nil
	}
	if len(parent.children) > 0 {
		sibling := parent.children[0]
		for _, e := range t.conflicts {
			if e == sibling {
				return nil
			}
		}
		if t.from == fromOutside && parent.descendants.count == 2 && sibling.ancestors.count == 2 {
			t.conflicts, t.evicts = append(t.conflicts, sibling), true
			return nil
		}
	}
	return tooManyChildren(parent.Tx)
}

func sameVersion(child, parent *state.Tx) error {
	switch c, p := child.Msg.Version == policy.TRUCVersion, parent.Msg.Version == policy.TRUCVersion; {
	case p && !c:
		return refuse(codeTRUC, "non-version=3 tx %s cannot spend from version=3 tx %s", name(child), name(parent))
	case c && !p:
		return refuse(codeTRUC, "version=3 tx %s cannot spend from non-version=3 tx %s", name(child), name(parent))
	}
	return nil
}

func childSize(t *trial) error {
	if t.entry.VBytes <= policy.MaxTRUCChildVBytes {
		return nil
	}
	return refuse(codeTRUC, "version=3 child tx %s is too big: %d > %d virtual bytes", name(t.tx), t.entry.VBytes, policy.MaxTRUCChildVBytes)
}

func tooManyChildren(parent *state.Tx) error {
	return refuse(codeTRUC, "tx %s would exceed descendant count limit", name(parent))
}

// packageTRUC holds the transactions of a package to the rules among
// themselves and with the pool.
func packageTRUC(trials []*trial) error {
	for _, t := range trials {
		if err := mateTRUC(t, trials); err != nil {
			return err
		}
	}
	return nil
}

func mateTRUC(t *trial, trials []*trial) error {
	var parent *trial
	parents := 0
	for _, mate := range t.mates {
		if !spends(t.tx.Msg, mate.tx.Txid) {
			continue
		}
		if err := sameVersion(t.tx, mate.tx); err != nil {
			return err
		}
		parent = mate
		parents++
	}
	if t.tx.Msg.Version != policy.TRUCVersion {
		return nil
	}
	if len(t.ancestors)+parents+1 > policy.MaxTRUCCluster {
		return refuse(codeTRUC, "tx %s would have too many ancestors", name(t.tx))
	}
	var above *state.Tx
	switch {
	case parent != nil:
		above = parent.tx
	case len(t.ancestors) > 0:
		above = t.ancestors[0].Tx
	default:
		return nil
	}
	if err := childSize(t); err != nil {
		return err
	}
	for _, other := range trials {
		switch {
		case other == t:
		case spends(other.tx.Msg, above.Txid):
			return tooManyChildren(above)
		case spends(other.tx.Msg, t.tx.Txid):
			return refuse(codeTRUC, "tx %s would have too many ancestors", name(other.tx))
		}
	}
	return nil
}
