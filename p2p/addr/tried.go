package addr

import (
	"net/netip"
	"slices"
)

// Good notes that at was met: a handshake was completed. It moves to the tried
// table, unless somebody else has its place there: then both wait until
// ResolveCollisions knows whether the older one still answers. It reports
// whether the address moved now.
func (b *Book) Good(at netip.AddrPort) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	b.lastGood = now
	e := b.entries[Normal(at)]
	if e == nil {
		return false
	}
	e.success, e.tried, e.attempts = now, now, 0
	if e.inTried {
		return false
	}
	bucket := b.triedBucket(e)
	if b.tried[bucket][b.place(e, false, bucket)] != nil {
		if len(b.collisions) < collisionsMax && !slices.Contains(b.collisions, e) {
			b.collisions = append(b.collisions, e)
		}
		return false
	}
	b.makeTried(e)
	return true
}

// makeTried moves e to the tried table. Who held its place goes back to the
// new table, where it may lose its last place in turn.
func (b *Book) makeTried(e *entry) {
	b.leaveFresh(e)
	bucket := b.triedBucket(e)
	at := b.place(e, false, bucket)
	if old := b.tried[bucket][at]; old != nil {
		b.tried[bucket][at] = nil
		old.inTried = false
		b.count(old, 1, -1)
		to := b.freshBucket(old, old.source)
		slot := b.place(old, true, to)
		b.clearFresh(to, slot)
		b.fresh[to][slot] = old
		old.refs = 1
	}
	b.tried[bucket][at] = e
	e.inTried = true
	b.count(e, -1, 1)
}

// leaveFresh takes e out of every bucket of the new table without forgetting
// it.
func (b *Book) leaveFresh(e *entry) {
	start := b.freshBucket(e, e.source)
	for i := 0; i < newBuckets && e.refs > 0; i++ {
		bucket := (start + i) % newBuckets
		if at := b.place(e, true, bucket); b.fresh[bucket][at] == e {
			b.fresh[bucket][at] = nil
			e.refs--
		}
	}
}

// Collision gives an address of the tried table whose place somebody who was
// met lately would take, so that a feeler can test it.
func (b *Book) Collision() (Address, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.collisions) == 0 {
		return Address{}, false
	}
	e := b.collisions[b.below(len(b.collisions))]
	if old := b.holder(e); old != nil {
		return old.address(), true
	}
	b.dropCollision(e)
	return Address{}, false
}

// holder is who has the place in the tried table that e wants.
func (b *Book) holder(e *entry) *entry {
	bucket := b.triedBucket(e)
	return b.tried[bucket][b.place(e, false, bucket)]
}

// ResolveCollisions decides what the tests have settled: an older address that
// answered stays, one that did not leaves. It is called now and then.
func (b *Book) ResolveCollisions() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range slices.Clone(b.collisions) {
		if b.resolve(e) {
			b.dropCollision(e)
		}
	}
}

// resolve reports whether e need not wait any longer.
func (b *Book) resolve(e *entry) bool {
	now, old := b.now(), b.holder(e)
	switch {
	case b.entries[e.at] != e || e.inTried:
		return true
	case old == nil:
		b.makeTried(e)
		return true
	case now-old.success < replaceAfter:
		return true // it answered: it stays
	case now-old.tried < replaceAfter:
		if now-old.tried > 60 { // it had its chance
			b.makeTried(e)
			return true
		}
		return false
	case now-e.success > testWindow:
		b.makeTried(e) // nobody came to test it
		return true
	}
	return false
}

func (b *Book) dropCollision(e *entry) {
	if i := slices.Index(b.collisions, e); i >= 0 {
		b.collisions = slices.Delete(b.collisions, i, i+1)
	}
}
