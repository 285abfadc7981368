package p2p

import (
	"errors"
	"time"

	"granary/p2p/peer"
)

// addedNode is a node that a person wants to be connected to; guarded by
// Network.mu.
type addedNode struct {
	name     string
	failures int
	next     time.Time // when it may be dialled again
}

// What the person's commands refuse with.
var (
	ErrAdded        = errors.New("the node is added already")
	ErrNotAdded     = errors.New("the node was not added")
	ErrNotConnected = errors.New("no such node is connected")
	ErrCapacity     = errors.New("all places for this kind of connection are taken")
)

// backOff is the wait before a node is dialled again: half a second when the
// link stood, then twice as long with every failure, a minute at most.
func backOff(failures int) time.Duration {
	return min(time.Minute, 500*time.Millisecond<<min(failures, 10))
}

// openAdded dials the added nodes that are not connected and whose time has
// come.
func (n *Network) openAdded(now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, a := range n.added {
		if n.o.Connect == nil && n.count(peer.Manual) >= addedMax {
			return
		}
		if now.Before(a.next) || n.slotOf(a) != nil || n.reached(a.name) {
			continue
		}
		n.openManual(a)
	}
}

func (n *Network) openManual(a *addedNode) {
	s := &slot{kind: peer.Manual, name: a.name, added: a}
	n.grantManual(s)
	n.open(s)
}

// grantManual gives a link that a person wants the address, if it is one, and
// what the person grants to that address.
func (n *Network) grantManual(s *slot) {
	if at, ok := n.literal(s.name); ok {
		s.at, s.perms = at, n.permissions(at.Addr())
		s.name = at.String()
		s.group = groupOf(at)
	}
}

func (n *Network) slotOf(a *addedNode) *slot {
	for _, s := range n.slots {
		if s.added == a {
			return s
		}
	}
	return nil
}

// reached reports whether a link of any kind goes to where name says. The
// caller holds mu.
func (n *Network) reached(name string) bool {
	at, ok := n.literal(name)
	for _, s := range n.slots {
		if s.name == name || ok && s.at == at {
			return true
		}
	}
	return false
}

// AddNode keeps a link to name from now on.
func (n *Network) AddNode(name string) error {
	if _, _, err := SplitAddress(name, n.o.Net.P2PPort); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, a := range n.added {
		if a.name == name {
			return ErrAdded
		}
	}
	a := &addedNode{name: name}
	n.added = append(n.added, a)
	if n.active && !n.reached(name) && n.ctx.Err() == nil {
		n.openManual(a)
	}
	return nil
}

// RemoveNode does not keep a link to name any more; one that stands stays.
func (n *Network) RemoveNode(name string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, a := range n.added {
		if a.name == name {
			n.added = append(n.added[:i:i], n.added[i+1:]...)
			return nil
		}
	}
	return ErrNotAdded
}

// TryNode dials name once.
func (n *Network) TryNode(name string) error {
	if _, _, err := SplitAddress(name, n.o.Net.P2PPort); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.active || n.reached(name) || n.ctx.Err() != nil {
		return nil
	}
	s := &slot{kind: peer.Manual, name: name}
	n.grantManual(s)
	n.open(s)
	return nil
}

// AddedNode is what getaddednodeinfo tells.
type AddedNode struct {
	Name      string
	Connected bool
	Inbound   bool
	Addr      string // of the link
}

// AddedNodes lists the nodes that a person wants to be connected to.
func (n *Network) AddedNodes() []AddedNode {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := make([]AddedNode, 0, len(n.added))
	for _, a := range n.added {
		info := AddedNode{Name: a.name}
		at, literal := n.literal(a.name)
		for _, s := range n.slots {
			if s.ready && (s.added == a || s.name == a.name || literal && s.at == at) {
				info.Connected, info.Inbound, info.Addr = true, s.kind == peer.Inbound, s.at.String()
			}
		}
		all = append(all, info)
	}
	return all
}
