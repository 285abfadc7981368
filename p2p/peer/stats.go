package peer

import (
	"time"

	"granary/p2p/transport"
)

// Stats are what getpeerinfo shows of a link.
type Stats struct {
	ID uint64
	Facts
	// Ready says that the handshake is done; before, most of Facts is empty.
	Ready bool
	// AddrBind is our end of the connection.
	AddrBind           string
	LastSent           time.Time
	LastReceived       time.Time
	LastBlock, LastTx  time.Time // zero: none yet
	BytesSent          uint64
	BytesReceived      uint64
	ByCommand          transport.Counters
	Ping, MinPing      time.Duration // valid where Pongs is not zero
	Pongs              int
	PingWait           time.Duration // how long a ping is under way; zero: none is
	TimeOffset         time.Duration
	SendBacklogBytes   int
	SessionID          [32]byte // of BIP324; zero otherwise
	HeldBackByHandlers bool     // see Holder
}

// Stats may be called from any goroutine.
func (l *Link) Stats() Stats {
	now := l.loop.clock.Now()
	s := Stats{
		ID: l.id, Facts: *l.Facts(), AddrBind: l.conn.LocalAddr().String(),
		BytesSent: l.conn.WrittenBytes(), BytesReceived: l.conn.ReadBytes(),
		ByCommand: l.conn.Counters(), SendBacklogBytes: l.SendBacklogBytes(),
		SessionID: l.conn.SessionID(), HeldBackByHandlers: l.holds.any(),
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	v := &l.live
	s.Ready, s.TimeOffset = v.ready, v.offset
	s.LastSent, s.LastReceived, s.LastBlock, s.LastTx = v.lastSent, v.lastReceived, v.lastBlock, v.lastTx
	s.Ping, s.MinPing, s.Pongs = v.ping, v.least, v.pongs
	if v.pingNonce != 0 {
		s.PingWait = max(now.Sub(v.pingQueued), 0)
	}
	return s
}

// ReceivedBytes are all bytes that came from the peer so far, those of a message
// that is not whole yet included: the measure of progress of a block that is
// on its way.
func (l *Link) ReceivedBytes() uint64 { return l.conn.ReadBytes() }

func (h *holds) any() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.n > 0
}
