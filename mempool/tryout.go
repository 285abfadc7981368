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

// Result is what Accept would say of one transaction.
type Result struct {
	Tx *state.Tx
	// Entry is what the transaction would be in the pool; nil if refused. It
	// is not in the pool.
	Entry *Entry
	// Err is the refusal.
	Err error
	// Evaluated is false where an earlier transaction of the same package
	// was refused, or the package as a whole: nothing is said then.
	Evaluated bool
	// PackageError is Core's reason against the package as a whole.
	PackageError string
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

// TestAccept tells what Accept would say of transactions, each by itself and
// by its own fee; later ones may spend earlier ones. It changes nothing and
// does not look for room. Several must be at most 25, in order, without
// conflicts among them. Results come in the order of txs.
func (p *Pool) TestAccept(txs []*state.Tx) []Result {
	results := make([]Result, len(txs))
	for i, tx := range txs {
		results[i].Tx = tx
	}
	if reason := packageError(txs); reason != "" {
		for i := range results {
			results[i].PackageError = reason
		}
		return results
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tryAll(results)
	return results
}

// tryAll puts each transaction in and takes all of them out again.
func (p *Pool) tryAll(results []Result) {
	from := fromOutside
	if len(results) > 1 {
		from = fromPackage
	}
	p.muted = true
	sequence := p.sequence
	defer func() { p.muted, p.sequence = false, sequence }()
	for i := range results {
		r := &results[i]
		r.Evaluated = true
		t, err := p.judge(r.Tx, from)
		if r.Err = err; err != nil {
			return
		}
		r.Entry = t.entry
		if len(t.conflicts) > 0 { // it stands alone, and what it replaces stays
			return
		}
		p.insert(r.Entry)
		defer p.remove(r.Entry, Came, 0)
	}
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
		if _, twice := place[tx.Txid]; twice {
			return "package-contains-duplicates"
		}
		place[tx.Txid] = i
	}
	if weight > maxPackageWeight {
		return "package-too-large"
	}
	spent := map[wire.OutPoint]bool{}
	for i, tx := range txs {
		for _, in := range tx.Msg.TxIn {
			if parent, ok := place[in.PreviousOutPoint.Hash]; ok && parent >= i {
				return "package-not-sorted"
			}
			if spent[in.PreviousOutPoint] {
				return "conflict-in-package"
			}
			spent[in.PreviousOutPoint] = true
		}
	}
	return ""
}
