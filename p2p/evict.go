package p2p

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"slices"
	"time"
)

// candidate is an inbound link that may have to make room.
type candidate struct {
	id          uint64
	since       time.Time
	minPing     time.Duration // the largest where it was never measured
	lastBlock   time.Time     // when it last gave us a block that we did not have
	lastTx      time.Time     // when it last gave us a transaction that the mempool took
	serves      bool          // the chain, with witnesses
	relaysTx    bool
	group       string
	noBan       bool
	discouraged bool
	local       bool // this machine, or a proxy on it
	cjdns       bool
}

// selectEvictee gives the link that makes room for a new one, as Bitcoin Core
// chooses it: those are spared that are hard to fake for somebody who wants
// all places: far-apart groups, low latencies, givers of new transactions and
// blocks, and the half that has been here longest. Of the rest, the youngest of
// the largest group goes. It reports false where all are spared.
func selectEvictee(all []candidate, secret []byte) (id uint64, ok bool) {
	left := slices.DeleteFunc(slices.Clone(all), func(c candidate) bool { return c.noBan })
	keyed := func(c *candidate) [32]byte { return sha256.Sum256(append(slices.Clone(secret), c.group...)) }
	left = spare(left, 4, nil, func(a, b *candidate) int {
		x, y := keyed(a), keyed(b)
		return bytes.Compare(x[:], y[:])
	})
	left = spare(left, 8, nil, func(a, b *candidate) int { return cmp.Compare(b.minPing, a.minPing) })
	left = spare(left, 4, nil, func(a, b *candidate) int {
		return cmp.Or(a.lastTx.Compare(b.lastTx), compareBool(a.relaysTx, b.relaysTx), b.since.Compare(a.since))
	})
	blocksOnly := func(c *candidate) bool { return !c.relaysTx && c.serves }
	left = spare(left, 8, blocksOnly, func(a, b *candidate) int {
		return cmp.Or(a.lastBlock.Compare(b.lastBlock), b.since.Compare(a.since))
	})
	left = spare(left, 4, nil, func(a, b *candidate) int {
		return cmp.Or(a.lastBlock.Compare(b.lastBlock), compareBool(a.serves, b.serves), b.since.Compare(a.since))
	})
	left = spareOldest(left)
	if len(left) == 0 {
		return 0, false
	}
	if slices.ContainsFunc(left, func(c candidate) bool { return c.discouraged }) {
		left = slices.DeleteFunc(left, func(c candidate) bool { return !c.discouraged })
	}
	return youngestOfLargest(left), true
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// spare takes the k best of those that fit out of the list.
func spare(all []candidate, k int, fits func(*candidate) bool, order func(a, b *candidate) int) []candidate {
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Or(order(&a, &b), cmp.Compare(b.id, a.id)) })
	from := max(0, len(all)-k)
	kept := all[:from:from]
	for i := from; i < len(all); i++ {
		if fits != nil && !fits(&all[i]) {
			kept = append(kept, all[i])
		}
	}
	return kept
}

// spareOldest takes out the half that has been connected longest; up to a
// quarter of the list is kept for links of the kinds that are at a
// disadvantage in latency, if there are any.
func spareOldest(all []candidate) []candidate {
	total := len(all) / 2
	older := func(a, b *candidate) int { return b.since.Compare(a.since) }
	var kinds []func(*candidate) bool
	for _, is := range []func(*candidate) bool{
		func(c *candidate) bool { return c.cjdns },
		func(c *candidate) bool { return c.local },
	} {
		if slices.ContainsFunc(all, func(c candidate) bool { return is(&c) }) {
			kinds = append(kinds, is)
		}
	}
	spared := 0
	for i, is := range kinds {
		share := (total/2 - spared) / (len(kinds) - i)
		// The oldest of this kind: last in order, behind all others.
		before := len(all)
		all = spare(all, share, is, func(a, b *candidate) int {
			return cmp.Or(compareBool(is(a), is(b)), older(a, b))
		})
		spared += before - len(all)
	}
	return spare(all, total-spared, nil, older)
}

// youngestOfLargest gives the youngest link of the group with the most links
// (of several, of the one with the youngest).
func youngestOfLargest(all []candidate) uint64 {
	groups := make(map[string]int)
	for i := range all {
		groups[all[i].group]++
	}
	best := &all[0]
	for i := range all[1:] {
		c := &all[i+1]
		if cmp.Or(cmp.Compare(groups[c.group], groups[best.group]), c.since.Compare(best.since), cmp.Compare(c.id, best.id)) > 0 {
			best = c
		}
	}
	return best.id
}
