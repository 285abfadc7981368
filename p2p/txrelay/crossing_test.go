package txrelay

import (
	"context"
	stdnet "net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/clock"
	"granary/p2p/message"
	"granary/p2p/peer"
	"granary/p2p/transport"
	"granary/state"
)

// asker is a handler that asks for transactions when it meets a peer, and
// counts those that come.
type asker struct {
	items []message.Item
	got   atomic.Int32
}

func (a *asker) Connected(p peer.Peer)  { p.Send(&message.GetData{Items: a.items}) }
func (a *asker) Disconnected(peer.Peer) {}
func (a *asker) Tick(time.Time)         {}
func (a *asker) Receive(_ peer.Peer, m message.Message) bool {
	_, is := m.(*message.Tx)
	if is {
		a.got.Add(1)
	}
	return is
}

// TestBothAskForMuch: two nodes ask each other for more than a queue holds, over
// a line that holds nothing. Neither may wait for the other to read first: both
// stood still for twenty minutes.
func TestBothAskForMuch(t *testing.T) {
	const each = 30 // of 100 kB
	left, right := stdnet.Pipe()
	var askers [2]*asker
	for i, nc := range []stdnet.Conn{left, right} {
		w := newWorld(t, func(o *Options) { o.Clock = clock.Real{} })
		a := &asker{}
		for j := range each {
			tx := makeTx("", wire.OutPoint{Hash: w.coin().Hash, Index: uint32(j)})
			tx.Msg.TxIn[0].SignatureScript = make([]byte, 100_000)
			tx = state.NewTx(tx.Msg)
			w.give(tx)
			a.items = append(a.items, message.Item{Type: message.ItemWTx, Hash: tx.Wtxid})
		}
		w.relay.follow()
		askers[i] = a
		run(t, nc, peer.Kind(i), a, w.relay)
	}
	for deadline := time.Now().Add(10 * time.Second); askers[0].got.Load()+askers[1].got.Load() < 2*each; {
		if time.Now().After(deadline) {
			t.Fatalf("%d and %d of %d came", askers[0].got.Load(), askers[1].got.Load(), each)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// run drives one end of a link with handlers until the test ends.
func run(t *testing.T, nc stdnet.Conn, kind peer.Kind, handlers ...peer.Handler) {
	conn, err := transport.Client(context.Background(), nc, transport.Options{Magic: [4]byte{1, 2, 3, 4}})
	if err != nil {
		t.Fatal(err)
	}
	loop := peer.NewLoop(clock.Real{}, handlers...)
	link := peer.NewLink(loop, conn, peer.LinkOptions{Kind: kind, Addr: "10.0.0.1:1", Self: func() peer.Self {
		return peer.Self{Services: message.ServiceWitness, Relay: true}
	}})
	ctx, cancel := context.WithCancel(context.Background())
	looped, linked := make(chan struct{}), make(chan struct{})
	go func() { defer close(looped); loop.Run(ctx) }()
	go func() { defer close(linked); link.Run(ctx) }() //nolint:errcheck // it ends with the test
	t.Cleanup(func() {
		link.Disconnect("the test is over")
		<-linked
		cancel()
		<-looped
	})
}
