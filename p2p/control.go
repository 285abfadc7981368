package p2p

import (
	"fmt"
	"net/netip"
	"time"

	"granary/p2p/addr"
	"granary/p2p/peer"
)

// PeerInfo is what getpeerinfo tells of a link, but for what its handlers know.
type PeerInfo struct {
	peer.Stats
	// Network is the name of the network that the address belongs to.
	Network string
	// Leaving says that the link was told to go.
	Leaving bool
}

// Peers lists the links in the order of their ids.
func (n *Network) Peers() []PeerInfo {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []PeerInfo
	for _, s := range n.slots {
		if s.link != nil {
			all = append(all, PeerInfo{s.link.Stats(), addr.NetworkName(s.at.Addr()), s.leaving})
		}
	}
	return all
}

// Connections counts the links whose handshake is done.
func (n *Network) Connections() (inbound, outbound int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range n.slots {
		switch {
		case !s.ready || s.leaving:
		case s.kind == peer.Inbound:
			inbound++
		default:
			outbound++
		}
	}
	return inbound, outbound
}

// Totals gives the bytes of all links since the start.
func (n *Network) Totals() Totals {
	n.mu.Lock()
	defer n.mu.Unlock()
	t := n.ended
	for _, s := range n.slots {
		if s.link != nil {
			stats := s.link.Stats()
			t.ReceivedBytes += stats.BytesReceived
			t.SentBytes += stats.BytesSent
		}
	}
	return t
}

// Uploads tells how the upload target stands.
func (n *Network) Uploads() UploadInfo { return n.o.Uploads.Info() }

// Active reports whether the network is switched on.
func (n *Network) Active() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.active
}

// SetActive switches the network on or off; off ends every link.
func (n *Network) SetActive(on bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.active == on {
		return
	}
	n.active = on
	n.o.Log.Info("network switched", "active", on)
	if on {
		return
	}
	for _, s := range n.slots {
		s.drop("the network is switched off")
	}
}

// Ping sends a ping to every peer.
func (n *Network) Ping() {
	for _, link := range n.links() {
		link.Ping()
	}
}

func (n *Network) links() (all []*peer.Link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range n.slots {
		if s.ready {
			all = append(all, s.link)
		}
	}
	return all
}

// DisconnectID ends a link.
func (n *Network) DisconnectID(id uint64) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.byLink(id)
	if s == nil || s.leaving {
		return ErrNotConnected
	}
	s.drop("a person ended it")
	return nil
}

// DisconnectAddress ends the links to host:port, or to all of a block
// (192.0.2.0/24) or host.
func (n *Network) DisconnectAddress(name string) error {
	block, err := addr.ParseBlock(name)
	isBlock := err == nil
	at, literal := n.literal(name)
	n.mu.Lock()
	defer n.mu.Unlock()
	found := false
	for _, s := range n.slots {
		if s.name == name || literal && s.at == at || isBlock && block.Contains(s.at.Addr()) {
			found = found || !s.leaving
			s.drop("a person ended it")
		}
	}
	if !found {
		return ErrNotConnected
	}
	return nil
}

// AddConnection opens a link of a kind at once, beside what the node would
// open by itself (for tests of others' nodes).
func (n *Network) AddConnection(name string, kind peer.Kind, v1 bool) error {
	at, ok := n.literal(name)
	if !ok {
		return fmt.Errorf("%q is not an address", name)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	full, blocks := n.limits()
	most := map[peer.Kind]int{peer.OutboundFull: full, peer.BlockRelay: blocks, peer.Feeler: feelers, peer.AddrFetch: addedMax, peer.Manual: addedMax}
	if n.count(kind) >= most[kind] {
		return ErrCapacity
	}
	if n.ctx.Err() == nil {
		n.open(&slot{kind: kind, at: at, name: at.String(), group: groupOf(at), v1: v1})
	}
	return nil
}

// Ban shuts a block of addresses out until a time and ends its links.
func (n *Network) Ban(block netip.Prefix, until time.Time) error {
	if err := n.o.Bans.Add(block, until); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range n.slots {
		if block.Contains(s.at.Addr()) {
			s.drop("banned")
		}
	}
	return nil
}

// Bans gives the bans.
func (n *Network) Bans() *addr.Bans { return n.o.Bans }

// Book gives the address book.
func (n *Network) Book() *addr.Book { return n.o.Book }

// Networks are those that the node dials by itself.
func (n *Network) Networks() addr.Networks { return n.o.OnlyNet }
