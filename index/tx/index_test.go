package tx

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"granary/base/kv"
	"granary/chain"
	"granary/params"
	"granary/state"
	"granary/test/grow"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var net = params.RegTest()

func openIndex(t *testing.T, fs vfs.FS) *Index {
	t.Helper()
	x, err := Open(Options{Dir: "index", FS: fs, Net: net})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}

// mustHave checks that every transaction of the blocks is found in its place.
func mustHave(t *testing.T, x *Index, e *chain.Engine, blocks ...*state.Block) {
	t.Helper()
	for _, b := range blocks {
		for i, txid := range b.Txids {
			got, h, err := x.Tx(e, txid)
			if err != nil || got == nil || h.Hash != b.Hash || !bytes.Equal(got.Raw, b.Tx(i).Raw) {
				t.Fatalf("transaction %v: %v, %v", txid, got, err)
			}
			at, found, err := x.Find(e, txid)
			if err != nil || !found || !bytes.Equal(b.Raw[at.Offset:at.Offset+at.Bytes], got.Raw) {
				t.Fatalf("place of %v: %+v, %v", txid, at, err)
			}
		}
	}
}

func mustLack(t *testing.T, x *Index, e *chain.Engine, txids ...chainhash.Hash) {
	t.Helper()
	for _, txid := range txids {
		if got, _, err := x.Tx(e, txid); got != nil || err != nil {
			t.Fatalf("transaction %v: %v, %v", txid, got, err)
		}
		if at, found, err := x.Find(e, txid); found || err != nil {
			t.Fatalf("place of %v: %+v, %v", txid, at, err)
		}
	}
}

// TestFollow switches the index on late and follows a reorganisation in which
// a transaction is confirmed again, elsewhere.
func TestFollow(t *testing.T) {
	e := grow.Chain(t)
	genesis := grow.Genesis()
	base := grow.Branch(t, e, "base", genesis, 0, 105)
	x := openIndex(t, vfs.NewMem())
	heard := 0
	if err := x.Sync(t.Context(), e, func(height, tip int32) { heard++ }); err != nil || heard == 0 {
		t.Fatal(err, heard)
	}
	mustHave(t, x, e, base...)
	mustLack(t, x, e, chainhash.Hash{1}, genesis.Txids[0])

	old := base[0].Msg.Transactions[0]
	move := wire.NewMsgTx(2)
	move.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Hash: old.TxHash()}, Sequence: wire.MaxTxInSequenceNum})
	move.AddTxOut(wire.NewTxOut(old.TxOut[0].Value, []byte{txscript.OP_TRUE}))
	a := grow.Branch(t, e, "a", base[104], 105, 3, move)
	mustHave(t, x, e, a...)
	b := grow.Branch(t, e, "b", base[104], 105, 3)
	b = append(b, grow.Branch(t, e, "c", b[2], 108, 2, move)...)
	mustHave(t, x, e, b...)
	mustLack(t, x, e, a[0].Txids[0], a[1].Txids[0], a[2].Txids[0])
	if tip, height := x.Tip(); tip != b[4].Hash || height != 110 {
		t.Errorf("the index stands at %d %v", height, tip)
	}
}

// TestResume loses power in the middle, while the chain goes another way.
func TestResume(t *testing.T) {
	e := grow.Chain(t)
	base := grow.Branch(t, e, "base", grow.Genesis(), 0, 20)
	fs := vfs.NewCrashableMem()
	x := openIndex(t, fs)
	ctx, cancel := context.WithCancel(t.Context())
	err := x.Sync(ctx, e, func(height, _ int32) {
		if height == 7 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("a stopped Sync gives %v", err)
	}
	if _, height := x.Tip(); height != 7 {
		t.Fatalf("stopped at %d", height)
	}
	crashed := fs.CrashClone(vfs.CrashCloneCfg{})
	if err := x.Sync(t.Context(), e, nil); err != nil { // lost
		t.Fatal(err)
	}
	x = openIndex(t, crashed)
	if _, height := x.Tip(); height != 7 {
		t.Fatalf("after the crash the index stands at %d", height)
	}
	fork := grow.Branch(t, e, "fork", base[3], 4, 20)
	if err := x.Sync(t.Context(), e, nil); err != nil {
		t.Fatal(err)
	}
	mustHave(t, x, e, base[:4]...)
	mustHave(t, x, e, fork...)
	for _, b := range base[4:] {
		mustLack(t, x, e, b.Txids...)
	}
}

// TestForeign: another chain's blocks are forgotten, another network's index
// is refused.
func TestForeign(t *testing.T) {
	genesis := grow.Genesis()
	one, two := grow.Chain(t), grow.Chain(t)
	lost := grow.Branch(t, one, "one", genesis, 0, 5)
	kept := grow.Branch(t, two, "two", genesis, 0, 6)
	fs := vfs.NewMem()
	x := openIndex(t, fs)
	if err := x.Sync(t.Context(), one, nil); err != nil {
		t.Fatal(err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	x = openIndex(t, fs)
	if err := x.Sync(t.Context(), two, nil); err != nil {
		t.Fatal(err)
	}
	mustHave(t, x, two, kept...)
	mustLack(t, x, two, lost[0].Txids[0])
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: "index", FS: fs, Net: params.MainNet()}); !errors.Is(err, kv.ErrForeign) {
		t.Errorf("mainnet on a regtest index: %v", err)
	}
}
