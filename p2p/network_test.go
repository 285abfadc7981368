package p2p

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"granary/base/clock"
	"granary/p2p/addr"
	"granary/p2p/message"
	"granary/p2p/peer"
	"granary/params"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a network in a test, with its loop.
type world struct {
	*Network
	loop *peer.Loop
	ear  *ear
}

// ear hears who comes and goes.
type ear struct {
	mu   sync.Mutex
	here map[uint64]*peer.Facts
}

func (e *ear) Connected(p peer.Peer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.here[p.ID()] = p.Facts()
}

func (e *ear) Disconnected(p peer.Peer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.here, p.ID())
}
func (e *ear) Receive(peer.Peer, message.Message) bool { return false }
func (e *ear) Tick(time.Time)                          {}

func (e *ear) facts() (all []*peer.Facts) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, f := range e.here {
		all = append(all, f)
	}
	return all
}

const testServices = message.ServiceNetwork | message.ServiceWitness

// newWorld makes and starts a network on regtest; change may alter its options.
func newWorld(t *testing.T, change func(*Options)) *world {
	t.Helper()
	w := makeWorld(t, change)
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	return w
}

func makeWorld(t *testing.T, change func(*Options)) *world {
	t.Helper()
	fs := vfs.NewMem()
	dir := &addr.Dir{FS: fs, Path: "/", Magic: params.RegTest().Magic()}
	w := &world{ear: &ear{here: make(map[uint64]*peer.Facts)}}
	bans, err := dir.LoadBans(clock.Real{})
	if err != nil {
		t.Fatal(err)
	}
	w.loop = peer.NewLoop(clock.Real{})
	o := Options{
		Net: params.RegTest(), Loop: w.loop, Bans: bans, Dir: dir, MaxConnections: DefaultMaxConnections,
		Book: addr.NewBook(addr.Options{Clock: clock.Real{}, Rand: clock.SeededRand(1)}),
		Self: func() peer.Self { return peer.Self{Services: testServices, UserAgent: "/test/", Relay: true} },
	}
	if change != nil {
		change(&o)
	}
	w.Network = New(o)
	w.loop.Handle(w.Network, w.ear)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); w.loop.Run(ctx) }()
	t.Cleanup(func() {
		if err := w.Stop(); err != nil {
			t.Error(err)
		}
		cancel()
		<-done
	})
	return w
}

func onLoopback(o *Options) { o.Listen = []Bind{{Address: "127.0.0.1:0"}} }

func (w *world) address() string { return w.ListenAddresses()[0].String() }

// eventually waits for something that other goroutines do.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (w *world) links() int { in, out := w.Connections(); return in + out }

func TestAddedNodeIsKeptConnected(t *testing.T) {
	server := newWorld(t, onLoopback)
	client := newWorld(t, func(o *Options) { o.AddNode = []string{server.address()} })
	eventually(t, "a link", func() bool { return server.links() == 1 && client.links() == 1 })
	f := client.ear.facts()[0]
	if f.Kind != peer.Manual || f.Services != testServices || f.UserAgent != "/test/" || f.NetGroup != "local" {
		t.Errorf("the link is %+v", f)
	}
	if nodes := client.AddedNodes(); len(nodes) != 1 || !nodes[0].Connected || nodes[0].Name != server.address() {
		t.Errorf("added nodes: %+v", nodes)
	}
	first := server.Peers()[0].ID
	if err := server.DisconnectID(first); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another link", func() bool {
		peers := server.Peers()
		return len(peers) == 1 && peers[0].ID != first && peers[0].Ready
	})
	if err := client.AddNode(server.address()); err != ErrAdded { //nolint:errorlint // given as it is
		t.Errorf("adding twice: %v", err)
	}
	if err := client.RemoveNode(server.address()); err != nil {
		t.Fatal(err)
	}
	if err := client.DisconnectAddress(server.address()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "no link", func() bool { return server.links() == 0 && client.links() == 0 })
	if totals := server.Totals(); totals.ReceivedBytes == 0 || totals.SentBytes == 0 {
		t.Errorf("the totals forget links that are over: %+v", totals)
	}
}

func TestSwitchedOffThereIsNobody(t *testing.T) {
	server := newWorld(t, onLoopback)
	client := newWorld(t, func(o *Options) { o.AddNode = []string{server.address()} })
	eventually(t, "a link", func() bool { return server.links() == 1 })
	server.SetActive(false)
	eventually(t, "no link", func() bool { return server.links() == 0 && client.links() == 0 })
	time.Sleep(20 * time.Millisecond)
	if server.links() != 0 {
		t.Error("a network that is off takes links")
	}
	server.SetActive(true)
	eventually(t, "a link again", func() bool { return server.links() == 1 })
}

func TestBannedAreShutOut(t *testing.T) {
	server := newWorld(t, onLoopback)
	newWorld(t, func(o *Options) { o.AddNode = []string{server.address()} })
	eventually(t, "a link", func() bool { return server.links() == 1 })
	block := netip.MustParsePrefix("127.0.0.0/8")
	if err := server.Ban(block, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "no link", func() bool { return len(server.Peers()) == 0 })
	if err := server.Bans().Remove(block); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a link again", func() bool { return server.links() == 1 })
}

func TestNodeDoesNotKeepALinkToItself(t *testing.T) {
	w := newWorld(t, onLoopback)
	if err := w.AddNode(w.address()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the failure", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.added[0].failures > 0
	})
	if n := w.links(); n != 0 {
		t.Errorf("%d links to itself", n)
	}
}

// from makes a connection look as if it came from elsewhere.
type from struct {
	net.Conn
	at netip.AddrPort
}

func (f *from) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(f.at) }

// knock opens a connection from at and greets; it gives what to close.
func (w *world) knock(t *testing.T, at string) net.Conn {
	t.Helper()
	ours, theirs := net.Pipe()
	w.Accept(&from{theirs, netip.MustParseAddrPort(at)}, Permissions{})
	t.Cleanup(func() { ours.Close() })
	return ours
}

// TestThousandsFromOneHouse: they get the places of one house, others get in.
func TestThousandsFromOneHouse(t *testing.T) {
	w := newWorld(t, nil)
	for i := range 3000 {
		w.knock(t, fmt.Sprintf("8.8.8.%d:%d", i%250+1, 1024+i))
	}
	count := func() int { w.mu.Lock(); defer w.mu.Unlock(); return len(w.slots) }
	if n := count(); n != perBlockMax {
		t.Errorf("one block of addresses has %d places, want %d", n, perBlockMax)
	}
	w.knock(t, "9.9.9.9:1")
	if n := count(); n != perBlockMax+1 {
		t.Error("an honest peer found no place")
	}
}

// TestManyHousesFillThePlacesOnly: beyond the bound somebody has to go for each
// who comes.
func TestManyHousesFillThePlacesOnly(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.MaxConnections = 61 })
	most := 61 - fullOutbound - blockRelayOutbound - feelers
	for i := range 2000 {
		w.knock(t, fmt.Sprintf("%d.%d.1.1:%d", 20+i%100, i/100, 1024+i))
		w.mu.Lock()
		staying, all := w.count(peer.Inbound), len(w.slots)
		w.mu.Unlock()
		if staying > most || all > most+inboundSpare {
			t.Fatalf("%d connections stay, %d are there", staying, all)
		}
	}
	w.mu.Lock()
	staying := w.count(peer.Inbound)
	w.mu.Unlock()
	if staying != most {
		t.Errorf("%d places are used, want %d", staying, most)
	}
}

// TestListenersInUse: who asked for an address hears of it, a default one is
// done without.
func TestListenersInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	w := makeWorld(t, func(o *Options) { o.Listen = []Bind{{Address: l.Addr().String()}} })
	if err := w.Start(); err == nil {
		t.Error("an address in use was taken")
	}
	soft := makeWorld(t, func(o *Options) { o.Listen, o.Soft = []Bind{{Address: l.Addr().String()}}, true })
	if err := soft.Start(); err != nil {
		t.Errorf("a default address in use stops the node: %v", err)
	}
}

// Every IPv4 and every IPv6 address of a machine, on one port: two listeners.
func TestListensOnEveryAddress(t *testing.T) {
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close() //nolint:errcheck // only its port was wanted
	six, err := net.Listen("tcp6", "[::]:0")
	if err != nil {
		t.Skip("skipped: there is no IPv6 here")
	}
	six.Close() //nolint:errcheck // only asked whether it can be
	w := makeWorld(t, func(o *Options) { o.Listen = []Bind{{Address: "0.0.0.0:" + port}, {Address: "[::]:" + port}} })
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	if listening := w.ListenAddresses(); len(listening) != 2 {
		t.Errorf("listens on %v", listening)
	}
}

func TestSplitAddress(t *testing.T) {
	for name, want := range map[string]string{
		"1.2.3.4": "1.2.3.4|7", "1.2.3.4:9": "1.2.3.4|9", "::1": "::1|7", "[::1]": "::1|7", "[::1]:9": "::1|9", "host": "host|7", "host.name:1": "host.name|1",
		"": "", "host:0": "", "host:65536": "", "host:x": "", "a b": "", ":1": "", "a:b:c": "", "[::1": "", "host:": "",
	} {
		host, port, err := SplitAddress(name, 7)
		got := fmt.Sprintf("%s|%d", host, port)
		if err != nil {
			got = ""
		}
		if got != want {
			t.Errorf("%q reads as %q, want %q", name, got, want)
		}
	}
}

// internet is what a test's node finds where it dials.
type internet struct {
	mu     sync.Mutex
	dialed map[netip.AddrPort]int
	alive  func(netip.AddrPort) bool
}

// dial answers every address that is alive with a node that greets.
func (i *internet) dial(_ context.Context, at netip.AddrPort) (net.Conn, error) {
	i.mu.Lock()
	i.dialed[at]++
	i.mu.Unlock()
	if !i.alive(at) {
		return nil, os.ErrDeadlineExceeded
	}
	ours, theirs := net.Pipe()
	go greet(theirs)
	return &from{ours, at}, nil
}

// TestPoisonedBookLeavesAnHonestLink: somebody filled the new table from a few
// groups with addresses of his own, all alive, and the node restarts. The
// groups bound how many links he gets, and the anchor is dialled first.
func TestPoisonedBookLeavesAnHonestLink(t *testing.T) {
	book := addr.NewBook(addr.Options{Clock: clock.Real{}, Rand: clock.SeededRand(7)})
	now := time.Now().Unix()
	honest := func(n int) addr.Address {
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{byte(30 + n), 1, 1, 1}), 8333)
		return addr.Address{AddrPort: at, Services: testServices, Seen: now}
	}
	for n := range 40 {
		book.Add([]addr.Address{honest(n)}, honest(n+1).Addr(), 0)
		book.Good(honest(n).AddrPort)
	}
	for n := range 30_000 {
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{200, byte(n % 4), byte(n >> 8), byte(n)}), 8333)
		book.Add([]addr.Address{{AddrPort: at, Services: testServices, Seen: now}}, netip.AddrFrom4([4]byte{200, 1, byte(n), 1}), 0)
	}
	anchor := honest(3).AddrPort
	fs := vfs.NewMem()
	dir := &addr.Dir{FS: fs, Path: "/", Magic: params.RegTest().Magic()}
	if err := dir.SaveAnchors([]netip.AddrPort{anchor}); err != nil {
		t.Fatal(err)
	}
	net := &internet{dialed: make(map[netip.AddrPort]int), alive: func(netip.AddrPort) bool { return true }}
	w := makeWorld(t, func(o *Options) { o.Book, o.Dial, o.Dir = book, net.dial, dir })
	if anchors, err := dir.TakeAnchors(); err != nil || len(anchors) != 1 {
		t.Fatal(anchors, err)
	}
	w.anchors = []netip.AddrPort{anchor}
	at := time.Now()
	for range 40 {
		at = at.Add(keepEvery)
		w.lookAround(at)
		time.Sleep(time.Millisecond)
	}
	eventually(t, "all links", func() bool { _, out := w.Connections(); return out == fullOutbound+blockRelayOutbound })
	bad, groups := 0, make(map[string]bool)
	for _, p := range w.Peers() {
		if groups[p.NetGroup] {
			t.Errorf("two links in the group of %s", p.Addr)
		}
		groups[p.NetGroup] = true
		if p.IP.As4()[0] == 200 {
			bad++
		}
	}
	if bad > 4 || net.dialed[anchor] != 1 {
		t.Errorf("%d of 10 links are the attacker's; the anchor was dialled %d times", bad, net.dialed[anchor])
	}
}

// greet is a node that does a handshake and then listens in silence.
func greet(nc net.Conn) {
	defer nc.Close()
	loop := peer.NewLoop(clock.Real{})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { loop.Run(ctx) })
	other := New(Options{
		Net: params.RegTest(), Loop: loop, Book: addr.NewBook(addr.Options{Clock: clock.Real{}, Rand: clock.SeededRand(1)}),
		Bans: nil, Self: func() peer.Self { return peer.Self{Services: testServices, UserAgent: "/other/", Relay: true} },
	})
	s := &slot{kind: peer.Inbound, at: netip.MustParseAddrPort("5.5.5.5:5"), name: "5.5.5.5:5", group: "x"}
	other.converse(ctx, s, nc) //nolint:errcheck // over when the other end is
	cancel()
	running.Wait()
}
