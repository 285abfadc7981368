package store

import (
	"granary/base/kv"
	"granary/store/coins"
)

// commitState writes the batch of a commit.
func (s *Store) commitState() error {
	batch := s.db.NewBatch(s.batchBytes())
	s.putCoins(batch)
	for n := s.goods.From(nil); n != nil; n = n.Next() {
		if n.value == nil {
			batch.Delete(goodsKey(n.key))
		} else {
			batch.Put(goodsKey(n.key), n.value)
		}
	}
	for _, h := range s.headers {
		record, err := recordOf(h)
		if err != nil {
			batch.Discard()
			return err
		}
		headerTable.Put(batch, keyOf(h), record)
	}
	for place, sum := range s.sums {
		sumTable.Put(batch, place, sum)
	}
	for _, file := range s.doomed {
		deletionTable.Put(batch, file, struct{}{})
	}
	meta := s.meta
	meta.tip = keyOf(s.tip)
	metaTable.Put(batch, struct{}{}, meta)
	if err := batch.Commit(); err != nil {
		return err
	}
	s.meta = meta
	return nil
}

// batchBytes is room enough for the batch, so that it is not copied while it
// grows: a coin's record is shorter than its place in the cache.
func (s *Store) batchBytes() int {
	return int(s.coins.DirtyBytes()+s.goods.memoryBytes) + (len(s.headers)+len(s.sums))*headerPendingBytes + 1<<10
}

func (s *Store) putCoins(batch *kv.Batch) {
	key := append(make([]byte, 0, 1+coins.KeyBytes), prefixCoins)
	var value []byte
	s.coins.Dirty(func(change *coins.Change) {
		key = append(key[:1], change.Key[:]...)
		if change.Coin == nil {
			batch.Delete(key)
			return
		}
		value = coins.AppendCoin(value[:0], change.Coin)
		batch.Put(key, value)
	})
}

// spaceReserveBytes must stay free beside what a commit writes, as in Core.
const spaceReserveBytes = 50 << 20

// checkSpace refuses a commit that the disk has no room for, before anything
// is written: the log and, soon after, the tables take the batch's length.
func (s *Store) checkSpace() error {
	usage, err := s.options.FS.GetDiskUsage(s.options.Dir)
	if err != nil {
		return nil //nolint:nilerr // a file system that does not tell is asked by writing
	}
	if usage.AvailBytes < uint64(2*s.batchBytes()+spaceReserveBytes) {
		return kv.Full(s.options.Dir)
	}
	return nil
}
