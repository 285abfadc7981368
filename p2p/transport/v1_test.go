package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"granary/p2p/message"
)

var testMagic = [4]byte{0xfa, 0xbf, 0xb5, 0xda}

// pair gives two ends of a connection in memory, both opened.
func pair(t *testing.T, opt Options) (client, server *Conn) {
	t.Helper()
	opt.Magic = testMagic
	a, b := net.Pipe()
	type opened struct {
		conn *Conn
		err  error
	}
	done := make(chan opened)
	go func() {
		conn, err := Server(context.Background(), b, opt)
		done <- opened{conn, err}
	}()
	client, err := Client(context.Background(), a, opt)
	other := <-done
	if err != nil || other.err != nil {
		t.Fatalf("open: %v, %v", err, other.err)
	}
	t.Cleanup(func() { client.Close(); other.conn.Close() })
	return client, other.conn
}

func TestV1CarriesMessages(t *testing.T) {
	client, server := pair(t, Options{})
	carries(t, client, server)
	carries(t, server, client)
	if client.Version() != 1 || server.Version() != 1 {
		t.Errorf("versions %d and %d", client.Version(), server.Version())
	}
}

// carries sends messages of many lengths and reads them at the other end.
func carries(t *testing.T, from, to *Conn) {
	t.Helper()
	lengths := []int{0, 1, 80, v1JoinBytes, v1JoinBytes + 1, 70_001, message.MaxPayloadBytes}
	payload := bytes.Repeat([]byte{1, 2, 3, 4, 5, 6, 7}, message.MaxPayloadBytes/7+1)
	failed := make(chan error, 1)
	go func() {
		for _, n := range lengths {
			if err := from.WriteMessage("block", payload[:n]); err != nil {
				failed <- err
				return
			}
		}
		failed <- from.WriteMessage("whatisthis", payload[:10])
	}()
	for _, n := range lengths {
		command, got, err := to.ReadMessage()
		if err != nil || command != "block" || !bytes.Equal(got, payload[:n]) {
			t.Fatalf("%q with %d bytes, %v; %d bytes were sent", command, len(got), err, n)
		}
	}
	if command, got, err := to.ReadMessage(); err != nil || command != "whatisthis" || len(got) != 10 {
		t.Fatalf("%q with %d bytes, %v", command, len(got), err)
	}
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	sent, received := from.Counters().Sent, to.Counters().Received
	if sent["block"] < message.MaxPayloadBytes || sent["block"] != received["block"] ||
		sent[otherCommands] == 0 || sent[otherCommands] != received[otherCommands] {
		t.Errorf("counted %v sent, %v received", sent, received)
	}
	if from.WrittenBytes() != to.ReadBytes() {
		t.Errorf("%d bytes written, %d read", from.WrittenBytes(), to.ReadBytes())
	}
}

// raw gives a v1 end and the bare connection of its peer.
func raw(t *testing.T, opt Options) (*Conn, net.Conn) {
	t.Helper()
	opt.Magic = testMagic
	a, b := net.Pipe()
	conn, err := Client(context.Background(), a, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(); b.Close() })
	return conn, b
}

func v1Message(command string, payload []byte) []byte {
	c := &Conn{opt: Options{Magic: testMagic}}
	return append(appendV1Header(nil, c, command, payload), payload...)
}

func TestV1SkipsWhatCoreSkips(t *testing.T) {
	conn, peer := raw(t, Options{})
	badSum := v1Message("ping", make([]byte, 8))
	badSum[20]++
	afterZero := v1Message("a\x00b", nil)
	unprintable := v1Message("\x07", nil)
	go peer.Write(bytes.Join([][]byte{badSum, afterZero, unprintable, v1Message("pong", make([]byte, 8))}, nil))
	command, payload, err := conn.ReadMessage()
	if command != "pong" || len(payload) != 8 || err != nil {
		t.Errorf("%q, %d bytes, %v", command, len(payload), err)
	}
	if got := conn.Counters().Received[otherCommands]; got != uint64(len(badSum)+len(afterZero)+len(unprintable)) {
		t.Errorf("%d bytes counted as skipped", got)
	}
}

func TestV1Refuses(t *testing.T) {
	declare := func(command string, n uint32) []byte {
		m := v1Message(command, nil)
		m[16], m[17], m[18], m[19] = byte(n), byte(n>>8), byte(n>>16), byte(n>>24)
		return m
	}
	otherMagic := v1Message("ping", nil)
	otherMagic[0]++
	for name, bad := range map[string]struct {
		bytes []byte
		want  error
	}{
		"magic":         {otherMagic, ErrMagic},
		"4 GB":          {declare("block", 1<<32-1), ErrTooLong},
		"block":         {declare("block", message.MaxPayloadBytes+1), ErrTooLong},
		"unknown":       {declare("future", message.MaxPayloadBytes+1), ErrTooLong},
		"long ping":     {declare("ping", 1<<17), ErrTooLong},
		"cut header":    {v1Message("ping", nil)[:10], io.ErrUnexpectedEOF},
		"cut payload":   {v1Message("ping", make([]byte, 8))[:30], io.ErrUnexpectedEOF},
		"closed at all": {nil, io.EOF},
	} {
		conn, peer := raw(t, Options{})
		go func() {
			peer.Write(bad.bytes)
			peer.Close()
		}()
		if _, _, err := conn.ReadMessage(); !errors.Is(err, bad.want) {
			t.Errorf("%s: %v, want %v", name, err, bad.want)
		}
	}
}

func TestLimitPayload(t *testing.T) {
	conn, peer := raw(t, Options{})
	conn.LimitPayload(100)
	go peer.Write(v1Message("block", make([]byte, 101)))
	if _, _, err := conn.ReadMessage(); !errors.Is(err, ErrTooLong) {
		t.Error(err)
	}
}

// TestDeclaredLengthAllocatesNothing declares the longest message and sends
// little of it.
func TestDeclaredLengthAllocatesNothing(t *testing.T) {
	conn, peer := raw(t, Options{})
	cut := v1Message("block", make([]byte, message.MaxPayloadBytes))[:v1HeaderBytes+50_000]
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	go func() {
		peer.Write(cut)
		peer.Close()
	}()
	if _, _, err := conn.ReadMessage(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 250_000 {
		t.Errorf("%d bytes allocated for 50,000 that came", got)
	}
}

// TestSlowLinkIsFollowed sends a full block at 16 kbit/s: 33 minutes.
func TestSlowLinkIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, peer := raw(t, Options{})
		block := v1Message("block", make([]byte, message.MaxPayloadBytes))
		go func() {
			for part := range bytesIn(block, 2000) {
				time.Sleep(time.Second)
				peer.Write(part)
			}
		}()
		start := time.Now()
		if _, payload, err := conn.ReadMessage(); err != nil || len(payload) != message.MaxPayloadBytes {
			t.Fatalf("%d bytes, %v", len(payload), err)
		}
		if took := time.Since(start); took < 30*time.Minute {
			t.Errorf("took %v", took)
		}
		// Between messages nothing is asked of the peer.
		time.Sleep(10 * time.Hour)
		go peer.Write(v1Message("ping", make([]byte, 8)))
		if command, _, err := conn.ReadMessage(); command != "ping" || err != nil {
			t.Errorf("%q, %v", command, err)
		}
	})
}

func bytesIn(b []byte, n int) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(b) > 0 {
			part := b[:min(n, len(b))]
			if b = b[len(part):]; !yield(part) {
				return
			}
		}
	}
}

// TestDrippingPeerIsCut sends one byte a minute.
func TestDrippingPeerIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, peer := raw(t, Options{})
		go func() {
			for part := range bytesIn(v1Message("block", make([]byte, 5000)), 1) {
				if _, err := peer.Write(part); err != nil {
					return
				}
				time.Sleep(time.Minute)
			}
		}()
		start := time.Now()
		if _, _, err := conn.ReadMessage(); !errors.Is(err, ErrStalled) {
			t.Error(err)
		}
		if took := time.Since(start); took > 6*time.Minute {
			t.Errorf("took %v", took)
		}
		conn.Close()
		time.Sleep(time.Hour)
	})
}

// TestPeerThatDoesNotReadIsCut: what cannot be written ends the link, what
// moves slowly does not.
func TestPeerThatDoesNotReadIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, peer := raw(t, Options{})
		go func() {
			buf := make([]byte, 2000)
			for range 100 {
				time.Sleep(time.Minute)
				peer.Read(buf)
			}
		}()
		start := time.Now()
		if err := conn.WriteMessage("block", make([]byte, message.MaxPayloadBytes)); !errors.Is(err, ErrStalled) {
			t.Error(err)
		}
		if took := time.Since(start); took < 100*time.Minute || took > 141*time.Minute {
			t.Errorf("took %v", took)
		}
	})
}
