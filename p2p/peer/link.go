package peer

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"granary/p2p/message"
	"granary/p2p/transport"
)

// Bitcoin Core's times.
const (
	PingInterval      = 2 * time.Minute
	InactivityTimeout = 20 * time.Minute
	HandshakeTimeout  = time.Minute
)

// PaceBytes is the backlog below which a handler that serves blocks may queue
// one more (handlers are ticked when a backlog sinks below it); QueueBytes has
// room for the longest message beyond it.
const (
	PaceBytes  = 1 << 20
	QueueBytes = 6_000_000
)

// handshakeBytes bounds each message until the handshake is done.
const handshakeBytes = 1 << 16

// Self is what our version message says of us.
type Self struct {
	Services    message.Services
	UserAgent   string
	StartHeight int32
	// Relay is false for a node that wants no transactions (blocksonly).
	Relay bool
}

// LinkOptions are what the network knows of a link before its handshake.
type LinkOptions struct {
	Kind     Kind
	Addr     string // host:port, as dialled or as accepted
	IP       netip.Addr
	NetGroup string
	// The permissions in Facts.
	NoBan, Download, ForceRelay bool
	SendTxs, MemPool, AnyAddr   bool
	// Self is asked once, when the version message is sent.
	Self func() Self
	// Wants judges what the peer serves; nil takes everybody.
	Wants func(message.Services) bool
	// Discourage is told of a peer that broke the rules, before it is
	// disconnected; it must not wait. Peers with NoBan and manual ones are
	// never reported (nor disconnected for it), as in Bitcoin Core.
	Discourage func(l *Link, reason string)
	// HandshakeTimeout (peertimeout) and QueueBytes replace the usual bounds
	// where they are not zero.
	HandshakeTimeout time.Duration
	QueueBytes       int
	Log              *slog.Logger
}

// Link is the other end of one connection. It implements Peer.
type Link struct {
	id    uint64
	loop  *Loop
	conn  *transport.Conn
	opt   LinkOptions
	nonce uint64
	facts atomic.Pointer[Facts]
	out   sendQueue

	ended   chan struct{}
	endOnce sync.Once
	reason  error // set before ended is closed

	connected bool // handlers know the peer; the loop's
	handled   chan struct{}
	holds     holds

	mu   sync.Mutex // guards what follows
	live liveness
}

// NewLink makes a link over an opened transport, which it takes over. Run
// starts it.
func NewLink(loop *Loop, conn *transport.Conn, opt LinkOptions) *Link {
	if opt.HandshakeTimeout == 0 {
		opt.HandshakeTimeout = HandshakeTimeout
	}
	if opt.QueueBytes == 0 {
		opt.QueueBytes = QueueBytes
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	l := &Link{
		id: loop.nextID.Add(1) - 1, loop: loop, conn: conn, opt: opt, nonce: randomNonce(),
		out: newSendQueue(), ended: make(chan struct{}), handled: make(chan struct{}, 1),
	}
	now := loop.clock.Now()
	l.facts.Store(&Facts{
		Kind: opt.Kind, Addr: opt.Addr, IP: opt.IP, NetGroup: opt.NetGroup, Since: now,
		Transport: conn.Version(), NoBan: opt.NoBan, Download: opt.Download, ForceRelay: opt.ForceRelay,
		SendTxs: opt.SendTxs, MemPool: opt.MemPool, AnyAddr: opt.AnyAddr,
	})
	l.live.lastReceived, l.live.lastSent = now, now
	return l
}

// randomNonce is never zero: zero means none.
func randomNonce() uint64 {
	var b [8]byte
	rand.Read(b[:]) //nolint:errcheck // never fails since Go 1.24
	return max(binary.LittleEndian.Uint64(b[:]), 1)
}

// ErrSelf says that a node reached itself.
var ErrSelf = errors.New("connected to itself")

// Run drives the link and returns when it is over, with the reason. The
// loop's handlers hear of the peer once the handshake is done. A feeler ends
// with nil when the handshake is done: nobody hears of it, and Facts say what
// it found. The loop must be running.
func (l *Link) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { l.end(context.Cause(ctx)) })
	defer stop()
	l.loop.attach(l)
	defer l.loop.detach(l)
	var writing sync.WaitGroup
	writing.Go(l.write)
	err := l.converse()
	l.end(err)
	writing.Wait()
	l.tellDisconnected()
	l.note("peer gone", "reason", l.reason)
	if l.opt.Kind == Feeler && err == nil {
		return nil
	}
	return l.reason
}

// converse is the whole talk, on the reading goroutine.
func (l *Link) converse() error {
	l.conn.LimitPayload(handshakeBytes)
	shake, err := l.handshake()
	if err != nil || l.opt.Kind == Feeler {
		return err
	}
	l.conn.LimitPayload(message.MaxPayloadBytes)
	l.mu.Lock()
	l.live.ready = true
	l.mu.Unlock()
	l.note("peer connected", "agent", l.Facts().UserAgent)
	l.deliver(func() {
		l.connected = true
		for _, h := range l.loop.handlers {
			h.Connected(l)
		}
	})
	for _, m := range shake.early {
		l.hand(m)
	}
	for {
		if err := l.receive(); err != nil {
			return err
		}
	}
}

// end is the one end of a link; the first reason counts.
func (l *Link) end(reason error) {
	l.endOnce.Do(func() {
		if reason == nil {
			reason = errors.New("closed")
		}
		l.reason = reason
		close(l.ended)
		l.conn.Close() //nolint:errcheck // nothing is lost with it
	})
}

func (l *Link) isEnded() bool {
	select {
	case <-l.ended:
		return true
	default:
		return false
	}
}

// tellDisconnected tells the handlers, if they know of the peer.
func (l *Link) tellDisconnected() {
	l.onLoop(func() {
		if !l.connected {
			return
		}
		for _, h := range l.loop.handlers {
			h.Disconnected(l)
		}
	})
}

// deliver does work on the loop's goroutine and waits for it; work is dropped
// if the link has ended meanwhile.
func (l *Link) deliver(work func()) {
	l.onLoop(func() {
		if !l.isEnded() {
			work()
		}
	})
}

func (l *Link) onLoop(work func()) {
	l.loop.Post(func() {
		work()
		l.handled <- struct{}{}
	})
	select {
	case <-l.handled:
	case <-l.loop.stopped:
		l.Disconnect("the node stops")
	}
}

// ID implements Peer.
func (l *Link) ID() uint64 { return l.id }

// Facts implements Peer. Before the handshake is done they say only what was
// known when the link was made.
func (l *Link) Facts() *Facts { return l.facts.Load() }

// Disconnect implements Peer.
func (l *Link) Disconnect(reason string) { l.end(errors.New(reason)) }

// Misbehaved implements Peer. Manual peers are spared as those with NoBan.
func (l *Link) Misbehaved(reason string) {
	if l.opt.NoBan || l.opt.Kind == Manual {
		l.note("peer misbehaves and is spared", "reason", reason)
		return
	}
	if l.isEnded() {
		return
	}
	if l.opt.Discourage != nil {
		l.opt.Discourage(l, reason)
	}
	l.end(fmt.Errorf("misbehaved: %s", reason))
}

// note logs a line about the peer, unless there were too many lately.
func (l *Link) note(text string, args ...any) {
	if swallowed, ok := l.loop.speak(); ok {
		args = append(args, "peer", l.id, "addr", l.opt.Addr)
		if swallowed > 0 {
			args = append(args, "lines_left_out", swallowed)
		}
		l.opt.Log.Debug(text, args...)
	}
}
