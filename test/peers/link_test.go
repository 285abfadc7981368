package peers

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"granary/base/clock"
	"granary/p2p/message"
	"granary/p2p/peer"
	"granary/p2p/transport"
	"granary/params"
)

// listener is a handler that keeps what it hears.
type listener struct {
	connected chan peer.Peer
	heard     chan message.Message
}

func (l *listener) Connected(p peer.Peer)  { l.connected <- p }
func (l *listener) Disconnected(peer.Peer) {}
func (l *listener) Tick(time.Time)         {}
func (l *listener) Receive(_ peer.Peer, m message.Message) bool {
	select {
	case l.heard <- m:
	default:
	}
	return true
}

// await waits for a message of the type of like.
func await[M message.Message](t *testing.T, l *listener) M {
	t.Helper()
	deadline := time.After(startTimeout)
	for {
		select {
		case m := <-l.heard:
			if wanted, ok := m.(M); ok {
				return wanted
			}
		case <-deadline:
			t.Fatal("btcd does not answer")
		}
	}
}

// linkWorld is the network part of a node, with nothing behind it.
type linkWorld struct {
	*listener
	loop *peer.Loop
	opt  transport.Options
}

func newLinkWorld(t *testing.T, v2 bool) *linkWorld {
	t.Helper()
	regtest, err := params.NetworkByName("regtest", nil)
	if err != nil {
		t.Fatal(err)
	}
	l := &listener{connected: make(chan peer.Peer, 1), heard: make(chan message.Message, 100)}
	w := &linkWorld{listener: l, loop: peer.NewLoop(clock.Real{}, l), opt: transport.Options{Magic: regtest.Magic(), V2: v2}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { w.loop.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return w
}

// run links to btcd over an opened transport until the test ends.
func (w *linkWorld) run(t *testing.T, conn *transport.Conn, kind peer.Kind) *peer.Link {
	t.Helper()
	link := peer.NewLink(w.loop, conn, peer.LinkOptions{
		Kind: kind, Addr: conn.RemoteAddr().String(),
		Self: func() peer.Self {
			return peer.Self{Services: message.ServiceNetwork | message.ServiceWitness, UserAgent: "/granary:1.0.0/", Relay: true}
		},
	})
	ended := make(chan error, 1)
	go func() { ended <- link.Run(context.Background()) }()
	t.Cleanup(func() { link.Disconnect("the test is over"); <-ended })
	select {
	case <-w.connected:
	case err := <-ended:
		ended <- err
		t.Fatalf("the link ended: %v", err)
	case <-time.After(startTimeout):
		t.Fatal("no handshake")
	}
	return link
}

// talk asks btcd for a block, which it has, and for one that it has not.
func (w *linkWorld) talk(t *testing.T, link *peer.Link, b *btcd, version uint8) {
	t.Helper()
	if f := link.Facts(); f.Transport != version || f.Version < 70016 || !f.AddrV2 || !f.Services.Has(message.ServiceWitness) {
		t.Errorf("facts %+v", f)
	}
	genesis := b.tip()
	link.Send(&message.GetData{Items: []message.Item{{Type: message.ItemWitnessBlock, Hash: genesis}}})
	if block := await[*message.Block](t, w.listener); block.Block.Hash != genesis {
		t.Errorf("got block %v", block.Block.Hash)
	}
	link.Send(&message.GetData{Items: []message.Item{{Type: message.ItemWitnessTx, Hash: genesis}}})
	if missing := await[*message.NotFound](t, w.listener); len(missing.Items) != 1 || missing.Items[0].Hash != genesis {
		t.Errorf("not found: %+v", missing)
	}
	for deadline := time.Now().Add(startTimeout); link.Stats().Pongs == 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("btcd answers no ping")
		}
	}
}

// TestLinksWithBtcd links to btcd and has it link to us, in the clear and
// encrypted; where btcd knows no encryption, we learn to do without.
func TestLinksWithBtcd(t *testing.T) {
	for name, c := range map[string]struct {
		theirs []string
		ours   bool
		want   uint8
	}{
		"clear":     {nil, false, 1},
		"encrypted": {[]string{"--v2transport"}, true, 2},
		"fallback":  {nil, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			address := freeAddress(t)
			b := startBtcd(t, append([]string{"--regtest", "--listen=" + address}, c.theirs...)...)
			w := newLinkWorld(t, c.ours)
			w.talk(t, w.run(t, w.dial(t, address), peer.OutboundFull), b, c.want)
		})
		t.Run(name+" inbound", func(t *testing.T) {
			w := newLinkWorld(t, c.ours)
			door, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer door.Close()
			b := startBtcd(t, append([]string{"--regtest", "--connect=" + door.Addr().String()}, c.theirs...)...)
			nc, err := door.Accept()
			if err != nil {
				t.Fatal(err)
			}
			conn, err := transport.Server(context.Background(), nc, w.opt)
			if err != nil {
				t.Fatal(err)
			}
			w.talk(t, w.run(t, conn, peer.Inbound), b, c.want)
		})
	}
}

// dial opens the transport, again in the clear where it must.
func (w *linkWorld) dial(t *testing.T, address string) *transport.Conn {
	t.Helper()
	opt := w.opt
	for {
		nc, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := transport.Client(context.Background(), nc, opt)
		switch {
		case err == nil:
			return conn
		case opt.V2 && errors.Is(err, transport.ErrNotV2):
			opt.V2 = false
		default:
			t.Fatal(err)
		}
	}
}
