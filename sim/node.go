package sim

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"granary/base/clock"
	"granary/chain"
	"granary/mempool"
	"granary/mine/cpu"
	"granary/mine/template"
	"granary/p2p/peer"
	p2psync "granary/p2p/sync"
	"granary/p2p/txrelay"
	"granary/rules/block"
	"granary/rules/script"
	"granary/state"
	"granary/store"
)

// Node is one node of the world: everything but the sockets.
type Node struct {
	Name  string
	world *World
	rules block.Rules
	fs    *vfs.MemFS
	skew  time.Duration // its clock is wrong by that

	store    *store.Store
	scripts  *script.Checker
	engine   *chain.Engine
	pool     *mempool.Pool
	miner    *cpu.Miner
	relay    *txrelay.Relay
	sync     *p2psync.Manager
	loop     *peer.Loop
	handlers []peer.Handler
	links    []*link
	lastID   uint64
	dead     bool
	lives    int // how often it was started
}

// AddNode makes a node on an empty disk.
func (w *World) AddNode(name string, rules block.Rules) *Node {
	n := &Node{Name: name, world: w, rules: rules, fs: vfs.NewCrashableMem(), dead: true}
	w.nodes = append(w.nodes, n)
	w.fail(n.start())
	return n
}

// Now implements clock.Clock: a node's clock may be wrong.
func (n *Node) Now() time.Time { return n.world.now.Now().Add(n.skew) }

// start opens what is on the disk.
func (n *Node) start() error {
	options := store.Options{Dir: "data", FS: n.fs, Net: n.rules.Net, CacheBytes: 8 << 20}
	if n.rules.Charter != nil {
		options.CharterID = n.rules.Charter.ID()
	}
	var err error
	if n.store, err = store.Open(options); err != nil {
		return err
	}
	n.scripts = script.NewChecker(script.Options{Workers: 1, CacheBytes: 1 << 20})
	if n.engine, err = chain.Open(chain.Options{Store: n.store, Rules: n.rules, Scripts: n.scripts, Clock: n}); err != nil {
		return errors.Join(err, n.store.Close())
	}
	n.pool = mempool.New(mempool.Options{Chain: n.engine, Rules: n.rules, Scripts: n.scripts, Clock: n, Standard: true})
	if err := n.follow(n.pool); err != nil {
		return err
	}
	built := template.Options{Chain: n.engine, Pool: n.pool, Rules: n.rules, Scripts: n.scripts, Clock: n}
	if n.rules.Charter != nil {
		built.Vault = template.NewVault(n.engine, n.rules.Charter)
		if err := n.follow(built.Vault); err != nil {
			return err
		}
	}
	n.miner = cpu.NewMiner(cpu.Options{Builder: template.NewBuilder(built), Chain: n.engine, Clock: n})
	n.dead = false
	n.lives++
	return n.network()
}

// network makes the handlers and the loop that runs them.
func (n *Node) network() error {
	n.loop = peer.NewLoop(n)
	n.sync = p2psync.New(p2psync.Options{
		Net: n.rules.Net, Charter: n.rules.Charter != nil, Chain: n.engine, Intake: intake{n}, Txs: n,
		Extra: func() []*state.Tx { return n.relay.Extra() },
		Post:  n.post, Clock: n, Rand: n.world.chance(),
	})
	n.relay = txrelay.New(txrelay.Options{
		Pool: n.pool, Syncing: n.sync.InitialBlockDownload, Clock: n, Rand: n.world.chance(),
	})
	n.handlers = []peer.Handler{n.sync, n.relay}
	n.loop.Handle(n.handlers...)
	if err := errors.Join(n.follow(n.sync.Follower()), n.follow(told{n})); err != nil {
		return err
	}
	n.tick(n.loop)
	return nil
}

func (n *Node) follow(f chain.Follower) error {
	return n.engine.Follow(context.Background(), f, n.engine.Tip().Hash, nil)
}

// tick drives the handlers' clocks for as long as this loop is the node's.
func (n *Node) tick(loop *peer.Loop) {
	n.world.after(peer.TickInterval, func() {
		if n.loop == loop && !n.dead {
			loop.Step()
			n.tick(loop)
		}
	})
}

// post has work done on the node's loop, at this moment of the world but not
// within the work that asks for it.
func (n *Node) post(work func()) {
	loop := n.loop
	loop.Post(work)
	n.world.after(0, func() {
		if n.loop == loop && !n.dead {
			loop.Step()
		}
	})
}

// Each implements sync.Transactions.
func (n *Node) Each(f func(tx *state.Tx)) {
	for _, e := range n.pool.Entries() {
		f(e.Tx)
	}
}

// intake hands blocks to the engine and waits, so that nothing happens beside
// the world's one event.
type intake struct{ n *Node }

// Submit implements sync.Intake.
func (i intake) Submit(b *state.Block, done func(isNew bool, err error)) {
	done(i.n.engine.AcceptBlock(b))
}

// SubmitHeaders implements sync.Intake.
func (i intake) SubmitHeaders(raws []wire.BlockHeader, done func(last *state.Header, added int, err error)) {
	added := 0
	for j := range raws {
		if i.n.engine.Header(raws[j].BlockHash()) == nil {
			added++
		}
	}
	last, err := i.n.engine.AcceptHeaders(raws)
	if err != nil {
		added = 0
	}
	done(last, added, err)
}

// told writes the chain's steps into the trace and hands them to the relay.
type told struct{ n *Node }

// Connect implements chain.Follower.
func (t told) Connect(e *chain.Event) error {
	t.n.world.tell("%s stands at %d, %v", t.n.Name, e.Header.Height, e.Header.Hash)
	t.n.post(func() { t.n.relay.BlockConnected(e.Block) })
	return nil
}

// Disconnect implements chain.Follower.
func (t told) Disconnect(e *chain.Event) error {
	t.n.world.tell("%s leaves %d, %v", t.n.Name, e.Header.Height, e.Header.Hash)
	t.n.post(func() { t.n.relay.BlockDisconnected(e.Block) })
	return nil
}

// Prune implements chain.Follower.
func (told) Prune(int32) error { return nil }

// Kill stops a node as a power cut does: what was not synced may be lost, each
// page by itself.
func (n *Node) Kill() {
	w := n.world
	w.tell("%s is killed at %d", n.Name, n.engine.Tip().Height)
	n.dead = true
	for len(n.links) > 0 {
		w.Cut(n.links[0], "killed")
	}
	after := n.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: w.rng.IntN(101), RNG: rand.New(rand.NewPCG(w.rng.Uint64(), 2))})
	w.fail(n.close())
	n.fs = after
}

// Start runs a killed node on what is left of its disk.
func (n *Node) Start() {
	n.world.fail(n.start())
	n.world.tell("%s starts at %d, %v", n.Name, n.engine.Tip().Height, n.engine.Tip().Hash)
}

func (n *Node) close() error {
	n.relay.Close()
	err := n.engine.Close()
	n.scripts.Close()
	return errors.Join(err, n.store.Close())
}

// Close ends the world.
func (w *World) Close() error {
	err := w.failed
	for _, n := range w.nodes {
		if !n.dead {
			n.dead = true
			err = errors.Join(err, n.close())
		}
	}
	return err
}

func (n *Node) linkTo(other *Node) *link {
	for _, l := range n.links {
		if l.ends[0].owner == other || l.ends[1].owner == other {
			return l
		}
	}
	return nil
}

func (n *Node) drop(l *link) {
	n.links = slices.DeleteFunc(n.links, func(at *link) bool { return at == l })
}

var _ clock.Clock = (*Node)(nil)
