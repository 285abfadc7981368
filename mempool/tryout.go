package mempool

import (
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/mempool/policy"
	"granary/state"
)

// maxPackageWeight bounds transactions that are tried together.
const maxPackageWeight = 404_000

// Result is what TestAccept or SubmitPackage say of one transaction.
type Result struct {
	Tx *state.Tx
	// Entry is the transaction in the pool, or what it would be there; nil if
	// refused.
	Entry *Entry
	// Err is the refusal.
	Err error
	// Evaluated is false where another transaction of the same package was
	// refused first, or the package as a whole: nothing is said then.
	Evaluated bool
	// PackageError is Core's reason against the package as a whole.
	PackageError string
	// Already says that it was in the pool before; Other is the wtxid of the
	// one that was, where that has another witness.
	Already bool
	Other   *chainhash.Hash
	// EffectiveFeeUnits and EffectiveVBytes are the modified fee and the size
	// by which it was judged: its own, or those of all of Includes (wtxids).
	EffectiveFeeUnits, EffectiveVBytes int64
	Includes                           []chainhash.Hash
}

// RejectReason is the refusal as testmempoolaccept shows it, "" if there is
// none.
func (r *Result) RejectReason() string {
	if r.Err == nil {
		return ""
	}
	rule := check.AsRule(r.Err)
	switch {
	case rule == nil:
		return r.Err.Error()
	case rule.Kind == check.Unconnected:
		return "missing-inputs"
	}
	return string(rule.Code)
}

// pass notes that a trial is good, judged by the fees of all of by.
func (r *Result) pass(t *trial, by []*trial) {
	r.Evaluated, r.Entry, r.Err = true, t.entry, nil
	r.EffectiveFeeUnits, r.EffectiveVBytes, r.Includes = 0, 0, nil
	for _, other := range by {
		r.EffectiveFeeUnits += other.entry.modified()
		r.EffectiveVBytes += other.entry.VBytes
		r.Includes = append(r.Includes, other.tx.Wtxid)
	}
}

func (r *Result) fail(err error) { r.Evaluated, r.Entry, r.Err = true, nil, err }

// TestAccept tells what Accept would say of transactions, each by itself and
// by its own fee; later ones may spend earlier ones. It changes nothing and
// does not look for room. Several must be at most 25, in order, without
// conflicts among them or with the pool. Results come in the order of txs; of
// several, all are evaluated, or only the first that is refused.
func (p *Pool) TestAccept(txs []*state.Tx) []Result {
	results := newResults(txs)
	reason := packageError(txs)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case reason != "":
	case len(txs) == 1:
		if t, err := p.judge(txs[0], fromOutside); err != nil {
			results[0].fail(err)
		} else {
			results[0].pass(t, []*trial{t})
		}
	default:
		_, reason, _ = p.together(refs(results), fromTogether)
	}
	if reason == failedOne {
		reason = ""
	}
	for i := range results {
		results[i].PackageError = reason
	}
	return results
}

func newResults(txs []*state.Tx) []Result {
	results := make([]Result, len(txs))
	for i, tx := range txs {
		results[i].Tx = tx
	}
	return results
}

func refs(results []Result) []*Result {
	list := make([]*Result, len(results))
	for i := range results {
		list[i] = &results[i]
	}
	return list
}

// packageError holds several transactions to the bounds of a package.
func packageError(txs []*state.Tx) string {
	if len(txs) < 2 {
		return ""
	}
	if len(txs) > policy.MaxPackageTxs {
		return "package-too-many-transactions"
	}
	var weight int64
	place := map[chainhash.Hash]int{}
	for i, tx := range txs {
		weight += tx.Weight()
		place[tx.Txid] = i
	}
	switch {
	case weight > maxPackageWeight:
		return "package-too-large"
	case len(place) < len(txs):
		return "package-contains-duplicates"
	}
	spent := map[wire.OutPoint]int{}
	conflict := false
	for i, tx := range txs {
		for _, in := range tx.Msg.TxIn {
			if parent, ok := place[in.PreviousOutPoint.Hash]; ok && parent >= i {
				return "package-not-sorted"
			}
			by, twice := spent[in.PreviousOutPoint]
			conflict = conflict || twice && by != i // one's own twice is no conflict but an error of its own
			spent[in.PreviousOutPoint] = i
		}
	}
	if conflict {
		return "conflict-in-package"
	}
	return ""
}
