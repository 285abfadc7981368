package node

import (
	"context"
	"errors"
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"granary/base/clock"
	"granary/chain"
	"granary/door/rpc"
	"granary/p2p"
	"granary/p2p/addr"
	"granary/p2p/filters"
	"granary/p2p/message"
	"granary/p2p/peer"
	p2psync "granary/p2p/sync"
	"granary/p2p/txrelay"
	"granary/state"
)

// Peers is the network of a running node, with the handlers of its messages.
type Peers struct {
	Network *p2p.Network
	Loop    *peer.Loop
	Gossip  *p2p.Gossip
	Sync    *p2psync.Manager
	Relay   *txrelay.Relay
	Filters *filters.Server
	Uploads *p2p.Uploads
}

// startPeers makes network, loop and handlers, and begins to talk.
func (n *Node) startPeers(ctx context.Context) error {
	p := &Peers{Loop: peer.NewLoop(n.Clock), Uploads: p2p.NewUploads(n.Clock, n.Config.MaxUploadTargetBytes)}
	n.makeHandlers(p)
	if err := n.makeNetwork(p); err != nil {
		return errors.Join(err, p.close())
	}
	p.Loop.Handle(p.Network, p.Gossip, p.Sync, p.Relay, p.Filters)
	running, stop := context.WithCancel(context.Background())
	var loop sync.WaitGroup
	loop.Go(func() { p.Loop.Run(running) })
	n.add("peers", func() error {
		err := errors.Join(p.Network.Stop(), p.close())
		stop()
		loop.Wait()
		return err
	})
	for _, f := range []chain.Follower{p.Sync.Follower(), &relayFollower{p}} {
		if err := n.Chain.Follow(ctx, f, n.Chain.Tip().Hash, nil); err != nil {
			return err
		}
	}
	n.Chain.OnInvalid(p.Sync.Invalid)
	n.Peers = p
	return p.Network.Start()
}

// close ends what the handlers hold of others.
func (p *Peers) close() error {
	p.Relay.Close()
	return nil
}

// makeNetwork opens what is kept of peers and makes the network.
func (n *Node) makeNetwork(p *Peers) error {
	log := rateLimited(n.Log)
	dir := &addr.Dir{FS: vfs.Default, Path: n.Config.NetDir, Magic: n.Config.Net.Magic(), Log: n.Log}
	book, err := dir.LoadBook(addr.Options{Clock: n.Clock, Rand: clock.NewRand()})
	if err != nil {
		return err
	}
	bans, err := dir.LoadBans(n.Clock)
	if err != nil {
		return err
	}
	o := n.Config.P2P()
	o.Loop, o.Book, o.Bans, o.Dir, o.Uploads, o.Log = p.Loop, book, bans, dir, p.Uploads, log
	// Whom to dial and when is by the machine's clock: one that a person
	// stopped must not keep the node alone.
	o.Clock, o.Rand = clock.Real{}, clock.NewRand()
	o.Self, o.Chain = n.self, p.Sync
	p.Network = p2p.New(o)
	p.Gossip = p2p.NewGossip(p2p.GossipOptions{
		Book: book, Bans: bans, Clock: n.Clock, Rand: clock.NewRand(),
		Networks: p.Network.Networks(), Self: p.Network.SelfFor,
	})
	return nil
}

// makeHandlers makes the handlers of blocks and transactions.
func (n *Node) makeHandlers(p *Peers) {
	log := rateLimited(n.Log)
	p.Sync = p2psync.New(p2psync.Options{
		Net: n.Config.Net, Charter: n.Config.Charter != nil, Chain: n.Chain, Intake: n.Chain,
		Txs: n.Pool, Extra: func() []*state.Tx { return p.Relay.Extra() }, Uploads: p.Uploads, Post: p.Loop.Post, Clock: n.Clock, Rand: clock.NewRand(), Log: log,
		MinimumWork: n.Config.MinimumWork(), MaxTipAge: n.Config.MaxTipAge(), Pruned: n.Config.PruneMiB > 0,
	})
	p.Relay = txrelay.New(txrelay.Options{
		Pool: n.Pool, Packages: n.Pool, Own: n.Pool, Syncing: p.Sync.InitialBlockDownload,
		BlocksOnly: n.Config.BlocksOnly, Clock: n.Clock, Rand: clock.NewRand(), Log: log,
	})
	o := filters.Options{Chain: n.Chain, Log: log}
	if n.Config.PeerBlockFilters {
		o.Index = n.Filters
	}
	p.Filters = filters.New(o)
}

// self is what the version message says of this node.
func (n *Node) self() peer.Self {
	return peer.Self{
		Services: n.services(), UserAgent: n.Config.UserAgent(rpc.UserAgent(n.options.Version)),
		StartHeight: n.Chain.Tip().Height, Relay: !n.Config.BlocksOnly,
	}
}

func (n *Node) services() message.Services {
	s := message.ServiceWitness | message.ServiceNetworkLimited
	if n.Config.PruneMiB == 0 {
		s |= message.ServiceNetwork
	}
	if n.Config.PeerBlockFilters {
		s |= message.ServiceCompactFilters
	}
	if n.Config.V2Transport {
		s |= message.ServiceV2
	}
	return s
}

// door gives what JSON-RPC needs of the peers.
func (n *Node) door() *rpc.Net {
	p := n.Peers
	return &rpc.Net{
		Network: p.Network, Self: n.self, Details: p.details, Syncing: p.Sync.InitialBlockDownload,
		FetchBlock: p.Sync.GetBlockFromPeer,
		Broadcast:  func(txid chainhash.Hash) { p.Loop.Post(func() { p.Relay.Broadcast(txid) }) },
		BanFor:     n.Config.BanTime(), V2: n.Config.V2Transport,
	}
}

// details gathers what the handlers know of a peer.
func (p *Peers) details(id uint64) rpc.PeerDetails {
	d := rpc.PeerDetails{SyncedHeaders: -1, SyncedBlocks: -1, PresyncedHeaders: -1}
	if s, ok := p.Sync.PeerState(id); ok {
		d.SyncedHeaders, d.SyncedBlocks, d.PresyncedHeaders = s.SyncedHeaders, s.SyncedBlocks, s.PresyncedHeaders
		d.InFlight, d.HighBandwidthTo, d.HighBandwidthFrom = s.InFlight, s.HighBandwidthTo, s.HighBandwidthFrom
	}
	p.Loop.Do(func() {
		d.AddrProcessed, d.AddrLimited, d.AddrRelay = p.Gossip.AddrCounts(id)
		if s, ok := p.Relay.PeerState(id); ok {
			d.MinFeeUnitsPerKVB = s.MinFeeUnitsPerKVB
		}
	})
	return d
}

// relayFollower tells the relay of transactions what blocks took.
type relayFollower struct{ p *Peers }

// Connect implements chain.Follower.
func (r *relayFollower) Connect(e *chain.Event) error {
	r.p.Loop.Post(func() { r.p.Relay.BlockConnected(e.Block) })
	return nil
}

// Disconnect implements chain.Follower.
func (r *relayFollower) Disconnect(e *chain.Event) error {
	r.p.Loop.Post(func() { r.p.Relay.BlockDisconnected(e.Block) })
	return nil
}

// Prune implements chain.Follower.
func (r *relayFollower) Prune(int32) error { return nil }
