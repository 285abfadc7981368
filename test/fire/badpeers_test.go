package fire

import (
	"context"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/p2p/message"
	"granary/p2p/transport"
	"granary/params"
	"granary/state"
	"granary/test/fleet"
)

// TestBadPeers lets strangers misbehave in every way of the list, one after
// another and then all at once, while an honest node mines. The victim follows
// it all the time, its memory stays bounded, and so does its log.
func TestBadPeers(t *testing.T) {
	span := time.Second
	if fleet.Long() {
		span = time.Minute
	}
	rng := fleet.Seed(t)
	source := fleet.New(t, "source", "")
	victim := fleet.New(t, "victim", "", "--addnode="+source.Addr(), "--maxmempool=20")
	source.Start()
	source.Mine(120)
	victim.Start()
	follow(victim, source)
	all := make([]badPeer, 0, len(badPeers))
	for _, bad := range badPeers {
		all = append(all, bad)
		t.Run(strings.ReplaceAll(bad.name, " ", "-"), func(t *testing.T) { endure(t, rng, victim, source, span, bad) })
	}
	t.Run("all-at-once", func(t *testing.T) { endure(t, rng, victim, source, 2*span, all...) })
	log, err := os.Stat(filepath.Join(victim.NetDir(), "debug.log"))
	if err != nil {
		t.Fatal(err)
	}
	const logMost = 8 << 20
	t.Logf("the victim's log has %d kB", log.Size()>>10)
	if log.Size() > logMost {
		t.Errorf("the log grew to %d bytes", log.Size())
	}
	source.Stop()
	victim.Stop()
}

// memoryMost is what the process may take beside its pool of 20 MB and its
// database of 16 MiB, whoever talks to it.
const memoryMost = 400 << 20

// endure runs bad peers beside an honest miner.
func endure(t *testing.T, rng *rand.Rand, victim, source *fleet.Node, span time.Duration, bad ...badPeer) {
	ctx, cancel := context.WithTimeout(t.Context(), span)
	defer cancel()
	var talking sync.WaitGroup
	block := blockOf(source, source.Tip()) // to lie about
	for _, b := range bad {
		for range b.count {
			h := &hostile{
				ctx: ctx, rng: rand.New(rand.NewPCG(rng.Uint64(), 3)), victim: victim.Addr(), tip: block.Msg.Header, block: block,
			}
			talking.Go(func() { h.again(b.act) })
		}
	}
	peak, slowest := int64(0), time.Duration(0)
	for ctx.Err() == nil {
		source.Mine(1)
		began := time.Now()
		victim.Wait(30*time.Second, "follows the honest node", func() bool { return victim.Tip() == source.Tip() })
		slowest = max(slowest, time.Since(began))
		peak = max(peak, victim.ResidentBytes())
		time.Sleep(100 * time.Millisecond)
	}
	talking.Wait()
	if peak == 0 {
		t.Fatal("nothing was mined meanwhile")
	}
	t.Logf("%d MiB at most, a block came within %v, height %d", peak>>20, slowest.Round(time.Millisecond), source.Height())
	if peak > memoryMost {
		t.Errorf("the victim took %d MiB", peak>>20)
	}
}

// badPeer is a way to misbehave; act goes on until it is thrown out or the time
// is over.
type badPeer struct {
	name  string
	count int // at a time
	act   func(h *hostile, c *transport.Conn)
}

var badPeers = []badPeer{
	{"headers of little work", 4, (*hostile).cheapHeaders},
	{"headers that nobody has blocks for", 2, (*hostile).withheldBlocks},
	{"orphans", 4, (*hostile).orphans},
	{"announcements", 4, (*hostile).announcements},
	{"mutated blocks", 2, (*hostile).mutatedBlocks},
	{"unrequested blocks", 2, (*hostile).unrequestedBlocks},
	{"compact blocks of nothing", 2, (*hostile).compactBlocks},
	{"huge lengths", 16, (*hostile).hugeLengths},
	{"a byte a second", 16, (*hostile).slowWriter},
	{"never reads", 8, (*hostile).neverReads},
	{"nonsense", 4, (*hostile).nonsense},
	{"addresses", 4, (*hostile).addresses},
	{"many links", 300, (*hostile).silent},
}

// hostile is one stranger.
type hostile struct {
	ctx    context.Context
	rng    *rand.Rand
	victim string
	tip    wire.BlockHeader
	block  *state.Block
}

// again connects and misbehaves until the time is over.
func (h *hostile) again(act func(*hostile, *transport.Conn)) {
	for h.ctx.Err() == nil {
		if c := h.connect(); c != nil {
			stop := context.AfterFunc(h.ctx, func() { _ = c.Close() })
			act(h, c)
			stop()
			_ = c.Close()
		}
		h.sleep(20 * time.Millisecond)
	}
}

func (h *hostile) sleep(span time.Duration) {
	select {
	case <-h.ctx.Done():
	case <-time.After(span):
	}
}

// connect does the handshake with a version that is as odd as it may be.
func (h *hostile) connect() *transport.Conn {
	dialer := net.Dialer{Timeout: time.Second}
	raw, err := dialer.DialContext(h.ctx, "tcp", h.victim)
	if err != nil {
		return nil
	}
	c, err := transport.Client(h.ctx, raw, transport.Options{Magic: params.RegTest().Magic(), HandshakeTimeout: 5 * time.Second})
	if err != nil {
		return nil
	}
	odd := []int64{0, math.MinInt64, math.MaxInt64, -1, time.Now().Unix(), time.Now().Unix() + 1<<40}
	version := &message.Version{
		Version: message.ProtocolVersion, Services: message.ServiceNetwork | message.ServiceWitness,
		Time: odd[h.rng.IntN(len(odd))], Nonce: h.rng.Uint64(), UserAgent: "/hostile:\x1b[31m/", StartHeight: math.MaxInt32, Relay: true,
	}
	if !h.send(c, version) || !h.send(c, &message.WTxIDRelay{}) || !h.send(c, &message.VerAck{}) {
		_ = c.Close()
		return nil
	}
	return c
}

// send reports whether the peer still takes it.
func (h *hostile) send(c *transport.Conn, m message.Message) bool {
	if h.ctx.Err() != nil {
		return false
	}
	return c.WriteMessage(message.Encode(m)) == nil
}

// drain reads and forgets, so that only what we send is bad.
func drain(c *transport.Conn) {
	go func() {
		for {
			if _, _, err := c.ReadMessage(); err != nil {
				return
			}
		}
	}()
}

// solve gives a header the work that regtest asks for.
func solve(header *wire.BlockHeader) {
	target, _ := state.TargetOf(header.Bits)
	for hash := header.BlockHash(); !state.HashMeets(&hash, &target); hash = header.BlockHash() {
		header.Nonce++
	}
}

// run is a chain of headers from a parent.
func (h *hostile) run(parent wire.BlockHeader, count int) *message.Headers {
	m := &message.Headers{Headers: make([]wire.BlockHeader, count)}
	for i := range m.Headers {
		next := wire.BlockHeader{
			Version: 0x20000000, PrevBlock: parent.BlockHash(), Bits: parent.Bits, Timestamp: parent.Timestamp.Add(time.Second),
		}
		binary.LittleEndian.PutUint64(next.MerkleRoot[:], h.rng.Uint64())
		solve(&next)
		m.Headers[i], parent = next, next
	}
	return m
}

func (h *hostile) cheapHeaders(c *transport.Conn) {
	drain(c)
	parent := params.RegTest().Chain.GenesisBlock.Header
	for {
		m := h.run(parent, message.MaxHeaders)
		if !h.send(c, m) {
			return
		}
		parent = m.Headers[len(m.Headers)-1]
	}
}

func (h *hostile) withheldBlocks(c *transport.Conn) {
	drain(c)
	for h.send(c, h.run(h.tip, 1+h.rng.IntN(3))) {
		h.sleep(50 * time.Millisecond)
	}
}

func (h *hostile) orphans(c *transport.Conn) {
	drain(c)
	for {
		msg := wire.NewMsgTx(2)
		for range 1 + h.rng.IntN(20) {
			msg.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: h.hash()}, nil, nil))
		}
		script := make([]byte, h.rng.IntN(30_000))
		msg.AddTxOut(wire.NewTxOut(h.rng.Int64N(1<<40), script))
		if !h.send(c, &message.Tx{Tx: state.NewTx(msg)}) {
			return
		}
	}
}

func (h *hostile) hash() (hash chainhash.Hash) {
	for i := 0; i < len(hash); i += 8 {
		binary.LittleEndian.PutUint64(hash[i:], h.rng.Uint64())
	}
	return hash
}

func (h *hostile) announcements(c *transport.Conn) {
	drain(c)
	kinds := []message.ItemType{message.ItemTx, message.ItemWTx, message.ItemBlock, 77}
	for {
		items := make([]message.Item, message.MaxItems)
		for i := range items {
			items[i] = message.Item{Type: kinds[h.rng.IntN(len(kinds))], Hash: h.hash()}
		}
		if !h.send(c, &message.Inv{Items: items}) {
			return
		}
	}
}

// mutatedBlocks sends the block that everybody fetches with other contents.
func (h *hostile) mutatedBlocks(c *transport.Conn) {
	drain(c)
	for {
		msg := *h.block.Msg
		coinbase := msg.Transactions[0].Copy()
		coinbase.LockTime = h.rng.Uint32()
		msg.Transactions = append([]*wire.MsgTx{coinbase}, msg.Transactions[1:]...)
		if !h.send(c, &message.Block{Block: state.NewBlock(&msg)}) {
			return
		}
	}
}

func (h *hostile) unrequestedBlocks(c *transport.Conn) {
	drain(c)
	for {
		m := h.run(h.tip, 1)
		msg := *h.block.Msg
		msg.Header = m.Headers[0]
		if !h.send(c, &message.Block{Block: state.NewBlock(&msg)}) {
			return
		}
	}
}

// compactBlocks announces blocks with work whose short ids are of nothing, or
// collide, or whose prefilled transactions make no sense.
func (h *hostile) compactBlocks(c *transport.Conn) {
	drain(c)
	if !h.send(c, &message.SendCmpct{HighBandwidth: true, Version: 2}) {
		return
	}
	for {
		m := &message.CmpctBlock{Header: h.run(h.tip, 1).Headers[0], Nonce: h.rng.Uint64()}
		for range h.rng.IntN(5_000) {
			m.ShortIDs = append(m.ShortIDs, h.rng.Uint64()>>16&^uint64(h.rng.IntN(2)*0xffffffff))
		}
		m.Prefilled = []message.Prefilled{{Index: 0, Tx: state.NewTx(h.block.Msg.Transactions[0])}}
		if !h.send(c, m) || !h.send(c, &message.BlockTxn{Block: m.Header.BlockHash()}) {
			return
		}
		h.sleep(10 * time.Millisecond)
	}
}

// hugeLengths declares messages that never come.
func (h *hostile) hugeLengths(*transport.Conn) {
	raw := h.dialRaw()
	if raw == nil {
		return
	}
	defer raw.Close()
	magic := params.RegTest().Magic()
	for _, length := range []uint32{3_999_999, 4_000_001, math.MaxUint32} {
		head := append(magic[:], make([]byte, 20)...)
		copy(head[4:], "version")
		binary.LittleEndian.PutUint32(head[16:], length)
		if _, err := raw.Write(head); err != nil {
			return
		}
		h.sleep(500 * time.Millisecond)
	}
}

func (h *hostile) dialRaw() net.Conn {
	dialer := net.Dialer{Timeout: time.Second}
	raw, err := dialer.DialContext(h.ctx, "tcp", h.victim)
	if err != nil {
		return nil
	}
	context.AfterFunc(h.ctx, func() { _ = raw.Close() })
	return raw
}

// slowWriter sends a message a byte at a time.
func (h *hostile) slowWriter(*transport.Conn) {
	raw := h.dialRaw()
	if raw == nil {
		return
	}
	defer raw.Close()
	magic := params.RegTest().Magic()
	for _, b := range append(magic[:], "version\x00\x00\x00\x00\x00\xff\xff\x00\x00"...) {
		if _, err := raw.Write([]byte{b}); err != nil {
			return
		}
		h.sleep(time.Second)
	}
}

// neverReads asks for much and takes nothing.
func (h *hostile) neverReads(c *transport.Conn) {
	items := make([]message.Item, 1_000)
	for i := range items {
		items[i] = message.Item{Type: message.ItemWitnessBlock, Hash: h.block.Hash}
	}
	locator := message.Locator{Version: message.ProtocolVersion, Hashes: []chainhash.Hash{{}}}
	for h.send(c, &message.GetData{Items: items}) && h.send(c, &message.GetHeaders{Locator: locator}) && h.send(c, &message.Ping{}) {
		continue
	}
}

// nonsense sends random bytes under every name.
func (h *hostile) nonsense(c *transport.Conn) {
	drain(c)
	names := strings.Fields("version verack addr addrv2 inv getdata notfound getheaders headers getblocks block tx cmpctblock getblocktxn blocktxn " +
		"ping pong feefilter sendcmpct sendheaders mempool getaddr getcfilters getcfheaders getcfcheckpt reject alert filterload merkleblock zzz")
	for {
		payload := make([]byte, h.rng.IntN(200))
		for i := range payload {
			payload[i] = byte(h.rng.Uint32())
		}
		if h.ctx.Err() != nil || c.WriteMessage(names[h.rng.IntN(len(names))], payload) != nil {
			return
		}
	}
}

// addresses gossips a thousand strangers again and again.
func (h *hostile) addresses(c *transport.Conn) {
	drain(c)
	for {
		m := &message.AddrV2{}
		for range 1_000 {
			ip := make([]byte, 4)
			binary.BigEndian.PutUint32(ip, h.rng.Uint32())
			m.Addresses = append(m.Addresses, message.Address{
				Time: uint32(time.Now().Unix()), Services: message.ServiceNetwork, Network: message.IPv4, Bytes: ip, Port: 8333,
			})
		}
		if !h.send(c, m) {
			return
		}
	}
}

// silent holds a link.
func (h *hostile) silent(c *transport.Conn) {
	for {
		if _, _, err := c.ReadMessage(); err != nil {
			return
		}
	}
}
