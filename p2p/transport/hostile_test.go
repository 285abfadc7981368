package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2/ellswift"
)

// byHand is a v2 peer that a test drives by hand, as initiator.
type byHand struct {
	nc  net.Conn
	v   *v2
	sec *secrets
	key [64]byte
}

// handshakeByHand sends a key and reads the other one; what comes behind it
// is thrown away.
func handshakeByHand(t *testing.T, nc net.Conn) *byHand {
	t.Helper()
	private, public, err := ellswift.EllswiftCreate()
	if err != nil {
		t.Fatal(err)
	}
	h := &byHand{nc: nc, key: public}
	go nc.Write(public[:])
	var theirs [64]byte
	if _, err := io.ReadFull(nc, theirs[:]); err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, nc)
	shared, err := ellswift.V2Ecdh(private, theirs, public, true)
	if err != nil {
		t.Fatal(err)
	}
	h.sec = derive(shared[:], testMagic, true)
	h.v = newV2(&Conn{}, h.sec)
	return h
}

type opened struct {
	conn *Conn
	err  error
}

func serve(nc net.Conn) chan opened {
	result := make(chan opened, 1)
	go func() {
		conn, err := Server(context.Background(), nc, Options{Magic: testMagic, V2: true})
		result <- opened{conn, err}
	}()
	return result
}

// TestV2Handshakes runs a server through handshakes, good and bad.
func TestV2Handshakes(t *testing.T) {
	garbage := bytes.Repeat([]byte{7}, maxGarbageBytes)
	for name, c := range map[string]struct {
		send func(h *byHand) []byte
		want error // nil: a ping behind it is read
	}{
		"no garbage": {func(h *byHand) []byte {
			return h.v.appendPacket(h.sec.sendTerminator[:], nil, nil, nil, false)
		}, nil},
		"most garbage": {func(h *byHand) []byte {
			return h.v.appendPacket(append(bytes.Clone(garbage), h.sec.sendTerminator[:]...), nil, nil, garbage, false)
		}, nil},
		"decoys and a future version": {func(h *byHand) []byte {
			out := h.v.appendPacket(h.sec.sendTerminator[:], nil, make([]byte, 1000), nil, true)
			out = h.v.appendPacket(out, nil, nil, nil, true)
			out = h.v.appendPacket(out, nil, []byte("version 3"), nil, false)
			return h.v.appendPacket(out, nil, make([]byte, 70_000), nil, true)
		}, nil},
		"too much garbage": {func(h *byHand) []byte {
			return append(append(bytes.Clone(garbage), 7), h.sec.sendTerminator[:]...)
		}, errGarbage},
		"garbage not authenticated": {func(h *byHand) []byte {
			return h.v.appendPacket(append([]byte{1, 2, 3}, h.sec.sendTerminator[:]...), nil, nil, nil, false)
		}, ErrBadCrypt},
		"garbage authenticated too late": {func(h *byHand) []byte {
			out := h.v.appendPacket(append([]byte{1, 2, 3}, h.sec.sendTerminator[:]...), nil, nil, nil, true)
			return h.v.appendPacket(out, nil, nil, []byte{1, 2, 3}, false)
		}, ErrBadCrypt},
		"endless decoys": {func(h *byHand) []byte {
			out := h.sec.sendTerminator[:]
			for range 40 {
				out = h.v.appendPacket(out, nil, make([]byte, 2000), nil, true)
			}
			return out
		}, ErrTooLong},
		"hangs up": {func(h *byHand) []byte { return []byte{1} }, io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := net.Pipe()
			result := serve(b)
			h := handshakeByHand(t, a)
			bytesToSend := c.send(h)
			if c.want == nil {
				bytesToSend = h.v.appendPacket(bytesToSend, []byte{18}, make([]byte, 8), nil, false)
			}
			go func() {
				h.nc.Write(bytesToSend)
				if name == "hangs up" {
					h.nc.Close()
				}
			}()
			got := <-result
			if !errors.Is(got.err, c.want) {
				t.Fatalf("%v, want %v", got.err, c.want)
			}
			if c.want == nil {
				if command, payload, err := got.conn.ReadMessage(); command != "ping" || len(payload) != 8 || err != nil {
					t.Errorf("%q, %v", command, err)
				}
				got.conn.Close()
			}
			a.Close()
		})
	}
}

// TestV2Packets: what a peer may do to a session that is open.
func TestV2Packets(t *testing.T) {
	ping := func(h *byHand) []byte { return h.v.appendPacket(nil, []byte{18}, make([]byte, 8), nil, false) }
	for name, c := range map[string]struct {
		send func(h *byHand) []byte
		want error
	}{
		"decoy, empty, unknown, unprintable": {func(h *byHand) []byte {
			out := h.v.appendPacket(nil, []byte{18}, []byte("decoy"), nil, true)
			out = h.v.appendPacket(out, nil, nil, nil, false)
			out = h.v.appendPacket(out, []byte{200}, []byte("unknown"), nil, false)
			out = h.v.appendPacket(out, []byte{0, 'p'}, nil, nil, false)
			out = h.v.appendPacket(out, append([]byte{0, 7}, make([]byte, 11)...), nil, nil, false)
			return append(out, ping(h)...)
		}, nil},
		"a flipped bit": {func(h *byHand) []byte { p := ping(h); p[10] ^= 1; return p }, ErrBadCrypt},
		"a lost packet": {func(h *byHand) []byte { ping(h); return append(ping(h), make([]byte, 1<<16)...) }, nil},
		"a huge length": {func(h *byHand) []byte {
			return h.v.appendPacket(nil, nil, make([]byte, maxContents+1), nil, false)[:50]
		}, ErrTooLong},
		"a long ping":     {func(h *byHand) []byte { return h.v.appendPacket(nil, []byte{18}, make([]byte, 1<<17), nil, false) }, ErrTooLong},
		"within a packet": {func(h *byHand) []byte { return ping(h)[:9] }, io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := net.Pipe()
			result := serve(b)
			h := handshakeByHand(t, a)
			h.nc.Write(h.v.appendPacket(h.sec.sendTerminator[:], nil, nil, nil, false))
			got := <-result
			if got.err != nil {
				t.Fatal(got.err)
			}
			go func() {
				h.nc.Write(c.send(h))
				h.nc.Close()
			}()
			command, _, err := got.conn.ReadMessage()
			if name == "a lost packet" {
				if err == nil {
					t.Errorf("read %q after a packet was lost", command)
				}
			} else if !errors.Is(err, c.want) || (err == nil && command != "ping") {
				t.Errorf("%q, %v, want %v", command, err, c.want)
			}
			got.conn.Close()
		})
	}
}
