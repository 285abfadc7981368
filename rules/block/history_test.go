package block

import (
	"bytes"
	"compress/bzip2"
	"encoding/binary"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/params"
	"granary/rules/script"
	"granary/state"
	"granary/test/vectors"
)

const btcd = "github.com/btcsuite/btcd"

// testdata reads a file of the btcd module, unpacked.
func testdata(t testing.TB, name string) []byte {
	t.Helper()
	f, err := os.Open(vectors.Module(t, btcd, "blockchain", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(name, ".bz2") {
		r = bzip2.NewReader(f)
	}
	raw, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// blocksIn calls f for every block of a file of "magic, length, block".
func blocksIn(t testing.TB, file []byte, f func(raw []byte)) {
	t.Helper()
	magic := params.MainNet().Magic()
	for len(file) > 8 && bytes.HasPrefix(file, magic[:]) {
		n := int(binary.LittleEndian.Uint32(file[4:]))
		f(file[8 : 8+n])
		file = file[8+n:]
	}
	if len(bytes.Trim(file, "\x00")) > 0 {
		t.Fatalf("%d bytes behind the last block", len(file))
	}
}

// The first 14,132 blocks of mainnet, every rule and every script, forward;
// then the last 2,500 of them backward, to the state there was.
func TestMainnetBlocks0To14131(t *testing.T) {
	file := testdata(t, "blk_0_to_14131.dat")
	l := newLedger(t, Rules{Net: params.MainNet()})
	l.scripts = script.NewChecker(script.Options{})
	defer l.scripts.Close()
	const back = 2500
	var midway *memory
	first := true
	start := time.Now()
	blocksIn(t, file, func(raw []byte) {
		if t.Failed() {
			return
		}
		b, err := state.DecodeBlock(raw)
		if err != nil {
			t.Fatal(err)
		}
		if first {
			first = false
			if b.Hash != l.rules.Net.GenesisHash() {
				t.Fatalf("the file begins with %v", b.Hash)
			}
			return
		}
		l.extend(b)
		if l.tip.Height == 14131-back {
			midway = l.view.clone()
		}
	})
	t.Logf("%d blocks in %v", l.tip.Height, time.Since(start))
	if got := l.tip.Hash.String(); l.tip.Height != 14131 || got != "00000000b3e750f37fdb42e1018799a9f44b546d393b130b369590a072430a1c" {
		t.Fatalf("tip %d %s", l.tip.Height, got)
	}
	for range back {
		l.retreat()
	}
	if !sameState(l.view, midway) {
		t.Fatal("going back did not lead to the state there was")
	}
}

// Block 277647 with the coins it spends, all scripts checked.
func TestMainnet277647(t *testing.T) {
	view := btcdCoins(t, testdata(t, "277647.utxostore.bz2"))
	net := params.MainNet()
	net.BIP34Height = 1 // the ancestors that the BIP30 search would ask are not here
	rules := Rules{Net: net}
	checker := script.NewChecker(script.Options{})
	defer checker.Close()
	n := 0
	blocksIn(t, testdata(t, "277647.dat.bz2"), func(raw []byte) {
		n++
		b, err := state.DecodeBlock(raw)
		if err != nil {
			t.Fatal(err)
		}
		// The file holds outputs of the block itself too, which are not there yet.
		maps.DeleteFunc(view.coins, func(op wire.OutPoint, _ *state.Coin) bool { return slices.Contains(b.Txids, op.Hash) })
		parent := headerAt(277_646, b.Msg.Header.Timestamp.Unix()-1)
		head := &state.Header{Hash: b.Hash, Raw: b.Msg.Header, Height: 277_647, Parent: parent}
		for _, err := range []error{rules.checkWork(&b.Msg.Header), rules.CheckBlock(b), rules.CheckBlockContext(b, parent)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		delta, undo, _, err := rules.Connect(b, head, view, checker)
		if err != nil {
			t.Fatal(err)
		}
		before := view.clone()
		view.apply(t, delta)
		back, err := rules.Disconnect(b, head, undo, view)
		if err != nil {
			t.Fatal(err)
		}
		view.apply(t, back)
		if !sameState(view, before) {
			t.Fatal("going back did not lead to the state there was")
		}
		bent := view.clone()
		op := b.Msg.Transactions[1].TxIn[0].PreviousOutPoint
		bent.coins[op] = bent.coins[op].Clone()
		bent.coins[op].Script[3] ^= 1
		_, _, _, err = rules.Connect(b, head, bent, checker)
		want(t, "a coin of another key", err, "mandatory-script-verify-flag-failed", 0)
	})
	if n != 1 {
		t.Fatalf("%d blocks", n)
	}
}

// btcdCoins reads btcd's file of coins: txid, output number, length, and the
// coin in Bitcoin Core's compressed form.
func btcdCoins(t testing.TB, file []byte) *memory {
	t.Helper()
	m := newMemory()
	for len(file) > 0 {
		op := wire.OutPoint{Hash: chainhash.Hash(file[:32]), Index: binary.LittleEndian.Uint32(file[32:])}
		n := int(binary.LittleEndian.Uint32(file[36:]))
		m.coins[op] = decompressCoin(t, file[40:40+n])
		file = file[40+n:]
	}
	return m
}

func decompressCoin(t testing.TB, b []byte) *state.Coin {
	t.Helper()
	next := func() (n uint64) {
		for {
			c := b[0]
			b = b[1:]
			n = n<<7 | uint64(c&0x7f)
			if c&0x80 == 0 {
				return n
			}
			n++
		}
	}
	code := next()
	units := decompressUnits(next())
	kind := next()
	if kind >= 6 && uint64(len(b)) != kind-6 {
		t.Fatalf("script of %d bytes, %d are there", kind-6, len(b))
	}
	return state.NewCoin(units, decompressScript(t, kind, b), int32(code>>1), code&1 == 1)
}

func decompressUnits(x uint64) int64 {
	if x == 0 {
		return 0
	}
	x--
	e := x % 10
	x /= 10
	n := x + 1
	if e < 9 {
		n = 10*(x/9) + x%9 + 1
	}
	for range e {
		n *= 10
	}
	return int64(n)
}

func decompressScript(t testing.TB, kind uint64, b []byte) []byte {
	t.Helper()
	build := txscript.NewScriptBuilder()
	switch kind {
	case 0:
		build.AddOp(txscript.OP_DUP).AddOp(txscript.OP_HASH160).AddData(b).AddOp(txscript.OP_EQUALVERIFY).AddOp(txscript.OP_CHECKSIG)
	case 1:
		build.AddOp(txscript.OP_HASH160).AddData(b).AddOp(txscript.OP_EQUAL)
	case 2, 3:
		build.AddData(append([]byte{byte(kind)}, b...)).AddOp(txscript.OP_CHECKSIG)
	case 4, 5:
		key, err := btcec.ParsePubKey(append([]byte{byte(kind - 2)}, b...))
		if err != nil {
			t.Fatal(err)
		}
		build.AddData(key.SerializeUncompressed()).AddOp(txscript.OP_CHECKSIG)
	default:
		return b
	}
	script, err := build.Script()
	if err != nil {
		t.Fatal(err)
	}
	return script
}
