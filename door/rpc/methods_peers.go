package rpc

import (
	"errors"
	"maps"
	"slices"
	"time"

	"granary/p2p"
	"granary/p2p/peer"
)

func peerMethods() []Method {
	return []Method{
		{
			Name: "getpeerinfo", Family: familyNetwork,
			Summary: "Lists the connections.",
			Detail:  "Times are Unix seconds, 0 for never; pings are in seconds.",
			Result:  "An array of objects: id, addr, addrbind, addrlocal, network, services, servicesnames, relaytxes, lastsend, lastrecv, last_transaction, last_block, bytessent, bytesrecv, conntime, timeoffset, pingtime, minping, pingwait, version, subver, inbound, bip152_hb_to, bip152_hb_from, startingheight, presynced_headers, synced_headers, synced_blocks, inflight (heights), addr_relay_enabled, addr_processed, addr_rate_limited, permissions, minfeefilter (coins per 1,000 vbytes), bytessent_per_msg, bytesrecv_per_msg, connection_type, transport_protocol_type, session_id.",
			run:     getPeerInfo,
		},
		{
			Name: "disconnectnode", Family: familyNetwork,
			Summary: "Ends a connection, named by its address or its id.",
			Params: []Param{
				{Name: "address", Type: Text, Optional: true, Help: "The address and port, as getpeerinfo shows them; empty where the id is given."},
				{Name: "nodeid", Type: Integer, Optional: true, Help: "The id."},
			},
			Result: "null",
			run:    disconnectNode,
		},
		{
			Name: "getblockfrompeer", Family: familyChain,
			Summary: "Asks one peer for a block whose header is known; what comes is stored like any block.",
			Params: []Param{
				{Name: "blockhash", Type: Hash, Help: "The block."},
				{Name: "peer_id", Type: Integer, Help: "The peer's id."},
			},
			Result: "An empty object.",
			run:    getBlockFromPeer,
		},
	}
}

// seconds are Unix seconds, 0 for the zero time.
func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

var kindNames = map[peer.Kind]string{
	peer.Inbound: "inbound", peer.OutboundFull: "outbound-full-relay", peer.BlockRelay: "block-relay-only",
	peer.Manual: "manual", peer.Feeler: "feeler", peer.AddrFetch: "addr-fetch",
}

func getPeerInfo(c *call) (any, error) {
	net, err := c.network()
	if err != nil {
		return nil, err
	}
	out := []object{}
	for _, p := range net.Peers() {
		if !p.Leaving {
			out = append(out, peerJSON(&p, net.Details(p.ID)))
		}
	}
	return out, nil
}

func peerJSON(p *p2p.PeerInfo, d PeerDetails) object {
	out := object{{"id", p.ID}, {"addr", p.Addr}, {"addrbind", p.AddrBind}}
	if p.SeenAs.IsValid() {
		out = append(out, member{"addrlocal", p.SeenAs.String()})
	}
	out = append(
		out,
		member{"network", p.Network},
		member{"services", servicesHex(p.Services)},
		member{"servicesnames", serviceNames(p.Services)},
		member{"relaytxes", p.Relay},
		member{"lastsend", secondsIf(p.BytesSent > 0, p.LastSent)},
		member{"lastrecv", secondsIf(p.BytesReceived > 0, p.LastReceived)},
		member{"last_transaction", seconds(p.LastTx)},
		member{"last_block", seconds(p.LastBlock)},
		member{"bytessent", p.BytesSent},
		member{"bytesrecv", p.BytesReceived},
		member{"conntime", seconds(p.Since)},
		member{"timeoffset", int64(p.TimeOffset / time.Second)},
	)
	if p.Pongs > 0 {
		out = append(out, member{"pingtime", float(p.Ping.Seconds())}, member{"minping", float(p.MinPing.Seconds())})
	}
	if p.PingWait > 0 {
		out = append(out, member{"pingwait", float(p.PingWait.Seconds())})
	}
	inFlight := d.InFlight
	if inFlight == nil {
		inFlight = []int32{}
	}
	return append(
		out,
		member{"version", p.Version},
		member{"subver", p.UserAgent},
		member{"inbound", p.Kind == peer.Inbound},
		member{"bip152_hb_to", d.HighBandwidthTo},
		member{"bip152_hb_from", d.HighBandwidthFrom},
		member{"startingheight", startHeight(p)},
		member{"presynced_headers", d.PresyncedHeaders},
		member{"synced_headers", d.SyncedHeaders},
		member{"synced_blocks", d.SyncedBlocks},
		member{"inflight", inFlight},
		member{"addr_relay_enabled", d.AddrRelay},
		member{"addr_processed", d.AddrProcessed},
		member{"addr_rate_limited", d.AddrLimited},
		member{"permissions", permissionNames(&p.Facts)},
		member{"minfeefilter", amount(d.MinFeeUnitsPerKVB)},
		member{"bytessent_per_msg", byName(p.ByCommand.Sent)},
		member{"bytesrecv_per_msg", byName(p.ByCommand.Received)},
		member{"connection_type", kindNames[p.Kind]},
		member{"transport_protocol_type", transportName(p)},
		member{"session_id", sessionID(p)},
	)
}

// startHeight is -1 until the peer has said its version.
func startHeight(p *p2p.PeerInfo) int32 {
	if p.Version == 0 {
		return -1
	}
	return p.StartHeight
}

// secondsIf is seconds, 0 for what has not happened yet.
func secondsIf(happened bool, t time.Time) int64 {
	if !happened {
		return 0
	}
	return seconds(t)
}

func permissionNames(f *peer.Facts) []string {
	out := []string{}
	for _, right := range []struct {
		has  bool
		name string
	}{
		{f.NoBan, "noban"},
		{f.ForceRelay, "forcerelay"},
		{f.SendTxs || f.ForceRelay, "relay"},
		{f.MemPool, "mempool"},
		{f.Download || f.NoBan, "download"},
		{f.AnyAddr, "addr"},
	} {
		if right.has {
			out = append(out, right.name)
		}
	}
	return out
}

// byName gives an object in the order of its names.
func byName(counts map[string]uint64) object {
	out := object{}
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, member{name, counts[name]})
	}
	return out
}

func transportName(p *p2p.PeerInfo) string {
	switch {
	case p.Transport == 2:
		return "v2"
	case p.Transport == 1 || p.Ready:
		return "v1"
	}
	return "detecting"
}

func sessionID(p *p2p.PeerInfo) string {
	if p.SessionID == [32]byte{} {
		return ""
	}
	return hexOf(p.SessionID[:])
}

func disconnectNode(c *call) (any, error) {
	net, err := c.network()
	if err != nil {
		return nil, err
	}
	id, err := c.integer("nodeid", -1)
	if err != nil {
		return nil, err
	}
	address, byID := c.text("address", ""), !c.arg("nodeid").IsNull()
	switch {
	case address != "" && !byID:
		err = net.DisconnectAddress(address)
	case address == "" && byID && id >= 0:
		err = net.DisconnectID(uint64(id))
	case address == "" && byID:
		err = p2p.ErrNotConnected
	default:
		return nil, errorf(codeInvalidParams, "Only one of address and nodeid should be provided.")
	}
	if errors.Is(err, p2p.ErrNotConnected) {
		return nil, errorf(codeNotConnectedTo, "Node not found in connected nodes")
	}
	return nil, err
}

func getBlockFromPeer(c *call) (any, error) {
	hash, err := c.hash("blockhash")
	if err != nil {
		return nil, err
	}
	id, err := c.integer("peer_id", 0)
	if err != nil {
		return nil, err
	}
	net, err := c.network()
	if err != nil {
		return nil, err
	}
	h := c.Chain.Header(hash)
	switch {
	case h == nil:
		return nil, errorf(CodeMisc, "Block header missing")
	case h.Parent == nil || c.Chain.Status(h).Have():
		return nil, errorf(CodeMisc, "Block already downloaded")
	case c.Prune && h.Height > c.Chain.Tip().Height:
		return nil, errorf(CodeMisc, "In prune mode, only blocks that the node has already synced previously can be fetched from a peer")
	case id < 0:
		return nil, errorf(CodeMisc, "Peer does not exist")
	}
	if err := net.FetchBlock(c.ctx, uint64(id), hash); err != nil {
		return nil, errorf(CodeMisc, "%v", err)
	}
	return object{}, nil
}
