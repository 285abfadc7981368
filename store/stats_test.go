package store

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"granary/base/hash"
	"granary/state"
	"granary/store/coins"
)

// TestHashedCoin holds the bytes that Core's TxOutSer gives, written by hand.
func TestHashedCoin(t *testing.T) {
	op := wire.OutPoint{Index: 0x01020304}
	op.Hash[0], op.Hash[31] = 0xaa, 0xbb
	key := coins.KeyOf(&op)
	got := appendHashedCoin(nil, &key, &state.Coin{ValueUnits: 5_000_000_000, Height: 170, Coinbase: true, Script: []byte{0x51, 0x52}})
	want := "aa" + strings.Repeat("00", 30) + "bb" + "04030201" + "55010000" + "00f2052a01000000" + "02" + "5152"
	if hex.EncodeToString(got) != want {
		t.Errorf("%x, not %s", got, want)
	}
}

func TestStats(t *testing.T) {
	fs := vfs.NewMem()
	w := newWorld(4)
	s, _ := mustOpen(t, testOptions(fs))
	frozen := mustFreeze(t, s)
	for _, kind := range []HashKind{HashSerialized3, HashMuHash} {
		stats, err := frozen.Stats(kind)
		must(t, err)
		want := chainhash.DoubleHashH(nil)
		if kind == HashMuHash {
			want = hash.NewMuHash().Sum()
		}
		if stats.Hash != want || stats.TxOuts != 0 {
			t.Errorf("empty set: %+v", stats)
		}
	}
	must(t, frozen.Close())
	for range 25 {
		must(t, w.connect(s, 3, 7, 200))
		if w.rng.IntN(4) == 0 {
			must(t, s.Commit())
		}
	}
	snap := w.states[s.Tip().Hash]
	var want Stats
	want.Height, want.Tip = s.Tip().Height, s.Tip().Hash
	txids := map[chainhash.Hash]bool{}
	mu := hash.NewMuHash()
	for op, c := range snap.coins {
		txids[op.Hash] = true
		want.TxOuts++
		want.BogoSize += 50 + int64(len(c.Script))
		want.TotalUnits += c.ValueUnits
		key := coins.KeyOf(&op)
		mu.Insert(appendHashedCoin(nil, &key, c))
	}
	want.Transactions = int64(len(txids))
	serialized := sha256.New()
	frozen = mustFreeze(t, s)
	must(t, frozen.RangeCoins(func(op wire.OutPoint, c *state.Coin) bool {
		key := coins.KeyOf(&op)
		serialized.Write(appendHashedCoin(nil, &key, c))
		return true
	}))
	once := serialized.Sum(nil)
	for kind, sum := range map[HashKind]chainhash.Hash{HashNone: {}, HashMuHash: mu.Sum(), HashSerialized3: sha256.Sum256(once)} {
		want.Hash = sum
		got, err := frozen.Stats(kind)
		must(t, err)
		got.DiskBytes = 0
		if got != want {
			t.Errorf("%+v, not %+v", got, want)
		}
	}
	must(t, frozen.Close())
	must(t, s.Close())
}

func mustFreeze(t *testing.T, s *Store) *Snapshot {
	t.Helper()
	frozen, err := s.Snapshot(nil)
	must(t, err)
	return frozen
}

func TestStateHashAndDifference(t *testing.T) {
	w := newWorld(6)
	a, _ := mustOpen(t, testOptions(vfs.NewMem()))
	for range 20 {
		must(t, w.connect(a, 3, 7, 200))
	}
	frozenA := mustFreeze(t, a)
	want, err := frozenA.StateHash()
	must(t, err)
	last := w.states[a.Tip().Hash].delta.Created[0]
	for _, c := range []struct {
		change   func(*state.Delta)
		sameHash bool
		line     string
	}{
		{func(*state.Delta) {}, true, ""},
		{func(d *state.Delta) { d.Created = d.Created[1:] }, false, "coin " + last.Out.String() + ": "},
		{func(d *state.Delta) { d.Created = append(d.Created[:7:7], foreignCoin()) }, false, "coin " + strings.Repeat("aa", 32) + ":0: none against 1 units"},
		{func(d *state.Delta) { d.Created = append(heavier(last), d.Created[1:]...) }, false, "coin " + last.Out.String() + ": "},
		{func(d *state.Delta) { d.Goods = append(d.Goods[:len(d.Goods):len(d.Goods)], goodsChange("Z")) }, false, "goods key 5a: none against 01"},
		{func(d *state.Delta) { d.Nodes = append(d.Nodes[:len(d.Nodes):len(d.Nodes)], goodsChange("\x00z")) }, true, "goods key 007a: none against 01"},
	} {
		b, err := a.OpenScratch()
		must(t, err)
		_, _, err = b.LoadHeaders()
		must(t, err)
		replay(t, w, a, b, c.change)
		frozenB := mustFreeze(t, b)
		got, err := frozenB.StateHash()
		must(t, err)
		line, err := FirstDifference(frozenA, frozenB)
		must(t, err)
		must(t, frozenB.Close())
		if (got == want) != c.sameHash || !strings.HasPrefix(line, c.line) || (c.line == "") != (line == "") {
			t.Errorf("%q, not %q; hash %s", line, c.line, got)
		}
		must(t, b.RemoveScratch())
	}
	if a.exists(scratchDir) {
		t.Error("the scratch state is still there")
	}
	fresh, _ := mustOpen(t, testOptions(vfs.NewMem()))
	frozenFresh := mustFreeze(t, fresh)
	defer frozenFresh.Close()
	if line, err := FirstDifference(frozenA, frozenFresh); !strings.HasPrefix(line, "tip: 20 ") || err != nil {
		t.Errorf("%q, %v", line, err)
	}
	must(t, frozenA.Close())
}

// replay connects a's blocks to b, the last one changed.
func replay(t *testing.T, w *world, a, b *Store, change func(*state.Delta)) {
	t.Helper()
	for height := int32(1); height <= a.Tip().Height; height++ {
		header := a.Tip().Ancestor(height)
		d := *w.states[header.Hash].delta
		if header == a.Tip() {
			change(&d)
		}
		must(t, b.Connect(state.NewHeader(&header.Raw, b.Tip()), &d, w.undos[header.Hash]))
	}
}

func foreignCoin() state.CoinChange {
	var op wire.OutPoint
	for i := range op.Hash {
		op.Hash[i] = 0xaa
	}
	return state.CoinChange{Out: op, Coin: &state.Coin{ValueUnits: 1}}
}

func heavier(c state.CoinChange) []state.CoinChange {
	coin := *c.Coin
	coin.ValueUnits++
	return []state.CoinChange{{Out: c.Out, Coin: &coin}}
}

func goodsChange(key string) state.GoodsChange {
	return state.GoodsChange{Key: []byte(key), New: []byte{1}}
}
