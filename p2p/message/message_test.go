package message

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/google/go-cmp/cmp"

	"granary/state"
)

func testHash(n byte) chainhash.Hash { return chainhash.Hash{0: n, 31: n} }

func testHeader(n byte) wire.BlockHeader {
	return wire.BlockHeader{
		Version: 0x20000000, PrevBlock: testHash(n), MerkleRoot: testHash(n + 1),
		Timestamp: time.Unix(1_700_000_000+int64(n), 0), Bits: 0x207fffff, Nonce: uint32(n),
	}
}

// testTx has a witness where n is odd.
func testTx(n byte) *state.Tx {
	tx := wire.NewMsgTx(2)
	in := wire.NewTxIn(&wire.OutPoint{Hash: testHash(n), Index: 1}, []byte{0x51}, nil)
	if n%2 == 1 {
		in.Witness = wire.TxWitness{{n}, {}}
	}
	tx.AddTxIn(in)
	tx.AddTxOut(wire.NewTxOut(int64(n)*1000, []byte{0x51, n}))
	return state.NewTx(tx)
}

func testBlock() *state.Block {
	header := testHeader(9)
	return state.NewBlock(&wire.MsgBlock{
		Header:       header,
		Transactions: []*wire.MsgTx{testTx(1).Msg, testTx(2).Msg, testTx(3).Msg},
	})
}

// samples are one message, or some, of every type.
func samples() []Message {
	hashes := []chainhash.Hash{testHash(1), testHash(2), testHash(3)}
	addresses := []Address{
		{Time: 7, Services: 9, Network: IPv4, Bytes: []byte{10, 1, 2, 3}, Port: 8333},
		{Time: 8, Services: 1 << 40, Network: IPv6, Bytes: bytes.Repeat([]byte{0x20}, 16), Port: 1},
	}
	more := append(addresses[:2:2],
		Address{Time: 8, Network: TorV3, Bytes: bytes.Repeat([]byte{3}, 32), Port: 2},
		Address{Time: 8, Network: CJDNS, Bytes: bytes.Repeat([]byte{0xfc}, 16), Port: 2},
		Address{Time: 8, Network: 77, Bytes: bytes.Repeat([]byte{3}, 512), Port: 2})
	items := []Item{{ItemWTx, testHash(4)}, {ItemWitnessBlock, testHash(5)}}
	locator := Locator{Version: ProtocolVersion, Hashes: hashes, Stop: testHash(8)}
	return []Message{
		&Version{
			Version: ProtocolVersion, Services: ServiceNetwork | ServiceWitness, Time: 1_700_000_000,
			To: OldAddress{Services: 1, IP: [16]byte{15: 1}, Port: 8333}, Nonce: 77,
			UserAgent: "/granary:1.0.0/", StartHeight: 120, Relay: true,
		},
		&VerAck{}, &WTxIDRelay{}, &SendAddrV2{}, &SendHeaders{}, &GetAddr{}, &MemPool{},
		&Ping{Nonce: 5}, &Pong{Nonce: 6}, &FeeFilter{UnitsPerKVB: 1000}, &SendCmpct{HighBandwidth: true, Version: 2},
		&Addr{Addresses: addresses}, &AddrV2{Addresses: more},
		&Inv{Items: items}, &GetData{Items: items}, &NotFound{Items: items},
		&GetHeaders{locator}, &GetBlocks{locator},
		&Headers{Headers: []wire.BlockHeader{testHeader(1), testHeader(2)}},
		&Block{Block: testBlock()}, &Tx{Tx: testTx(1)}, &Tx{Tx: testTx(2)},
		&CmpctBlock{
			Header: testHeader(3), Nonce: 99, ShortIDs: []uint64{1, 1<<48 - 1},
			Prefilled: []Prefilled{{0, testTx(1)}, {3, testTx(2)}},
		},
		&GetBlockTxn{Block: testHash(1), Indexes: []uint32{0, 1, 7, 65535}},
		&BlockTxn{Block: testHash(1), Txs: []*state.Tx{testTx(1), testTx(2)}},
		&GetCFilters{Start: 5, Stop: testHash(1)}, &CFilter{Block: testHash(2), Filter: []byte{1, 2, 3}},
		&GetCFHeaders{Start: 9, Stop: testHash(1)},
		&CFHeaders{Stop: testHash(1), Previous: testHash(2), Filters: hashes},
		&GetCFCheckpt{Stop: testHash(1)}, &CFCheckpt{Stop: testHash(1), Headers: hashes},
	}
}

func TestRoundTrip(t *testing.T) {
	for _, m := range samples() {
		command, payload := Encode(m)
		if command != m.Command() || !Known(command) || len(payload) > MaxPayload(command) {
			t.Errorf("%T: command %q, %d bytes", m, command, len(payload))
		}
		again, err := Decode(command, bytes.Clone(payload))
		if err != nil {
			t.Errorf("%T: %v", m, err)
			continue
		}
		if diff := cmp.Diff(m, again); diff != "" {
			t.Errorf("%T: decoded is not what was encoded:\n%s", m, diff)
		}
		if front := Append([]byte("front"), m); !bytes.Equal(front, append([]byte("front"), payload...)) {
			t.Errorf("%T: Append and Encode differ", m)
		}
	}
}

// TestCutShort cuts every message at every place: no panic, and an error
// unless the message may end there.
func TestCutShort(t *testing.T) {
	for _, m := range samples() {
		command, payload := Encode(m)
		for n := range payload {
			again, err := Decode(command, bytes.Clone(payload[:n]))
			if err == nil && command != "version" && command != "pong" {
				t.Fatalf("%s of %d bytes decodes from %d of them: %+v", command, len(payload), n, again)
			}
			var malformed *Malformed
			if err != nil && (!errors.As(err, &malformed) || malformed.Name != command) {
				t.Fatalf("%s: error %v", command, err)
			}
		}
	}
}
