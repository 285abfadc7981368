package store

import (
	"bytes"
	"sync"
	"sync/atomic"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/kv"
	"granary/state"
	"granary/store/coins"
)

var (
	_ state.View        = (*Store)(nil)
	_ state.GoodsWarmer = (*Store)(nil)
)

// Coin implements state.CoinView. The coin is the caller's own.
func (s *Store) Coin(op wire.OutPoint) (*state.Coin, error) {
	if coin, known := s.coins.Lookup(&op); known {
		return coin, nil
	}
	return s.coinOnDisk(&op)
}

func (s *Store) coinOnDisk(op *wire.OutPoint) (coin *state.Coin, err error) {
	if s.failed != nil {
		return nil, s.failed
	}
	key := coins.KeyOf(op)
	_, err = s.db.View(coinKey(&key), func(value []byte) error {
		if coin, err = coins.DecodeCoin(value); err != nil {
			return s.damaged("coin %v: %v", op, err)
		}
		return nil
	})
	return coin, err
}

// prefetchers is how many reads Prefetch has in flight.
const prefetchers = 16

// Prefetch reads the coins at ops into memory, many at a time, so that the
// rules find them there. It is the writer's: nobody may read meanwhile. What
// cannot be read now is met again by Coin, which reports it.
func (s *Store) Prefetch(ops []wire.OutPoint) {
	missing := make([]*wire.OutPoint, 0, len(ops))
	for i := range ops {
		if !s.coins.Known(&ops[i]) {
			missing = append(missing, &ops[i])
		}
	}
	if len(missing) == 0 || s.failed != nil {
		return
	}
	if s.coins.Bytes() > s.budget.coinBytes {
		s.coins.DropClean()
	}
	found := make([]*state.Coin, len(missing))
	var next atomic.Int64
	read := func() {
		for i := next.Add(1) - 1; i < int64(len(missing)); i = next.Add(1) - 1 {
			found[i], _ = s.coinOnDisk(missing[i]) //nolint:errcheck // see above
		}
	}
	var wait sync.WaitGroup
	for range min(prefetchers, len(missing)/2) {
		wait.Go(read)
	}
	read()
	wait.Wait()
	for i, coin := range found {
		if coin != nil {
			s.coins.Add(missing[i], coin)
		}
	}
}

// Goods implements state.GoodsView.
func (s *Store) Goods(key []byte) ([]byte, error) {
	if value, known := s.goods.Get(key); known {
		return value, nil
	}
	if s.failed != nil {
		return nil, s.failed
	}
	if value, known := s.cached.get(key); known {
		return value, nil
	}
	return s.goodsOnDisk(key)
}

// GoodsRange implements state.GoodsView.
func (s *Store) GoodsRange(from, to []byte, f func(key, value []byte) bool) error {
	if s.failed != nil {
		return s.failed
	}
	return rangeGoods(s.db, &s.goods, from, to, f)
}

// rangeGoods walks the goods state of r, changed by what waits (nil: nothing).
func rangeGoods(r kv.Reader, waiting *sortedMap, from, to []byte, f func(key, value []byte) bool) error {
	upper := []byte{prefixGoods + 1}
	if to != nil {
		upper = goodsKey(to)
	}
	it, err := r.Iter(goodsKey(from), upper)
	if err != nil {
		return err
	}
	var first *sortedNode
	if waiting != nil {
		first = waiting.From(from)
	}
	walkGoods(it, first, to, f)
	return it.Close()
}

// walkGoods merges the disk with what waits, which wins.
func walkGoods(it *kv.Iter, waiting *sortedNode, to []byte, f func(key, value []byte) bool) {
	if waiting != nil && to != nil && bytes.Compare(waiting.key, to) >= 0 {
		waiting = nil
	}
	advance := func() {
		if waiting = waiting.Next(); waiting != nil && to != nil && bytes.Compare(waiting.key, to) >= 0 {
			waiting = nil
		}
	}
	more := it.Next()
	for more || waiting != nil {
		order := 1
		switch {
		case waiting == nil:
			order = -1
		case more:
			order = bytes.Compare(it.Key()[1:], waiting.key)
		}
		if order < 0 {
			if !f(it.Key()[1:], it.Value()) {
				return
			}
		} else if waiting.value != nil && !f(waiting.key, waiting.value) {
			return
		}
		if order <= 0 {
			more = it.Next()
		}
		if order >= 0 {
			advance()
		}
	}
}
