package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"granary/base/clock"
	"granary/p2p"
	"granary/p2p/addr"
	"granary/p2p/message"
	"granary/p2p/peer"
)

// online gives a world a real network that dials nobody by itself; listen may
// be empty.
func (w *world) online(t testing.TB, listen string, change ...func(*p2p.Options)) *p2p.Network {
	t.Helper()
	dir := &addr.Dir{FS: vfs.NewMem(), Path: "/", Magic: w.net.Magic()}
	bans, err := dir.LoadBans(w.clock)
	if err != nil {
		t.Fatal(err)
	}
	self := func() peer.Self {
		return peer.Self{
			Services:  message.ServiceNetwork | message.ServiceWitness | message.ServiceNetworkLimited,
			UserAgent: UserAgent("0.1"), Relay: true,
		}
	}
	loop := peer.NewLoop(clock.Real{})
	o := p2p.Options{
		Net: w.net, Loop: loop, Bans: bans, Dir: dir, MaxConnections: p2p.DefaultMaxConnections,
		Book: addr.NewBook(addr.Options{Clock: w.clock, Rand: clock.SeededRand(1)}), Self: self, Connect: []string{},
	}
	if listen != "" {
		o.Listen = []p2p.Bind{{Address: listen}}
	}
	for _, f := range change {
		f(&o)
	}
	network := p2p.New(o)
	loop.Handle(network)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); loop.Run(ctx) }()
	t.Cleanup(func() {
		if err := network.Stop(); err != nil {
			t.Error(err)
		}
		cancel()
		<-done
	})
	if err := network.Start(); err != nil {
		t.Fatal(err)
	}
	services := *w.door.services.Load()
	services.Net = &Net{
		Network: network, Self: self, BanFor: addr.DefaultBan,
		Details: func(uint64) PeerDetails {
			return PeerDetails{SyncedHeaders: 7, SyncedBlocks: 5, PresyncedHeaders: -1, InFlight: []int32{6, 7}, MinFeeUnitsPerKVB: 1000}
		},
		Syncing: func() bool { return false },
		FetchBlock: func(_ context.Context, id uint64, _ chainhash.Hash) error {
			if id > 1_000 {
				return errors.New("Peer does not exist") //nolint:staticcheck // as clients know it
			}
			return nil
		},
		Broadcast: func(chainhash.Hash) {},
	}
	w.door.Ready(services)
	return network
}

// TestPeersByRPC: two nodes in this process are connected, looked at and
// parted by their JSON-RPC doors.
func TestPeersByRPC(t *testing.T) {
	a, b := newWorld(t, nil), newWorld(t, nil)
	a.fails(codeNetworkOff, "missing or disabled", "getpeerinfo", "")
	listening := b.online(t, "127.0.0.1:0")
	a.online(t, "")
	address := listening.ListenAddresses()[0].String()

	a.must(nil, "addnode", `["`+address+`","add"]`)
	type info struct {
		ID       uint64
		Addr     string
		Inbound  bool
		Kind     string `json:"connection_type"`
		Names    []string
		Synced   int32            `json:"synced_blocks"`
		InFlight []int32          `json:"inflight"`
		Fee      json.Number      `json:"minfeefilter"`
		Received map[string]int64 `json:"bytesrecv_per_msg"`
	}
	peers := func(w *world) (out []info) {
		w.must(&out, "getpeerinfo", "")
		return out
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if in, _ := listening.Connections(); in == 1 && len(peers(a)) == 1 && peers(a)[0].Received["verack"] > 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("no connection in time")
		}
	}
	there, here := peers(b)[0], peers(a)[0]
	if !there.Inbound || there.Kind != "inbound" || here.Inbound || here.Kind != "manual" || here.Addr != address {
		t.Errorf("the two ends are %+v and %+v", there, here)
	}
	if here.Synced != 5 || len(here.InFlight) != 2 || here.Fee.String() != "0.00001000" || here.Received["version"] == 0 {
		t.Errorf("details are %+v", here)
	}
	var added []struct {
		Added     string `json:"addednode"`
		Connected bool
		Addresses []struct{ Address, Connected string }
	}
	a.must(&added, "getaddednodeinfo", "")
	if len(added) != 1 || !added[0].Connected || added[0].Addresses[0].Connected != "outbound" {
		t.Errorf("getaddednodeinfo gave %+v", added)
	}
	var totals struct {
		Received uint64 `json:"totalbytesrecv"`
		Sent     uint64 `json:"totalbytessent"`
	}
	if a.must(&totals, "getnettotals", ""); totals.Received == 0 || totals.Sent == 0 {
		t.Errorf("getnettotals gave %+v", totals)
	}
	a.must(nil, "ping", "")
	a.must(nil, "addnode", `["`+address+`","remove"]`)
	a.must(nil, "disconnectnode", `["`+address+`"]`)
	for end := time.Now().Add(20 * time.Second); len(peers(a)) > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the connection stays")
		}
	}
	a.fails(codeNotConnectedTo, "not found in connected nodes", "disconnectnode", `["`+address+`"]`)
}
