package state

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/test/vectors"
)

// sampleTx makes a transaction with the given numbers of inputs, outputs and
// witness items per input (0 or more for odd inputs only).
func sampleTx(r *rand.Rand, ins, outs, items int) *wire.MsgTx {
	script := func(n int) []byte {
		b := make([]byte, r.IntN(n))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	tx := wire.NewMsgTx(int32(r.Uint32()))
	for i := range ins {
		in := &wire.TxIn{SignatureScript: script(300), Sequence: r.Uint32()}
		in.PreviousOutPoint.Hash[0] = byte(r.Uint32())
		in.PreviousOutPoint.Index = r.Uint32()
		for range items * (i & 1) {
			in.Witness = append(in.Witness, script(80))
		}
		tx.AddTxIn(in)
	}
	for range outs {
		tx.AddTxOut(&wire.TxOut{Value: int64(r.Uint64()), PkScript: script(40)})
	}
	tx.LockTime = r.Uint32()
	return tx
}

func sampleBlock(r *rand.Rand, txs int) *wire.MsgBlock {
	msg := &wire.MsgBlock{Header: chaincfg.MainNetParams.GenesisBlock.Header}
	for range txs {
		msg.Transactions = append(msg.Transactions, sampleTx(r, 1+r.IntN(4), r.IntN(4), r.IntN(3)))
	}
	return msg
}

func blockBytes(t testing.TB, msg *wire.MsgBlock) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := msg.Serialize(&buf); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// checkBlockAgainstWire compares every part and id with wire's own.
func checkBlockAgainstWire(t testing.TB, raw []byte) *Block {
	t.Helper()
	b, err := DecodeBlock(raw)
	if err != nil {
		t.Fatal(err)
	}
	var want wire.MsgBlock
	if err := want.Deserialize(bytes.NewReader(raw)); err != nil {
		t.Fatal(err)
	}
	for i, tx := range want.Transactions {
		sameTx(t, tx, b.Msg.Transactions[i])
	}
	if b.Msg.Header != want.Header || b.Hash != want.BlockHash() || b.StrippedBytes != want.SerializeSizeStripped() {
		t.Fatalf("hash %v, %d stripped bytes", b.Hash, b.StrippedBytes)
	}
	for i, tx := range want.Transactions {
		if b.Txids[i] != tx.TxHash() || b.Wtxids[i] != tx.WitnessHash() {
			t.Fatalf("ids of transaction %d", i)
		}
		own := b.Tx(i)
		if own.Weight() != TxWeight(tx) || own.StrippedBytes() != tx.SerializeSizeStripped() {
			t.Fatalf("weight of transaction %d", i)
		}
		if alone, err := DecodeTx(own.Raw); err != nil || alone.Txid != own.Txid || alone.Wtxid != own.Wtxid {
			t.Fatalf("transaction %d decoded alone: %v", i, err)
		}
	}
	return b
}

// sameTx compares part by part; an absent script is empty with us, sometimes
// nil with wire.
func sameTx(t testing.TB, want, got *wire.MsgTx) {
	t.Helper()
	same := want.Version == got.Version && want.LockTime == got.LockTime &&
		slices.EqualFunc(want.TxIn, got.TxIn, func(a, b *wire.TxIn) bool {
			return a.PreviousOutPoint == b.PreviousOutPoint && a.Sequence == b.Sequence &&
				bytes.Equal(a.SignatureScript, b.SignatureScript) &&
				slices.EqualFunc(a.Witness, b.Witness, bytes.Equal)
		}) &&
		slices.EqualFunc(want.TxOut, got.TxOut, func(a, b *wire.TxOut) bool {
			return a.Value == b.Value && bytes.Equal(a.PkScript, b.PkScript)
		})
	if !same {
		t.Fatalf("wire has %+v, we have %+v", want, got)
	}
}

func TestDecodeBlockLikeWire(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, txs := range []int{0, 1, 2, 7, 252, 253, 300} {
		raw := blockBytes(t, sampleBlock(r, txs))
		b := checkBlockAgainstWire(t, raw)
		made := NewBlock(b.Msg)
		if !bytes.Equal(made.Raw, raw) || made.Hash != b.Hash || made.StrippedBytes != b.StrippedBytes ||
			!slices.Equal(made.Txids, b.Txids) || !slices.Equal(made.Wtxids, b.Wtxids) ||
			!slices.Equal(made.TxOffsets, b.TxOffsets) {
			t.Fatal("NewBlock and DecodeBlock differ")
		}
	}
}

func TestDecodeKeepsPartsApart(t *testing.T) {
	raw := blockBytes(t, sampleBlock(rand.New(rand.NewPCG(3, 4)), 3))
	before := bytes.Clone(raw)
	b, err := DecodeBlock(raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, tx := range b.Msg.Transactions {
		tx.TxIn = append(tx.TxIn, &wire.TxIn{})
		tx.TxOut = append(tx.TxOut, &wire.TxOut{})
		for _, in := range tx.TxIn {
			in.SignatureScript = append(in.SignatureScript, 0xff)
			in.Witness = append(in.Witness, nil)
		}
		for _, out := range tx.TxOut {
			out.PkScript = append(out.PkScript, 0xff)
		}
	}
	if !bytes.Equal(raw, before) {
		t.Fatal("an append to a part wrote into the block's bytes")
	}
	if again, err := DecodeBlock(raw); err != nil || again.Hash != b.Hash {
		t.Fatal("block changed")
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Transactions at the edge of what Bitcoin Core's deserialiser takes.
func TestDecodeTxEdges(t *testing.T) {
	in := "00000000000000000000000000000000000000000000000000000000000000000000000000ffffffff"
	out := "000000000000000000"
	for _, c := range []struct {
		name, raw string
		ok        bool
	}{
		{"nothing", "", false},
		{"no inputs and no outputs, flag zero", "01000000" + "0000" + "00000000", true},
		{"one input, no outputs", "01000000" + "01" + in + "00" + "00000000", true},
		{"one input, one output", "01000000" + "01" + in + "01" + out + "00000000", true},
		{"trailing byte", "01000000" + "01" + in + "01" + out + "0000000000", false},
		{"one byte short", "01000000" + "01" + in + "01" + out + "000000", false},
		{"witness", "01000000" + "0001" + "01" + in + "01" + out + "0100" + "00000000", true},
		{"marker without witness", "01000000" + "0001" + "01" + in + "01" + out + "00" + "00000000", false},
		{"marker without inputs", "01000000" + "0001" + "00" + "00" + "00000000", false},
		{"marker, then outputs only", "01000000" + "0001" + "00" + "01" + out + "00000000", false},
		{"flag two", "01000000" + "0002" + "01" + in + "01" + out + "0100" + "00000000", false},
		{"flag three", "01000000" + "0003" + "01" + in + "01" + out + "0100" + "00000000", false},
		{"count in three bytes", "01000000" + "fd0100" + in + "01" + out + "00000000", false},
		{"count in five bytes", "01000000" + "fe01000000" + in + "01" + out + "00000000", false},
		{"count in nine bytes", "01000000" + "ff0100000000000000" + in + "01" + out + "00000000", false},
		{"input count beyond the bytes", "01000000" + "fe00000002" + in, false},
		{"output count beyond the bytes", "01000000" + "01" + in + "feffffff01", false},
		{"count beyond 64 bits of bytes", "01000000" + "ffffffffffffffffff", false},
		{"script length beyond the bytes", "01000000" + "01" + in[:72] + "fdff00" + "ffffffff", false},
	} {
		tx, err := DecodeTx(unhex(t, c.raw))
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if rule := check.AsRule(err); err != nil && (rule == nil || rule.Code != "bad-tx-encoding" || rule.Kind != check.Mutated) {
			t.Errorf("%s: error %v", c.name, err)
		}
		if err == nil && tx.Txid == (chainhash.Hash{}) {
			t.Errorf("%s: no id", c.name)
		}
	}
}

// The parser must not be stricter than consensus (CVE-2022-39389 and
// CVE-2022-44797): a witness with very many items, and one very large item,
// decode as in any other implementation.
func TestDecodeParserNotStricterThanConsensus(t *testing.T) {
	for name, witness := range map[string]wire.TxWitness{
		"500,000 items":               make(wire.TxWitness, 500_000),
		"one item of 3,900,000 bytes": {make([]byte, 3_900_000)},
		"an item above 11,000 bytes":  {make([]byte, 11_001)},
	} {
		tx := wire.NewMsgTx(2)
		tx.AddTxIn(&wire.TxIn{Witness: witness})
		tx.AddTxOut(&wire.TxOut{})
		made := NewTx(tx)
		got, err := DecodeTx(made.Raw)
		if err != nil || len(got.Msg.TxIn[0].Witness) != len(witness) || got.Wtxid != made.Wtxid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDecodeBlockRefuses(t *testing.T) {
	raw := blockBytes(t, chaincfg.MainNetParams.GenesisBlock)
	for name, c := range map[string]struct {
		raw  []byte
		code check.Code
	}{
		"empty":          {nil, "bad-block-encoding"},
		"header only":    {raw[:80], "bad-block-encoding"},
		"cut":            {raw[:len(raw)-1], "bad-block-encoding"},
		"trailing byte":  {append(bytes.Clone(raw), 0), "bad-block-encoding"},
		"too long":       {make([]byte, 4_000_001), "bad-blk-length"},
		"count of lies":  {append(bytes.Clone(raw[:80]), 0xfe, 0xff, 0xff, 0xff, 0x01), "bad-block-encoding"},
		"count too long": {append(append(bytes.Clone(raw[:80]), 0xfd, 1, 0), raw[81:]...), "bad-block-encoding"},
	} {
		_, err := DecodeBlock(c.raw)
		if rule := check.AsRule(err); rule == nil || rule.Code != c.code || rule.Kind != check.Mutated {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := DecodeHeader(raw[:79]); check.CodeOf(err) != "bad-header-encoding" {
		t.Errorf("short header: %v", err)
	}
	if h, err := DecodeHeader(raw[:80]); err != nil || h.BlockHash() != *chaincfg.MainNetParams.GenesisHash {
		t.Errorf("header: %v", err)
	}
}

func TestDecodeAllocatesPerKindNotPerPart(t *testing.T) {
	raw := blockBytes(t, sampleBlock(rand.New(rand.NewPCG(5, 6)), 500))
	allocs := testing.AllocsPerRun(5, func() {
		if _, err := DecodeBlock(raw); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 20 {
		t.Errorf("%v allocations for a block of 500 transactions", allocs)
	}
}

// FuzzDecodeTx holds our decoder against wire's: what both take is equal, and
// what only one takes is a known difference.
func FuzzDecodeTx(f *testing.F) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 8 {
		f.Add(NewTx(sampleTx(r, 1+r.IntN(3), r.IntN(3), r.IntN(3))).Raw)
	}
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		own, err := DecodeTx(bytes.Clone(raw))
		var theirs wire.MsgTx
		reader := bytes.NewReader(raw)
		wireErr := theirs.Deserialize(reader)
		wireOK := wireErr == nil && reader.Len() == 0
		if err != nil {
			if wireOK {
				t.Fatalf("wire takes it, we say %v", err)
			}
			return
		}
		if !bytes.Equal(own.Raw, raw) {
			t.Fatal("raw changed")
		}
		if len(own.Msg.TxIn) == 0 && len(own.Msg.TxOut) == 0 {
			return // Core takes this form, wire does not
		}
		if !wireOK {
			t.Fatalf("we take it, wire says %v, %d bytes left", wireErr, reader.Len())
		}
		sameTx(t, &theirs, own.Msg)
		if own.Txid != theirs.TxHash() || own.Wtxid != theirs.WitnessHash() || own.Weight() != TxWeight(&theirs) {
			t.Fatal("ids or weight differ")
		}
		if again := NewTx(own.Msg); !bytes.Equal(again.Raw, raw) {
			t.Fatal("not the same bytes again")
		}
	})
}

// FuzzDecodeBlock is FuzzDecodeTx for whole blocks.
func FuzzDecodeBlock(f *testing.F) {
	r := rand.New(rand.NewPCG(9, 10))
	for n := range 4 {
		f.Add(blockBytes(f, sampleBlock(r, n)))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		own, err := DecodeBlock(bytes.Clone(raw))
		var theirs wire.MsgBlock
		reader := bytes.NewReader(raw)
		wireErr := theirs.Deserialize(reader)
		wireOK := wireErr == nil && reader.Len() == 0
		if err != nil {
			if wireOK {
				t.Fatalf("wire takes it, we say %v", err)
			}
			return
		}
		if again := NewBlock(own.Msg); !bytes.Equal(again.Raw, raw) || again.Hash != own.Hash ||
			!slices.Equal(again.Txids, own.Txids) || !slices.Equal(again.Wtxids, own.Wtxids) ||
			again.StrippedBytes != own.StrippedBytes || !slices.Equal(again.TxOffsets, own.TxOffsets) {
			t.Fatal("NewBlock and DecodeBlock differ")
		}
		if wireOK {
			for i, tx := range theirs.Transactions {
				sameTx(t, tx, own.Msg.Transactions[i])
			}
		} else if !slices.ContainsFunc(own.Msg.Transactions, func(tx *wire.MsgTx) bool {
			return len(tx.TxIn) == 0 && len(tx.TxOut) == 0
		}) {
			t.Fatalf("we take it, wire says %v, %d bytes left", wireErr, reader.Len())
		}
	})
}

func TestDecodeMainnet413567(t *testing.T) {
	b := checkBlockAgainstWire(t, vectors.Shared(t, "block413567.raw"))
	if len(b.Txids) != 1557 {
		t.Fatalf("%d transactions", len(b.Txids))
	}
}

func BenchmarkDecodeBlock413567(b *testing.B) {
	raw := vectors.Shared(b, "block413567.raw")
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeBlock(raw); err != nil {
			b.Fatal(err)
		}
	}
}
