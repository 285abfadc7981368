package mempool

import (
	"math/big"
	"slices"

	"granary/base/check"
	"granary/mempool/policy"
)

// checkPackage holds several trials to the bounds on chains, as if all of them
// were in one row, and to the rules for what they replace.
func (p *Pool) checkPackage(trials []*trial) error {
	if err := p.checkPackageChain(trials); err != nil {
		return err
	}
	if slices.ContainsFunc(trials, func(t *trial) bool { return len(t.conflicts) > 0 }) {
		if err := p.checkPackageReplacement(trials); err != nil {
			return check.RuleKind(check.Policy, "package RBF failed: "+check.CodeOf(err), "%s", check.AsRule(err).Detail)
		}
	}
	return nil
}

func (p *Pool) checkPackageChain(trials []*trial) error {
	const code = "package-mempool-limits"
	count := len(trials)
	var vbytes int64
	var above []*Entry
	for _, t := range trials {
		vbytes += t.entry.VBytes
		above = append(above, t.ancestors...)
	}
	above = p.reach(up, above...)
	switch {
	case len(above) == 0 && count <= p.policy.MaxAncestors && count <= p.policy.MaxDescendants &&
		vbytes <= p.policy.MaxAncestorVBytes && vbytes <= p.policy.MaxDescendantVBytes:
		return nil
	case count > p.policy.MaxAncestors:
		return refuse(code, "package count %d exceeds ancestor count limit [limit: %d]", count, p.policy.MaxAncestors)
	case count > p.policy.MaxDescendants:
		return refuse(code, "package count %d exceeds descendant count limit [limit: %d]", count, p.policy.MaxDescendants)
	case vbytes > p.policy.MaxAncestorVBytes:
		return refuse(code, "package size %d exceeds ancestor size limit [limit: %d]", vbytes, p.policy.MaxAncestorVBytes)
	case vbytes > p.policy.MaxDescendantVBytes:
		return refuse(code, "package size %d exceeds descendant size limit [limit: %d]", vbytes, p.policy.MaxDescendantVBytes)
	}
	total := vbytes
	for _, a := range above {
		total += a.VBytes
		switch {
		case a.descendants.vbytes+vbytes > p.policy.MaxDescendantVBytes:
			return refuse(code, "possibly exceeds descendant size limit for tx %v [limit: %d]", a.Tx.Txid, p.policy.MaxDescendantVBytes)
		case a.descendants.count+count > p.policy.MaxDescendants:
			return refuse(code, "possibly too many descendants for tx %v [limit: %d]", a.Tx.Txid, p.policy.MaxDescendants)
		}
	}
	switch {
	case len(above)+count > p.policy.MaxAncestors:
		return refuse(code, "possibly too many unconfirmed ancestors [limit: %d]", p.policy.MaxAncestors)
	case total > p.policy.MaxAncestorVBytes:
		return refuse(code, "possibly exceeds ancestor size limit [limit: %d]", p.policy.MaxAncestorVBytes)
	}
	return nil
}

// checkPackageReplacement holds a parent with its child to the rules of
// package replacement: both new, what they replace in clusters of two at most,
// their fee above all that leaves and its relay, the child better than the
// parent, and the mempool better for a miner at every size.
func (p *Pool) checkPackageReplacement(trials []*trial) error {
	if len(trials) != 2 || !spends(trials[1].tx.Msg, trials[0].tx.Txid) {
		return refuse("package must be 1-parent-1-child", "")
	}
	var direct []*Entry
	var feeUnits, vbytes int64
	for _, t := range trials {
		if len(t.ancestors) > 0 {
			return refuse("new transaction cannot have mempool ancestors", "")
		}
		for _, e := range t.conflicts {
			if !slices.Contains(direct, e) {
				direct = append(direct, e)
			}
		}
		feeUnits += t.entry.modified()
		vbytes += t.entry.VBytes
	}
	child := trials[1].tx.Txid.String()
	leaving, err := p.leaving(child, direct)
	if err != nil {
		return refuse("too many potential replacements", "%s", err)
	}
	if text := p.underpays(sumFees(leaving), feeUnits, vbytes, child); text != "" {
		return refuse("insufficient anti-DoS fees", "%s", text)
	}
	parent := trials[0].entry
	if policy.CompareRates(feeUnits, vbytes, parent.modified(), parent.VBytes) <= 0 {
		return refuse("package feerate is less than or equal to parent feerate", "package feerate %s <= parent feerate is %s",
			rateText(feeUnits, vbytes), rateText(parent.modified(), parent.VBytes))
	}
	if text := smallClusters(direct); text != "" {
		return refuse(check.Code(text), "")
	}
	if !better(newChunks(direct, leaving, chunk{feeUnits, vbytes}), oldChunks(leaving)) {
		return refuse("insufficient feerate: does not improve feerate diagram", "")
	}
	return nil
}

// smallClusters says which of the conflicts stands among more than one other.
func smallClusters(direct []*Entry) string {
	for _, e := range direct {
		id := e.Tx.Txid.String()
		switch {
		case e.ancestors.count > 1 && e.descendants.count > 1:
			return id + " has both ancestor and descendant, exceeding cluster limit of 2"
		case e.ancestors.count > 2:
			return id + " has " + itoa(e.ancestors.count-1) + " ancestors, max 1 allowed"
		case e.descendants.count > 2:
			return id + " has " + itoa(e.descendants.count-1) + " descendants, max 1 allowed"
		}
		if len(e.children) > 0 && e.children[0].ancestors.count > 2 {
			return id + " is not the only parent of child " + e.children[0].Tx.Txid.String()
		}
		if len(e.parents) > 0 && e.parents[0].descendants.count > 2 {
			return id + " is not the only child of parent " + e.parents[0].Tx.Txid.String()
		}
	}
	return ""
}

// chunk is a part of the mempool that a miner takes at once.
type chunk struct{ feeUnits, vbytes int64 }

// byRate puts the chunks that pay best first.
func byRate(a, b chunk) int { return policy.CompareRates(b.feeUnits, b.vbytes, a.feeUnits, a.vbytes) }

// oldChunks are the chunks of what leaves: single transactions, and parents
// with a child, together where the child pays better.
func oldChunks(leaving []*Entry) []chunk {
	var chunks []chunk
	for _, e := range leaving {
		own := chunk{e.modified(), e.VBytes}
		all := chunk{e.ancestors.feeUnits, e.ancestors.vbytes}
		switch {
		case e.descendants.count > 1: // with its child
		case e.ancestors.count > 1 && byRate(own, all) < 0:
			chunks = append(chunks, all)
		case e.ancestors.count > 1:
			chunks = append(chunks, chunk{all.feeUnits - own.feeUnits, all.vbytes - own.vbytes}, own)
		default:
			chunks = append(chunks, own)
		}
	}
	slices.SortFunc(chunks, byRate)
	return chunks
}

// newChunks are those that come in their place, with the parents that stay.
func newChunks(direct, leaving []*Entry, replacement chunk) []chunk {
	chunks := []chunk{replacement}
	for _, e := range direct {
		if len(e.parents) > 0 && !slices.Contains(leaving, e.parents[0]) {
			chunks = append(chunks, chunk{e.parents[0].modified(), e.parents[0].VBytes})
		}
	}
	slices.SortFunc(chunks, byRate)
	return chunks
}

// better reports whether a block of any size earns at least as much from a as
// from b, and of some size more.
func better(a, b []chunk) bool {
	more := false
	for _, at := range append(ends(a), ends(b)...) {
		switch earned(a, at).Cmp(earned(b, at)) {
		case -1:
			return false
		case 1:
			more = true
		}
	}
	return more
}

// ends are the sizes at which chunks end.
func ends(chunks []chunk) []int64 {
	var size int64
	list := make([]int64, len(chunks))
	for i, c := range chunks {
		size += c.vbytes
		list[i] = size
	}
	return list
}

// earned is what the first vbytes of chunks pay, the last one in part.
func earned(chunks []chunk, vbytes int64) *big.Rat {
	sum := new(big.Rat)
	for _, c := range chunks {
		part := min(vbytes, c.vbytes)
		sum.Add(sum, new(big.Rat).Mul(big.NewRat(c.feeUnits, c.vbytes), new(big.Rat).SetInt64(part)))
		if vbytes -= part; vbytes == 0 {
			break
		}
	}
	return sum
}
