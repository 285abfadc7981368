package coins

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/google/go-cmp/cmp"

	"granary/state"
)

// byCoin compares coins by what they are; absent equals absent only.
var byCoin = cmp.Comparer(sameCoin)

func sameCoin(a, b *state.Coin) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.ValueUnits == b.ValueUnits && a.Height == b.Height && a.Coinbase == b.Coinbase && bytes.Equal(a.Script, b.Script)
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestVarint holds Core's table of VARINT.
func TestVarint(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "00", 1: "01", 127: "7f", 128: "8000", 255: "807f", 256: "8100", 16383: "fe7f", 16384: "ff00",
		16511: "ff7f", 65535: "82fe7f", 1 << 32: "8efefeff00", 1<<64 - 1: "80fefefefefefefefe7f",
	} {
		got := appendVarint(nil, n)
		if hex.EncodeToString(got) != want {
			t.Errorf("%d is %x, not %s", n, got, want)
		}
		r := reader{raw: got}
		if back := r.varint(); back != n || r.err != nil || len(r.raw) != 0 {
			t.Errorf("%x is read as %d, %v", got, back, r.err)
		}
	}
	for _, bad := range []string{"", "80", "ffffffffffffffffff00", "80fefefefefefefeff00"} {
		r := reader{raw: unhex(t, bad)}
		if n := r.varint(); r.err == nil {
			t.Errorf("%q is read as %d", bad, n)
		}
	}
}

func TestAmount(t *testing.T) {
	for units, want := range map[uint64]uint64{
		0: 0, 1: 1, 1_000_000: 7, 100_000_000: 9, 50_00000000: 0x32, 21_000_000_00000000: 0x1406f40,
	} {
		if got := compressAmount(units); got != want {
			t.Errorf("%d is %#x, not %#x", units, got, want)
		}
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 100_000 {
		units := rng.Uint64N(21_000_000_00000000+1) >> rng.IntN(50)
		if back, ok := expandAmount(compressAmount(units)); !ok || back != units {
			t.Fatalf("%d comes back as %d", units, back)
		}
	}
	if _, ok := expandAmount(1<<64 - 7); ok {
		t.Error("an amount beyond 64 bits passed")
	}
}

// TestCoreCoins are coins of the real UTXO set as Core stores them.
func TestCoreCoins(t *testing.T) {
	for _, c := range []struct {
		raw, script string
		units       int64
		height      int32
		coinbase    bool
	}{
		{
			"97f23c835800816115944e077fe7c803cfa57f29b36bf87c1d35",
			"76a914816115944e077fe7c803cfa57f29b36bf87c1d3588ac", 60_000_000_000, 203998, false,
		},
		{
			"8ddf77bbd123008c988f1a4a4de2161e0f50aac7f17e7f9555caa4",
			"76a9148c988f1a4a4de2161e0f50aac7f17e7f9555caa488ac", 110_397, 120891, true,
		},
	} {
		raw := unhex(t, c.raw)
		coin, err := DecodeCoin(raw)
		if err != nil {
			t.Fatal(err)
		}
		want := &state.Coin{ValueUnits: c.units, Script: unhex(t, c.script), Height: c.height, Coinbase: c.coinbase}
		if diff := cmp.Diff(want, coin, byCoin); diff != "" {
			t.Error(diff)
		}
		if back := AppendCoin(nil, coin); !bytes.Equal(back, raw) {
			t.Errorf("encodes to %x", back)
		}
	}
}

func scripts(t testing.TB) [][]byte {
	t.Helper()
	priv, _ := btcec.PrivKeyFromBytes(bytes.Repeat([]byte{7}, 32))
	full, short := priv.PubKey().SerializeUncompressed(), priv.PubKey().SerializeCompressed()
	wrong := bytes.Clone(full)
	wrong[64] ^= 1
	p2pk := func(key []byte) []byte { return append(append([]byte{byte(len(key))}, key...), 0xac) }
	return [][]byte{
		{},
		{0x51},
		append(append([]byte{0x76, 0xa9, 20}, make([]byte, 20)...), 0x88, 0xac),
		append(append([]byte{0xa9, 20}, make([]byte, 20)...), 0x87),
		p2pk(full), p2pk(short), p2pk(wrong),
		p2pk(append([]byte{2}, bytes.Repeat([]byte{0xff}, 32)...)), // not a point, but comes back as it was
		p2pk(append([]byte{6}, full[1:]...)),
		append([]byte{0x00, 20}, make([]byte, 20)...),
		append([]byte{0x51, 32}, make([]byte, 32)...),
		bytes.Repeat([]byte{0x52}, 10_000),
	}
}

func TestScripts(t *testing.T) {
	lengths := []int{1, 2, 21, 21, 33, 33, 68, 33, 68, 23, 35, 10_002}
	for i, s := range scripts(t) {
		raw := appendScript(nil, s)
		if len(raw) != lengths[i] {
			t.Errorf("%x takes %d bytes, not %d", s[:min(len(s), 80)], len(raw), lengths[i])
		}
		r := reader{raw: raw}
		if back := r.script(nil); !bytes.Equal(back, s) || r.err != nil {
			t.Errorf("%x comes back as %x, %v", s, back, r.err)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for name, raw := range map[string]string{
		"empty":           "",
		"height only":     "02",
		"no script":       "0209",
		"cut hash":        "02090011",
		"rest":            "0209" + "0600",
		"script too long": "0209" + "cd17" + "00",
		"key off curve":   "020904" + "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"height 2^31":     "8efefeff00" + "09" + "06",
		"too much money":  "02" + hex.EncodeToString(appendVarint(nil, compressAmount(21_000_000_00000001))) + "06",
	} {
		if coin, err := DecodeCoin(unhex(t, raw)); err == nil {
			t.Errorf("%s: read as %+v", name, coin)
		}
	}
}

func someUndo(t testing.TB) [][]*state.Coin {
	var spent [][]*state.Coin
	for i, s := range scripts(t) {
		inputs := make([]*state.Coin, i%3)
		for j := range inputs {
			inputs[j] = &state.Coin{ValueUnits: int64(i * 1000), Script: s, Height: int32(i * 7 * j), Coinbase: j == 1}
		}
		spent = append(spent, inputs)
	}
	return spent
}

func TestUndo(t *testing.T) {
	spent := someUndo(t)
	raw := AppendUndo(nil, spent)
	back, rest, err := DecodeUndo(append(raw, 1, 2, 3))
	if err != nil || !bytes.Equal(rest, []byte{1, 2, 3}) {
		t.Fatalf("rest %x, %v", rest, err)
	}
	if diff := cmp.Diff(spent, back, byCoin); diff != "" {
		t.Error(diff)
	}
	for n := range raw {
		if _, _, err := DecodeUndo(raw[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes pass", n, len(raw))
		}
	}
	if got := AppendUndo(nil, [][]*state.Coin{{{ValueUnits: 100_000_000, Script: []byte{0x51}, Height: 1}}}); hex.EncodeToString(got) != "01010200090751" {
		t.Errorf("one coin: %x", got)
	}
	if _, _, err := DecodeUndo(unhex(t, "ffffffffffffffffff")); err == nil {
		t.Error("a huge count passed")
	}
}

func TestCompactSize(t *testing.T) {
	for _, n := range []uint64{0, 1, 0xfc, 0xfd, 0xffff, 0x10000, 0xffffffff, 1 << 32, 1<<64 - 1} {
		raw := state.AppendCompactSize(nil, n)
		if back, size, ok := CompactSize(raw); !ok || back != n || size != len(raw) {
			t.Errorf("%d comes back as %d", n, back)
		}
		if _, _, ok := CompactSize(raw[:len(raw)-1]); ok {
			t.Errorf("%d cut short passes", n)
		}
	}
	for _, bad := range []string{"fdfc00", "feffff0000", "ffffffffff00000000"} {
		if _, _, ok := CompactSize(unhex(t, bad)); ok {
			t.Errorf("%s passes", bad)
		}
	}
}

func FuzzDecodeCoin(f *testing.F) {
	for _, s := range scripts(f) {
		f.Add(AppendCoin(nil, &state.Coin{ValueUnits: 5_000_000_000, Script: s, Height: 170, Coinbase: true}))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		coin, err := DecodeCoin(raw)
		if err != nil {
			return
		}
		again, err := DecodeCoin(AppendCoin(nil, coin))
		if err != nil || !sameCoin(coin, again) {
			t.Fatalf("%x: %+v comes back as %+v, %v", raw, coin, again, err)
		}
	})
}

func FuzzDecodeUndo(f *testing.F) {
	f.Add(AppendUndo(nil, someUndo(f)[:8]))
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		spent, rest, err := DecodeUndo(raw)
		if err != nil {
			return
		}
		again, rest2, err := DecodeUndo(append(AppendUndo(nil, spent), rest...))
		if err != nil || !cmp.Equal(spent, again, byCoin) || !bytes.Equal(rest, rest2) {
			t.Fatalf("%x does not come back: %v", raw, err)
		}
	})
}
