package transport

import (
	"bytes"
	"context"
	"net"
	"testing"
	"time"
)

// tape is a connection on which the peer's bytes are known beforehand, in
// pieces of one length; what is written to it is thrown away.
type tape struct {
	bytes *bytes.Reader
	piece int
}

func (t *tape) Read(b []byte) (int, error) {
	return t.bytes.Read(b[:min(len(b), t.piece)])
}
func (t *tape) Write(b []byte) (int, error)      { return len(b), nil }
func (t *tape) Close() error                     { return nil }
func (t *tape) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (t *tape) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (t *tape) SetDeadline(time.Time) error      { return nil }
func (t *tape) SetReadDeadline(time.Time) error  { return nil }
func (t *tape) SetWriteDeadline(time.Time) error { return nil }

// FuzzServer gives a server any bytes, cut into pieces in any way: it reads
// messages in the clear the same however they are cut, and never panics.
func FuzzServer(f *testing.F) {
	whole := append(v1Message("version", make([]byte, 90)), v1Message("verack", nil)...)
	f.Add(whole, uint8(1))
	f.Add(append(bytes.Clone(whole), v1Message("block", make([]byte, 20_000))[:15_000]...), uint8(100))
	f.Add(bytes.Repeat([]byte{3}, 6000), uint8(50))
	f.Fuzz(func(t *testing.T, stream []byte, piece uint8) {
		var first []string
		for _, cut := range []int{int(piece) + 1, 1 << 20} {
			got := readAll(stream, cut)
			if first == nil {
				first = got
			} else if len(first) != len(got) {
				t.Fatalf("in pieces of %d: %q; whole: %q", int(piece)+1, first, got)
			}
		}
	})
}

func readAll(stream []byte, piece int) []string {
	got := []string{}
	opt := Options{Magic: testMagic, V2: true}
	conn, err := Server(context.Background(), &tape{bytes.NewReader(stream), piece}, opt)
	if err != nil {
		return got
	}
	for {
		command, payload, err := conn.ReadMessage()
		if err != nil {
			return append(got, "end")
		}
		got = append(got, command+string(payload))
	}
}
