package state

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"pgregory.net/rapid"
)

// memory is a View in maps.
type memory struct {
	coins map[wire.OutPoint]*Coin
	goods map[string][]byte
}

func (m *memory) Coin(op wire.OutPoint) (*Coin, error) { return m.coins[op], nil }
func (m *memory) Goods(key []byte) ([]byte, error)     { return m.goods[string(key)], nil }

func (m *memory) GoodsRange(from, to []byte, f func(key, value []byte) bool) error {
	for _, key := range slices.Sorted(maps.Keys(m.goods)) {
		if key >= string(from) && (to == nil || key < string(to)) && !f([]byte(key), m.goods[key]) {
			return nil
		}
	}
	return nil
}

func (m *memory) clone() *memory { return &memory{maps.Clone(m.coins), maps.Clone(m.goods)} }

// apply carries a delta out and fails where it does not fit.
func (m *memory) apply(t *rapid.T, d *Delta) {
	for _, c := range d.Spent {
		if m.coins[c.Out] != c.Coin {
			t.Fatalf("%v is spent but not there", c.Out)
		}
		delete(m.coins, c.Out)
	}
	for _, c := range d.Created {
		if m.coins[c.Out] != nil {
			t.Fatalf("%v is created but there", c.Out)
		}
		m.coins[c.Out] = c.Coin
	}
	for _, c := range slices.Concat(d.Goods, d.Nodes) {
		if !bytes.Equal(m.goods[string(c.Key)], c.Old) || (bytes.Equal(c.Old, c.New) && (c.Old == nil) == (c.New == nil)) {
			t.Fatalf("goods change %q from %q to %q", c.Key, c.Old, c.New)
		}
		if c.New == nil {
			delete(m.goods, string(c.Key))
		} else {
			m.goods[string(c.Key)] = c.New
		}
	}
}

func dump(t *rapid.T, v View, from, to []byte) (lines []string) {
	err := v.GoodsRange(from, to, func(key, value []byte) bool {
		lines = append(lines, fmt.Sprintf("%q=%q", key, value))
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func isNode(key []byte) bool { return len(key) > 0 && key[0] == 'n' }

// Random work on an overlay against the same work on plain maps: equal reads
// on the way, and a delta that carries one map into the other.
func TestOverlayAgainstMaps(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		below := &memory{map[wire.OutPoint]*Coin{}, map[string][]byte{}}
		outpoint := func() wire.OutPoint { return wire.OutPoint{Index: rapid.Uint32Range(0, 9).Draw(rt, "out")} }
		key := func() []byte {
			return []byte(rapid.SampledFrom([]string{"a", "b", "ba", "c", "n1", "n2", "z"}).Draw(rt, "key"))
		}
		for range rapid.IntRange(0, 8).Draw(rt, "coins below") {
			below.coins[outpoint()] = NewCoin(1, nil, 1, false)
		}
		for range rapid.IntRange(0, 5).Draw(rt, "goods below") {
			below.goods[string(key())] = []byte{1}
		}
		over, now := NewOverlay(below, 4), below.clone()
		for range rapid.IntRange(0, 30).Draw(rt, "steps") {
			step(rt, over, now, outpoint, key)
			from, to := key(), key()
			if rapid.Bool().Draw(rt, "open end") {
				to = nil
			}
			if got, want := dump(rt, over, from, to), dump(rt, now, from, to); !slices.Equal(got, want) {
				rt.Fatalf("range %q to %q: %v, want %v", from, to, got, want)
			}
		}
		delta := over.Changes(isNode)
		for _, c := range delta.Goods {
			if isNode(c.Key) {
				rt.Fatal("a node among the goods")
			}
		}
		moved := below.clone()
		moved.apply(rt, delta)
		if !maps.Equal(moved.coins, now.coins) || !maps.EqualFunc(moved.goods, now.goods, bytes.Equal) {
			rt.Fatal("the delta does not lead to the state")
		}
	})
}

func step(rt *rapid.T, over *Overlay, now *memory, outpoint func() wire.OutPoint, key func() []byte) {
	op := outpoint()
	switch rapid.IntRange(0, 3).Draw(rt, "step") {
	case 0:
		got, err := over.Spend(op)
		if err != nil || got != now.coins[op] {
			rt.Fatalf("spend %v: %v %v", op, got, err)
		}
		delete(now.coins, op)
	case 1:
		coin := NewCoin(rapid.Int64Range(2, 9).Draw(rt, "units"), []byte{1}, 2, false)
		if err := over.Create(op, coin, false); err != nil {
			rt.Fatal(err)
		}
		now.coins[op] = coin
	default:
		k := key()
		var value []byte
		if rapid.Bool().Draw(rt, "set") {
			value = []byte{rapid.ByteRange(1, 3).Draw(rt, "value")}
		}
		if err := over.SetGoods(k, value); err != nil {
			rt.Fatal(err)
		}
		if value == nil {
			delete(now.goods, string(k))
		} else {
			now.goods[string(k)] = value
		}
		if got, err := over.Goods(k); err != nil || !bytes.Equal(got, value) {
			rt.Fatalf("goods %q: %q %v", k, got, err)
		}
	}
	if got, err := over.Coin(op); err != nil || got != now.coins[op] {
		rt.Fatalf("coin %v: %v %v", op, got, err)
	}
}

// A coin owns its script, in one allocation where the script is a usual one.
func TestNewCoinCopiesItsScript(t *testing.T) {
	for _, n := range []int{0, 1, 25, 34, inlineScriptBytes, inlineScriptBytes + 1, 5000} {
		script := bytes.Repeat([]byte{7}, n)
		coin := NewCoin(5, script, 6, true)
		clone := coin.Clone()
		clear(script)
		want := Coin{ValueUnits: 5, Script: bytes.Repeat([]byte{7}, n), Height: 6, Coinbase: true}
		if !coin.Equal(&want) || !clone.Equal(&want) {
			t.Errorf("%d bytes: %+v", n, coin)
		}
		_ = append(coin.Script, 9)
		if !clone.Equal(&want) || !coin.Equal(&want) {
			t.Errorf("%d bytes: shared memory", n)
		}
	}
	script := make([]byte, 34)
	if allocs := testing.AllocsPerRun(100, func() { NewCoin(1, script, 1, false) }); allocs > 1 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestUnspendable(t *testing.T) {
	for _, c := range []struct {
		script []byte
		want   bool
	}{
		{nil, false},
		{[]byte{0x6a}, true},
		{[]byte{0x51, 0x6a}, false},
		{make([]byte, 10_000), false},
		{make([]byte, 10_001), true},
	} {
		if Unspendable(c.script) != c.want {
			t.Errorf("script of %d bytes", len(c.script))
		}
	}
}
