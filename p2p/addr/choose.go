package addr

import (
	"net/netip"

	"granary/p2p/message"
)

// Choice is an address to dial.
type Choice struct {
	Address
	Tried int64 // when it was last dialled, Unix seconds; 0: never
}

// Select draws an address to dial from networks, at even odds from one met
// before and one heard of (freshOnly: heard of only); what failed lately comes
// seldom. It reports false where there is nothing.
func (b *Book) Select(freshOnly bool, networks Networks) (Choice, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var inFresh, inTried int
	for id := range b.counts {
		if networks.Has(message.NetworkID(id)) {
			inFresh += b.counts[id].New
			inTried += b.counts[id].Tried
		}
	}
	if freshOnly {
		inTried = 0
	}
	if inFresh+inTried == 0 {
		return Choice{}, false
	}
	fromTried := inFresh == 0 || inTried > 0 && b.below(2) == 0
	e := b.draw(fromTried, networks)
	return Choice{e.address(), e.tried}, true
}

// draw looks into one bucket after the other until somebody it meets passes a
// throw of dice whose odds grow; somebody is there.
func (b *Book) draw(fromTried bool, networks Networks) *entry {
	now := b.now()
	for factor := uint64(chanceOne); ; {
		bucket := b.fresh[b.below(newBuckets)][:]
		if fromTried {
			bucket = b.tried[b.below(triedBuckets)][:]
		}
		start := b.below(bucketSize)
		for i := range bucketSize {
			e := bucket[(start+i)%bucketSize]
			if e == nil || !networks.Has(Network(e.at.Addr())) {
				continue
			}
			if b.rand.Uint64()%chanceOne < e.chance(now)*factor/chanceOne {
				return e
			}
			factor += factor / 5
			factor = min(factor, chanceOne<<20)
			break
		}
	}
}

// Sample draws up to limit addresses, and at most percent of the book, for
// somebody who asks; 0 is no bound. What is terrible is left out.
func (b *Book) Sample(limit, percent int, networks Networks) []Address {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := len(b.order)
	if percent > 0 {
		n = n * percent / 100
	}
	if limit > 0 {
		n = min(n, limit)
	}
	now := b.now()
	var sample []Address
	for i := 0; i < len(b.order) && len(sample) < n; i++ {
		b.swap(i, i+b.below(len(b.order)-i))
		e := b.order[i]
		if networks.Has(Network(e.at.Addr())) && !e.terrible(now) {
			sample = append(sample, e.address())
		}
	}
	return sample
}

// Place is one place of a table, for people who look into the book.
type Place struct {
	Bucket, Position int
	Address          Address
	Source           netip.Addr
}

// Places lists what is in the new and in the tried table, in order.
func (b *Book) Places() (inNew, inTried []Place) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for bucket := range b.fresh {
		inNew = appendPlaces(inNew, bucket, b.fresh[bucket][:])
	}
	for bucket := range b.tried {
		inTried = appendPlaces(inTried, bucket, b.tried[bucket][:])
	}
	return inNew, inTried
}

func appendPlaces(places []Place, bucket int, entries []*entry) []Place {
	for at, e := range entries {
		if e != nil {
			places = append(places, Place{bucket, at, e.address(), e.source})
		}
	}
	return places
}

// Find gives what the book knows of an address.
func (b *Book) Find(at netip.AddrPort) (Address, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entries[Normal(at)]
	if e == nil {
		return Address{}, false
	}
	return e.address(), true
}

// Services is what the book believes that at serves.
func (b *Book) Services(at netip.AddrPort) message.Services {
	a, _ := b.Find(at)
	return a.Services
}
