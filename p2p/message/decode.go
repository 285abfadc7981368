package message

import (
	"granary/state"
)

// Bounds of Bitcoin Core on lists and texts.
const (
	MaxAddresses      = 1_000
	MaxLocatorHashes  = 101
	MaxUserAgentBytes = 256
	maxAddressBytes   = 512 // of an unknown network
	maxBlockPlace     = 0xffff
)

// MaxPayloadBytes is the longest payload of any message.
const MaxPayloadBytes = 4_000_000

// smallBytes is what messages without long lists are given: far more than
// they need, so that Decode and not the transport finds what is wrong.
const smallBytes = 1 << 16

// MaxPayload is the longest payload that a peer may send under the command.
func MaxPayload(command string) int {
	switch command {
	case "inv", "getdata", "notfound":
		return 37*MaxItems + smallBytes
	case "headers":
		return 82*MaxHeaders + smallBytes
	case "addrv2":
		return MaxAddresses*(maxAddressBytes+32) + smallBytes
	case "block", "tx", "cmpctblock", "blocktxn", "cfilter":
		return MaxPayloadBytes
	case "getblocktxn", "cfheaders", "cfcheckpt":
		return 1 << 20
	}
	if Known(command) {
		return smallBytes
	}
	return MaxPayloadBytes // dropped, as a message of the future
}

// Known reports whether the command is one that Decode understands.
func Known(command string) bool { return decoderOf(command) != nil }

// Decode decodes a payload, which it takes over: blocks, transactions and byte
// strings alias it. It allocates at most a constant times len(payload). Bytes
// behind the end of a message are ignored, as Bitcoin Core does, except behind
// a block or a transaction. A command that this node has no use for gives an
// *Unknown. The error is a *Malformed.
func Decode(command string, payload []byte) (Message, error) {
	decode := decoderOf(command)
	if decode == nil {
		return &Unknown{Name: command, Bytes: len(payload)}, nil
	}
	r := reader{rest: payload}
	m := decode(&r)
	if r.failed() {
		return nil, &Malformed{Name: command, Severity: r.severity, Detail: r.wrong}
	}
	return m, nil
}

func decoderOf(command string) func(*reader) Message {
	switch command {
	case "version":
		return decodeVersion
	case "verack":
		return func(*reader) Message { return &VerAck{} }
	case "wtxidrelay":
		return func(*reader) Message { return &WTxIDRelay{} }
	case "sendaddrv2":
		return func(*reader) Message { return &SendAddrV2{} }
	case "sendheaders":
		return func(*reader) Message { return &SendHeaders{} }
	case "getaddr":
		return func(*reader) Message { return &GetAddr{} }
	case "mempool":
		return func(*reader) Message { return &MemPool{} }
	case "ping":
		return func(r *reader) Message { return &Ping{Nonce: r.u64()} }
	case "pong":
		return decodePong
	case "feefilter":
		return func(r *reader) Message { return &FeeFilter{UnitsPerKVB: int64(r.u64())} }
	case "sendcmpct":
		return func(r *reader) Message { return &SendCmpct{HighBandwidth: r.flag(), Version: r.u64()} }
	case "addr":
		return func(r *reader) Message { return &Addr{Addresses: decodeAddresses(r, 30, (*reader).address)} }
	case "addrv2":
		return func(r *reader) Message { return &AddrV2{Addresses: decodeAddresses(r, 9, (*reader).addressV2)} }
	case "inv":
		return func(r *reader) Message { return &Inv{Items: r.items()} }
	case "getdata":
		return func(r *reader) Message { return &GetData{Items: r.items()} }
	case "notfound":
		return func(r *reader) Message { return &NotFound{Items: r.items()} }
	}
	return chainDecoderOf(command)
}

func decodeVersion(r *reader) Message {
	v := &Version{Version: int32(r.u32()), Services: Services(r.u64()), Time: max(int64(r.u64()), 0), Relay: true}
	v.To = r.oldAddress()
	// What follows came with later versions; a message may end before it.
	if len(r.rest) > 0 {
		v.From = r.oldAddress()
		v.Nonce = r.u64()
	}
	if len(r.rest) > 0 {
		v.UserAgent = string(r.bytes(r.count(1, MaxUserAgentBytes, Drop)))
	}
	if len(r.rest) > 0 {
		v.StartHeight = int32(r.u32())
	}
	if len(r.rest) > 0 {
		v.Relay = r.flag()
	}
	return v
}

func (r *reader) oldAddress() (a OldAddress) {
	a.Services = Services(r.u64())
	copy(a.IP[:], r.bytes(len(a.IP)))
	a.Port = r.port()
	return a
}

// decodePong reads a pong; one that is too short answers nothing and, like
// one with nonce zero, ends the wait.
func decodePong(r *reader) Message {
	if len(r.rest) < 8 {
		return &Pong{}
	}
	return &Pong{Nonce: r.u64()}
}

func decodeAddresses(r *reader, leastBytes int, one func(*reader) Address) []Address {
	list := make([]Address, r.count(leastBytes, MaxAddresses, Punish))
	for i := range list {
		list[i] = one(r)
		if r.failed() {
			return nil
		}
	}
	return list
}

// mappedPrefix is that of an IPv4 address within IPv6.
var mappedPrefix = [12]byte{10: 0xff, 11: 0xff}

func (r *reader) address() Address {
	a := Address{Time: r.u32(), Services: Services(r.u64()), Network: IPv6}
	ip := r.bytes(16)
	a.Port = r.port()
	if r.failed() {
		return a
	}
	if [12]byte(ip) == mappedPrefix {
		a.Network, ip = IPv4, ip[12:]
	}
	a.Bytes = ip
	return a
}

// AddressBytes is the length of an address of a network of BIP155; 0 for a
// network that is not known.
func AddressBytes(network NetworkID) int {
	switch network {
	case IPv4:
		return 4
	case IPv6, CJDNS:
		return 16
	case TorV3, I2P:
		return 32
	}
	return 0
}

func (r *reader) addressV2() Address {
	a := Address{Time: r.u32(), Services: Services(r.wide()), Network: NetworkID(r.u8())}
	a.Bytes = r.bytes(r.count(1, maxAddressBytes, Drop))
	a.Port = r.port()
	if want := AddressBytes(a.Network); want != 0 && len(a.Bytes) != want && !r.failed() {
		r.fail(Drop, "address of network %d with %d bytes", a.Network, len(a.Bytes))
	}
	return a
}

func (r *reader) items() []Item {
	items := make([]Item, r.count(36, MaxItems, Punish))
	for i := range items {
		items[i] = Item{Type: ItemType(r.u32()), Hash: r.hash()}
	}
	return items
}

// whole gives all the bytes that are left, for the decoders of state, which
// refuse trailing bytes themselves.
func (r *reader) whole() []byte { return r.bytes(len(r.rest)) }

func decodeBlock(r *reader) Message {
	block, err := state.DecodeBlock(r.whole())
	if err != nil {
		r.fail(Drop, "%v", err)
		return nil
	}
	return &Block{Block: block}
}

func decodeTx(r *reader) Message {
	tx, err := state.DecodeTx(r.whole())
	if err != nil {
		r.fail(Drop, "%v", err)
		return nil
	}
	return &Tx{Tx: tx}
}
