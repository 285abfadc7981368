package rpc

import (
	"sync"

	"granary/chain"
)

// tipWatch lets calls wait for a step of the chain: the channel of now is
// closed by the next step, or for good when the door closes.
type tipWatch struct {
	mu     sync.Mutex
	ch     chan struct{}
	closed bool
}

func (t *tipWatch) init() { t.ch = make(chan struct{}) }

// next gives the channel that the next step closes.
func (t *tipWatch) next() (step <-chan struct{}, closed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ch, t.closed
}

func (t *tipWatch) step() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		close(t.ch)
		t.ch = make(chan struct{})
	}
}

func (t *tipWatch) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		t.closed = true
		close(t.ch)
	}
}

// Connect implements chain.Follower: it wakes the waitfor methods and has
// proofs at the block prepared.
func (s *Server) Connect(event *chain.Event) error {
	s.tip.step()
	s.prepareProof(event.Header)
	return nil
}

// Disconnect implements chain.Follower.
func (s *Server) Disconnect(*chain.Event) error {
	s.tip.step()
	return nil
}

// Prune implements chain.Follower; the door keeps no blocks.
func (s *Server) Prune(int32) error { return nil }

var _ chain.Follower = (*Server)(nil)
