package transport

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// stallBytes must move within a stall window: at 16 kbit/s that takes half a
// second, so that only a link that carries next to nothing is cut.
const stallBytes = 1024

// progressReader reads from the connection and counts. While a message is
// under way it holds the peer to some progress in every window.
type progressReader struct {
	nc    net.Conn
	stall time.Duration
	total atomic.Uint64

	armed  atomic.Bool
	window uint64 // total when the window began
	frozen bool   // during the handshake, which has a deadline of its own
}

// arm begins to measure: a message has begun. That a deadline cannot be set
// is left to the next read to find: what came before may still be taken.
func (p *progressReader) arm() {
	if !p.frozen {
		p.armed.Store(true)
		p.renew()
	}
}

// disarm ends it: the message is whole, and the next may take its time.
func (p *progressReader) disarm() {
	if !p.frozen {
		p.armed.Store(false)
		p.nc.SetReadDeadline(time.Time{}) //nolint:errcheck // see arm
	}
}

func (p *progressReader) renew() {
	p.window = p.total.Load()
	p.nc.SetReadDeadline(time.Now().Add(p.stall)) //nolint:errcheck // see arm
}

func (p *progressReader) Read(b []byte) (int, error) {
	n, err := p.nc.Read(b)
	total := p.total.Add(uint64(n))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return n, fmt.Errorf("%w (%v)", ErrStalled, err)
	}
	if p.armed.Load() && total-p.window >= stallBytes {
		p.renew()
	}
	return n, err
}

// writeAll writes b and holds the peer to some progress in every window.
func (c *Conn) writeAll(b []byte) error {
	for len(b) > 0 {
		if err := c.nc.SetWriteDeadline(time.Now().Add(c.opt.WriteStall)); err != nil {
			return err
		}
		n, err := c.nc.Write(b)
		c.written.Add(uint64(n))
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded) && n >= stallBytes:
		case errors.Is(err, os.ErrDeadlineExceeded):
			return fmt.Errorf("%w (%v)", ErrStalled, err)
		default:
			return err
		}
		b = b[n:]
	}
	return nil
}

// readGrowing reads n bytes into a new slice that grows with what has come:
// at most twice of that is allocated.
func (c *Conn) readGrowing(n int) ([]byte, error) {
	const first = 16 << 10
	buf := make([]byte, min(n, first))
	for filled := 0; ; {
		if _, err := io.ReadFull(c.in, buf[filled:]); err != nil {
			return nil, err
		}
		if filled = len(buf); filled == n {
			return buf, nil
		}
		larger := make([]byte, min(n, 2*filled))
		copy(larger, buf)
		buf = larger
	}
}
