package web_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"granary/base/clock"
	"granary/chain"
	"granary/door/web"
	"granary/mempool"
	"granary/mine/cpu"
	"granary/mine/template"
	"granary/node/demo"
	"granary/params"
	"granary/rules/block"
	"granary/rules/script"
	"granary/store"
)

// world is a demo chain with its page, as `granary up` makes it.
type world struct {
	chain   *chain.Engine
	pool    *mempool.Pool
	miner   *cpu.Miner
	keys    *demo.Keys
	charter *params.Charter
	server  *web.Server
	page    *httptest.Server
	clock   *clock.Mock
}

// newWorld mines a demo chain to height. change, if set, may alter the
// charter before it is fixed.
func newWorld(t *testing.T, height int32, change func(*params.Charter)) *world {
	t.Helper()
	dir := t.TempDir()
	keys, err := demo.OpenKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	charter, err := keys.Charter()
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		altered := *charter
		change(&altered)
		if charter, err = params.NewCharter(altered); err != nil {
			t.Fatal(err)
		}
	}
	w := &world{keys: keys, charter: charter, clock: &clock.Mock{}}
	net, err := charter.Network()
	if err != nil {
		t.Fatal(err)
	}
	stored, err := store.Open(store.Options{Dir: dir + "/chain", Net: net, CharterID: charter.ID(), CacheBytes: 32 << 20})
	if err != nil {
		t.Fatal(err)
	}
	scripts := script.NewChecker(script.Options{})
	rules := block.Rules{Net: net, Charter: charter}
	w.chain, err = chain.Open(chain.Options{Store: stored, Rules: rules, Scripts: scripts, Clock: w.clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.chain.Close(); err != nil {
			t.Error(err)
		}
		scripts.Close()
		if err := stored.Close(); err != nil {
			t.Error(err)
		}
	})
	w.pool = mempool.New(mempool.Options{Chain: w.chain, Rules: rules, Scripts: scripts, Clock: w.clock, Standard: true})
	if err := w.chain.Follow(context.Background(), w.pool, w.chain.Tip().Hash, nil); err != nil {
		t.Fatal(err)
	}
	builder := template.NewBuilder(template.Options{Chain: w.chain, Pool: w.pool, Rules: rules, Scripts: scripts, Clock: w.clock})
	w.miner = cpu.NewMiner(cpu.Options{Builder: builder, Chain: w.chain, Clock: w.clock})
	w.mine(t, net, height)
	w.server, err = web.New(web.Options{
		Chain: w.chain, Pool: w.pool, Net: net, Charter: charter, Clock: w.clock, Version: "test",
		BlockEvery: func(height int32) time.Duration { return demo.Every(time.Minute, height, 150) },
		Log:        slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	w.page = httptest.NewServer(w.server)
	t.Cleanup(w.page.Close)
	return w
}

// mine brings the chain to height with block times a minute apart, more or
// less, that end shortly before now; the demo's own work mines and rotates.
func (w *world) mine(t *testing.T, net *params.Network, height int32) {
	t.Helper()
	work := &demo.Work{Interval: time.Nanosecond, MinerScript: w.keys.MinerScript(), Keys: w.keys}
	first := time.Now().Add(-time.Duration(height) * time.Minute)
	w.clock.Set(first)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	watch := &stopAt{height: height, cancel: cancel, tick: func(h int32) {
		w.clock.Set(first.Add(time.Duration(h)*time.Minute + time.Duration(h*37%50)*time.Second))
	}}
	if err := w.chain.Follow(ctx, watch, w.chain.Tip().Hash, nil); err != nil {
		t.Fatal(err)
	}
	parts := demo.Parts{Net: net, Chain: w.chain, Pool: w.pool, Miner: w.miner, Log: slog.New(slog.DiscardHandler)}
	if err := work.Run(ctx, parts); err != nil {
		t.Fatal(err)
	}
	if got := w.chain.Tip().Height; got < height {
		t.Fatalf("mined to %d, want %d", got, height)
	}
	w.clock.Set(w.chain.Tip().Raw.Timestamp.Add(23 * time.Second))
}

// stopAt follows the chain, moves the clock, and ends the work at a height.
type stopAt struct {
	height int32
	cancel func()
	tick   func(height int32)
}

func (s *stopAt) Connect(e *chain.Event) error {
	s.tick(e.Header.Height + 1)
	if e.Header.Height >= s.height {
		s.cancel()
	}
	return nil
}

func (s *stopAt) Disconnect(*chain.Event) error { return nil }
func (s *stopAt) Prune(int32) error             { return nil }
