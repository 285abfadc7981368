package peer

import (
	"fmt"
	"sync"
	"sync/atomic"

	"granary/p2p/message"
)

// outgoing is a message in bytes, waiting for the network.
type outgoing struct {
	command string
	payload []byte
}

// overheadBytes is what a queued message costs beside its payload.
const overheadBytes = 64

func (o *outgoing) bytes() int { return len(o.payload) + overheadBytes }

// sendQueue is what the peer has still to be sent, in order.
type sendQueue struct {
	mu      sync.Mutex
	list    []outgoing
	backlog atomic.Int64 // bytes, with the one that is being written
	some    chan struct{}
}

func newSendQueue() sendQueue { return sendQueue{some: make(chan struct{}, 1)} }

func (q *sendQueue) put(o outgoing) (backlogBytes int) {
	q.mu.Lock()
	q.list = append(q.list, o)
	backlog := q.backlog.Add(int64(o.bytes()))
	q.mu.Unlock()
	select {
	case q.some <- struct{}{}:
	default:
	}
	return int(backlog)
}

// all takes everything that waits.
func (q *sendQueue) all() []outgoing {
	q.mu.Lock()
	defer q.mu.Unlock()
	list := q.list
	q.list = nil
	return list
}

// Send implements Peer. The payload is made here; of a whole block or
// transaction it is shared.
func (l *Link) Send(m message.Message) {
	if l.isEnded() {
		return
	}
	command, payload := message.Encode(m)
	if backlog := l.out.put(outgoing{command, payload}); backlog > l.opt.QueueBytes {
		l.Disconnect(fmt.Sprintf("does not read what it is sent (%d bytes wait)", backlog))
	}
}

// SendBacklogBytes implements Peer.
func (l *Link) SendBacklogBytes() int { return int(l.out.backlog.Load()) }

// write is the writing goroutine.
func (l *Link) write() {
	for {
		select {
		case <-l.ended:
			return
		case <-l.out.some:
		}
		list := l.out.all()
		for i := range list {
			if list[i].command == "ping" {
				l.pingLeaves()
			}
			if err := l.conn.WriteMessage(list[i].command, list[i].payload); err != nil {
				l.end(err)
				return
			}
			written := int64(list[i].bytes())
			list[i] = outgoing{}
			if left := l.out.backlog.Add(-written); left < PaceBytes && left+written >= PaceBytes {
				l.loop.nudge()
			}
		}
	}
}
