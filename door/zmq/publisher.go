package zmq

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// DefaultHighWater is how many messages wait for a subscriber at most.
const DefaultHighWater = 1000

// maxSubscribers bounds the connections of one address.
const maxSubscribers = 64

// acceptPause is waited for after a connection could not be taken.
const acceptPause = 100 * time.Millisecond

// Topics are what can be published.
var Topics = []string{"hashblock", "hashtx", "rawblock", "rawtx", "sequence"}

// Notifier is one topic at one address, as zmqpubTOPIC=ADDRESS asks for it.
type Notifier struct {
	Topic   string // one of Topics
	Address string // tcp://HOST:PORT (HOST * is every address) or ipc://PATH
	// HighWater is how many messages wait for a subscriber at most; those
	// beyond are lost to it. DefaultHighWater where zero.
	HighWater int
}

// Options are the settings of a Publisher.
type Options struct {
	Notifiers []Notifier
	// Tip tells which block the chain stands on (chain.Engine.Tip): of several
	// steps made together only the last is a new tip.
	Tip TipSource
	// Syncing, if set, reports the initial download, in which no tips are
	// published.
	Syncing func() bool
	Log     *slog.Logger // nil discards
}

// Publisher listens on the addresses of its notifiers. It is a follower of
// the chain and watches the mempool (Follow and Watch in notify.go). Its
// methods are safe for concurrent use and never wait for a subscriber.
type Publisher struct {
	o         Options
	notifiers []*notifier
	sockets   []*socket
	done      sync.WaitGroup
}

// notifier is a topic at a socket with its count of messages.
type notifier struct {
	Notifier
	socket *socket
	mu     sync.Mutex
	count  uint32
}

// socket is one address with its subscribers.
type socket struct {
	address  string
	listener net.Listener
	mu       sync.Mutex
	subs     []*subscriber
	closed   bool
}

// Listen opens every address. An error names the one that cannot be used.
func Listen(o Options) (*Publisher, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	p := &Publisher{o: o}
	for _, n := range o.Notifiers {
		if !slices.Contains(Topics, n.Topic) {
			return nil, errors.Join(fmt.Errorf("ZMQ topic %q is not one of %s", n.Topic, strings.Join(Topics, ", ")), p.Close())
		}
		if n.HighWater <= 0 {
			n.HighWater = DefaultHighWater
		}
		socket, err := p.socket(n.Address)
		if err != nil {
			return nil, errors.Join(err, p.Close())
		}
		p.notifiers = append(p.notifiers, &notifier{Notifier: n, socket: socket})
	}
	return p, nil
}

// Notifiers lists what is published and where.
func (p *Publisher) Notifiers() []Notifier {
	out := make([]Notifier, len(p.notifiers))
	for i, n := range p.notifiers {
		out[i] = n.Notifier
	}
	return out
}

// Close ends all connections and gives the addresses back.
func (p *Publisher) Close() error {
	var all error
	for _, s := range p.sockets {
		all = errors.Join(all, s.close())
	}
	p.done.Wait()
	return all
}

// socket finds or opens an address.
func (p *Publisher) socket(address string) (*socket, error) {
	for _, s := range p.sockets {
		if s.address == address {
			return s, nil
		}
	}
	network, at, ok := strings.Cut(address, "://")
	switch {
	case ok && network == "tcp":
		at = strings.Replace(at, "*:", ":", 1)
	case ok && network == "ipc":
		network = "unix"
	default:
		return nil, fmt.Errorf("ZMQ address %q is neither tcp://HOST:PORT nor ipc://PATH", address)
	}
	l, err := net.Listen(network, at)
	if errors.Is(err, syscall.EADDRINUSE) && network == "unix" && abandoned(at) {
		if err = os.Remove(at); err == nil {
			l, err = net.Listen(network, at)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot publish on %s: %w", address, err)
	}
	s := &socket{address: address, listener: l}
	p.sockets = append(p.sockets, s)
	p.done.Go(func() { p.accept(s) })
	return s, nil
}

// abandoned reports whether path is a socket at which nobody listens: that of
// a node that was killed.
func abandoned(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&os.ModeSocket == 0 {
		return false
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		conn.Close() //nolint:errcheck // nothing was said
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

func (p *Publisher) accept(s *socket) {
	for {
		conn, err := s.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(acceptPause) // out of file handles, perhaps
			continue
		}
		sub := newSubscriber(conn)
		if !s.add(sub) {
			sub.close()
			continue
		}
		p.done.Go(func() { p.serve(s, sub) })
	}
}

// serve speaks with one subscriber to its end.
func (p *Publisher) serve(s *socket, sub *subscriber) {
	defer s.remove(sub)
	r := bufio.NewReaderSize(sub.conn, 2*maxFrameBytes)
	err := sub.handshake(r)
	if err == nil {
		p.done.Go(func() {
			defer sub.close()
			if err := sub.write(); err != nil {
				p.o.Log.Debug("ZMQ: a subscriber takes nothing", "address", s.address, "why", err)
			}
		})
		err = sub.read(r)
	}
	p.o.Log.Debug("ZMQ: a subscriber has gone", "address", s.address, "why", err)
}

func (s *socket) add(sub *subscriber) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.subs) >= maxSubscribers {
		return false
	}
	s.subs = append(s.subs, sub)
	return true
}

func (s *socket) remove(sub *subscriber) {
	s.mu.Lock()
	s.subs = slices.DeleteFunc(s.subs, func(one *subscriber) bool { return one == sub })
	s.mu.Unlock()
	sub.close()
}

func (s *socket) close() error {
	s.mu.Lock()
	s.closed = true
	subs := slices.Clone(s.subs)
	s.mu.Unlock()
	for _, sub := range subs {
		sub.close()
	}
	return s.listener.Close()
}

func (s *socket) list() []*subscriber {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.subs)
}

// publish sends a message of a topic to who wants it. body is called once, and
// only if there is somebody; its result is the publisher's.
func (p *Publisher) publish(topic string, body func() []byte) {
	var made []byte
	for _, n := range p.notifiers {
		if n.Topic != topic {
			continue
		}
		n.mu.Lock()
		count := n.count
		n.count++
		var wanting []*subscriber
		for _, sub := range n.socket.list() {
			if sub.subscribed(topic) {
				wanting = append(wanting, sub)
			}
		}
		if len(wanting) > 0 {
			if made == nil {
				made = body()
			}
			m := message{topic, encode(topic, made, count)}
			for _, sub := range wanting {
				sub.push(m, n.HighWater)
			}
		}
		n.mu.Unlock()
	}
}

// encode makes the three frames of a message.
func encode(topic string, body []byte, count uint32) []byte {
	out := make([]byte, 0, len(topic)+len(body)+32)
	out = appendFrame(out, flagMore, []byte(topic))
	out = appendFrame(out, flagMore, body)
	return appendFrame(out, 0, binary.LittleEndian.AppendUint32(nil, count))
}
