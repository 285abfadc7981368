package peer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"granary/base/clock"
	"granary/p2p/message"
	"granary/p2p/transport"
)

func TestTwoNodesTalk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newSide(t), newSide(t)
		ab, ba, results := connect(t, a, b, OutboundFull)
		synctest.Wait()
		for _, l := range []*Link{ab, ba} {
			f := l.Facts()
			if f.Version != message.ProtocolVersion || !f.WTxIDRelay || !f.AddrV2 || !f.Relay || f.StartHeight != 7 ||
				f.UserAgent != "/granary:131m(t)/" || !f.Services.Has(message.ServiceWitness) || f.Transport != 1 {
				t.Errorf("facts %+v", f)
			}
		}
		if seen := ba.Facts().SeenAs.String(); seen != "10.0.0.1:18444" {
			t.Errorf("seen as %s", seen)
		}
		ab.Send(&message.Inv{Items: []message.Item{{Type: message.ItemTx}}})
		ab.Send(&message.GetAddr{})
		synctest.Wait()
		if got := b.all(); got != "+0 inv getaddr" {
			t.Errorf("heard %q", got)
		}
		time.Sleep(5 * time.Minute)
		if s := ab.Stats(); s.Pongs < 2 || !s.Ready || s.ByCommand.Sent["ping"] == 0 || s.BytesSent != ba.Stats().BytesReceived {
			t.Errorf("stats %+v", s)
		}
		ab.Disconnect("enough")
		if err := <-results[0]; err == nil || err.Error() != "enough" {
			t.Errorf("ended with %v", err)
		}
		if err := <-results[1]; !errors.Is(err, io.EOF) {
			t.Errorf("the other end: %v", err)
		}
		synctest.Wait()
		if a.all() != "+0 -0" || b.all() != "+0 inv getaddr -0" {
			t.Errorf("heard %q and %q", a.all(), b.all())
		}
	})
}

// TestHandshakeOrder: what Bitcoin Core ignores, takes and refuses.
func TestHandshakeOrder(t *testing.T) {
	old := hello()
	old.Version = 70015
	tooOld := hello()
	tooOld.Version = message.MinProtocolVersion - 1
	for name, c := range map[string]struct {
		kind  Kind
		send  []message.Message
		heard string // by the handler
		got   string // by the peer
		ended string
	}{
		"inbound": {
			Inbound,
			[]message.Message{hello(), &message.WTxIDRelay{}, &message.SendAddrV2{}, &message.VerAck{}},
			"+0", "version wtxidrelay sendaddrv2 verack ping", "",
		},
		"before version": {
			Inbound,
			[]message.Message{&message.VerAck{}, &message.GetAddr{}, &message.Ping{Nonce: 3}, hello()},
			"", "version wtxidrelay sendaddrv2 verack", "",
		},
		"twice": {
			Inbound,
			[]message.Message{hello(), hello(), &message.VerAck{}, hello(), &message.VerAck{}, &message.GetAddr{}},
			"+0 getaddr", "version wtxidrelay sendaddrv2 verack ping", "",
		},
		"old": {Inbound, []message.Message{old, &message.WTxIDRelay{}, &message.VerAck{}}, "+0", "version verack ping", ""},
		"early": {
			Inbound,
			[]message.Message{hello(), &message.SendHeaders{}, &message.GetAddr{}, &message.SendCmpct{Version: 2}, &message.VerAck{}},
			"+0 sendheaders sendcmpct", "version wtxidrelay sendaddrv2 verack ping", "",
		},
		"too old":    {Inbound, []message.Message{tooOld}, "", "", "using obsolete version"},
		"late wtxid": {Inbound, []message.Message{hello(), &message.VerAck{}, &message.WTxIDRelay{}}, "+0 -0", "version wtxidrelay sendaddrv2 verack", "after verack"},
		"late addr":  {Inbound, []message.Message{hello(), &message.VerAck{}, &message.SendAddrV2{}}, "+0 -0", "version wtxidrelay sendaddrv2 verack", "after verack"},
		"outbound":   {OutboundFull, []message.Message{hello(), &message.VerAck{}}, "+0", "version wtxidrelay sendaddrv2 verack ping", ""},
		"feeler":     {Feeler, []message.Message{hello()}, "", "version", "closed"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, link, peer, _ := meet(t, c.kind, nil)
				go peer.send(c.send...)
				time.Sleep(time.Second)
				if got := s.all(); got != c.heard {
					t.Errorf("heard %q, want %q", got, c.heard)
				}
				if got := peer.all(); got != c.got {
					t.Errorf("the peer got %q, want %q", got, c.got)
				}
				ended := ""
				if link.isEnded() {
					ended = link.reason.Error()
				}
				if (ended != "") != (c.ended != "") || !strings.Contains(ended, c.ended) {
					t.Errorf("ended: %q, want %q", ended, c.ended)
				}
				if name == "old" && link.Facts().WTxIDRelay {
					t.Error("BIP339 is on with an old peer")
				}
			})
		})
	}
}

func TestNodeMeetsItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newSide(t)
		_, _, results := connect(t, a, a, OutboundFull)
		if err := <-results[1]; !errors.Is(err, ErrSelf) {
			t.Error(err)
		}
		<-results[0]
		if a.all() != "" {
			t.Errorf("heard %q", a.all())
		}
	})
}

func TestFeelerAndServices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, link, peer, result := meet(t, Feeler, nil)
		peer.send(hello())
		if err := <-result; err != nil || link.Facts().Version == 0 {
			t.Errorf("feeler: %v, %+v", err, link.Facts())
		}
		_, _, peer, result = meet(t, OutboundFull, func(o *LinkOptions) {
			o.Wants = func(s message.Services) bool { return s.Has(message.ServiceCompactFilters) }
		})
		peer.send(hello())
		if err := <-result; err == nil || !strings.Contains(err.Error(), "does not serve") {
			t.Error(err)
		}
	})
}

func TestPeerThatDoesNotReadIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSide(t)
		left, right := net.Pipe()
		link, result := s.run(t, left, testOptions(Inbound))
		deaf, err := transport.Client(context.Background(), right, transport.Options{Magic: testMagic})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { deaf.Close() })
		for _, m := range []message.Message{hello(), &message.VerAck{}} {
			command, payload := message.Encode(m)
			deaf.WriteMessage(command, payload)
		}
		synctest.Wait()
		block := &message.RawBlock{Raw: make([]byte, 1_000_000)}
		for range QueueBytes/len(block.Raw) - 1 {
			link.Send(block)
		}
		if link.isEnded() || link.SendBacklogBytes() < 5_000_000 {
			t.Errorf("ended %v with a backlog of %d", link.isEnded(), link.SendBacklogBytes())
		}
		link.Send(block)
		if err := <-result; err == nil || !strings.Contains(err.Error(), "does not read") {
			t.Error(err)
		}
	})
}

func TestMalformed(t *testing.T) {
	tooMany := append([]byte{0xfd, 0x51, 0xc3}, make([]byte, 36*50_001)...) // 50,001 items
	locator := append([]byte{1, 0, 0, 0, 102}, make([]byte, 32*103)...)
	for _, kind := range []Kind{Inbound, Manual} {
		synctest.Test(t, func(t *testing.T) {
			var discouraged []string
			s, link, peer, result := meet(t, kind, func(o *LinkOptions) {
				o.Discourage = func(_ *Link, reason string) { discouraged = append(discouraged, reason) }
			})
			peer.send(hello(), &message.VerAck{})
			synctest.Wait()
			peer.conn.WriteMessage("inv", []byte{7, 1}) // dropped
			peer.conn.WriteMessage("nonsense", bytes.Repeat([]byte{1}, 100))
			peer.conn.WriteMessage("getaddr", nil)
			synctest.Wait()
			if s.all() != "+0 getaddr" || link.isEnded() {
				t.Fatalf("heard %q, ended %v", s.all(), link.isEnded())
			}
			peer.conn.WriteMessage("inv", tooMany)
			synctest.Wait()
			if punished := kind == Inbound; link.isEnded() != punished || (len(discouraged) == 1) != punished {
				t.Fatalf("kind %d: ended %v, discouraged %q", kind, link.isEnded(), discouraged)
			}
			if kind == Manual {
				peer.conn.WriteMessage("getheaders", locator)
				if err := <-result; err == nil || !strings.Contains(err.Error(), "102 parts") {
					t.Error(err)
				}
			}
		})
	}
}

// TestBackPressure: the next message is read when the last was handled and
// every hold was released.
func TestBackPressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, link, peer, _ := meet(t, Inbound, nil)
		var releases []func()
		s.receive = func(p Peer, m message.Message) {
			if m.Command() == "getaddr" {
				releases = append(releases, p.(Holder).Hold(), p.(Holder).Hold())
			}
		}
		go peer.send(hello(), &message.VerAck{}, &message.GetAddr{}, &message.MemPool{})
		time.Sleep(time.Minute)
		if got := s.all(); got != "+0 getaddr" || !link.Stats().HeldBackByHandlers {
			t.Errorf("heard %q", got)
		}
		releases[0]()
		releases[0]()
		time.Sleep(time.Second)
		if got := s.all(); got != "+0 getaddr" {
			t.Errorf("heard %q", got)
		}
		releases[1]()
		time.Sleep(time.Second)
		if got := s.all(); got != "+0 getaddr mempool" {
			t.Errorf("heard %q", got)
		}
	})
}

// TestDisconnectInAHandler: nothing is heard of a peer after it is gone, also
// not what waited to be handled.
func TestDisconnectInAHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, link, peer, result := meet(t, Inbound, nil)
		peer.send(hello(), &message.VerAck{})
		synctest.Wait()
		gate := make(chan struct{})
		s.loop.Post(func() { <-gate })
		peer.send(&message.GetAddr{})
		synctest.Wait() // getaddr waits behind the gate
		link.Misbehaved("told lies")
		close(gate)
		if err := <-result; err == nil || err.Error() != "misbehaved: told lies" {
			t.Error(err)
		}
		if got := s.all(); got != "+0 -0" {
			t.Errorf("heard %q", got)
		}
	})
}

func TestNodeStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, peer, result := meet(t, Inbound, nil)
		peer.send(hello(), &message.VerAck{})
		synctest.Wait()
		s.stop()
		if err := <-result; err == nil || err.Error() != "the node stops" {
			t.Error(err)
		}
		_, late := s.run(t, func() net.Conn { a, _ := net.Pipe(); return a }(), testOptions(OutboundFull))
		s.loop.disconnectAll("late")
		synctest.Wait()
		s.loop.disconnectAll("late")
		if err := <-late; err == nil {
			t.Error("a link outlived the loop")
		}
	})
}

func TestDoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSide(t)
		done := false
		if !s.loop.Do(func() { done = true }) || !done {
			t.Error("not done")
		}
		s.stop()
		<-s.done
		if s.loop.Do(func() { done = false }) || !done {
			t.Error("done after the end")
		}
	})
}

func TestPostKeepsOrder(t *testing.T) {
	r := &recorder{}
	loop := NewLoop(clock.Real{}, r)
	var got []int
	for i := range 5 {
		loop.Post(func() {
			got = append(got, i)
			loop.Post(func() { got = append(got, 10+i) })
		})
	}
	loop.Step()
	loop.Step()
	if !slices.Equal(got, []int{0, 1, 2, 3, 4, 10, 11, 12, 13, 14}) || r.ticks != 2 {
		t.Errorf("%v, %d ticks", got, r.ticks)
	}
}
