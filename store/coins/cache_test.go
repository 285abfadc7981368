package coins

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"granary/state"
)

func outPoint(n int) *wire.OutPoint {
	op := &wire.OutPoint{Index: uint32(n % 3)}
	binary.LittleEndian.PutUint32(op.Hash[:], uint32(n/3)*2654435761)
	return op
}

// oracle is a cache and its disk without any cleverness: what the disk has,
// and what it should have after the next commit.
type oracle struct{ disk, now map[wire.OutPoint]*state.Coin }

// TestCacheModel drives the cache against the oracle: whatever it says it
// knows must be true, and its changes must bring the disk to date.
func TestCacheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := NewCache()
		o := oracle{map[wire.OutPoint]*state.Coin{}, map[wire.OutPoint]*state.Coin{}}
		ops := rapid.Custom(func(t *rapid.T) *wire.OutPoint { return outPoint(rapid.IntRange(0, 40).Draw(t, "n")) })
		serial := 0
		newCoin := func() *state.Coin {
			serial++
			size := rapid.SampledFrom([]int{0, 22, 25, 34, 300, 10_000}).Draw(t, "script bytes")
			return &state.Coin{ValueUnits: int64(serial), Height: int32(serial), Coinbase: serial%2 == 0, Script: bytes.Repeat([]byte{byte(serial)}, size)}
		}
		t.Repeat(map[string]func(*rapid.T){
			"create": func(t *rapid.T) {
				op, coin := ops.Draw(t, "op"), newCoin()
				fresh := o.now[*op] == nil && (o.disk[*op] == nil || c.Known(op)) && rapid.Bool().Draw(t, "fresh")
				c.Create(op, coin, fresh)
				o.now[*op] = coin
			},
			"spend": func(t *rapid.T) {
				op := ops.Draw(t, "op")
				if o.now[*op] == nil {
					t.Skip("nothing to spend")
				}
				c.Spend(op)
				delete(o.now, *op)
			},
			"read": func(t *rapid.T) {
				op := ops.Draw(t, "op")
				if coin := o.disk[*op]; coin != nil && !c.Known(op) {
					c.Add(op, coin)
				}
			},
			"drop clean": func(*rapid.T) { c.DropClean() },
			"commit": func(t *rapid.T) {
				o.commit(c)
				if rapid.Bool().Draw(t, "trim") {
					c.Trim(rapid.Int64Range(0, 1<<20).Draw(t, "bound"))
				}
			},
			"": func(t *rapid.T) { o.check(t, c) },
		})
	})
}

func (o *oracle) commit(c *Cache) {
	c.Dirty(func(ch *Change) {
		if ch.Coin == nil {
			delete(o.disk, ch.Key.OutPoint())
		} else {
			o.disk[ch.Key.OutPoint()] = ch.Coin.Clone()
		}
	})
	c.MarkClean()
}

func (o *oracle) check(t *rapid.T, c *Cache) {
	entries := 0
	var dirty int64
	for n := range 41 {
		op := outPoint(n)
		coin, known := c.Lookup(op)
		if !known {
			coin = o.disk[*op]
		} else {
			entries++
		}
		if !sameCoin(coin, o.now[*op]) {
			t.Fatalf("%v: %+v, not %+v (known %v)", op, coin, o.now[*op], known)
		}
	}
	if entries != c.Count() {
		t.Fatalf("%d entries, counts %d", entries, c.Count())
	}
	merged := make(map[wire.OutPoint]*state.Coin)
	for op, coin := range o.disk {
		merged[op] = coin
	}
	listed := make(map[Key]bool)
	c.Dirty(func(ch *Change) {
		if listed[ch.Key] {
			t.Fatalf("%x is listed twice", ch.Key)
		}
		listed[ch.Key] = true
		dirty += entryHead
		if ch.Coin == nil {
			delete(merged, ch.Key.OutPoint())
		} else {
			merged[ch.Key.OutPoint()] = ch.Coin.Clone()
		}
	})
	if diff := cmp.Diff(o.now, merged, byCoin); diff != "" {
		t.Fatal(diff)
	}
	if c.DirtyBytes() < dirty || (c.DirtyBytes() == 0) != (c.DirtyCount() == 0) || c.arena.usedBytes > c.Bytes() {
		t.Fatalf("%d dirty bytes for %d", c.DirtyBytes(), dirty)
	}
}

// TestShortLivedCoins shows that a fresh coin that is spent leaves nothing to
// write and that its memory is used again.
func TestShortLivedCoins(t *testing.T) {
	c := NewCache()
	coin := &state.Coin{ValueUnits: 1, Script: make([]byte, 22), Height: 1}
	for n := range 200_000 {
		c.Create(outPoint(n), coin, true)
		if n >= 100 {
			c.Spend(outPoint(n - 100))
		}
	}
	if c.DirtyCount() != 100 || c.Count() != 100 {
		t.Errorf("%d changes, %d entries", c.DirtyCount(), c.Count())
	}
	if c.Bytes() > 2*chunkBytes {
		t.Errorf("holds %d bytes", c.Bytes())
	}
}

func TestTrimKeepsTheYoung(t *testing.T) {
	c := NewCache()
	coin := &state.Coin{ValueUnits: 1, Script: make([]byte, 22), Height: 1}
	for n := range 100_000 {
		c.Create(outPoint(n), coin, true)
	}
	c.MarkClean()
	c.Trim(4 << 20)
	if got := c.Bytes(); got > 3<<20 {
		t.Errorf("holds %d bytes after Trim", got)
	}
	if c.Known(outPoint(0)) || !c.Known(outPoint(99_999)) {
		t.Error("kept the old, forgot the young")
	}
}

func TestSpentTwiceIsOurFault(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("went on")
		}
	}()
	c := NewCache()
	c.Spend(outPoint(1))
	c.Spend(outPoint(1))
}

func TestKeysAscend(t *testing.T) {
	var keys []Key
	for _, n := range []uint32{0, 1, 255, 256, 65536, 1<<32 - 1} {
		keys = append(keys, KeyOf(&wire.OutPoint{Index: n}))
		if key := keys[len(keys)-1]; key.OutPoint() != (wire.OutPoint{Index: n}) {
			t.Errorf("output %d does not come back", n)
		}
	}
	if !slices.IsSortedFunc(keys, func(a, b Key) int { return bytes.Compare(a[:], b[:]) }) {
		t.Error("keys do not ascend with outputs")
	}
}

func BenchmarkCache(b *testing.B) {
	for _, size := range []int{22, 34} {
		b.Run(fmt.Sprintf("create+lookup+spend/%d", size), func(b *testing.B) {
			c := NewCache()
			coin := &state.Coin{ValueUnits: 1, Script: make([]byte, size), Height: 1}
			b.ReportAllocs()
			for n := range b.N {
				c.Create(outPoint(n), coin, true)
				if n >= 100_000 {
					if _, known := c.Lookup(outPoint(n - 100_000)); !known {
						b.Fatal("lost")
					}
					c.Spend(outPoint(n - 100_000))
				}
			}
		})
	}
}
