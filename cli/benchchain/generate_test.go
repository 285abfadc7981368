package benchchain

import (
	"bytes"
	"context"
	"encoding/binary"
	"testing"
	"time"

	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/database"
	_ "github.com/btcsuite/btcd/database/ffldb"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

func generate(t *testing.T, options Options) ([]byte, *Result) {
	t.Helper()
	var file bytes.Buffer
	result, err := Generate(context.Background(), &file, options)
	if err != nil {
		t.Fatal(err)
	}
	return file.Bytes(), result
}

func TestSameSeedSameBytes(t *testing.T) {
	options := Options{FullBlocks: 2, TxsPerBlock: 20, Coins: 60, Seed: 7, Workers: 1}
	one, result := generate(t, options)
	options.Workers = 3
	two, _ := generate(t, options)
	if !bytes.Equal(one, two) {
		t.Fatal("the same seed gave two chains")
	}
	if int64(len(one)) != result.Bytes {
		t.Errorf("%d bytes written, %d reported", len(one), result.Bytes)
	}
	options.Seed = 8
	if three, _ := generate(t, options); bytes.Equal(one, three) {
		t.Fatal("another seed gave the same chain")
	}
}

func TestRefusesImpossibleShapes(t *testing.T) {
	for _, options := range []Options{
		{FullBlocks: 0, TxsPerBlock: 1},
		{FullBlocks: 1, TxsPerBlock: 0},
		{FullBlocks: 1, TxsPerBlock: MaxTxsPerBlock + 1},
		{FullBlocks: 1, TxsPerBlock: 10, Coins: 19},
	} {
		if _, err := Generate(context.Background(), new(bytes.Buffer), options); err == nil {
			t.Errorf("%+v was accepted", options)
		}
	}
}

// TestAnotherNodeAcceptsTheChain gives every block to btcd's chain, which
// checks all scripts and knows nothing of this package.
func TestAnotherNodeAcceptsTheChain(t *testing.T) {
	file, result := generate(t, Options{FullBlocks: 3, TxsPerBlock: 40, Coins: 2100, Seed: 1})
	net := chaincfg.RegressionNetParams
	db, err := database.Create("ffldb", t.TempDir(), net.Net)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	chain, err := blockchain.New(&blockchain.Config{
		DB: db, ChainParams: &net, TimeSource: blockchain.NewMedianTime(),
		SigCache: txscript.NewSigCache(1000), UtxoCacheMaxSize: 1 << 20,
	})
	if err != nil {
		t.Fatal(err)
	}
	kinds := make(map[txscript.ScriptClass]int)
	for at := 0; at < len(file); {
		size := int(binary.LittleEndian.Uint32(file[at+4:]))
		block, err := btcutil.NewBlockFromBytes(file[at+8 : at+8+size])
		if err != nil {
			t.Fatal(err)
		}
		if binary.LittleEndian.Uint32(file[at:]) != uint32(wire.TestNet) {
			t.Fatalf("offset %d: not regtest's magic", at)
		}
		isMain, isOrphan, err := chain.ProcessBlock(block, blockchain.BFNone)
		if err != nil || !isMain || isOrphan {
			t.Fatalf("block at %d: main %v orphan %v: %v", at, isMain, isOrphan, err)
		}
		for _, tx := range block.MsgBlock().Transactions[1:] {
			for _, out := range tx.TxOut {
				kinds[txscript.GetScriptClass(out.PkScript)]++
			}
		}
		at += 8 + size
	}
	best := chain.BestSnapshot()
	if best.Hash != result.Tip || int(best.Height) != result.Blocks {
		t.Errorf("btcd ends at %d %v, reported %d %v", best.Height, best.Hash, result.Blocks, result.Tip)
	}
	for _, kind := range []txscript.ScriptClass{
		txscript.WitnessV0PubKeyHashTy, txscript.PubKeyHashTy, txscript.WitnessV1TaprootTy, txscript.WitnessV0ScriptHashTy,
	} {
		if kinds[kind] == 0 {
			t.Errorf("no output of kind %v", kind)
		}
	}
	if time.Since(best.MedianTime) < 0 {
		t.Error("the chain runs ahead of the clock")
	}
}
