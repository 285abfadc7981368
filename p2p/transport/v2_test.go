package transport

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ellswift"

	"granary/p2p/message"
)

// vectors reads a file of BIP324's test vectors.
func vectors(t *testing.T, name string) []map[string]string {
	t.Helper()
	file, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil || len(rows) < 2 {
		t.Fatalf("%s: %d rows, %v", name, len(rows), err)
	}
	var list []map[string]string
	for _, row := range rows[1:] {
		named := map[string]string{}
		for i, column := range rows[0] {
			named[column] = row[i]
		}
		list = append(list, named)
	}
	return list
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestPacketVectors runs BIP324's vectors for keys and packets.
func TestPacketVectors(t *testing.T) {
	mainnet := [4]byte{0xf9, 0xbe, 0xb4, 0xd9}
	for i, v := range vectors(t, "packet_encoding_test_vectors.csv") {
		private, _ := btcec.PrivKeyFromBytes(unhex(t, v["in_priv_ours"]))
		ours, theirs := [64]byte(unhex(t, v["in_ellswift_ours"])), [64]byte(unhex(t, v["in_ellswift_theirs"]))
		initiator := v["in_initiating"] == "true"
		shared, err := ellswift.V2Ecdh(private, theirs, ours, initiator)
		if err != nil || hex.EncodeToString(shared[:]) != v["mid_shared_secret"] {
			t.Fatalf("vector %d: shared secret %x, %v", i, shared[:], err)
		}
		s := derive(shared[:], mainnet, initiator)
		initiatorL, initiatorP, responderL, responderP := s.sendLength, s.sendPacket, s.receiveLength, s.receivePacket
		if !initiator {
			initiatorL, initiatorP, responderL, responderP = responderL, responderP, initiatorL, initiatorP
		}
		for name, got := range map[string][]byte{
			"mid_initiator_l": initiatorL[:], "mid_initiator_p": initiatorP[:],
			"mid_responder_l": responderL[:], "mid_responder_p": responderP[:],
			"mid_send_garbage_terminator": s.sendTerminator[:], "mid_recv_garbage_terminator": s.receiveTerminator[:],
			"out_session_id": s.session[:],
		} {
			if hex.EncodeToString(got) != v[name] {
				t.Errorf("vector %d: %s is %x, want %s", i, name, got, v[name])
			}
		}
		checkPacket(t, i, v, s)
	}
}

func checkPacket(t *testing.T, i int, v map[string]string, s *secrets) {
	t.Helper()
	index, err1 := strconv.Atoi(v["in_idx"])
	times, err2 := strconv.Atoi(v["in_multiply"])
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	sender := newV2(&Conn{}, s)
	for range index {
		sender.appendPacket(nil, nil, nil, nil, false)
	}
	contents := bytes.Repeat(unhex(t, v["in_contents"]), times)
	aad := unhex(t, v["in_aad"])
	packet := sender.appendPacket(nil, nil, contents, aad, v["in_ignore"] == "true")
	got := hex.EncodeToString(packet)
	if want := v["out_ciphertext"]; want != "" && got != want {
		t.Errorf("vector %d: packet %.80s, want %.80s", i, got, want)
	}
	if want := v["out_ciphertext_endswith"]; !strings.HasSuffix(got, want) {
		t.Errorf("vector %d: the packet does not end as it should", i)
	}
}

// TestKeyVectors runs BIP324's vectors for the decoding of keys.
func TestKeyVectors(t *testing.T) {
	for i, v := range vectors(t, "ellswift_decode_test_vectors.csv") {
		key := unhex(t, v["ellswift"])
		var u, tt btcec.FieldVal
		u.SetByteSlice(key[:32])
		tt.SetByteSlice(key[32:])
		x, err := ellswift.XSwiftEC(u.Normalize(), tt.Normalize())
		if err != nil || hex.EncodeToString(x.Bytes()[:]) != v["x"] {
			t.Errorf("vector %d: %v, %v", i, x, err)
		}
	}
}

func TestV2CarriesMessages(t *testing.T) {
	client, server := pair(t, Options{V2: true})
	if client.Version() != 2 || server.Version() != 2 || client.SessionID() != server.SessionID() || client.SessionID() == [32]byte{} {
		t.Fatalf("versions %d and %d, sessions %x and %x", client.Version(), server.Version(), client.SessionID(), server.SessionID())
	}
	carries(t, client, server)
	carries(t, server, client)
}

// TestV2OverManyPackets crosses several changes of keys in both directions.
func TestV2OverManyPackets(t *testing.T) {
	client, server := pair(t, Options{V2: true})
	for _, way := range [][2]*Conn{{client, server}, {server, client}} {
		done := make(chan error, 1)
		go func() {
			for i := range 3*rekeyInterval + 5 {
				if err := way[0].WriteMessage("ping", fmt.Append(nil, i)); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		for i := range 3*rekeyInterval + 5 {
			command, payload, err := way[1].ReadMessage()
			if err != nil || command != "ping" || string(payload) != fmt.Sprint(i) {
				t.Fatalf("packet %d: %q %q %v", i, command, payload, err)
			}
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

// TestV2NamesEveryCommand sends what has a short name and what has none.
func TestV2NamesEveryCommand(t *testing.T) {
	client, server := pair(t, Options{V2: true})
	names := append([]string{"version", "verack", "wtxidrelay", "sendheaders", "twelve-chars"}, shortNames[1:]...)
	go func() {
		for _, name := range names {
			client.WriteMessage(name, []byte(name))
		}
	}()
	for _, name := range names {
		if command, payload, err := server.ReadMessage(); command != name || string(payload) != name || err != nil {
			t.Errorf("%q came as %q, %v", name, command, err)
		}
	}
}

// TestServerTakesBoth: a client in the clear meets a server that knows v2.
func TestServerTakesBoth(t *testing.T) {
	a, b := net.Pipe()
	client, err := Client(context.Background(), a, Options{Magic: testMagic})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	go client.WriteMessage("version", make([]byte, 100))
	server, err := Server(context.Background(), b, Options{Magic: testMagic, V2: true})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if command, payload, err := server.ReadMessage(); command != "version" || len(payload) != 100 || err != nil || server.Version() != 1 {
		t.Errorf("%q, %d bytes, %v, transport %d", command, len(payload), err, server.Version())
	}
}

// TestClientLearnsOfV1: peers that know v1 only hang up, or say nothing.
func TestClientLearnsOfV1(t *testing.T) {
	for name, peer := range map[string]func(net.Conn){
		"hangs up": func(nc net.Conn) { nc.Read(make([]byte, 24)); nc.Close() },
		"silent":   func(nc net.Conn) { io.Copy(io.Discard, nc) },
		"speaks v1": func(nc net.Conn) {
			go io.Copy(io.Discard, nc)
			nc.Write(v1Message("version", make([]byte, 100)))
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			a, b := net.Pipe()
			go peer(b)
			if _, err := Client(context.Background(), a, Options{Magic: testMagic, V2: true}); !errors.Is(err, ErrNotV2) {
				t.Errorf("%s: %v", name, err)
			}
			b.Close()
		})
	}
}

// TestV1OfAnotherNetwork is told apart from a v2 peer.
func TestV1OfAnotherNetwork(t *testing.T) {
	a, b := net.Pipe()
	result := serve(b)
	other := v1Message("version", make([]byte, 100))
	other[0]++
	go a.Write(other)
	go io.Copy(io.Discard, a)
	if got := <-result; !errors.Is(got.err, ErrMagic) {
		t.Error(got.err)
	}
	a.Close()
}

func TestHandshakeTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// One byte of the key every ten seconds is progress enough for a
		// message and too little for a handshake.
		a, b := net.Pipe()
		start, result := time.Now(), serve(b)
		go func() {
			for range 100 {
				time.Sleep(10 * time.Second)
				if _, err := a.Write([]byte{1}); err != nil {
					return
				}
			}
		}()
		if got := <-result; !errors.Is(got.err, ErrStalled) || time.Since(start) != time.Minute {
			t.Errorf("%v after %v", got.err, time.Since(start))
		}
		time.Sleep(time.Hour)

		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		c, d := net.Pipe()
		go io.Copy(io.Discard, d)
		start = time.Now()
		if _, err := Client(ctx, c, Options{Magic: testMagic, V2: true}); err == nil || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		d.Close()
	})
}

// TestV2SlowLink is TestSlowLinkIsFollowed for packets.
func TestV2SlowLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		result := serve(b)
		h := handshakeByHand(t, a)
		h.nc.Write(h.v.appendPacket(h.sec.sendTerminator[:], nil, nil, nil, false))
		got := <-result
		block := h.v.appendPacket(nil, []byte{2}, make([]byte, message.MaxPayloadBytes), nil, false)
		go func() {
			for part := range bytesIn(block, 2000) {
				time.Sleep(time.Second)
				h.nc.Write(part)
			}
		}()
		if _, payload, err := got.conn.ReadMessage(); err != nil || len(payload) != message.MaxPayloadBytes {
			t.Errorf("%d bytes, %v", len(payload), err)
		}
		a.Close()
		got.conn.Close()
	})
}

// BenchmarkHandshake opens the encrypted transport, both ends.
func BenchmarkHandshake(b *testing.B) {
	opt := Options{Magic: testMagic, V2: true}
	for b.Loop() {
		left, right := net.Pipe()
		result := serve(right)
		client, err := Client(context.Background(), left, opt)
		got := <-result
		if err != nil || got.err != nil {
			b.Fatal(err, got.err)
		}
		client.Close()
		got.conn.Close()
	}
}
