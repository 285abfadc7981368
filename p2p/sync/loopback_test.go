package sync

import (
	"context"
	"encoding/binary"
	"net"
	"os"
	"path/filepath"
	stdsync "sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"granary/base/clock"
	"granary/chain"
	"granary/p2p/peer"
	"granary/p2p/transport"
	"granary/params"
	"granary/rules/block"
	"granary/rules/script"
	"granary/state"
	"granary/store"
)

// station is a whole peer: engine, Loop and Manager with their goroutines.
type station struct {
	tb     testing.TB
	engine *chain.Engine
	loop   *peer.Loop
	m      *Manager
	wg     stdsync.WaitGroup
}

func newStation(tb testing.TB, fs vfs.FS, dir string, now time.Time) *station {
	tb.Helper()
	s, clk := &station{tb: tb}, &clock.Mock{Base: shifted(time.Until(now))}
	netw := params.RegTest()
	st, err := store.Open(store.Options{Dir: dir, FS: fs, Net: netw, CacheBytes: 64 << 20})
	if err != nil {
		tb.Fatal(err)
	}
	scripts := script.NewChecker(script.Options{Workers: 2, CacheBytes: 1 << 20})
	late := &lateFollower{}
	s.engine, err = chain.Open(chain.Options{
		Store: st, Rules: block.Rules{Net: netw}, Scripts: scripts, Clock: clk, Followers: []chain.Follower{late},
	})
	if err != nil {
		tb.Fatal(err)
	}
	s.loop = peer.NewLoop(clk)
	s.m = New(Options{
		Net: netw, Chain: s.engine, Intake: s.engine, Txs: fakePool{}, Post: s.loop.Post, Clock: clk, Rand: clock.SeededRand(1),
	})
	late.Follower = s.m.Follower()
	s.engine.OnInvalid(s.m.Invalid)
	s.loop.Handle(s.m)
	ctx, cancel := context.WithCancel(context.Background())
	s.wg.Go(func() { s.loop.Run(ctx) })
	tb.Cleanup(func() {
		cancel()
		s.wg.Wait()
		if err := s.engine.Close(); err != nil {
			tb.Error(err)
		}
		if err := st.Close(); err != nil {
			tb.Error(err)
		}
		scripts.Close()
	})
	return s
}

// shifted is the machine's clock, set to another time.
type shifted time.Duration

func (s shifted) Now() time.Time { return time.Now().Add(time.Duration(s)) }

// link runs a link over a connection.
func (s *station) link(nc net.Conn, kind peer.Kind) {
	open := transport.Server
	if kind != peer.Inbound {
		open = transport.Client
	}
	s.wg.Go(func() {
		conn, err := open(context.Background(), nc, transport.Options{Magic: params.RegTest().Magic()})
		if err != nil {
			s.tb.Error(err)
			return
		}
		peer.NewLink(s.loop, conn, peer.LinkOptions{
			Kind: kind, Addr: nc.RemoteAddr().String(),
			Self: func() peer.Self { return peer.Self{Services: fullServices, UserAgent: "/test/"} },
		}).Run(context.Background()) //nolint:errcheck // it ends with the loop
	})
}

// dial joins two stations over loopback TCP; s calls.
func (s *station) dial(other *station) {
	s.tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.tb.Fatal(err)
	}
	defer listener.Close() //nolint:errcheck // a test
	out, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		s.tb.Fatal(err)
	}
	in, err := listener.Accept()
	if err != nil {
		s.tb.Fatal(err)
	}
	other.link(in, peer.Inbound)
	s.link(out, peer.OutboundFull)
}

// reach waits until s stands where other does.
func (s *station) reach(other *station, within time.Duration) {
	s.tb.Helper()
	for end := time.Now().Add(within); s.engine.Tip().Hash != other.engine.Tip().Hash; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			s.tb.Fatalf("at %d of %d", s.engine.Tip().Height, other.engine.Tip().Height)
		}
	}
}

// Two whole nodes over TCP: the one learns the other's chain, then follows it
// both ways as blocks come.
func TestLoopback(t *testing.T) {
	now := epoch.Add(time.Hour)
	a := newStation(t, vfs.NewMem(), "a", now)
	b := newStation(t, vfs.NewMem(), "b", now)
	blocks := branch("a", genesis(), 0, 500)
	for _, x := range blocks {
		if _, err := a.engine.AcceptBlock(x); err != nil {
			t.Fatal(err)
		}
	}
	b.dial(a)
	b.reach(a, 30*time.Second)
	parent := blocks[499]
	for i, miner := range []*station{a, b, a, b} {
		next := makeBlock(draft{parent: parent, height: int32(501 + i), name: "next"})
		if _, err := miner.engine.AcceptBlock(next); err != nil {
			t.Fatal(err)
		}
		a.reach(b, 30*time.Second)
		b.reach(a, 30*time.Second)
		if a.engine.Tip().Hash != next.Hash {
			t.Fatalf("block %d was not taken", 501+i)
		}
		parent = next
	}
	if a.m.InitialBlockDownload() || b.m.InitialBlockDownload() {
		t.Error("somebody still catches up")
	}
}

// BenchmarkDownload fetches a chain over loopback and compares with the import
// of the same file: 5,000 empty blocks, and what GRANARY_BENCH_FILE names
// (`granary bench chain` writes them). Both ends share this process, and its
// processors.
func BenchmarkDownload(b *testing.B) {
	b.Run("empty blocks", func(b *testing.B) {
		path := filepath.Join(b.TempDir(), "blk.dat")
		if err := os.WriteFile(path, blockFile(branch("a", genesis(), 0, 5000)), 0o600); err != nil {
			b.Fatal(err)
		}
		benchmarkDownload(b, path)
	})
	if path := os.Getenv("GRANARY_BENCH_FILE"); path != "" {
		b.Run("file", func(b *testing.B) { benchmarkDownload(b, path) })
	}
}

func benchmarkDownload(b *testing.B, path string) {
	now := epoch.AddDate(20, 0, 0)
	var imported, fetched time.Duration
	blocks := 0
	for b.Loop() {
		source := newStation(b, vfs.Default, b.TempDir(), now)
		begun := time.Now()
		if _, err := source.engine.Import(b.Context(), []string{path}, nil); err != nil {
			b.Fatal(err)
		}
		imported += time.Since(begun)
		sink := newStation(b, vfs.Default, b.TempDir(), now)
		begun = time.Now()
		sink.dial(source)
		sink.reach(source, time.Hour)
		fetched += time.Since(begun)
		blocks += int(source.engine.Tip().Height)
	}
	b.ReportMetric(float64(blocks)/fetched.Seconds(), "blocks/s")
	b.ReportMetric(fetched.Seconds()/imported.Seconds(), "fetched/imported")
}

// blockFile is the form of block files.
func blockFile(blocks []*state.Block) []byte {
	magic := regtest.Magic()
	var file []byte
	for _, b := range blocks {
		file = append(file, magic[:]...)
		file = binary.LittleEndian.AppendUint32(file, uint32(len(b.Raw)))
		file = append(file, b.Raw...)
	}
	return file
}
