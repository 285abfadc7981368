package p2p

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"granary/base/clock"
	"granary/p2p/addr"
	"granary/p2p/message"
	"granary/p2p/peer"
	"granary/params"
)

// The links that a node opens by itself (Bitcoin Core's numbers).
const (
	fullOutbound       = 8
	blockRelayOutbound = 2
	feelers            = 1
	addedMax           = 8 // manual links at a time; -connect may name more

	// DefaultMaxConnections are all links but the manual ones.
	DefaultMaxConnections = 125
	// DefaultDialTimeout is how long a connection may take to open.
	DefaultDialTimeout = 5 * time.Second

	// perBlockMax inbound links come from one /24 of IPv4 or /48 of IPv6, so
	// that a house of thousands cannot keep everybody else out.
	perBlockMax = 16
)

// Permissions are what a person grants to peers from a block of addresses.
type Permissions struct {
	Net                         netip.Prefix
	NoBan, Download, ForceRelay bool
	SendTxs, MemPool, Addr      bool // see peer.Facts
}

// Bind is an address to listen on, with what is granted to whoever comes in
// there.
type Bind struct {
	Address string // host:port
	Permissions
}

// Chain is what the network wants to know of the chain's handler. Its methods
// may be called from any goroutine.
type Chain interface {
	// InitialBlockDownload says that the node is catching up.
	InitialBlockDownload() bool
	// StaleTip says that no block has come for long.
	StaleTip() bool
	// Announced tells when a peer last told of a header that was new (zero:
	// never), how many blocks are being fetched from it, and whether it
	// proved its worth.
	Announced(id uint64) (last time.Time, inFlight int, protected bool)
}

// Options are the parts and choices that a Network is made of. Those without a
// word are needed.
type Options struct {
	Net  *params.Network
	Loop *peer.Loop
	Book *addr.Book
	Bans *addr.Bans
	// Dir keeps the book and the anchors; nil keeps nothing.
	Dir  *addr.Dir
	Self func() peer.Self
	// Chain may be nil: no link is replaced for lack of blocks then.
	Chain Chain
	Clock clock.Clock
	// Rand is used under a lock of the Network's.
	Rand    clock.Rand
	Log     *slog.Logger
	Uploads *Uploads // counts what is sent

	// Listen is where links are accepted. ListenPort is what others are told;
	// 0: the first of Listen.
	Listen []Bind
	// Soft says that nobody asked for these addresses: a node that cannot have
	// them goes on without.
	Soft bool
	// Connect, if not nil, are the only nodes that are dialled (none where it
	// is empty); AddNode are kept connected besides; SeedNode are asked for
	// addresses where there are none.
	Connect, AddNode, SeedNode []string
	MaxConnections             int
	OnlyNet                    addr.Networks // dialled by itself; zero: all
	ExternalIP                 []netip.AddrPort
	Discover                   bool // tell of our own addresses that we find
	DNS                        bool // look names up
	V2                         bool // try the encrypted transport first
	Whitelist                  []Permissions
	// Inactive starts with the network switched off.
	Inactive         bool
	DialTimeout      time.Duration
	HandshakeTimeout time.Duration

	// Dial and Lookup are for simulations; nil: the machine's.
	Dial   func(ctx context.Context, at netip.AddrPort) (net.Conn, error)
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
}

func (o *Options) defaults() {
	if o.Clock == nil {
		o.Clock = clock.Real{}
	}
	if o.Rand == nil {
		o.Rand = clock.NewRand()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.OnlyNet == 0 {
		o.OnlyNet = addr.AllNetworks
	}
	if o.DialTimeout == 0 {
		o.DialTimeout = DefaultDialTimeout
	}
	if o.Uploads == nil {
		o.Uploads = NewUploads(o.Clock, 0)
	}
	if o.Dial == nil {
		o.Dial = func(ctx context.Context, at netip.AddrPort) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", at.String())
		}
	}
	if o.Lookup == nil {
		o.Lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
}

// wanted are the services that a node must offer to be dialled by itself.
func (n *Network) wanted(s message.Services) bool {
	if !s.Has(message.ServiceWitness) {
		return false
	}
	if s.Has(message.ServiceNetwork) {
		return true
	}
	// A node without old blocks will do when only the tip is missing.
	return s.Has(message.ServiceNetworkLimited) && n.o.Chain != nil && !n.o.Chain.InitialBlockDownload()
}
