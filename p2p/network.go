package p2p

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"granary/p2p/addr"
	"granary/p2p/message"
	"granary/p2p/peer"
)

// keepEvery is how often the network looks whom it lacks; saveEvery how often
// the book is written.
const (
	keepEvery = 500 * time.Millisecond
	saveEvery = 15 * time.Minute
)

// Network holds the links. It is a handler of the Loop too, and must be its
// first: it notes who is connected. Its other methods may be called from any
// goroutine.
type Network struct {
	o      Options
	ctx    context.Context
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup
	secret [16]byte

	mu        sync.Mutex // guards what follows, and Options.Rand
	listeners []net.Listener
	active    bool
	slots     []*slot // in order of making
	added     []*addedNode
	seeds     []string // still to be asked
	anchors   []netip.AddrPort
	plan      plan
	local     []netip.AddrPort
	ended     Totals // of links that are over
	told      int64  // bytes sent that Uploads was told of
}

// Totals are the bytes of all links.
type Totals struct{ ReceivedBytes, SentBytes uint64 }

var _ peer.Handler = (*Network)(nil)

// errStopping ends every link when the network stops.
var errStopping = errors.New("the node stops")

// New makes a network that does nothing yet.
func New(o Options) *Network {
	o.defaults()
	n := &Network{o: o, active: !o.Inactive, seeds: o.SeedNode}
	n.ctx, n.cancel = context.WithCancelCause(context.Background())
	for i := range n.secret {
		n.secret[i] = byte(o.Rand.Uint64())
	}
	names := o.AddNode
	if o.Connect != nil {
		names = append(o.Connect[:len(o.Connect):len(o.Connect)], names...)
	}
	for _, name := range names {
		n.added = append(n.added, &addedNode{name: name})
	}
	return n
}

// Start listens and begins to dial. The Loop must be running.
func (n *Network) Start() error {
	if err := n.listen(); err != nil {
		return err
	}
	n.findLocal()
	if n.o.Dir != nil && n.o.Connect == nil {
		anchors, err := n.o.Dir.TakeAnchors()
		if err != nil {
			n.closeListeners()
			return err
		}
		n.anchors = anchors
	}
	n.sayIfAlone()
	n.wg.Go(n.keep)
	return nil
}

// sayIfAlone tells a person that nobody will be found. Regtest is for one
// machine and needs nobody.
func (n *Network) sayIfAlone() {
	named := n.o.Connect != nil || len(n.o.SeedNode)+len(n.o.AddNode) > 0
	if !named && n.o.Net.Name != "regtest" && n.o.Book.Counts(0) == (addr.Counts{}) {
		n.o.Log.Info("no peers are known: name one with --addnode HOST or --seednode HOST; nothing is contacted that you did not name")
	}
}

// keep is the goroutine that looks after the links.
func (n *Network) keep() {
	ticker := time.NewTicker(keepEvery)
	defer ticker.Stop()
	saved := n.o.Clock.Now()
	for {
		n.lookAround(n.o.Clock.Now())
		select {
		case <-n.ctx.Done():
			return
		case <-ticker.C:
		}
		if now := n.o.Clock.Now(); now.Sub(saved) >= saveEvery {
			saved = now
			if err := n.save(); err != nil {
				n.o.Log.Warn("the address book could not be written", "err", err)
			}
		}
	}
}

func (n *Network) save() error {
	if n.o.Dir == nil {
		return nil
	}
	return n.o.Dir.SaveBook(n.o.Book)
}

// Stop closes every link, waits until they are gone and writes the book, and
// the anchors for the next start. The Loop must still be running.
func (n *Network) Stop() error {
	anchors := n.chooseAnchors()
	n.cancel(errStopping)
	n.closeListeners()
	n.wg.Wait()
	if n.o.Dir == nil {
		return nil
	}
	if len(anchors) == 0 {
		return n.save()
	}
	return errors.Join(n.save(), n.o.Dir.SaveAnchors(anchors))
}

// chooseAnchors gives the peers of blocks only that are connected.
func (n *Network) chooseAnchors() (anchors []netip.AddrPort) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range n.slots {
		if s.kind == peer.BlockRelay && s.ready && len(anchors) < blockRelayOutbound {
			anchors = append(anchors, s.at)
		}
	}
	return anchors
}

// Connected implements peer.Handler.
func (n *Network) Connected(p peer.Peer) {
	f := p.Facts()
	n.mu.Lock()
	s := n.byLink(p.ID())
	if s != nil {
		s.ready, s.readyAt = true, n.o.Clock.Now()
		s.relays = f.Relay
		s.serves = f.Services.Has(message.ServiceNetwork | message.ServiceWitness)
		if s.added != nil {
			s.added.failures = 0
		}
	}
	n.mu.Unlock()
	if s != nil && f.Outbound() && f.Kind != peer.BlockRelay {
		n.met(s.at, f.Services)
	} else if s != nil && f.Kind == peer.BlockRelay {
		// A peer of blocks only leaves no trace in the book but that it is
		// alive: who asks us for addresses must not learn of it.
		n.o.Book.SetServices(s.at, f.Services)
	}
}

// met notes in the book that a node answered.
func (n *Network) met(at netip.AddrPort, services message.Services) {
	n.o.Book.SetServices(at, services)
	n.o.Book.Good(at)
}

// Disconnected implements peer.Handler.
func (n *Network) Disconnected(peer.Peer) {}

// Receive implements peer.Handler: nothing is the network's own.
func (n *Network) Receive(peer.Peer, message.Message) bool { return false }

// Tick implements peer.Handler.
func (n *Network) Tick(time.Time) {}
