package addr

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"granary/base/clock"
	"granary/p2p/message"
)

// start is where the clock of these tests begins.
var start = time.Unix(1_700_000_000, 0)

func testBook(seed uint64) (*Book, *clock.Mock) {
	c := &clock.Mock{}
	c.Set(start)
	return NewBook(Options{Clock: c, Rand: clock.SeededRand(seed)}), c
}

// v4 numbers public IPv4 addresses: n's upper 16 bits are the group.
func v4(n uint32) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], n)
	return netip.AddrFrom4(b)
}

func at(n uint32) Address {
	return Address{netip.AddrPortFrom(v4(n), 8333), message.ServiceNetwork | message.ServiceWitness, start.Unix()}
}

// verify checks that the tables, the counts and the order belong together.
func (b *Book) verify() error {
	var inNew, inTried int
	places := make(map[*entry]int)
	for bucket := range b.fresh {
		for slot, e := range b.fresh[bucket] {
			if e == nil {
				continue
			}
			places[e]++
			if b.place(e, true, bucket) != slot || e.inTried || b.entries[e.at] != e {
				return fmt.Errorf("%v stands wrongly in the new table", e.at)
			}
		}
	}
	for bucket := range b.tried {
		for slot, e := range b.tried[bucket] {
			if e == nil {
				continue
			}
			inTried++
			if b.triedBucket(e) != bucket || b.place(e, false, bucket) != slot || !e.inTried || e.refs != 0 || b.entries[e.at] != e {
				return fmt.Errorf("%v stands wrongly in the tried table", e.at)
			}
		}
	}
	for i, e := range b.order {
		switch {
		case e.index != i || b.entries[e.at] != e:
			return fmt.Errorf("%v is out of order", e.at)
		case e.inTried:
		case places[e] != e.refs || e.refs < 1 || e.refs > newPlacesPerAddress:
			return fmt.Errorf("%v has %d places and counts %d", e.at, places[e], e.refs)
		default:
			inNew++
		}
	}
	if len(b.entries) != len(b.order) || b.counts[0] != (Counts{inNew, inTried}) {
		return fmt.Errorf("%d entries, %d in order, counted %v, found %d and %d", len(b.entries), len(b.order), b.counts[0], inNew, inTried)
	}
	return nil
}

func TestMetAddressesAreChosen(t *testing.T) {
	b, _ := testBook(1)
	if _, ok := b.Select(false, AllNetworks); ok {
		t.Fatal("an empty book gives an address")
	}
	if n := b.Add([]Address{at(0x08010101), at(0x09010101)}, v4(0x0a0b0c0d), 0); n != 2 {
		t.Fatalf("%d addresses were added, want 2", n)
	}
	if !b.Good(at(0x08010101).AddrPort) {
		t.Fatal("an address that was met does not become a tried one")
	}
	seen := make(map[netip.AddrPort]int)
	for range 100 {
		choice, ok := b.Select(false, AllNetworks)
		if !ok {
			t.Fatal("nothing to choose")
		}
		seen[choice.AddrPort]++
		if fresh, _ := b.Select(true, AllNetworks); fresh.AddrPort != at(0x09010101).AddrPort {
			t.Fatalf("of the new table: %v", fresh)
		}
	}
	if len(seen) != 2 {
		t.Errorf("chosen: %v, want both", seen)
	}
	if _, ok := b.Select(false, SetOf(message.IPv6)); ok {
		t.Error("an IPv6 address was chosen where there is none")
	}
}

func TestUnreachableAddressesStayOut(t *testing.T) {
	b, _ := testBook(1)
	for _, text := range []string{"10.0.0.1:8333", "127.0.0.1:8333", "192.168.1.1:8333", "[::1]:8333", "[fe80::1]:8333", "[fd00::1]:8333", "8.8.8.8:0"} {
		if b.Add([]Address{{AddrPort: netip.MustParseAddrPort(text), Seen: start.Unix()}}, v4(0x08080808), 0) != 0 {
			t.Errorf("%s was taken in", text)
		}
	}
}

// TestSecondTableKeepsWhoAnswers: somebody who wants a taken place in the tried
// table gets it only when the holder does not answer a test.
func TestSecondTableKeepsWhoAnswers(t *testing.T) {
	for _, answers := range []bool{true, false} {
		b, c := testBook(2)
		held, wanted := collide(t, b)
		c.Set(start.Add(6 * time.Hour)) // the holder's success is long ago
		if b.Good(wanted) || b.entries[wanted].inTried {
			t.Fatal("a taken place was given away without a test")
		}
		test, ok := b.Collision()
		if !ok || test.AddrPort != held {
			t.Fatalf("to be tested is %v, want %v", test, held)
		}
		b.Attempt(held, true)
		if answers {
			b.Good(held)
		}
		c.Set(start.Add(6*time.Hour + 2*time.Minute))
		b.ResolveCollisions()
		if b.entries[held].inTried != answers || b.entries[wanted].inTried == answers {
			t.Errorf("answers %v: the holder stays %v", answers, b.entries[held].inTried)
		}
		if err := b.verify(); err != nil {
			t.Error(err)
		}
		if _, ok := b.Collision(); ok {
			t.Error("the collision is still open")
		}
	}
}

// collide finds two addresses with one place in the tried table, of which the
// first has it.
func collide(t *testing.T, b *Book) (held, wanted netip.AddrPort) {
	t.Helper()
	taken := make(map[[2]int]netip.AddrPort)
	for n := uint32(0x08000000); ; n += 0x1357 {
		a := at(n)
		if b.Add([]Address{a}, v4(n), 0) == 0 {
			continue
		}
		e := b.entries[a.AddrPort]
		bucket := b.triedBucket(e)
		place := [2]int{bucket, b.place(e, false, bucket)}
		if first, ok := taken[place]; ok && b.entries[first] != nil {
			if !b.Good(first) {
				t.Fatal("a free place was not given")
			}
			return first, a.AddrPort
		}
		taken[place] = a.AddrPort
	}
}

func TestFailuresMakeAnAddressSeldomAndTerrible(t *testing.T) {
	b, c := testBook(3)
	a := at(0x08010101)
	b.Add([]Address{a}, a.Addr(), 0)
	other := at(0x09010101)
	for i := range 4 {
		c.Set(start.Add(time.Duration(i+1) * time.Hour))
		b.Attempt(a.AddrPort, true)
		c.Set(c.Now().Add(time.Minute))
		b.Add([]Address{other}, other.Addr(), 0)
		b.Good(other.AddrPort) // this node is online: the failure counts
	}
	c.Set(start.Add(5 * time.Hour))
	if e := b.entries[a.AddrPort]; !e.terrible(b.now()) || e.attempts < freshRetries {
		t.Errorf("after %d failures it is still offered", e.attempts)
	}
	for _, given := range b.Sample(0, 0, AllNetworks) {
		if given.AddrPort == a.AddrPort {
			t.Error("a terrible address is handed on")
		}
	}
}

// TestFailuresOfAnOfflineNodeDoNotCount: without any success in between, a
// second failure is this node's own.
func TestFailuresOfAnOfflineNodeDoNotCount(t *testing.T) {
	b, c := testBook(3)
	a := at(0x08010101)
	b.Add([]Address{a}, a.Addr(), 0)
	for i := range 50 {
		c.Set(start.Add(time.Duration(i+1) * time.Hour))
		b.Attempt(a.AddrPort, true)
	}
	if n := b.entries[a.AddrPort].attempts; n > 1 {
		t.Errorf("%d failures count while nobody could be reached", n)
	}
}

// TestOneSourceReachesFewBuckets is the poisoned book: whoever speaks from one
// group fills a sixteenth of the new table at most, and nothing of the tried.
func TestOneSourceReachesFewBuckets(t *testing.T) {
	b, _ := testBook(4)
	for n := range uint32(200) {
		honest := at(0x20000000 + n<<16 + 1)
		b.Add([]Address{honest}, v4(0x50000000+n<<16), 0)
		b.Good(honest.AddrPort)
	}
	met := b.Counts(0).Tried
	for n := range uint32(60_000) {
		b.Add([]Address{at(0x60000000 + n*0x2f1)}, v4(0x0c0d0000+n%256), 0)
	}
	buckets := make(map[int]bool)
	inNew, _ := b.Places()
	for _, p := range inNew {
		buckets[p.Bucket] = true
	}
	if len(buckets) > newBucketsPerSource+200 || b.Counts(0).New > newBucketsPerSource*bucketSize+200 {
		t.Errorf("one group reached %d buckets and %d places", len(buckets), b.Counts(0).New)
	}
	if b.Counts(0).Tried != met || met < 150 {
		t.Errorf("%d addresses that were met, before the flood %d", b.Counts(0).Tried, met)
	}
	honest := 0
	for range 1000 {
		if choice, _ := b.Select(false, AllNetworks); choice.Addr().As4()[0] == 0x20 {
			honest++
		}
	}
	if honest < 400 {
		t.Errorf("only %d of 1000 choices are honest", honest)
	}
	if err := b.verify(); err != nil {
		t.Error(err)
	}
}

// TestOneGroupOfAddressesReachesFewBuckets: the same for a tried table that
// somebody fills with nodes of one group that really answer.
func TestOneGroupOfAddressesReachesFewBuckets(t *testing.T) {
	b, c := testBook(5)
	for n := range uint32(20_000) {
		a := at(0x0c0d0000 + n)
		b.Add([]Address{a}, v4(n<<16|0x08000001), 0)
		b.Good(a.AddrPort)
		if n%100 == 0 {
			c.Set(c.Now().Add(time.Hour))
			b.ResolveCollisions()
		}
	}
	if n := b.Counts(0).Tried; n > triedBucketsPerGroup*bucketSize {
		t.Errorf("one group holds %d places of the tried table", n)
	}
	if err := b.verify(); err != nil {
		t.Error(err)
	}
}

func TestSampleIsBounded(t *testing.T) {
	b, _ := testBook(6)
	for n := range uint32(10_000) {
		b.Add([]Address{at(0x20000000 + n*0x10007)}, v4(0x50000000+n<<16), 0)
	}
	all := b.Counts(0).New
	if n := len(b.Sample(1000, 23, AllNetworks)); n != min(1000, all*23/100) {
		t.Errorf("%d of %d were given", n, all)
	}
	seen := make(map[netip.AddrPort]bool)
	for _, a := range b.Sample(0, 0, AllNetworks) {
		if seen[a.AddrPort] {
			t.Fatalf("%v twice", a)
		}
		seen[a.AddrPort] = true
	}
	if len(seen) != all {
		t.Errorf("%d of %d", len(seen), all)
	}
	if err := b.verify(); err != nil {
		t.Error(err)
	}
}

// TestAnyHistoryHoldsTogether runs random histories twice: the tables hold
// together after every step, and the same seed gives the same book.
func TestAnyHistoryHoldsTogether(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		steps := rapid.SliceOfN(rapid.Uint64(), 1, 300).Draw(t, "steps")
		one, two := play(t, seed, steps), play(t, seed, steps)
		if string(one.encode()) != string(two.encode()) {
			t.Fatal("the same history gave two books")
		}
		if err := one.verify(); err != nil {
			t.Fatal(err)
		}
		again, _ := testBook(seed + 1)
		if err := again.decode(one.encode()); err != nil {
			t.Fatal(err)
		}
		if err := again.verify(); err != nil {
			t.Fatal(err)
		}
		if string(again.encode()) != string(one.encode()) {
			t.Fatal("a book that is read back is another")
		}
	})
}

func play(t *rapid.T, seed uint64, steps []uint64) *Book {
	b, c := testBook(seed)
	for _, step := range steps {
		a := at(0x20000000 + uint32(step>>8)%64<<16 + uint32(step>>16)%8)
		a.Seen = c.Now().Unix() - int64(step>>40%2000)
		switch step % 8 {
		case 0, 1, 2:
			b.Add([]Address{a}, v4(0x50000000+uint32(step>>24)%32<<16), time.Hour)
		case 3, 4:
			b.Good(a.AddrPort)
		case 5:
			b.Attempt(a.AddrPort, true)
		case 6:
			c.Set(c.Now().Add(time.Duration(step>>32%100) * time.Hour))
			b.ResolveCollisions()
		case 7:
			b.Sample(10, 23, AllNetworks)
			b.Select(step&256 != 0, AllNetworks)
			b.Connected(a.AddrPort)
		}
	}
	if err := b.verify(); err != nil {
		t.Fatal(err)
	}
	return b
}

func BenchmarkSelect(bench *testing.B) {
	b, _ := testBook(7)
	for n := range uint32(50_000) {
		b.Add([]Address{at(0x20000000 + n*0x10007)}, v4(0x50000000+n<<16), 0)
	}
	for bench.Loop() {
		b.Select(false, AllNetworks)
	}
}
