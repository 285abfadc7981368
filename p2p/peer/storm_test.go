package peer

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"granary/p2p/message"
	"granary/p2p/transport"
)

// TestStorm has peers say anything in any order while handlers hold them
// back, answer, disconnect and punish them: handlers hear of a peer first
// that it is there, then what it says, last that it is gone, and every link
// ends.
func TestStorm(t *testing.T) {
	for seed := range uint64(25) {
		synctest.Test(t, func(t *testing.T) { storm(t, seed) })
	}
}

func storm(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	s := newSide(t)
	chance := rand.New(rand.NewPCG(seed, 2)) // the loop's
	s.receive = func(p Peer, _ message.Message) {
		s.note("%d!", p.ID())
		switch chance.IntN(12) {
		case 0:
			release := p.(Holder).Hold()
			time.AfterFunc(time.Duration(chance.IntN(1000))*time.Millisecond, release)
		case 1:
			p.Disconnect("by chance")
		case 2:
			p.Misbehaved("by chance")
		case 3:
			for range chance.IntN(50) {
				p.Send(&message.RawBlock{Raw: make([]byte, chance.IntN(400_000))})
			}
		case 4:
			s.loop.Post(func() { p.Send(&message.GetAddr{}) })
		}
	}
	var results []chan error
	for range 5 {
		left, right := net.Pipe()
		kind := []Kind{Inbound, OutboundFull, BlockRelay, Manual, Feeler}[rnd.IntN(5)]
		_, result := s.run(t, left, testOptions(kind))
		results = append(results, result)
		go babble(right, rand.New(rand.NewPCG(seed, rnd.Uint64())))
	}
	for i, result := range results {
		select {
		case <-result:
		case <-time.After(3 * time.Hour):
			t.Fatalf("seed %d: link %d does not end", seed, i)
		}
	}
	time.Sleep(3 * time.Hour)
	checkOrder(t, seed, s)
}

// babble says anything, then falls silent.
func babble(nc net.Conn, rnd *rand.Rand) {
	defer nc.Close()
	conn, err := transport.Client(context.Background(), nc, transport.Options{Magic: testMagic})
	if err != nil {
		return
	}
	go func() {
		for {
			if _, _, err := conn.ReadMessage(); err != nil {
				return
			}
		}
	}()
	list := []message.Message{
		hello(), &message.VerAck{}, &message.WTxIDRelay{}, &message.SendAddrV2{}, &message.SendHeaders{}, &message.GetAddr{},
		&message.Ping{Nonce: 1}, &message.Pong{}, &message.MemPool{}, &message.Inv{Items: make([]message.Item, 10)},
	}
	send := func(m message.Message) error {
		command, payload := message.Encode(m)
		return conn.WriteMessage(command, payload)
	}
	if rnd.IntN(4) > 0 {
		send(hello())
		send(&message.VerAck{})
	}
	for range 40 {
		if err := send(list[rnd.IntN(len(list))]); err != nil {
			return
		}
		if rnd.IntN(10) == 0 {
			conn.WriteMessage("inv", []byte{1})
		}
	}
	time.Sleep(2 * time.Hour)
}

func checkOrder(t *testing.T, seed uint64, s *side) {
	t.Helper()
	heard := s.all()
	for id := range 5 {
		came, went := fmt.Sprintf("+%d", id), fmt.Sprintf("-%d", id)
		words := strings.Fields(heard)
		first, last := -1, -1
		for i, word := range words {
			switch word {
			case came:
				if first >= 0 {
					t.Fatalf("seed %d: %s twice in %q", seed, came, heard)
				}
				first = i
			case went:
				if last >= 0 || first < 0 {
					t.Fatalf("seed %d: %s out of turn in %q", seed, went, heard)
				}
				last = i
			case fmt.Sprintf("%d!", id):
				if first < 0 || last >= 0 {
					t.Fatalf("seed %d: peer %d heard out of turn in %q", seed, id, heard)
				}
			}
		}
		if (first >= 0) != (last >= 0) {
			t.Fatalf("seed %d: peer %d came and never went in %q", seed, id, heard)
		}
	}
}
