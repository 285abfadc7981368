package transport

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"granary/p2p/message"
)

// Options are the same for every link of a node, but for V2.
type Options struct {
	// Magic is that of the network (of the base network for a charter chain).
	Magic [4]byte
	// V2 lets a client open with BIP324; a server takes whichever of v1 and
	// v2 comes. Without it both speak v1 only.
	V2 bool
	// HandshakeTimeout bounds the opening of the transport; zero is one minute.
	HandshakeTimeout time.Duration
	// ReadStall is how long a message that has begun may go without a
	// kilobyte of progress; zero is five minutes. Between messages there is
	// no bound: who owns the link sends pings.
	ReadStall time.Duration
	// WriteStall is how long the peer may go without taking a kilobyte of
	// what it is sent; zero is twenty minutes.
	WriteStall time.Duration
}

func (o *Options) defaults() {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&o.HandshakeTimeout, time.Minute},
		{&o.ReadStall, 5 * time.Minute},
		{&o.WriteStall, 20 * time.Minute},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
}

// The errors of a peer that does not keep to the framing.
var (
	ErrMagic    = errors.New("the peer speaks for another network")
	ErrTooLong  = errors.New("header error: Size too large, the peer declared a message beyond the bound")
	ErrStalled  = errors.New("the peer made no progress within the time allowed")
	ErrNotV2    = errors.New("the peer does not speak the encrypted transport; connect again without it")
	ErrBadCrypt = errors.New("the peer's encrypted bytes do not authenticate")
)

// framing is v1 or v2. sizeBytes are the bytes that the message takes on the
// wire, for the counters.
type framing interface {
	read(limitBytes int) (command string, payload []byte, sizeBytes int, err error)
	write(command string, payload []byte) (sizeBytes int, err error)
}

// Conn carries messages over a connection. One goroutine may read while
// another writes; the other methods may be called from any.
type Conn struct {
	nc        net.Conn
	opt       Options
	in        *bufio.Reader // over progress
	progress  *progressReader
	framing   framing
	version   uint8
	session   [32]byte
	limit     atomic.Int64
	written   atomic.Uint64
	mu        sync.Mutex
	counts    Counters
	closeOnce sync.Once
	closeErr  error
}

// Counters are the bytes of whole messages, with their framing, by command.
// A command that is not of the protocol counts as "*other*".
type Counters struct {
	Received, Sent map[string]uint64
}

// otherCommands is the name that Bitcoin Core counts unknown commands under.
const otherCommands = "*other*"

// Client opens the transport over a connection that we dialled. It takes nc
// over and closes it on an error. ErrNotV2 says that the peer wants v1: dial
// again without Options.V2.
func Client(ctx context.Context, nc net.Conn, opt Options) (*Conn, error) {
	return open(ctx, nc, opt, true)
}

// Server opens the transport over a connection that was accepted. It takes
// nc over and closes it on an error. With Options.V2 it waits for the first
// bytes, within HandshakeTimeout.
func Server(ctx context.Context, nc net.Conn, opt Options) (*Conn, error) {
	return open(ctx, nc, opt, false)
}

func open(ctx context.Context, nc net.Conn, opt Options, initiator bool) (*Conn, error) {
	opt.defaults()
	c := &Conn{nc: nc, opt: opt, version: 1}
	c.counts = Counters{Received: map[string]uint64{}, Sent: map[string]uint64{}}
	c.progress = &progressReader{nc: nc, stall: opt.ReadStall}
	c.in = bufio.NewReaderSize(c.progress, 4096)
	c.limit.Store(message.MaxPayloadBytes)
	if err := c.handshake(ctx, initiator); err != nil {
		nc.Close()
		return nil, fmt.Errorf("open transport: %w", err)
	}
	return c, nil
}

// handshake settles the framing under one deadline.
func (c *Conn) handshake(ctx context.Context, initiator bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !c.opt.V2 {
		c.framing = &v1{c: c}
		return nil
	}
	if err := c.nc.SetDeadline(time.Now().Add(c.opt.HandshakeTimeout)); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { c.nc.SetDeadline(time.Unix(1, 0)) })
	err := c.negotiate(initiator)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return err
	}
	return c.nc.SetDeadline(time.Time{})
}

// ReadMessage waits for the next message. The payload belongs to the caller.
// Its buffer grows with the bytes that come, never by what is declared. A v1
// message with a wrong checksum or an unprintable command is skipped, as
// Bitcoin Core does.
func (c *Conn) ReadMessage() (command string, payload []byte, err error) {
	for {
		command, payload, sizeBytes, err := c.framing.read(int(c.limit.Load()))
		if err != nil && !errors.Is(err, errSkip) {
			return "", nil, err
		}
		c.count(true, command, sizeBytes)
		if err == nil {
			return command, payload, nil
		}
	}
}

// errSkip marks a message that came whole and is dropped.
var errSkip = errors.New("message skipped")

// WriteMessage sends a message; it waits until the network took it, as long
// as the peer makes progress.
func (c *Conn) WriteMessage(command string, payload []byte) error {
	sizeBytes, err := c.framing.write(command, payload)
	if err == nil {
		c.count(false, command, sizeBytes)
	}
	return err
}

func (c *Conn) count(received bool, command string, sizeBytes int) {
	if !message.Known(command) {
		command = otherCommands
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if received {
		c.counts.Received[command] += uint64(sizeBytes)
	} else {
		c.counts.Sent[command] += uint64(sizeBytes)
	}
}

// Counters gives a copy of the counters.
func (c *Conn) Counters() Counters {
	c.mu.Lock()
	defer c.mu.Unlock()
	copied := Counters{Received: map[string]uint64{}, Sent: map[string]uint64{}}
	for command, n := range c.counts.Received {
		copied.Received[command] = n
	}
	for command, n := range c.counts.Sent {
		copied.Sent[command] = n
	}
	return copied
}

// LimitPayload bounds the payloads that are read from now on, beside the
// bounds of the protocol.
func (c *Conn) LimitPayload(limitBytes int) { c.limit.Store(int64(limitBytes)) }

// ReadBytes are all bytes that came so far, those of a message that is not
// whole yet included: who waits for a large message sees that it moves.
func (c *Conn) ReadBytes() uint64 { return c.progress.total.Load() }

// WrittenBytes are all bytes that the network took so far.
func (c *Conn) WrittenBytes() uint64 { return c.written.Load() }

// Reading reports whether a message has begun and is not whole yet.
func (c *Conn) Reading() bool { return c.progress.armed.Load() }

// Version is 1, or 2 for BIP324.
func (c *Conn) Version() uint8 { return c.version }

// SessionID is the shared id of a BIP324 session; both ends may compare it
// to rule out a man in the middle. It is zero for v1.
func (c *Conn) SessionID() [32]byte { return c.session }

// LocalAddr and RemoteAddr are those of the connection.
func (c *Conn) LocalAddr() net.Addr { return c.nc.LocalAddr() }

// RemoteAddr is the address of the peer.
func (c *Conn) RemoteAddr() net.Addr { return c.nc.RemoteAddr() }

// Close ends the connection and wakes who reads or writes. It may be called
// more than once and from any goroutine.
func (c *Conn) Close() error {
	c.closeOnce.Do(func() { c.closeErr = c.nc.Close() })
	return c.closeErr
}
