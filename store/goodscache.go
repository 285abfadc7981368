package store

import (
	"sync"
	"sync/atomic"
)

// goodsCache remembers values of the goods state as they are on the disk, and
// keys that the disk does not have. It has two generations: what is asked for
// moves to the younger one; when that has half of the memory, the older one is
// forgotten and the younger one takes its place.
//
// It is safe for concurrent use. That it never says what the disk does not say
// is due to the Store: values change in a commit only, which hands every change
// to put, and nobody reads meanwhile.
type goodsCache struct {
	mu         sync.Mutex
	young, old map[string][]byte // nil for an absent key
	youngBytes int64
	maxBytes   int64
}

func newGoodsCache(maxBytes int64) *goodsCache {
	return &goodsCache{young: map[string][]byte{}, old: map[string][]byte{}, maxBytes: maxBytes}
}

// goodsEntryBytes is what an entry costs beside its key and value.
const goodsEntryBytes = 80

// get gives what the disk has under key; known is false where that is not
// remembered.
func (c *goodsCache) get(key []byte) (value []byte, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if value, known = c.young[string(key)]; known {
		return value, true
	}
	if value, known = c.old[string(key)]; known {
		c.insert(key, value)
	}
	return value, known
}

// put remembers what the disk has under key, nil for nothing. It keeps value.
func (c *goodsCache) put(key, value []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before, known := c.young[string(key)]
	if !known {
		c.insert(key, value)
		return
	}
	c.young[string(key)] = value
	c.youngBytes += int64(len(value) - len(before))
}

// insert adds to the younger generation what it does not have.
func (c *goodsCache) insert(key, value []byte) {
	if c.youngBytes > c.maxBytes/2 {
		c.young, c.old = c.old, c.young
		clear(c.young)
		c.youngBytes = 0
	}
	c.young[string(key)] = value
	c.youngBytes += int64(len(key)+len(value)) + goodsEntryBytes
}

// goodsReaders is how many reads WarmGoods has in flight, keysPerReader how
// many keys a reader takes at a time.
const (
	goodsReaders  = 8
	keysPerReader = 8
)

// WarmGoods implements state.GoodsWarmer: it reads the values under keys into
// memory, many at a time. What cannot be read now is met again by Goods, which
// reports it. Like Goods it may be called by any number of goroutines between
// the writer's calls.
func (s *Store) WarmGoods(keys [][]byte) {
	var missing [][]byte
	for _, key := range keys {
		if _, waits := s.goods.Get(key); waits {
			continue
		}
		if _, known := s.cached.get(key); !known {
			missing = append(missing, key)
		}
	}
	if s.failed != nil {
		return
	}
	var next atomic.Int64
	read := func() {
		for {
			last := next.Add(keysPerReader)
			first := last - keysPerReader
			if first >= int64(len(missing)) {
				return
			}
			for _, key := range missing[first:min(last, int64(len(missing)))] {
				_, _ = s.goodsOnDisk(key) //nolint:errcheck // see above
			}
		}
	}
	var wait sync.WaitGroup
	for range min(goodsReaders, len(missing)/keysPerReader) {
		wait.Go(read)
	}
	read()
	wait.Wait()
}

// goodsOnDisk reads a value and remembers it.
func (s *Store) goodsOnDisk(key []byte) ([]byte, error) {
	value, err := s.db.Get(goodsKey(key))
	if err == nil {
		s.cached.put(key, value)
	}
	return value, err
}
