package message

import (
	"bytes"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"granary/state"
)

// wireMessage is btcsuite's type for a command, or nil where it has none or
// one that differs from the protocol on purpose (addrv2 is filtered there).
func wireMessage(command string) wire.Message {
	switch command {
	case "version":
		return &wire.MsgVersion{}
	case "ping":
		return &wire.MsgPing{}
	case "pong":
		return &wire.MsgPong{}
	case "feefilter":
		return &wire.MsgFeeFilter{}
	case "addr":
		return &wire.MsgAddr{}
	case "inv":
		return &wire.MsgInv{}
	case "getdata":
		return &wire.MsgGetData{}
	case "notfound":
		return &wire.MsgNotFound{}
	case "getheaders":
		return &wire.MsgGetHeaders{}
	case "getblocks":
		return &wire.MsgGetBlocks{}
	case "headers":
		return &wire.MsgHeaders{}
	case "block":
		return &wire.MsgBlock{}
	case "tx":
		return &wire.MsgTx{}
	case "getcfilters":
		return &wire.MsgGetCFilters{}
	case "cfilter":
		return &wire.MsgCFilter{}
	case "getcfheaders":
		return &wire.MsgGetCFHeaders{}
	case "cfheaders":
		return &wire.MsgCFHeaders{}
	case "getcfcheckpt":
		return &wire.MsgGetCFCheckpt{}
	case "cfcheckpt":
		return &wire.MsgCFCheckpt{}
	}
	return nil
}

// viaWire decodes and encodes with btcsuite's code; ok is false where it
// refuses.
func viaWire(command string, payload []byte) (again []byte, ok bool) {
	m := wireMessage(command)
	if m.BtcDecode(bytes.NewBuffer(bytes.Clone(payload)), ProtocolVersion, wire.WitnessEncoding) != nil {
		return nil, false
	}
	var out bytes.Buffer
	if m.BtcEncode(&out, ProtocolVersion, wire.WitnessEncoding) != nil {
		return nil, false
	}
	return out.Bytes(), true
}

// TestBtcsuiteReadsWhatWeWrite: any message that we may send means the same
// to btcsuite's decoder.
func TestBtcsuiteReadsWhatWeWrite(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := anyMessage(t)
		command, payload := Encode(m)
		again, err := Decode(command, bytes.Clone(payload))
		if err != nil {
			t.Fatalf("%T: %v", m, err)
		}
		if diff := cmp.Diff(m, again, sameEmpty); diff != "" {
			t.Fatalf("%T: decoded is not what was encoded:\n%s", m, diff)
		}
		if wireMessage(command) == nil {
			return
		}
		if theirs, ok := viaWire(command, payload); !ok || !bytes.Equal(theirs, payload) {
			t.Fatalf("%T: btcsuite reads it (%v) and writes\n%x, we\n%x", m, ok, theirs, payload)
		}
	})
}

// sameEmpty makes no difference between nil and empty lists.
var sameEmpty = cmp.FilterValues(func(a, b []byte) bool { return len(a) == 0 && len(b) == 0 }, cmp.Comparer(func(_, _ []byte) bool { return true }))

var anyHash = rapid.Custom(func(t *rapid.T) chainhash.Hash {
	return chainhash.Hash(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "hash"))
})

var anyHeader = rapid.Custom(func(t *rapid.T) wire.BlockHeader {
	return wire.BlockHeader{
		Version: rapid.Int32().Draw(t, "version"), PrevBlock: anyHash.Draw(t, "previous"),
		MerkleRoot: anyHash.Draw(t, "root"), Timestamp: time.Unix(int64(rapid.Uint32().Draw(t, "time")), 0),
		Bits: rapid.Uint32().Draw(t, "bits"), Nonce: rapid.Uint32().Draw(t, "nonce"),
	}
})

var anyTx = rapid.Custom(func(t *rapid.T) *state.Tx {
	tx := wire.NewMsgTx(rapid.Int32().Draw(t, "version"))
	script := rapid.SliceOfN(rapid.Byte(), 0, 300)
	for range rapid.IntRange(1, 3).Draw(t, "inputs") {
		in := wire.NewTxIn(&wire.OutPoint{Hash: anyHash.Draw(t, "spent"), Index: rapid.Uint32().Draw(t, "index")}, script.Draw(t, "script"), nil)
		in.Witness = rapid.SliceOfN(script, 0, 3).Draw(t, "witness")
		tx.AddTxIn(in)
	}
	for range rapid.IntRange(0, 3).Draw(t, "outputs") {
		tx.AddTxOut(wire.NewTxOut(rapid.Int64().Draw(t, "value"), script.Draw(t, "script")))
	}
	tx.LockTime = rapid.Uint32().Draw(t, "locktime")
	decoded, err := state.DecodeTx(state.NewTx(tx).Raw) // nil and empty as a decoder has them
	if err != nil {
		t.Fatal(err)
	}
	return decoded
})

var anyItem = rapid.Custom(func(t *rapid.T) Item {
	return Item{Type: ItemType(rapid.Uint32().Draw(t, "type")), Hash: anyHash.Draw(t, "hash")}
})

var anyAddress = rapid.Custom(func(t *rapid.T) Address {
	network := rapid.SampledFrom([]NetworkID{IPv4, IPv6}).Draw(t, "network")
	n := AddressBytes(network)
	return Address{
		Time: rapid.Uint32().Draw(t, "time"), Services: Services(rapid.Uint64().Draw(t, "services")),
		Network: network, Bytes: rapid.SliceOfN(rapid.ByteRange(1, 255), n, n).Draw(t, "address"), Port: rapid.Uint16().Draw(t, "port"),
	}
})

var anyOldAddress = rapid.Custom(func(t *rapid.T) OldAddress {
	return OldAddress{
		Services: Services(rapid.Uint64().Draw(t, "services")),
		IP:       [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "ip")), Port: rapid.Uint16().Draw(t, "port"),
	}
})

// anyPlaces are ascending places in a block.
var anyPlaces = rapid.Custom(func(t *rapid.T) []uint32 {
	list := make([]uint32, rapid.IntRange(0, 6).Draw(t, "count"))
	place := -1
	for i := range list {
		place += rapid.IntRange(1, 10_000).Draw(t, "step")
		list[i] = uint32(place)
	}
	return list
})

func anyLocator(t *rapid.T) Locator {
	return Locator{
		Version: rapid.Uint32().Draw(t, "version"), Hashes: rapid.SliceOfN(anyHash, 0, MaxLocatorHashes).Draw(t, "hashes"),
		Stop: anyHash.Draw(t, "stop"),
	}
}

func anyMessage(t *rapid.T) Message {
	hash := func() chainhash.Hash { return anyHash.Draw(t, "hash") }
	number := func() uint64 { return rapid.Uint64().Draw(t, "number") }
	hashes := func() []chainhash.Hash { return rapid.SliceOfN(anyHash, 0, 20).Draw(t, "hashes") }
	items := func() []Item { return rapid.SliceOfN(anyItem, 0, 300).Draw(t, "items") }
	start := func() uint32 { return rapid.Uint32().Draw(t, "start") }
	makers := []func() Message{
		func() Message { return anyVersion(t) },
		func() Message { return &Ping{number()} },
		func() Message { return &Pong{number()} },
		func() Message { return &FeeFilter{int64(number())} },
		func() Message { return &SendCmpct{rapid.Bool().Draw(t, "high"), number()} },
		func() Message { return &Addr{rapid.SliceOfN(anyAddress, 0, 20).Draw(t, "addresses")} },
		func() Message { return &AddrV2{rapid.SliceOfN(anyAddress, 0, 20).Draw(t, "addresses")} },
		func() Message { return &Inv{items()} },
		func() Message { return &GetData{items()} },
		func() Message { return &NotFound{items()} },
		func() Message { return &GetHeaders{anyLocator(t)} },
		func() Message { return &GetBlocks{anyLocator(t)} },
		func() Message { return &Headers{rapid.SliceOfN(anyHeader, 0, 300).Draw(t, "headers")} },
		func() Message { return &Tx{Tx: anyTx.Draw(t, "tx")} },
		func() Message { return anyBlock(t) },
		func() Message { return anyCmpctBlock(t) },
		func() Message { return &GetBlockTxn{hash(), anyPlaces.Draw(t, "places")} },
		func() Message { return &BlockTxn{hash(), rapid.SliceOfN(anyTx, 0, 4).Draw(t, "txs")} },
		func() Message { return &GetCFilters{0, start(), hash()} },
		func() Message { return &CFilter{0, hash(), rapid.SliceOfN(rapid.Byte(), 0, 500).Draw(t, "filter")} },
		func() Message { return &GetCFHeaders{0, start(), hash()} },
		func() Message { return &CFHeaders{0, hash(), hash(), hashes()} },
		func() Message { return &GetCFCheckpt{0, hash()} },
		func() Message { return &CFCheckpt{0, hash(), hashes()} },
	}
	return rapid.SampledFrom(makers).Draw(t, "type")()
}

func anyVersion(t *rapid.T) Message {
	return &Version{
		Version: rapid.Int32().Draw(t, "version"), Services: Services(rapid.Uint64().Draw(t, "services")),
		Time: rapid.Int64Range(0, 1<<40).Draw(t, "time"), To: anyOldAddress.Draw(t, "to"), From: anyOldAddress.Draw(t, "from"),
		Nonce: rapid.Uint64().Draw(t, "nonce"), UserAgent: rapid.StringMatching(`[ -~]{0,256}`).Draw(t, "agent"),
		StartHeight: rapid.Int32().Draw(t, "height"), Relay: rapid.Bool().Draw(t, "relay"),
	}
}

func anyBlock(t *rapid.T) Message {
	header := anyHeader.Draw(t, "header")
	msg := &wire.MsgBlock{Header: header}
	for _, tx := range rapid.SliceOfN(anyTx, 0, 4).Draw(t, "txs") {
		msg.Transactions = append(msg.Transactions, tx.Msg)
	}
	block, err := state.DecodeBlock(state.NewBlock(msg).Raw)
	if err != nil {
		t.Fatal(err)
	}
	return &Block{Block: block}
}

func anyCmpctBlock(t *rapid.T) Message {
	m := &CmpctBlock{
		Header: anyHeader.Draw(t, "header"), Nonce: rapid.Uint64().Draw(t, "nonce"),
		ShortIDs: rapid.SliceOfN(rapid.Uint64Range(0, 1<<48-1), 0, 100).Draw(t, "ids"), Prefilled: []Prefilled{},
	}
	for _, place := range anyPlaces.Draw(t, "places") {
		m.Prefilled = append(m.Prefilled, Prefilled{place, anyTx.Draw(t, "tx")})
	}
	return m
}

// TestStripped: a message without witnesses is what a peer reads that knows
// none.
func TestStripped(t *testing.T) {
	block := testBlock()
	_, payload := Encode(&Block{Block: block, Stripped: true})
	again, err := Decode("block", payload)
	if err != nil {
		t.Fatal(err)
	}
	for i, tx := range again.(*Block).Block.Msg.Transactions {
		if tx.HasWitness() || tx.TxHash() != block.Txids[i] {
			t.Errorf("transaction %d has a witness, or another id", i)
		}
	}
	if len(payload) != block.StrippedBytes || len(payload) == len(block.Raw) {
		t.Errorf("%d bytes, want %d", len(payload), block.StrippedBytes)
	}
	for n := range byte(2) {
		tx := testTx(n)
		_, payload := Encode(&Tx{Tx: tx, Stripped: true})
		again, err := state.DecodeTx(payload)
		if err != nil || again.Wtxid != tx.Txid {
			t.Errorf("transaction %d: %v", n, err)
		}
	}
	if _, payload := Encode(&RawBlock{Raw: block.Raw}); &payload[0] != &block.Raw[0] {
		t.Error("a raw block is copied")
	}
}
