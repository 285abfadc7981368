package addr

import (
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"sync"
	"time"

	"granary/base/check"
	"granary/base/clock"
	"granary/p2p/message"
)

// The shape of the tables (Bitcoin Core's numbers).
const (
	triedBuckets         = 256
	newBuckets           = 1024
	bucketSize           = 64
	triedBucketsPerGroup = 8
	newBucketsPerSource  = 64
	newPlacesPerAddress  = 8

	// collisionsMax addresses wait at most for the test of those whose
	// places they would take; testWindow is how long such a test may take,
	// replaceAfter how long ago a success may be to count without a test.
	collisionsMax = 10
	testWindow    = 40 * 60
	replaceAfter  = 4 * 60 * 60
)

// Options are what a Book is made of.
type Options struct {
	Clock clock.Clock
	// Rand is used under the Book's lock only.
	Rand clock.Rand
}

// Book is the address manager. All methods are safe for concurrent use.
type Book struct {
	mu    sync.Mutex
	clock clock.Clock
	rand  clock.Rand

	key      [32]byte // secret: who knows it can aim at buckets
	entries  map[netip.AddrPort]*entry
	order    []*entry // every entry, in an order that choices permute
	tried    [triedBuckets][bucketSize]*entry
	fresh    [newBuckets][bucketSize]*entry
	counts   [16]Counts // by network; the first is of all
	born     int64
	lastGood int64 // when any address last succeeded

	// collisions are addresses that were met but whose place in the tried
	// table is taken; in order of arrival.
	collisions []*entry
}

// NewBook makes an empty book with a fresh key.
func NewBook(o Options) *Book {
	b := &Book{clock: o.Clock, rand: o.Rand, entries: make(map[netip.AddrPort]*entry), lastGood: 1}
	for i := 0; i < len(b.key); i += 8 {
		binary.LittleEndian.PutUint64(b.key[i:], b.rand.Uint64())
	}
	return b
}

func (b *Book) now() int64 { return b.clock.Now().Unix() }

// below draws a number below n, which is positive.
func (b *Book) below(n int) int { return int(b.rand.Uint64() % uint64(n)) }

// hash is a number that only the holder of the key can foretell.
func (b *Book) hash(tag byte, parts ...[]byte) uint64 {
	h := sha256.New()
	h.Write(b.key[:])
	h.Write([]byte{tag})
	for _, part := range parts {
		h.Write([]byte{byte(len(part))})
		h.Write(part)
	}
	var sum [sha256.Size]byte
	return binary.LittleEndian.Uint64(h.Sum(sum[:0]))
}

func keyOf(a netip.AddrPort) []byte {
	ip := a.Addr().As16()
	return binary.BigEndian.AppendUint16(ip[:], a.Port())
}

func number(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }

// triedBucket is where e belongs once it was met: a group reaches eight
// buckets.
func (b *Book) triedBucket(e *entry) int {
	group := []byte(Group(e.at.Addr()))
	spread := b.hash('t', keyOf(e.at)) % triedBucketsPerGroup
	return int(b.hash('T', group, number(spread)) % triedBuckets)
}

// freshBucket is where e belongs when source tells of it: a source's group
// reaches 64 buckets, one group in it one of them.
func (b *Book) freshBucket(e *entry, source netip.Addr) int {
	from := []byte(Group(source))
	spread := b.hash('n', []byte(Group(e.at.Addr())), from) % newBucketsPerSource
	return int(b.hash('N', from, number(spread)) % newBuckets)
}

// place is e's one place in a bucket.
func (b *Book) place(e *entry, inNew bool, bucket int) int {
	tag := byte('K')
	if inNew {
		tag = 'B'
	}
	return int(b.hash(tag, number(uint64(bucket)), keyOf(e.at)) % bucketSize)
}

// Add puts in what source told, and reports how many addresses were new.
// penalty is taken off the times, for hearsay. Addresses that cannot be
// reached are left out.
func (b *Book) Add(addresses []Address, source netip.Addr, penalty time.Duration) (added int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range addresses {
		if b.add(addresses[i], source.Unmap(), int64(penalty/time.Second)) {
			added++
		}
	}
	return added
}

func (b *Book) add(a Address, source netip.Addr, penaltySeconds int64) bool {
	a.AddrPort = Normal(a.AddrPort)
	if !Routable(a.Addr()) || a.Port() == 0 {
		return false
	}
	if a.Addr() == source {
		penaltySeconds = 0 // it speaks of itself
	}
	e := b.entries[a.AddrPort]
	if e == nil {
		e = b.create(a, source, penaltySeconds)
	} else if !b.wantsMore(e, a, penaltySeconds) {
		return false
	}
	return b.putFresh(e, b.freshBucket(e, source))
}

// wantsMore brings a known entry up to date and reports whether it should get
// one more place: the more it has, the less likely.
func (b *Book) wantsMore(e *entry, a Address, penaltySeconds int64) bool {
	interval := int64(24 * 60 * 60)
	if b.now()-a.Seen < interval {
		interval = 60 * 60 // it is online
	}
	older := a.Seen <= e.seen
	if e.seen < a.Seen-interval-penaltySeconds {
		e.seen = max(0, a.Seen-penaltySeconds)
	}
	e.services |= a.Services
	if older || e.inTried || e.refs >= newPlacesPerAddress {
		return false
	}
	return b.below(1<<e.refs) == 0
}

func (b *Book) create(a Address, source netip.Addr, penaltySeconds int64) *entry {
	b.born++
	e := &entry{
		at: a.AddrPort, source: source, services: a.Services, seen: max(0, a.Seen-penaltySeconds),
		index: len(b.order), born: b.born,
	}
	b.entries[e.at] = e
	b.order = append(b.order, e)
	b.count(e, 1, 0)
	return e
}

// putFresh gives e its place in a bucket of the new table, if that is free or
// held by something worse. An entry without any place is forgotten.
func (b *Book) putFresh(e *entry, bucket int) bool {
	at := b.place(e, true, bucket)
	held := b.fresh[bucket][at]
	if held == e {
		return false
	}
	if held != nil && !held.terrible(b.now()) && !(held.refs > 1 && e.refs == 0) {
		if e.refs == 0 {
			b.forget(e)
		}
		return false
	}
	b.clearFresh(bucket, at)
	b.fresh[bucket][at] = e
	e.refs++
	return true
}

// clearFresh empties a place of the new table.
func (b *Book) clearFresh(bucket, at int) {
	e := b.fresh[bucket][at]
	if e == nil {
		return
	}
	b.fresh[bucket][at] = nil
	e.refs--
	if e.refs == 0 {
		b.forget(e)
	}
}

// forget drops an entry that has no place any more.
func (b *Book) forget(e *entry) {
	check.Must(e.refs == 0 && !e.inTried, "an address that is forgotten has no place")
	b.swap(e.index, len(b.order)-1)
	b.order = b.order[:len(b.order)-1]
	delete(b.entries, e.at)
	b.count(e, -1, 0)
	b.dropCollision(e)
}

func (b *Book) swap(i, j int) {
	b.order[i], b.order[j] = b.order[j], b.order[i]
	b.order[i].index, b.order[j].index = i, j
}

// Connected tells that a link to at has been in use until now; it is told when
// the link ends, so that the book does not show who is connected.
func (b *Book) Connected(at netip.AddrPort) {
	b.with(at, func(e *entry, now int64) {
		if now-e.seen > 20*60 {
			e.seen = now
		}
	})
}

// SetServices notes what at says that it serves.
func (b *Book) SetServices(at netip.AddrPort, services message.Services) {
	b.with(at, func(e *entry, _ int64) { e.services = services })
}

// Attempt notes that at is being dialled. count says whether a failure would
// be the address's: it is not where this node seems to be offline.
func (b *Book) Attempt(at netip.AddrPort, count bool) {
	b.with(at, func(e *entry, now int64) {
		e.tried = now
		if count && e.counted < b.lastGood {
			e.counted = now
			e.attempts++
		}
	})
}

func (b *Book) with(at netip.AddrPort, do func(e *entry, now int64)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.entries[Normal(at)]; e != nil {
		do(e, b.now())
	}
}

// Counts are the number of entries in the new and in the tried table.
type Counts struct{ New, Tried int }

// Counts tells how many addresses of a network are there; of all where id is
// zero.
func (b *Book) Counts(id message.NetworkID) Counts {
	b.mu.Lock()
	defer b.mu.Unlock()
	if int(id) >= len(b.counts) {
		return Counts{}
	}
	return b.counts[id]
}

// count keeps the number of entries up to date.
func (b *Book) count(e *entry, inNew, inTried int) {
	for _, c := range []*Counts{&b.counts[0], &b.counts[Network(e.at.Addr())]} {
		c.New += inNew
		c.Tried += inTried
	}
}
