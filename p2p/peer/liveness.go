package peer

import (
	"errors"
	"time"

	"granary/p2p/message"
)

// liveness is what a link knows of the peer's answering.
type liveness struct {
	ready bool // the handshake is done

	received, sent         uint64 // bytes when last looked at
	lastReceived, lastSent time.Time

	pingNonce   uint64 // of the ping under way; zero: none
	pingQueued  time.Time
	pingLeft    time.Time // when it was handed to the network; zero before
	pinged      time.Time // when the last ping was queued
	ping, least time.Duration
	pongs       int

	lastBlock, lastTx time.Time
	offset            time.Duration
}

// The ends of a peer that does not answer.
var (
	errSilent = errors.New("nothing was heard from it for too long")
	errStuck  = errors.New("it took nothing of what it is sent for too long")
	errNoPong = errors.New("it did not answer a ping")
)

// tick sends pings and ends the link of a peer that is gone. Time is the
// node's clock, as in Bitcoin Core; what moves counts as alive, however slow.
func (l *Link) tick(now time.Time) {
	reason, ping := l.look(now)
	if reason != nil {
		l.end(reason)
		return
	}
	if ping {
		l.Ping()
	}
}

func (l *Link) look(now time.Time) (reason error, pingNow bool) {
	backlog, reading := l.SendBacklogBytes(), l.conn.Reading()
	l.mu.Lock()
	defer l.mu.Unlock()
	v := &l.live
	overdue := now.Sub(l.facts.Load().Since) > l.opt.HandshakeTimeout
	if received := l.conn.ReadBytes(); received != v.received {
		v.received, v.lastReceived = received, now
	}
	if sent := l.conn.WrittenBytes(); sent != v.sent || backlog == 0 {
		v.sent, v.lastSent = sent, now
	}
	switch {
	case !v.ready && !overdue:
		return nil, false
	case !v.ready:
		return errHandshake, false
	case !overdue: // silence is judged once a handshake's time is over, as in Core
	case now.Sub(v.lastReceived) > InactivityTimeout:
		return errSilent, false
	case now.Sub(v.lastSent) > InactivityTimeout:
		return errStuck, false
	case v.pingNonce != 0 && !v.pingLeft.IsZero() && now.Sub(v.pingLeft) > InactivityTimeout && !reading:
		return errNoPong, false
	}
	return nil, v.pingNonce == 0 && (v.pinged.IsZero() || now.Sub(v.pinged) > PingInterval)
}

// Ping sends a ping now, whatever is under way (the RPC of that name).
func (l *Link) Ping() {
	nonce, now := randomNonce(), l.loop.clock.Now()
	l.mu.Lock()
	l.live.pingNonce, l.live.pingQueued, l.live.pingLeft, l.live.pinged = nonce, now, time.Time{}, now
	l.mu.Unlock()
	l.Send(&message.Ping{Nonce: nonce})
}

// pingLeaves notes when a ping goes to the network.
func (l *Link) pingLeaves() {
	now := l.loop.clock.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.live.pingLeft = now
}

// pong takes the answer. Nonce zero, which also a pong without a nonce gives,
// ends the wait without a measure; any other wrong nonce means nothing.
func (l *Link) pong(nonce uint64) {
	now := l.loop.clock.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	v := &l.live
	if v.pingNonce == 0 || (nonce != v.pingNonce && nonce != 0) {
		return
	}
	v.pingNonce = 0
	if took := now.Sub(v.pingLeft); nonce != 0 && !v.pingLeft.IsZero() && took >= 0 {
		v.ping = took
		if v.pongs == 0 || took < v.least {
			v.least = took
		}
		v.pongs++
	}
}

// NoteBlock says that the peer was the first to bring a block that is new and
// valid; eviction protects such peers.
func (l *Link) NoteBlock(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.live.lastBlock = now
}

// NoteTx says the same of a transaction that the mempool took.
func (l *Link) NoteTx(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.live.lastTx = now
}
