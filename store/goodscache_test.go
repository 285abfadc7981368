package store

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"granary/params"
)

// charterOptions are those of a chain with a charter, which has a goods cache
// of that size.
func charterOptions(fs vfs.FS) Options {
	o := testOptions(fs)
	o.CharterID[0] = 1
	return o
}

// everyGoodsKey is every goods key that there can be.
func everyGoodsKey() (keys [][]byte) {
	for _, kind := range "AGOS\x00" {
		for n := range 30 {
			keys = append(keys, fmt.Appendf(nil, "%c%02d", kind, n))
		}
	}
	return keys
}

func warmAll(s *Store) { s.WarmGoods(everyGoodsKey()) }

// sameEveryGoods compares with the oracle, absent keys too.
func (w *world) sameEveryGoods(s *Store) error {
	want := w.states[s.Tip().Hash]
	for _, key := range everyGoodsKey() {
		value, err := s.Goods(key)
		if err != nil {
			return err
		}
		if old, there := want.goods[string(key)]; there != (value != nil) || old != string(value) {
			return fmt.Errorf("%w: goods %q reads %q, not %q", errDiffers, key, value, old)
		}
	}
	return want.sameGoods(s)
}

// TestGoodsCacheIsTheDisk goes forward and back at random, with and without
// commits, with caches that hold everything, something and next to nothing:
// whatever was warmed, reads are those of the oracle, and a Snapshot stays at
// its block.
func TestGoodsCacheIsTheDisk(t *testing.T) {
	for _, maxBytes := range []int64{0, 2_000, 1 << 20} {
		fs := vfs.NewMem()
		w := newWorld(uint64(maxBytes) + 31)
		rng := rand.New(rand.NewPCG(uint64(maxBytes), 5))
		s, _ := mustOpen(t, charterOptions(fs))
		s.cached = newGoodsCache(maxBytes)
		var frozen *Snapshot
		for range 150 {
			switch {
			case rng.IntN(4) == 0 && s.Tip().Height > 0:
				must(t, w.disconnect(s))
			default:
				must(t, w.connect(s, 2, 2, 100))
			}
			if rng.IntN(2) == 0 {
				warmAll(s)
			}
			if rng.IntN(2) == 0 {
				must(t, s.Commit())
			}
			must(t, w.sameEveryGoods(s))
			switch {
			case frozen == nil && rng.IntN(10) == 0:
				frozen = mustFreeze(t, s)
			case frozen != nil:
				must(t, w.sameFrozen(frozen))
				if rng.IntN(5) == 0 {
					must(t, frozen.Close())
					frozen = nil
				}
			}
		}
		if frozen != nil {
			must(t, frozen.Close())
		}
		must(t, s.Close())
		s, _ = mustOpen(t, charterOptions(fs))
		warmAll(s)
		must(t, w.sameEveryGoods(s))
		must(t, s.Close())
	}
}

// TestGoodsCacheBound: the cache keeps to its memory, and what is asked for
// again and again stays in it.
func TestGoodsCacheBound(t *testing.T) {
	const maxBytes, valueBytes = 100_000, 300
	c := newGoodsCache(maxBytes)
	hot := []byte("hot")
	c.put(hot, []byte("value"))
	for n := range 5_000 {
		c.put(fmt.Appendf(nil, "key %d", n), make([]byte, valueBytes))
		if value, known := c.get(hot); !known || string(value) != "value" {
			t.Fatalf("forgotten after %d others", n)
		}
		held := 0
		for _, generation := range []map[string][]byte{c.young, c.old} {
			for key, value := range generation {
				held += len(key) + len(value) + goodsEntryBytes
			}
		}
		if held > maxBytes+2*(valueBytes+goodsEntryBytes+10) {
			t.Fatalf("%d bytes are held after %d values", held, n)
		}
	}
	c.put(hot, nil)
	if value, known := c.get(hot); !known || value != nil {
		t.Error("a deleted key is not known to be absent")
	}
}

// TestGoodsReadersBesideEachOther is for the race detector: between the
// writer's calls any number may read and warm.
func TestGoodsReadersBesideEachOther(t *testing.T) {
	w := newWorld(33)
	s, _ := mustOpen(t, charterOptions(vfs.NewMem()))
	for range 20 {
		must(t, w.connect(s, 2, 2, 100))
		must(t, s.Commit())
		s.cached = newGoodsCache(2_000)
		var wait sync.WaitGroup
		for range 4 {
			wait.Go(func() {
				warmAll(s)
				if err := w.sameEveryGoods(s); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
	}
	must(t, s.Close())
}

// TestDivide: the shares stay within the whole.
func TestDivide(t *testing.T) {
	for _, cacheBytes := range []int64{0, 1, 16 << 20, 450 << 20, 8 << 30} {
		for _, charter := range []bool{false, true} {
			b := divide(cacheBytes, charter)
			whole := max(cacheBytes, 16<<20)
			if cacheBytes == 0 {
				whole = params.DefaultDBCacheMiB << 20
			}
			if sum := b.pebbleBytes + b.goodsBytes + 2*b.coinBytes; sum > whole || sum < whole-4 || (b.goodsBytes > 0) != charter {
				t.Errorf("%d bytes, charter %t: %+v", cacheBytes, charter, b)
			}
		}
	}
}
