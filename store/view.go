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

var _ state.View = (*Store)(nil)

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
	return s.db.Get(goodsKey(key))
}

// GoodsRange implements state.GoodsView.
func (s *Store) GoodsRange(from, to []byte, f func(key, value []byte) bool) error {
	if s.failed != nil {
		return s.failed
	}
	upper := []byte{prefixGoods + 1}
	if to != nil {
		upper = goodsKey(to)
	}
	it, err := s.db.Iter(goodsKey(from), upper)
	if err != nil {
		return err
	}
	walkGoods(it, s.goods.From(from), to, f)
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

// RangeCoins calls f for every coin, those not committed yet included, in
// ascending order of (txid's bytes, output), until f returns false. The coin
// may be kept.
func (s *Store) RangeCoins(f func(op wire.OutPoint, c *state.Coin) bool) error {
	walk, err := s.walkCoins()
	if err != nil {
		return err
	}
	for walk.next() {
		if !f(walk.key.OutPoint(), walk.coin) {
			break
		}
	}
	return walk.close()
}

// coinWalk merges the coins on the disk with the changes that wait.
type coinWalk struct {
	store   *Store
	it      *kv.Iter
	more    bool
	changes func() *coins.Change
	change  *coins.Change

	key  coins.Key
	coin *state.Coin
	err  error
}

func (s *Store) walkCoins() (*coinWalk, error) {
	if s.failed != nil {
		return nil, s.failed
	}
	it, err := s.db.Iter([]byte{prefixCoins}, []byte{prefixCoins + 1})
	if err != nil {
		return nil, err
	}
	w := &coinWalk{store: s, it: it, more: it.Next(), changes: s.coins.DirtySorted()}
	w.change = w.changes()
	return w, nil
}

// next moves to the next coin; false at the end or at an error.
func (w *coinWalk) next() bool {
	for w.err == nil && (w.more || w.change != nil) {
		order := 1
		switch {
		case w.change == nil:
			order = -1
		case w.more:
			order = bytes.Compare(w.it.Key()[1:], w.change.Key[:])
		}
		w.coin = nil
		if order < 0 {
			w.fromDisk()
		} else if w.key = w.change.Key; w.change.Coin != nil {
			w.coin = w.change.Coin.Clone()
		}
		if order <= 0 {
			w.more = w.it.Next()
		}
		if order >= 0 {
			w.change = w.changes()
		}
		if w.coin != nil {
			return true
		}
	}
	return false
}

func (w *coinWalk) fromDisk() {
	if len(w.it.Key()) != 1+coins.KeyBytes {
		w.err = w.store.damaged("coin key of %d bytes", len(w.it.Key()))
		return
	}
	w.key = coins.Key(w.it.Key()[1:])
	if w.coin, w.err = coins.DecodeCoin(w.it.Value()); w.err != nil {
		op := w.key.OutPoint()
		w.coin, w.err = nil, w.store.damaged("coin %v: %v", &op, w.err)
	}
}

func (w *coinWalk) close() error {
	err := w.it.Close()
	if w.err != nil {
		err = w.err
	}
	return err
}
