package peer

import (
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"granary/p2p/message"
)

func TestSilenceEndsTheLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, _, _, result := meet(t, Inbound, nil)
		if err := <-result; !errors.Is(err, errHandshake) || time.Since(start) > HandshakeTimeout+time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		start = time.Now()
		_, link, peer, result := meet(t, Inbound, nil)
		peer.send(hello(), &message.VerAck{})
		if err := <-result; !errors.Is(err, errSilent) || time.Since(start) > InactivityTimeout+time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		if link.Stats().PingWait < 19*time.Minute {
			t.Error("the ping was not under way")
		}
	})
}

// TestNoPongEndsTheLink: a peer that talks and never answers.
func TestNoPongEndsTheLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, peer, result := meet(t, Inbound, nil)
		peer.send(hello(), &message.VerAck{})
		go func() {
			for range 60 {
				time.Sleep(time.Minute)
				peer.send(&message.GetAddr{}, &message.Pong{Nonce: 5})
			}
		}()
		if err := <-result; !errors.Is(err, errNoPong) {
			t.Error(err)
		}
		time.Sleep(time.Hour)
	})
}

// TestSlowBlockKeepsTheLink: a block that takes longer than any time-out.
func TestSlowBlockKeepsTheLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := net.Pipe()
		s := newSide(t)
		_, result := s.run(t, left, testOptions(Inbound))
		slow := &slowConn{Conn: right}
		peer := newBare(t, slow)
		peer.send(hello(), &message.VerAck{})
		slow.bytesPerSecond = 1000
		go peer.conn.WriteMessage("block", make([]byte, message.MaxPayloadBytes)) // 67 minutes
		select {
		case err := <-result:
			t.Errorf("ended: %v", err)
		case <-time.After(66 * time.Minute):
		}
		time.Sleep(time.Hour)
	})
}

type slowConn struct {
	net.Conn
	bytesPerSecond int
}

func (s *slowConn) Write(b []byte) (n int, err error) {
	for s.bytesPerSecond > 0 && len(b) > n {
		time.Sleep(time.Second)
		wrote, err := s.Conn.Write(b[n:min(n+s.bytesPerSecond, len(b))])
		if n += wrote; err != nil {
			return n, err
		}
	}
	if s.bytesPerSecond == 0 {
		return s.Conn.Write(b)
	}
	return n, nil
}

// TestLongHandshakeTimeSparesTheSilent: silence is judged only after the time
// that a handshake may take, so that a test can jump with its clock.
func TestLongHandshakeTimeSparesTheSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, peer, result := meet(t, Inbound, func(o *LinkOptions) { o.HandshakeTimeout = 48 * time.Hour })
		peer.send(hello(), &message.VerAck{})
		select {
		case err := <-result:
			t.Errorf("ended: %v", err)
		case <-time.After(47 * time.Hour):
		}
		if err := <-result; !errors.Is(err, errSilent) {
			t.Error(err)
		}
	})
}

// TestBloomFiltersEndTheLink: nothing here serves them, and a second version
// message means nothing.
func TestBloomFiltersEndTheLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, link, peer, _ := meet(t, Inbound, nil)
		peer.send(hello(), &message.VerAck{})
		time.Sleep(time.Second)
		peer.send(hello())
		time.Sleep(time.Second)
		if !link.Stats().Ready || link.isEnded() {
			t.Fatal("a second version ended the link")
		}
		for _, name := range []string{"filterload", "filteradd", "filterclear"} {
			if err := link.take(&message.Unknown{Name: name}); err == nil || !strings.Contains(err.Error(), "despite not offering bloom services") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := link.take(&message.Unknown{Name: "filternew"}); err != nil {
			t.Error(err)
		}
	})
}
