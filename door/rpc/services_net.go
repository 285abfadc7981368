package rpc

import (
	"context"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/p2p"
	"granary/p2p/peer"
)

// Net is what the door needs of the peer-to-peer network. Its functions may be
// called from any goroutine.
type Net struct {
	*p2p.Network
	// Self is what our version message says.
	Self func() peer.Self
	// Details tells what the handlers know of a peer.
	Details func(id uint64) PeerDetails
	// Syncing reports the initial block download.
	Syncing func() bool
	// FetchBlock asks one peer for a block whose header is known.
	FetchBlock func(ctx context.Context, id uint64, hash chainhash.Hash) error
	// Broadcast announces a transaction of the mempool to all peers, and again
	// until one has asked for it.
	Broadcast func(txid chainhash.Hash)
	// BanFor is how long a ban without a time lasts; V2 says that the
	// encrypted transport is on.
	BanFor time.Duration
	V2     bool
}

// PeerDetails are the parts of getpeerinfo that p2p/sync, p2p/txrelay and the
// gossip of addresses know. Heights are -1 where there is none.
type PeerDetails struct {
	SyncedHeaders, SyncedBlocks, PresyncedHeaders int32
	InFlight                                      []int32
	HighBandwidthTo, HighBandwidthFrom            bool
	AddrProcessed, AddrLimited                    uint64
	AddrRelay                                     bool
	MinFeeUnitsPerKVB                             int64
}

// Error codes of the network's methods.
const (
	codeInvalidParams  = -32602
	codeNodeAdded      = -23
	codeNodeNotAdded   = -24
	codeNotConnectedTo = -29
	codeInvalidSubnet  = -30
	codeNetworkOff     = -31
	codeNodeCapacity   = -34
)

// network gives the network, or the refusal where it is off.
func (c *call) network() (*Net, error) {
	if c.Net == nil {
		return nil, errorf(codeNetworkOff, "Error: Peer-to-peer functionality missing or disabled")
	}
	return c.Net, nil
}

// connections is how many peers there are.
func (c *call) connections() int {
	if c.Net == nil {
		return 0
	}
	in, out := c.Net.Connections()
	return in + out
}
