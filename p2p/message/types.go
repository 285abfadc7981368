package message

import (
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/state"
)

// ProtocolVersion is what this node speaks (BIP339's).
const ProtocolVersion = 70016

// MinProtocolVersion is the least that a peer must speak: headers-first
// synchronisation (Bitcoin Core's bound).
const MinProtocolVersion = 31800

// Services are the bits by which a node says what it serves.
type Services uint64

// The services of the protocol.
const (
	ServiceNetwork        Services = 1 << 0  // the whole chain
	ServiceWitness        Services = 1 << 3  // BIP144
	ServiceCompactFilters Services = 1 << 6  // BIP157
	ServiceNetworkLimited Services = 1 << 10 // BIP159: the last 288 blocks
	ServiceV2             Services = 1 << 11 // BIP324
)

// Has reports whether all bits of want are set.
func (s Services) Has(want Services) bool { return s&want == want }

// Message is any message. Command is its name in the protocol, at most twelve
// ASCII characters.
type Message interface{ Command() string }

// Version opens a link.
type Version struct {
	Version     int32
	Services    Services
	Time        int64 // Unix seconds
	To, From    OldAddress
	Nonce       uint64
	UserAgent   string // at most 256 bytes
	StartHeight int32
	Relay       bool // BIP37: false asks for no transactions
}

// OldAddress is an address as the version message carries it.
type OldAddress struct {
	Services Services
	IP       [16]byte // IPv4 mapped into IPv6
	Port     uint16
}

// Messages without a payload.
type (
	VerAck      struct{}
	WTxIDRelay  struct{} // BIP339
	SendAddrV2  struct{} // BIP155
	SendHeaders struct{} // BIP130
	GetAddr     struct{}
	MemPool     struct{} // BIP35
)

// Ping and Pong measure a link (BIP31).
type (
	Ping struct{ Nonce uint64 }
	Pong struct{ Nonce uint64 }
)

// FeeFilter asks not to be told of transactions that pay less (BIP133).
type FeeFilter struct{ UnitsPerKVB int64 }

// SendCmpct says how compact blocks are wanted (BIP152).
type SendCmpct struct {
	HighBandwidth bool
	Version       uint64
}

// Address is a peer's address as addr and addrv2 carry it.
type Address struct {
	Time     uint32 // Unix seconds when it was last heard of
	Services Services
	Network  NetworkID
	Bytes    []byte // of the length that Network has; of an unknown network any, at most 512
	Port     uint16
}

// NetworkID is the kind of an address (BIP155).
type NetworkID uint8

// The networks of BIP155.
const (
	IPv4  NetworkID = 1
	IPv6  NetworkID = 2
	TorV3 NetworkID = 4
	I2P   NetworkID = 5
	CJDNS NetworkID = 6
)

// Addr and AddrV2 gossip at most 1,000 addresses.
type (
	Addr   struct{ Addresses []Address } // IPv4 and IPv6 only
	AddrV2 struct{ Addresses []Address }
)

// ItemType says what an inventory item is.
type ItemType uint32

// The inventory types.
const (
	ItemTx           ItemType = 1
	ItemBlock        ItemType = 2
	ItemCompactBlock ItemType = 4
	ItemWTx          ItemType = 5 // BIP339, by wtxid
	ItemWitnessFlag  ItemType = 1 << 30
	ItemWitnessTx             = ItemWitnessFlag | ItemTx
	ItemWitnessBlock          = ItemWitnessFlag | ItemBlock
)

// MaxItems bounds inv, getdata and notfound.
const MaxItems = 50_000

// Item names a block or a transaction.
type Item struct {
	Type ItemType
	Hash chainhash.Hash
}

// Inventories: what is there, what is asked for, what is not there.
type (
	Inv      struct{ Items []Item }
	GetData  struct{ Items []Item }
	NotFound struct{ Items []Item }
)

// Locator asks for what follows the first of its hashes that the peer has in
// its best chain, up to and with Stop (zero: as far as a message goes).
type Locator struct {
	Version uint32
	Hashes  []chainhash.Hash // at most 101
	Stop    chainhash.Hash
}

// GetHeaders and GetBlocks ask for headers, or for an inv of blocks.
type (
	GetHeaders struct{ Locator }
	GetBlocks  struct{ Locator }
)

// MaxHeaders bounds a headers message.
const MaxHeaders = 2_000

// Headers are headers in order, each followed by a transaction count of zero
// on the wire.
type Headers struct{ Headers []wire.BlockHeader }

// Block and Tx are decoded where they are read, with their ids. A message to
// be sent may be without witnesses (Stripped).
type (
	Block struct {
		Block    *state.Block
		Stripped bool // encode without witnesses (asked for by ItemBlock)
	}
	Tx struct {
		Tx       *state.Tx
		Stripped bool
	}
	// RawBlock is a block in bytes, for serving from the block files without
	// decoding. It is never received.
	RawBlock struct{ Raw []byte }
)

// CmpctBlock is a block by short ids (BIP152). ShortIDs have 48 bits.
type CmpctBlock struct {
	Header    wire.BlockHeader
	Nonce     uint64
	ShortIDs  []uint64
	Prefilled []Prefilled // ascending by Index
}

// Prefilled is a transaction that a compact block carries whole; Index is its
// place in the block (not the difference that the wire has).
type Prefilled struct {
	Index uint32
	Tx    *state.Tx
}

// GetBlockTxn asks for the transactions that a compact block left open.
type GetBlockTxn struct {
	Block   chainhash.Hash
	Indexes []uint32 // ascending places in the block
}

// BlockTxn answers it, in the same order.
type BlockTxn struct {
	Block chainhash.Hash
	Txs   []*state.Tx
}

// BasicFilter is the one filter type of BIP158.
const BasicFilter = 0

// The filter messages of BIP157.
type (
	GetCFilters struct {
		Type  uint8
		Start uint32
		Stop  chainhash.Hash
	}
	CFilter struct {
		Type   uint8
		Block  chainhash.Hash
		Filter []byte
	}
	GetCFHeaders struct {
		Type  uint8
		Start uint32
		Stop  chainhash.Hash
	}
	CFHeaders struct {
		Type     uint8
		Stop     chainhash.Hash
		Previous chainhash.Hash // filter header before the first
		Filters  []chainhash.Hash
	}
	GetCFCheckpt struct {
		Type uint8
		Stop chainhash.Hash
	}
	CFCheckpt struct {
		Type    uint8
		Stop    chainhash.Hash
		Headers []chainhash.Hash
	}
)

// Unknown is a message that this node has no use for; its payload is dropped.
type Unknown struct {
	Name  string
	Bytes int
}
