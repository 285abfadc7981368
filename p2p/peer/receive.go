package peer

import (
	"errors"
	"fmt"
	"sync"

	"granary/p2p/message"
)

// largeBytes is from which length on messages take their turn to be decoded.
const largeBytes = 1 << 16

// pongVersion is behind which peers answer a ping (BIP31).
const pongVersion = 60000

// read waits for the next message that decodes; give returns what it took of
// the loop's decoding budget.
func (l *Link) read() (m message.Message, give func(), err error) {
	for {
		command, payload, err := l.conn.ReadMessage()
		if err != nil {
			return nil, nil, err
		}
		give := func() {}
		if n := len(payload); n >= largeBytes {
			if !l.loop.decoding.take(n, l.ended) {
				return nil, nil, l.reason
			}
			give = func() { l.loop.decoding.give(n) }
		}
		m, err := message.Decode(command, payload)
		if err == nil {
			return m, give, nil
		}
		give()
		if err := l.judge(err); err != nil {
			return nil, nil, err
		}
	}
}

// judge is what a malformed message means; nil goes on.
func (l *Link) judge(err error) error {
	var malformed *message.Malformed
	if !errors.As(err, &malformed) {
		return err
	}
	switch malformed.Severity {
	case message.Cut:
		return err
	case message.Punish:
		l.Misbehaved(err.Error())
		if l.isEnded() {
			return l.reason
		}
	}
	return nil
}

// receive takes one message and waits until it is handled and nobody holds
// the peer back.
func (l *Link) receive() error {
	m, give, err := l.read()
	if err != nil {
		return err
	}
	err = l.take(m)
	give()
	if err == nil {
		l.holds.wait(l.ended)
	}
	return err
}

// take answers a message of the link's own, or hands it over.
func (l *Link) take(m message.Message) error {
	switch m := m.(type) {
	case *message.Ping:
		if l.Facts().Version > pongVersion {
			l.Send(&message.Pong{Nonce: m.Nonce})
		}
	case *message.Pong:
		l.pong(m.Nonce)
	case *message.WTxIDRelay, *message.SendAddrV2:
		return fmt.Errorf("%s came after verack", m.Command())
	case *message.Version:
		l.note("redundant version message from peer")
	case *message.Unknown:
		if m.Name == "filterload" || m.Name == "filteradd" || m.Name == "filterclear" {
			return fmt.Errorf("%s received despite not offering bloom services", m.Name)
		}
	case *message.VerAck: // said twice
	default:
		l.hand(m)
	}
	return nil
}

// hand gives a message to the first handler that takes it.
func (l *Link) hand(m message.Message) {
	l.deliver(func() {
		for _, h := range l.loop.handlers {
			if h.Receive(l, m) || l.isEnded() {
				return
			}
		}
	})
}

// Holder is a peer whose next message can be held back. A Link is one.
type Holder interface {
	// Hold keeps the peer's next message unread until release is called,
	// which must happen once: for work that a handler gave to another
	// goroutine and that should be done before more of it comes (a block
	// that is being validated). A pong, too, waits: a peer that gets one
	// knows that what it sent before was dealt with.
	Hold() (release func())
}

// Hold implements Holder.
func (l *Link) Hold() (release func()) { return l.holds.add() }

// holds counts what the reader waits for.
type holds struct {
	mu   sync.Mutex
	n    int
	done chan struct{} // closed when n sinks to zero
}

func (h *holds) add() (release func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.n == 0 {
		h.done = make(chan struct{})
	}
	h.n++
	return sync.OnceFunc(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.n--; h.n == 0 {
			close(h.done)
		}
	})
}

func (h *holds) wait(cancel <-chan struct{}) {
	h.mu.Lock()
	n, done := h.n, h.done
	h.mu.Unlock()
	if n == 0 {
		return
	}
	select {
	case <-done:
	case <-cancel:
	}
}
