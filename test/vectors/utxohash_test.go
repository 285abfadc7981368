package vectors_test

import (
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"granary/base/clock"
	"granary/chain"
	"granary/params"
	"granary/rules/block"
	"granary/rules/script"
	"granary/state"
	"granary/store"
)

// TestCoreUTXOHash rebuilds the chain of Bitcoin Core's unit tests, whose
// block hashes and UTXO set hash are published in Core's sources (the regtest
// assumeutxo parameters, height 110): the secret key 1 earns every coinbase
// and the clock ticks one second a block. So the block hashes show that the
// chain is that one, and the last line that hash_serialized_3 is Core's.
func TestCoreUTXOHash(t *testing.T) {
	const (
		firstSeconds = 1598887952
		hashAt100    = "571d80a9967ae599cec0448b0b0ba1cfb606f584d8069bd7166b86854ba7a191"
		hashAt110    = "696e92821f65549c7ee134edceeeeaaa4105647a3c4fd9f298c0aec0ab50425c"
		utxoAt110    = "6657b736d4fe4db0cbc796789e812d5dba7f5c143764b1b6905612f1830609d1"
	)
	engine := openRegtest(t, firstSeconds)
	_, pub := btcec.PrivKeyFromBytes([]byte{31: 1})
	pay, err := txscript.NewScriptBuilder().AddData(pub.SerializeCompressed()).AddOp(txscript.OP_CHECKSIG).Script()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 110 {
		b := coreTestBlock(t, engine.Tip(), firstSeconds+int64(i), pay)
		if _, err := engine.AcceptBlock(b); err != nil {
			t.Fatalf("block %d: %v", i+1, err)
		}
	}
	if got := engine.AtHeight(100).Hash.String(); got != hashAt100 {
		t.Fatalf("block 100 is %s, Core's is %s", got, hashAt100)
	}
	if got := engine.Tip().Hash.String(); got != hashAt110 {
		t.Fatalf("block 110 is %s, Core's is %s", got, hashAt110)
	}
	stats, err := engine.UTXOStats(chain.HashSerialized3)
	if err != nil {
		t.Fatal(err)
	}
	if got := stats.Hash.String(); got != utxoAt110 {
		t.Errorf("hash_serialized_3 is %s, Core's is %s", got, utxoAt110)
	}
}

func openRegtest(t *testing.T, nowSeconds int64) *chain.Engine {
	t.Helper()
	net := params.RegTest()
	s, err := store.Open(store.Options{Dir: "data", FS: vfs.NewMem(), Net: net, CacheBytes: 16 << 20})
	if err != nil {
		t.Fatal(err)
	}
	now := &clock.Mock{}
	now.Set(time.Unix(nowSeconds, 0))
	scripts := script.NewChecker(script.Options{})
	engine, err := chain.Open(chain.Options{Store: s, Rules: block.Rules{Net: net}, Scripts: scripts, Clock: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		engine.Close()
		scripts.Close()
		s.Close()
	})
	return engine
}

// coreTestBlock is the empty block that Core's test chain has on parent.
func coreTestBlock(t *testing.T, parent *state.Header, seconds int64, pay []byte) *state.Block {
	t.Helper()
	coinbase := wire.NewMsgTx(2)
	coinbase.AddTxIn(&wire.TxIn{
		PreviousOutPoint: wire.OutPoint{Index: wire.MaxPrevOutIndex},
		SignatureScript:  append(block.HeightScript(parent.Height+1), txscript.OP_0),
		Sequence:         wire.MaxTxInSequenceNum,
	})
	coinbase.AddTxOut(wire.NewTxOut(params.RegTest().SubsidyUnits(parent.Height+1), pay))
	msg := &wire.MsgBlock{
		Header: wire.BlockHeader{
			Version: 0x20000000, PrevBlock: parent.Hash,
			Timestamp: time.Unix(seconds, 0), Bits: params.RegTest().PowLimitBits,
		},
		Transactions: []*wire.MsgTx{coinbase},
	}
	block.AddWitnessCommitment(msg)
	block.SetMerkleRoot(msg)
	target, _ := state.TargetOf(msg.Header.Bits)
	for hash := msg.BlockHash(); !state.HashMeets(&hash, &target); hash = msg.BlockHash() {
		msg.Header.Nonce++
	}
	return state.NewBlock(msg)
}
