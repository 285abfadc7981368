package peer

import (
	"net/netip"
	"time"

	"granary/p2p/message"
)

// Kind says why a link is there.
type Kind uint8

const (
	Inbound      Kind = iota
	OutboundFull      // blocks, transactions, addresses
	BlockRelay        // outbound, blocks only: one more road for blocks when the others lie
	Manual            // addnode, connect
	Feeler            // outbound, only to see whether an address is alive
	AddrFetch         // outbound, only to ask for addresses (seednode)
)

// Facts are what a handshake settled; they never change afterwards.
type Facts struct {
	Kind        Kind
	Addr        string // as a person writes it, host:port
	IP          netip.Addr
	NetGroup    string // addresses of one operator tend to share it; see p2p/addr
	Since       time.Time
	Version     int32 // the lower of both
	Services    message.Services
	UserAgent   string // cleaned for logs and pages
	StartHeight int32
	WTxIDRelay  bool // BIP339 is on
	AddrV2      bool // BIP155 is on
	// Relay says that transactions may be announced to the peer.
	Relay bool
	// SeenAs is what the peer takes our own address to be; it may lie.
	SeenAs netip.AddrPort
	// Transport is 1, or 2 for BIP324.
	Transport uint8
	// Permissions of whitelisted and manual peers: never evicted, never
	// discouraged (noban), may download beyond the upload target.
	NoBan, Download, ForceRelay bool
	// SendTxs may send transactions to a node of blocks only (relay), MemPool
	// may list the mempool, AnyAddr may send addresses at any rate (addr).
	SendTxs, MemPool, AnyAddr bool
}

// Outbound reports whether we opened the link.
func (f *Facts) Outbound() bool { return f.Kind != Inbound }

// Peer is the other end of a link, as handlers see it. Its methods never wait
// and may be called from any goroutine.
type Peer interface {
	// ID is unique in this process and ascends.
	ID() uint64
	Facts() *Facts
	// Send queues a message. The queue is bounded in bytes; a peer that does
	// not read what it is sent is disconnected.
	Send(m message.Message)
	// SendBacklogBytes are queued and not yet taken by the network. Who
	// serves large things waits for it to sink (see Handler.Tick).
	SendBacklogBytes() int
	// Disconnect ends the link; reason goes to the log.
	Disconnect(reason string)
	// Misbehaved ends the link and discourages the address, unless the peer
	// has the permission NoBan. It is for broken Bitcoin rules and protocol
	// only, never for goods rules: an unmodified node relays those in good
	// faith.
	Misbehaved(reason string)
}

// Handler is one trade of the node. All its methods are called from the one
// goroutine of a Loop (or of a simulation); they must not wait for a peer. What
// takes long is handed to another goroutine and comes back through Loop.Post.
type Handler interface {
	// Connected tells of a peer whose handshake is done.
	Connected(p Peer)
	// Disconnected tells that it is gone; nothing is heard of it afterwards.
	Disconnected(p Peer)
	// Receive takes a message and reports whether it was this handler's.
	Receive(p Peer, m message.Message) bool
	// Tick is called about five times a second, with the time by the node's
	// clock, and once after each burst of messages; also when what a peer has
	// still to be sent sinks below PaceBytes.
	Tick(now time.Time)
}
