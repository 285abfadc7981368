package peer

import (
	"context"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/wire/v2"
	"go.uber.org/goleak"

	"granary/base/clock"
	"granary/p2p/message"
	"granary/p2p/transport"
	"granary/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestBudgetIsKept has many goroutines take and give at random times; the sum
// never exceeds the total, nobody starves, and who gives up takes nothing.
func TestBudgetIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const total = 100
		b := newBudget(total)
		var taken atomic.Int64
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				n := 1 + i*7%140 // some want more than there is
				cancel := make(chan struct{})
				if i%5 == 0 {
					go func() {
						time.Sleep(time.Duration(i) * time.Millisecond)
						close(cancel)
					}()
				}
				if !b.take(n, cancel) {
					if i%5 != 0 {
						t.Errorf("%d was refused", i)
					}
					return
				}
				if sum := taken.Add(int64(min(n, total))); sum > total {
					t.Errorf("%d of %d taken", sum, total)
				}
				time.Sleep(time.Duration(1+i%13) * time.Millisecond)
				taken.Add(-int64(min(n, total)))
				b.give(n)
			})
		}
		wg.Wait()
		time.Sleep(time.Second)
		if b.free != total || len(b.waiting) != 0 {
			t.Errorf("%d of %d free at the end, %d wait", b.free, total, len(b.waiting))
		}
	})
}

func TestQuiet(t *testing.T) {
	var q quiet
	now := time.Unix(1_700_000_000, 0)
	lines := 0
	for range 1000 {
		if _, ok := q.allow(now); ok {
			lines++
		}
	}
	if lines != quietBurst {
		t.Errorf("%d lines at once", lines)
	}
	for range 600 { // a minute, ten tries a second
		now = now.Add(100 * time.Millisecond)
		if swallowed, ok := q.allow(now); ok {
			if lines++; lines == quietBurst+1 && swallowed < 950 {
				t.Errorf("%d lines were swallowed by its count", swallowed)
			}
		}
	}
	if lines > quietBurst+61 || lines < quietBurst+59 {
		t.Errorf("%d lines after a minute", lines)
	}
	if _, ok := q.allow(now.Add(-time.Hour)); !ok {
		t.Error("a clock that was set back silences the log")
	}
}

func TestCleanText(t *testing.T) {
	for dirty, clean := range map[string]string{
		"/Satoshi:28.1.0(a; b@c)/":  "/Satoshi:28.1.0(a; b@c)/",
		"<script>\n\x00\"'&é\x1b[m": "scriptm",
	} {
		if got := cleanText(dirty); got != clean {
			t.Errorf("%q becomes %q", dirty, got)
		}
	}
}

// wastefulBlock is the block that takes the most memory for its bytes: one
// transaction whose witness is empty items.
func wastefulBlock() []byte {
	raw := make([]byte, 80, message.MaxPayloadBytes)
	raw = append(raw, 1)          // transaction
	raw = append(raw, 2, 0, 0, 0) // version
	raw = append(raw, 0, 1, 1)    // marker, flag, one input
	raw = append(raw, make([]byte, 36+1+4)...)
	raw = append(raw, 0) // outputs
	items := message.MaxPayloadBytes - len(raw) - 5 - 4
	raw = state.AppendCompactSize(raw, uint64(items))
	return append(raw, make([]byte, items+4)...)
}

// TestLargeMessagesTakeTurns: while handlers are busy, no more large messages
// are decoded than the budget allows; all come in the end.
func TestLargeMessagesTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const peers = 5
		tx := wire.NewMsgTx(2)
		tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{}, make([]byte, 3_900_000), nil))
		block := state.NewBlock(&wire.MsgBlock{Transactions: []*wire.MsgTx{tx}})
		s := newSide(t)
		gate, handled := make(chan struct{}), 0
		s.receive = func(Peer, message.Message) { handled++ }
		for range peers {
			left, right := net.Pipe()
			s.run(t, left, testOptions(Inbound))
			peer := newBare(t, right)
			peer.send(hello(), &message.VerAck{})
			synctest.Wait()
			go func() {
				<-gate
				peer.send(&message.Block{Block: block})
			}()
		}
		busy := make(chan struct{})
		s.loop.Post(func() { <-busy })
		close(gate)
		time.Sleep(time.Second)
		b := s.loop.decoding
		b.mu.Lock()
		free, waiting := b.free, len(b.waiting)
		b.mu.Unlock()
		if fit := decodingBytes / len(block.Raw); free != decodingBytes-fit*len(block.Raw) || waiting != peers-fit {
			t.Errorf("%d bytes free and %d waiting, %d fit", free, waiting, fit)
		}
		close(busy)
		time.Sleep(time.Second)
		synctest.Wait()
		if handled != peers || b.free != decodingBytes {
			t.Errorf("%d handled, %d bytes free", handled, b.free)
		}
	})
}

// TestTickWhenABacklogSinks: who serves blocks need not wait for the next
// tick by the clock.
func TestTickWhenABacklogSinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, link, peer, _ := meet(t, Inbound, nil)
		peer.send(hello(), &message.VerAck{})
		synctest.Wait()
		served, left := 0, 20
		serve := func() {
			for ; left > 0 && link.SendBacklogBytes() < PaceBytes; left-- {
				link.Send(&message.RawBlock{Raw: make([]byte, PaceBytes)})
				served++
			}
		}
		start := time.Now()
		s.loop.Post(func() { s.tick = serve })
		synctest.Wait()
		if served != 20 || time.Since(start) != 0 {
			t.Errorf("%d blocks served in %v", served, time.Since(start))
		}
	})
}

// TestManyLargeBlocks lets many peers send the most wasteful block at the
// same time: memory follows what came, plus a few decoded blocks.
func TestManyLargeBlocks(t *testing.T) {
	if os.Getenv("GRANARY_LONG") != "1" {
		t.Skip("GRANARY_LONG=1 measures the memory of 120 peers with the largest block")
	}
	const peers = 120
	defer debug.SetGCPercent(debug.SetGCPercent(20)) // to measure what lives
	block := wastefulBlock()
	s := newSide(t)
	var handled sync.WaitGroup
	handled.Add(peers)
	s.receive = func(Peer, message.Message) { handled.Done() }
	peak := watchHeap(t)
	for range peers {
		left, right := tcpPair(t)
		s.run(t, left, testOptions(Inbound))
		peer := newBare(t, right)
		go func() {
			peer.send(hello(), &message.VerAck{})
			peer.conn.WriteMessage("block", block)
		}()
	}
	handled.Wait()
	heap := peak()
	t.Logf("%d peers: %d MB of heap at most", peers, heap>>20)
	// Each peer's bytes, with what growing left behind, and the decoded blocks
	// of the budget, 26 times their bytes.
	if most := uint64(peers*2*message.MaxPayloadBytes+26*decodingBytes) * 5 / 4; heap > most {
		t.Errorf("%d MB of heap, the most should be %d", heap>>20, most>>20)
	}
}

func tcpPair(t testing.TB) (dialled, accepted net.Conn) {
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
	return dialled, accepted
}

// watchHeap measures the most heap in use until it is called back.
func watchHeap(t *testing.T) (peak func() uint64) {
	t.Helper()
	runtime.GC()
	stop, result := make(chan struct{}), make(chan uint64)
	go func() {
		var most uint64
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
			select {
			case <-stop:
				result <- most
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return func() uint64 { close(stop); return <-result }
}

// BenchmarkMessages carries small messages between two nodes over loopback,
// with all that a link does for each.
func BenchmarkMessages(b *testing.B) {
	s := &recorder{}
	loop := NewLoop(clock.Real{}, s)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { loop.Run(ctx); close(done) }()
	left, right := tcpPair(b)
	conn, err := transport.Client(ctx, left, transport.Options{Magic: testMagic})
	if err != nil {
		b.Fatal(err)
	}
	link := NewLink(loop, conn, testOptions(Inbound))
	ended := make(chan error, 1)
	go func() { ended <- link.Run(ctx) }()
	peer := newBare(b, right)
	peer.send(hello(), &message.VerAck{})
	heard := make(chan struct{}, 1)
	s.receive = func(Peer, message.Message) { heard <- struct{}{} }
	command, payload := message.Encode(&message.Inv{Items: make([]message.Item, 35)})
	b.SetBytes(int64(len(payload)))
	go func() {
		for peer.conn.WriteMessage(command, payload) == nil {
		}
	}()
	for b.Loop() {
		<-heard
	}
	go func() {
		for range heard {
		}
	}()
	link.Disconnect("done")
	<-ended
	close(heard)
	cancel()
	<-done
	peer.conn.Close()
}
