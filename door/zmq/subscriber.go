package zmq

import (
	"bufio"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

const (
	// handshakeTime bounds the handshake; writeTime how long a subscriber may
	// take none of the bytes it is sent.
	handshakeTime = 30 * time.Second
	writeTime     = 5 * time.Minute
	// maxQueueBytes bounds what waits for one subscriber, beside the count of
	// messages (the high-water mark); the first message always fits.
	maxQueueBytes = 64 << 20
	// maxTopics bounds the subscriptions of one subscriber.
	maxTopics = 64
	pieceSize = 64 << 10
)

// message is one notification, its frames encoded; subscribers share it.
type message struct {
	topic string
	raw   []byte
}

// subscriber is one connection.
type subscriber struct {
	conn net.Conn

	mu     sync.Mutex
	wake   sync.Cond
	topics map[string]int // prefixes, with how often they were asked for
	queue  []message
	bytes  int
	closed bool
}

func newSubscriber(conn net.Conn) *subscriber {
	s := &subscriber{conn: conn, topics: map[string]int{}}
	s.wake.L = &s.mu
	return s
}

// wants reports whether a topic begins with what was subscribed to. s.mu is
// held.
func (s *subscriber) wants(topic string) bool {
	for prefix := range s.topics {
		if strings.HasPrefix(topic, prefix) {
			return true
		}
	}
	return false
}

// subscribed is wants for others.
func (s *subscriber) subscribed(topic string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.closed && s.wants(topic)
}

// push queues a message if it is wanted and there is room; it never waits.
func (s *subscriber) push(m message, highWater int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	full := len(s.queue) >= highWater || len(s.queue) > 0 && s.bytes+len(m.raw) > maxQueueBytes
	if s.closed || full || !s.wants(m.topic) {
		return
	}
	s.queue = append(s.queue, m)
	s.bytes += len(m.raw)
	s.wake.Signal()
}

// pop waits for a message; ok is false once the subscriber is closed.
func (s *subscriber) pop() (m message, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) == 0 && !s.closed {
		s.wake.Wait()
	}
	if s.closed {
		return m, false
	}
	m = s.queue[0]
	s.queue[0] = message{}
	if s.queue = s.queue[1:]; len(s.queue) == 0 {
		s.queue = nil
	}
	s.bytes -= len(m.raw)
	return m, true
}

func (s *subscriber) close() {
	s.mu.Lock()
	s.closed, s.queue = true, nil
	s.wake.Signal()
	s.mu.Unlock()
	_ = s.conn.Close()
}

// handshake greets and settles that the other side subscribes.
func (s *subscriber) handshake(r io.Reader) error {
	if err := s.conn.SetDeadline(time.Now().Add(handshakeTime)); err != nil {
		return err
	}
	if _, err := s.conn.Write(greeting()); err != nil {
		return err
	}
	theirs := make([]byte, greetingBytes)
	if _, err := io.ReadFull(r, theirs); err != nil {
		return err
	}
	if err := checkGreeting(theirs); err != nil {
		return err
	}
	if _, err := s.conn.Write(ready()); err != nil {
		return err
	}
	flags, body, err := readFrame(r)
	if err != nil {
		return err
	}
	if err := checkReady(flags, body); err != nil {
		return err
	}
	return s.conn.SetDeadline(time.Time{})
}

// read takes subscriptions until the connection ends.
func (s *subscriber) read(r *bufio.Reader) error {
	for {
		flags, body, err := readFrame(r)
		if err != nil {
			return err
		}
		switch {
		case flags&flagCommand != 0:
			err = s.obey(body)
		case len(body) > 0 && flags&flagMore == 0:
			err = s.subscribe(body[0], string(body[1:]))
		}
		if err != nil {
			return err
		}
	}
}

// subscribe adds a topic (1) or takes it back (0); other messages are none of
// a publisher's business.
func (s *subscriber) subscribe(verb byte, topic string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case verb == 1 && len(s.topics) >= maxTopics && s.topics[topic] == 0:
		return errProtocol
	case verb == 1:
		s.topics[topic]++
	case verb == 0 && s.topics[topic] > 1:
		s.topics[topic]--
	case verb == 0:
		delete(s.topics, topic)
	}
	return nil
}

// obey takes the commands of ZMTP 3.1, which some send whatever the version.
func (s *subscriber) obey(body []byte) error {
	name, data, err := parseCommand(body)
	if err != nil {
		return err
	}
	switch name {
	case "SUBSCRIBE":
		return s.subscribe(1, string(data))
	case "CANCEL":
		return s.subscribe(0, string(data))
	case "PING":
		if len(data) < 2 || len(data) > 2+16 {
			return errProtocol
		}
		s.pong(command("PONG", data[2:]))
	}
	return nil
}

// pong queues an answer between messages, whatever is subscribed to.
func (s *subscriber) pong(raw []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	const most = 16 // more pings than that are no question
	if s.closed || len(s.queue) >= most {
		return
	}
	s.queue = append(s.queue, message{raw: raw})
	s.bytes += len(raw)
	s.wake.Signal()
}

// write sends what is queued until the connection ends.
func (s *subscriber) write() error {
	for {
		m, ok := s.pop()
		if !ok {
			return nil
		}
		for raw := m.raw; len(raw) > 0; {
			n := min(len(raw), pieceSize)
			if err := s.conn.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
				return err
			}
			if _, err := s.conn.Write(raw[:n]); err != nil {
				return err
			}
			raw = raw[n:]
		}
	}
}
