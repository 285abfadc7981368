package transport

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"testing"

	"github.com/btcsuite/btcd/v2transport"

	"granary/p2p/message"
)

// loopback gives two ends of a TCP connection.
func loopback(t *testing.T) (dialled, accepted net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if dialled, err = net.Dial("tcp", listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if accepted, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialled.Close(); accepted.Close() })
	return dialled, accepted
}

// TestAgainstBtcdsTransport speaks with btcd's implementation of BIP324, in
// both roles, with garbage and decoys, over several changes of keys.
func TestAgainstBtcdsTransport(t *testing.T) {
	magic := v2transport.BitcoinNet(binary.LittleEndian.Uint32(testMagic[:]))
	for _, initiator := range []bool{true, false} {
		for _, garbage := range []int{0, 100, maxGarbageBytes} {
			ours, theirs := loopback(t)
			other := v2transport.NewPeer()
			other.UseReadWriter(theirs)
			shaken := make(chan error, 1)
			go func() {
				if initiator {
					if err := other.RespondV2Handshake(garbage, magic); err != nil {
						shaken <- err
						return
					}
				} else if err := other.InitiateV2Handshake(garbage); err != nil {
					shaken <- err
					return
				}
				shaken <- other.CompleteHandshake(!initiator, []int{0, 200}, magic)
			}()
			opt := Options{Magic: testMagic, V2: true}
			conn, err := open(context.Background(), ours, opt, initiator)
			if err != nil {
				t.Fatalf("initiator %v, garbage %d: %v, %v", initiator, garbage, err, <-shaken)
			}
			if err := <-shaken; err != nil {
				t.Fatal(err)
			}
			exchangePackets(t, conn, other)
		}
	}
}

func exchangePackets(t *testing.T, conn *Conn, other *v2transport.Peer) {
	t.Helper()
	for i := range rekeyInterval + 10 {
		payload := bytes.Repeat([]byte{byte(i)}, i)
		if err := conn.WriteMessage("tx", payload); err != nil {
			t.Fatal(err)
		}
		got, err := other.V2ReceivePacket(nil)
		if want := append([]byte{shortIDs["tx"]}, payload...); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("packet %d: they read %x, %v", i, got, err)
		}
		if _, _, err := other.V2EncPacket(got, nil, false); err != nil {
			t.Fatal(err)
		}
		command, back, err := conn.ReadMessage()
		if err != nil || command != "tx" || !bytes.Equal(back, payload) {
			t.Fatalf("packet %d: we read %q %x, %v", i, command, back, err)
		}
	}
}

// TestFallbackOverTCP: a v1 server hangs up on what it takes for another
// network; the client learns that it should dial again.
func TestFallbackOverTCP(t *testing.T) {
	ours, theirs := loopback(t)
	go func() {
		if server, err := Server(context.Background(), theirs, Options{Magic: testMagic}); err == nil {
			server.ReadMessage()
			server.Close()
		}
	}()
	if _, err := Client(context.Background(), ours, Options{Magic: testMagic, V2: true}); !errors.Is(err, ErrNotV2) {
		t.Error(err)
	}
}

// BenchmarkBlocks carries full blocks over loopback.
func BenchmarkBlocks(b *testing.B) {
	for name, opt := range map[string]Options{"v1": {}, "v2": {V2: true}} {
		b.Run(name, func(b *testing.B) {
			opt.Magic = testMagic
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer listener.Close()
			go func() {
				nc, err := listener.Accept()
				if err != nil {
					return
				}
				server, err := Server(context.Background(), nc, opt)
				if err != nil {
					return
				}
				payload := make([]byte, message.MaxPayloadBytes)
				for server.WriteMessage("block", payload) == nil {
				}
			}()
			nc, err := net.Dial("tcp", listener.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			client, err := Client(context.Background(), nc, opt)
			if err != nil {
				b.Fatal(err)
			}
			defer client.Close()
			if !opt.V2 {
				client.WriteMessage("verack", nil)
			}
			b.SetBytes(message.MaxPayloadBytes)
			b.ResetTimer()
			for b.Loop() {
				if _, _, err := client.ReadMessage(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
