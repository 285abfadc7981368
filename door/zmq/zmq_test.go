package zmq

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"io"
	"log"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/go-zeromq/zmq4"
	"go.uber.org/goleak"

	"granary/chain"
	"granary/mempool"
	"granary/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeTip is a chain whose tip the test sets.
type fakeTip struct{ tip *state.Header }

func (f *fakeTip) Tip() *state.Header { return f.tip }

// listen opens a publisher of every topic on one free port.
func listen(t *testing.T, highWater int) (*Publisher, *fakeTip, string) {
	t.Helper()
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := "tcp://" + probe.Addr().String()
	probe.Close()
	tip := &fakeTip{}
	o := Options{Tip: tip}
	for _, topic := range Topics {
		o.Notifiers = append(o.Notifiers, Notifier{topic, address, highWater})
	}
	p, err := Listen(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p, tip, address
}

// subscribe dials with an implementation that is not ours.
func subscribe(t *testing.T, p *Publisher, address string, topics ...string) zmq4.Socket {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	sub := zmq4.NewSub(ctx, zmq4.WithLogger(log.New(io.Discard, "", 0)))
	t.Cleanup(func() {
		cancel()
		sub.Close() //nolint:errcheck // the publisher may have closed first
	})
	if err := sub.Dial(address); err != nil {
		t.Fatal(err)
	}
	for _, topic := range topics {
		if err := sub.SetOption(zmq4.OptionSubscribe, topic); err != nil {
			t.Fatal(err)
		}
	}
	heard := func() bool {
		for _, s := range p.sockets[0].list() {
			all := true
			for _, topic := range topics {
				all = all && s.subscribed(topic)
			}
			if all {
				return true
			}
		}
		return false
	}
	for end := time.Now().Add(10 * time.Second); !heard(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the subscription did not arrive")
		}
	}
	return sub
}

// expect takes the next message and compares it.
func expect(t *testing.T, sub zmq4.Socket, topic, body string, count uint32) {
	t.Helper()
	msg, err := sub.Recv()
	if err != nil {
		t.Fatal(err)
	}
	if len(msg.Frames) != 3 || string(msg.Frames[0]) != topic {
		t.Fatalf("a message %q of %d frames, want %s", msg.Frames[0], len(msg.Frames), topic)
	}
	if got := hex.EncodeToString(msg.Frames[1]); got != body {
		t.Errorf("%s says %.80s, want %.80s", topic, got, body)
	}
	if got := binary.LittleEndian.Uint32(msg.Frames[2]); got != count {
		t.Errorf("%s has number %d, want %d", topic, got, count)
	}
}

// testBlock is a block of some transactions, event and all.
func testBlock(height int32, parent *state.Header, payload int) *chain.Event {
	msg := &wire.MsgBlock{}
	msg.Header.Nonce = uint32(height)
	for i := range 2 {
		tx := wire.NewMsgTx(2)
		tx.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Index: uint32(height)*10 + uint32(i)}, SignatureScript: []byte{1, 2}})
		tx.AddTxOut(wire.NewTxOut(int64(height), bytes.Repeat([]byte{0x51}, 1+payload)))
		msg.AddTransaction(tx)
	}
	b := state.NewBlock(msg)
	return &chain.Event{Connected: true, Header: state.NewHeader(&msg.Header, parent), Block: b}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestTopics: an independent subscriber hears what Core would tell, in order
// and numbered.
func TestTopics(t *testing.T) {
	p, tip, address := listen(t, 0)
	blocks := subscribe(t, p, address, "hashblock", "rawblock", "sequence")
	txs := subscribe(t, p, address, "hashtx", "rawtx")

	first := testBlock(1, nil, 0)
	second := testBlock(2, first.Header, 300)
	tip.tip = second.Header // two steps made together: the first is no tip
	must(t, p.Connect(first))
	must(t, p.Connect(second))
	expect(t, blocks, "sequence", first.Header.Hash.String()+"43", 0)
	expect(t, blocks, "sequence", second.Header.Hash.String()+"43", 1)
	expect(t, blocks, "hashblock", second.Header.Hash.String(), 0)
	expect(t, blocks, "rawblock", hex.EncodeToString(second.Block.Raw), 0)
	n := uint32(0)
	for _, ev := range []*chain.Event{first, second} {
		for i := range ev.Block.Txids {
			expect(t, txs, "hashtx", ev.Block.Txids[i].String(), n)
			expect(t, txs, "rawtx", hex.EncodeToString(ev.Block.Tx(i).Raw), n)
			n++
		}
	}

	entry := &mempool.Entry{Tx: first.Block.Tx(1)}
	p.PoolChanged(mempool.Change{Entry: entry, Added: true, Sequence: 7})
	p.PoolChanged(mempool.Change{Entry: entry, Why: mempool.Confirmed, Sequence: 7})
	p.PoolChanged(mempool.Change{Entry: entry, Why: mempool.Replaced, Sequence: 8})
	expect(t, blocks, "sequence", entry.Tx.Txid.String()+"41"+"0700000000000000", 2)
	expect(t, blocks, "sequence", entry.Tx.Txid.String()+"52"+"0800000000000000", 3)
	expect(t, txs, "hashtx", entry.Tx.Txid.String(), n)
	expect(t, txs, "rawtx", hex.EncodeToString(entry.Tx.Raw), n)

	second.Connected = false
	tip.tip = first.Header
	must(t, p.Disconnect(second))
	expect(t, blocks, "sequence", second.Header.Hash.String()+"44", 4)
	expect(t, txs, "hashtx", second.Block.Txids[0].String(), n+1)
}

// TestStalledSubscriber: one that reads nothing costs nobody time, a bounded
// amount of memory, and only itself messages.
func TestStalledSubscriber(t *testing.T) {
	const highWater, blocks = 50, 400
	p, tip, address := listen(t, highWater)
	stalled := handshake(t, address, "rawblock")
	awake := subscribe(t, p, address, "hashblock")
	parent := (*state.Header)(nil)
	begin := time.Now()
	for i := range blocks {
		ev := testBlock(int32(i+1), parent, 100_000) // 200 kB: 80 MB in all
		parent, tip.tip = ev.Header, ev.Header
		must(t, p.Connect(ev))
		expect(t, awake, "hashblock", ev.Header.Hash.String(), uint32(i))
	}
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("%d blocks took %v beside a stalled subscriber", blocks, took)
	}
	for _, s := range p.sockets[0].list() {
		s.mu.Lock()
		if len(s.queue) > highWater || s.bytes > maxQueueBytes {
			t.Errorf("%d messages of %d bytes wait", len(s.queue), s.bytes)
		}
		s.mu.Unlock()
	}
	// Awake again it gets what was queued: whole messages, in order.
	last := -1
	for range highWater {
		var count int
		for part := range 3 {
			body := readAny(t, stalled)
			if part == 2 {
				count = int(binary.LittleEndian.Uint32(body))
			}
		}
		if count <= last {
			t.Fatalf("message %d after %d", count, last)
		}
		last = count
	}
}

// handshake subscribes by hand and leaves the reading to the caller.
func handshake(t *testing.T, address, topic string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(address, "tcp://"))
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	_, err = conn.Write(greeting())
	must(t, err)
	_, err = io.ReadFull(conn, make([]byte, greetingBytes))
	must(t, err)
	_, err = conn.Write(command("READY", []byte("\x0bSocket-Type\x00\x00\x00\x03SUB")))
	must(t, err)
	readAny(t, conn) // their READY
	_, err = conn.Write(appendFrame(nil, 0, []byte("\x01"+topic)))
	must(t, err)
	_, err = conn.Write(command("PING", []byte{0, 10, 'x'}))
	must(t, err)
	if name, data, err := parseCommand(readAny(t, conn)); err != nil || name != "PONG" || string(data) != "x" {
		t.Fatalf("a ping was answered with %s %q: %v", name, data, err)
	}
	return conn
}

// readAny reads a frame of any size.
func readAny(t *testing.T, conn net.Conn) []byte {
	t.Helper()
	must(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	head := make([]byte, 2)
	_, err := io.ReadFull(conn, head)
	must(t, err)
	size := uint64(head[1])
	if head[0]&flagLong != 0 {
		rest := make([]byte, 8)
		rest[0] = head[1]
		_, err = io.ReadFull(conn, rest[1:])
		must(t, err)
		size = binary.BigEndian.Uint64(rest)
	}
	body := make([]byte, size)
	_, err = io.ReadFull(conn, body)
	must(t, err)
	return body
}

// TestHostileSubscribers are cut off without harm.
func TestHostileSubscribers(t *testing.T) {
	p, _, address := listen(t, 0)
	bad := greeting()
	copy(bad[12:], "CURVE\x00")
	ok := greeting()
	for name, bytes := range map[string][]byte{
		"http":        []byte("GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: something that is no subscriber at all\r\n\r\n"),
		"mechanism":   bad,
		"publisher":   append(ok[:greetingBytes:greetingBytes], command("READY", []byte("\x0bSocket-Type\x00\x00\x00\x03PUB"))...),
		"huge frame":  append(ok[:greetingBytes:greetingBytes], flagLong|flagCommand, 0x7f, 0, 0, 0, 0, 0, 0, 0),
		"cut short":   append(ok[:greetingBytes:greetingBytes], command("READY", []byte("\x0bSocket-Type\xff\xff\xff\xffSUB"))...),
		"other words": append(ok[:greetingBytes:greetingBytes], command("ERROR", nil)...),
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(address, "tcp://"))
		must(t, err)
		_, err = conn.Write(bytes)
		must(t, err)
		must(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
		if _, err := io.Copy(io.Discard, conn); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("%s: %v", name, err)
		}
		conn.Close()
	}
	sub := subscribe(t, p, address, "hash")
	p.publish("hashtx", func() []byte { return []byte{0xaa} })
	expect(t, sub, "hashtx", "aa", 0)
}

// TestAddresses names what cannot be published on.
func TestAddresses(t *testing.T) {
	for _, n := range []Notifier{
		{Topic: "hashblock", Address: "udp://127.0.0.1:1"},
		{Topic: "hashblock", Address: "127.0.0.1:1"},
		{Topic: "nonsense", Address: "tcp://127.0.0.1:0"},
		{Topic: "rawtx", Address: "tcp://256.0.0.1:0"},
	} {
		if p, err := Listen(Options{Notifiers: []Notifier{n}, Tip: &fakeTip{}}); err == nil {
			p.Close()
			t.Errorf("%+v was taken", n)
		}
	}
}
