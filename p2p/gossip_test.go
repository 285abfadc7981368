package p2p

import (
	"net/netip"
	"testing"
	"time"

	"granary/base/clock"
	"granary/p2p/addr"
	"granary/p2p/message"
	"granary/p2p/peer"
)

// fake is a peer that keeps what it is sent.
type fake struct {
	id    uint64
	facts peer.Facts
	sent  []message.Message
	gone  string
	bad   string
}

func (f *fake) ID() uint64               { return f.id }
func (f *fake) Facts() *peer.Facts       { return &f.facts }
func (f *fake) Send(m message.Message)   { f.sent = append(f.sent, m) }
func (f *fake) SendBacklogBytes() int    { return 0 }
func (f *fake) Disconnect(reason string) { f.gone = reason }
func (f *fake) Misbehaved(reason string) { f.bad = reason }

// told gives the addresses that the peer was told.
func (f *fake) told() (all []message.Address) {
	for _, m := range f.sent {
		switch m := m.(type) {
		case *message.Addr:
			all = append(all, m.Addresses...)
		case *message.AddrV2:
			all = append(all, m.Addresses...)
		}
	}
	return all
}

type nobody struct{}

func (nobody) Banned(netip.Addr) bool      { return false }
func (nobody) Discouraged(netip.Addr) bool { return false }

// talk is a Gossip with its clock and peers.
type talk struct {
	*Gossip
	clock *clock.Mock
	next  uint64
}

func newTalk(self netip.AddrPort) *talk {
	c := &clock.Mock{}
	c.Set(time.Unix(1_700_000_000, 0))
	t := &talk{clock: c}
	t.Gossip = NewGossip(GossipOptions{
		Book: addr.NewBook(addr.Options{Clock: c, Rand: clock.SeededRand(1)}), Bans: nobody{}, Clock: c,
		Rand: clock.SeededRand(2), Networks: addr.AllNetworks,
		Self: func(peer.Peer) (addr.Address, bool) { return addr.Address{AddrPort: self}, self.IsValid() },
	})
	return t
}

func (t *talk) meet(kind peer.Kind) *fake {
	t.next++
	f := &fake{id: t.next, facts: peer.Facts{Kind: kind, IP: netip.AddrFrom4([4]byte{8, byte(t.next), 1, 1}), AddrV2: true}}
	t.Connected(f)
	return f
}

func (t *talk) pass(d time.Duration) {
	for range int(d / time.Second) {
		t.clock.Set(t.clock.Now().Add(time.Second))
		t.Tick(t.clock.Now())
	}
}

// some makes n addresses heard of just now, from the first on.
func (t *talk) some(first, n int) *message.AddrV2 {
	m := &message.AddrV2{}
	for i := range n {
		k := first + i
		m.Addresses = append(m.Addresses, message.Address{
			Time: uint32(t.clock.Now().Unix()), Services: testServices, Network: message.IPv4, Port: 8333,
			Bytes: []byte{byte(30 + k>>16), byte(k >> 8), byte(k), 1},
		})
	}
	return m
}

func TestGossipGoesToTwo(t *testing.T) {
	g := newTalk(netip.AddrPort{})
	var all []*fake
	for range 20 {
		f := g.meet(peer.Inbound)
		g.Receive(f, g.some(50_000+len(all), 1)) // it shows that it wants addresses
		all = append(all, f)
	}
	g.pass(10 * time.Minute)
	for _, f := range all {
		f.sent = nil
	}
	g.Receive(all[0], g.some(7, 1))
	g.pass(10 * time.Minute)
	heard := 0
	for _, f := range all {
		heard += len(f.told())
	}
	if heard != 2 || len(all[0].told()) != 0 {
		t.Errorf("%d peers were told", heard)
	}
	// The same from another peer finds the same two, who know it.
	g.Receive(all[1], g.some(7, 1))
	g.pass(10 * time.Minute)
	again := 0
	for _, f := range all {
		again += len(f.told())
	}
	if again > heard+1 {
		t.Errorf("told again it reaches %d more", again-heard)
	}
}

// TestFloodOfAddresses: beyond the bucket nothing is taken.
func TestFloodOfAddresses(t *testing.T) {
	g := newTalk(netip.AddrPort{})
	f := g.meet(peer.Inbound)
	for i := range 200 {
		g.Receive(f, g.some(1000*i, 1000))
	}
	processed, limited, _ := g.AddrCounts(f.id)
	if processed != 1 || limited != 200_000-1 {
		t.Errorf("%d were taken, %d dropped", processed, limited)
	}
	g.pass(100 * time.Second)
	g.Receive(f, g.some(0, 1000))
	if processed, _, _ := g.AddrCounts(f.id); processed != 11 {
		t.Errorf("in 100 seconds %d more were taken, want 10", processed-1)
	}
	if f.bad != "" {
		t.Errorf("punished: %s", f.bad)
	}
	g.Receive(f, g.some(0, 1001))
	if f.bad == "" {
		t.Error("1,001 addresses in a message go unpunished")
	}
}

func TestAnswersToGetAddr(t *testing.T) {
	g := newTalk(netip.AddrPort{})
	out := g.meet(peer.OutboundFull)
	if _, asked := out.sent[0].(*message.GetAddr); !asked {
		t.Fatalf("an outbound peer is sent %T", out.sent[0])
	}
	g.Receive(out, g.some(0, 1000))
	if n := g.o.Book.Counts(0).New; n < 100 {
		t.Fatalf("only %d addresses of the answer were taken", n)
	}
	one, two := g.meet(peer.Inbound), g.meet(peer.Inbound)
	for _, f := range []*fake{one, two, one} {
		g.Receive(f, &message.GetAddr{})
	}
	g.Receive(out, &message.GetAddr{})
	g.pass(10 * time.Minute)
	first, second := one.told(), two.told()
	if len(first) == 0 || len(first) > addrMax || len(first) != len(second) {
		t.Fatalf("answers of %d and %d addresses", len(first), len(second))
	}
	for i := range first {
		if string(first[i].Bytes) != string(second[i].Bytes) {
			t.Fatal("two peers got two samples within a day")
		}
	}
	if len(out.told()) != 0 {
		t.Error("an outbound peer's getaddr was answered")
	}
}

func TestBlockRelayLinksHearNoAddresses(t *testing.T) {
	g := newTalk(netip.MustParseAddrPort("9.9.9.9:8333"))
	f := g.meet(peer.BlockRelay)
	g.Receive(f, g.some(0, 10))
	g.pass(time.Hour)
	if len(f.sent) != 0 || g.o.Book.Counts(0).New != 0 {
		t.Errorf("sent %d messages, kept %d addresses", len(f.sent), g.o.Book.Counts(0).New)
	}
}

func TestNodeTellsOfItself(t *testing.T) {
	self := netip.MustParseAddrPort("9.9.9.9:8333")
	g := newTalk(self)
	f := g.meet(peer.OutboundFull)
	g.pass(time.Second)
	told := f.told()
	if len(told) != 1 || told[0].Port != 8333 || told[0].Bytes[0] != 9 {
		t.Fatalf("told %v", told)
	}
	// A fetcher of addresses is let go once it has told some.
	fetch := g.meet(peer.AddrFetch)
	g.Receive(fetch, g.some(0, 1))
	if fetch.gone != "" {
		t.Error("let go after it told of itself")
	}
	g.Receive(fetch, g.some(5, 20))
	if fetch.gone == "" {
		t.Error("kept after it told what it knows")
	}
}

// TestGossipRepeats: the same events give the same messages.
func TestGossipRepeats(t *testing.T) {
	run := func() (trace []string) {
		g := newTalk(netip.MustParseAddrPort("9.9.9.9:8333"))
		var all []*fake
		for i := range 10 {
			f := g.meet(peer.Kind(i % 2))
			g.Receive(f, g.some(100*i, 5))
			all = append(all, f)
			g.pass(20 * time.Second)
		}
		for _, f := range all {
			for _, a := range f.told() {
				trace = append(trace, string(a.Bytes))
			}
		}
		return trace
	}
	one, two := run(), run()
	if len(one) < 10 || len(one) != len(two) {
		t.Fatalf("%d and %d addresses", len(one), len(two))
	}
	for i := range one {
		if one[i] != two[i] {
			t.Fatal("two runs differ")
		}
	}
}
