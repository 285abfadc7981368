package peer

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"granary/base/clock"
	"granary/p2p/message"
	"granary/p2p/transport"
)

var testMagic = [4]byte{0xfa, 0xbf, 0xb5, 0xda}

// recorder is a handler that writes down what it hears.
type recorder struct {
	mu      sync.Mutex
	heard   []string
	peers   []Peer
	ticks   int
	tick    func()
	receive func(p Peer, m message.Message)
}

func (r *recorder) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heard = append(r.heard, fmt.Sprintf(format, args...))
}

func (r *recorder) all() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.heard, " ")
}

func (r *recorder) Connected(p Peer) {
	r.note("+%d", p.ID())
	r.mu.Lock()
	r.peers = append(r.peers, p)
	r.mu.Unlock()
}
func (r *recorder) Disconnected(p Peer) { r.note("-%d", p.ID()) }
func (r *recorder) Tick(time.Time) {
	if r.ticks++; r.tick != nil {
		r.tick()
	}
}

func (r *recorder) Receive(p Peer, m message.Message) bool {
	r.note("%s", m.Command())
	if r.receive != nil {
		r.receive(p, m)
	}
	return true
}

// side is one node of a test.
type side struct {
	*recorder
	loop *Loop
	stop context.CancelFunc
	done chan struct{}
}

func newSide(t *testing.T) *side {
	t.Helper()
	r := &recorder{}
	s := &side{recorder: r, loop: NewLoop(clock.Real{}, r), done: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	go func() { s.loop.Run(ctx); close(s.done) }()
	t.Cleanup(func() { cancel(); <-s.done })
	return s
}

func testOptions(kind Kind) LinkOptions {
	return LinkOptions{
		Kind: kind, Addr: "10.0.0.1:18444",
		Self: func() Self {
			return Self{Services: message.ServiceNetwork | message.ServiceWitness, UserAgent: "/granary:1\x1b[31m(té)/", StartHeight: 7, Relay: true}
		},
	}
}

// run starts a link; the result of Run comes over the channel.
func (s *side) run(t *testing.T, nc net.Conn, opt LinkOptions) (*Link, chan error) {
	t.Helper()
	conn, err := transport.Client(context.Background(), nc, transport.Options{Magic: testMagic})
	if err != nil {
		t.Fatal(err)
	}
	link, result := NewLink(s.loop, conn, opt), make(chan error, 1)
	go func() { result <- link.Run(context.Background()) }()
	t.Cleanup(func() { link.Disconnect("the test is over") })
	return link, result
}

// connect links two nodes in memory.
func connect(t *testing.T, a, b *side, kind Kind) (ab, ba *Link, results [2]chan error) {
	t.Helper()
	left, right := net.Pipe()
	ab, results[0] = a.run(t, left, testOptions(kind))
	ba, results[1] = b.run(t, right, testOptions(Inbound))
	return ab, ba, results
}

// bare is a peer made by hand: what it reads is thrown away or looked at.
type bare struct {
	conn *transport.Conn
	mu   sync.Mutex
	got  []string
}

func newBare(t testing.TB, nc net.Conn) *bare {
	t.Helper()
	conn, err := transport.Client(context.Background(), nc, transport.Options{Magic: testMagic})
	if err != nil {
		t.Fatal(err)
	}
	b := &bare{conn: conn}
	go func() {
		for {
			command, _, err := conn.ReadMessage()
			if err != nil {
				return
			}
			b.mu.Lock()
			b.got = append(b.got, command)
			b.mu.Unlock()
		}
	}()
	t.Cleanup(func() { conn.Close() })
	return b
}

func (b *bare) all() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.got, " ")
}

func (b *bare) send(list ...message.Message) {
	for _, m := range list {
		time.Sleep(time.Millisecond)
		command, payload := message.Encode(m)
		b.conn.WriteMessage(command, payload)
	}
}

func hello() *message.Version {
	return &message.Version{Version: message.ProtocolVersion, Services: message.ServiceNetwork | message.ServiceWitness, Time: time.Now().Unix(), Nonce: 1, Relay: true}
}

// meet links a node to a bare peer.
func meet(t *testing.T, kind Kind, change func(*LinkOptions)) (*side, *Link, *bare, chan error) {
	t.Helper()
	s := newSide(t)
	left, right := net.Pipe()
	opt := testOptions(kind)
	if change != nil {
		change(&opt)
	}
	link, result := s.run(t, left, opt)
	return s, link, newBare(t, right), result
}
