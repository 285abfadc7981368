package store

import (
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/kv"
	"granary/state"
	"granary/store/coins"
)

var _ state.GoodsView = (*Snapshot)(nil)

// Snapshot is the state after one block, frozen: the Store moves on while a
// Snapshot is walked, so that a long count holds no block back. It is safe for
// concurrent use until Close. While it is there the disk keeps what it holds,
// so let it go as soon as the walk is done.
type Snapshot struct {
	store *Store
	db    *kv.Snapshot
	tip   *state.Header
	goOn  func() error
}

// Snapshot commits what waits and freezes the state. It is the writer's; what
// is done with the Snapshot is not. goOn, which may be nil, is asked before
// every coin and goods key: an error from it ends the walk, which gives it.
// Whoever gets a Snapshot closes it, once; Close of the Store waits for that.
func (s *Store) Snapshot(goOn func() error) (*Snapshot, error) {
	if err := s.Commit(); err != nil {
		return nil, err
	}
	if goOn == nil {
		goOn = func() error { return nil }
	}
	s.snapshots.Add(1)
	return &Snapshot{store: s, db: s.db.Snapshot(), tip: s.tip, goOn: goOn}, nil
}

// Close lets the Snapshot go. No walk may be under way.
func (s *Snapshot) Close() error {
	defer s.store.snapshots.Done()
	return s.db.Close()
}

// Tip is the block after which the state is frozen.
func (s *Snapshot) Tip() *state.Header { return s.tip }

// Goods implements state.GoodsView.
func (s *Snapshot) Goods(key []byte) (value []byte, err error) {
	_, err = s.db.View(goodsKey(key), func(found []byte) error {
		value = append(make([]byte, 0, len(found)), found...)
		return nil
	})
	return value, err
}

// GoodsRange implements state.GoodsView.
func (s *Snapshot) GoodsRange(from, to []byte, f func(key, value []byte) bool) error {
	var stop error
	err := rangeGoods(s.db, nil, from, to, func(key, value []byte) bool {
		if stop = s.goOn(); stop != nil {
			return false
		}
		return f(key, value)
	})
	return firstError(stop, err)
}

// RangeCoins calls f for every coin in ascending order of (txid's bytes,
// output), until f returns false. The coin may be kept.
func (s *Snapshot) RangeCoins(f func(op wire.OutPoint, c *state.Coin) bool) error {
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

// coinWalk goes from coin to coin.
type coinWalk struct {
	snapshot *Snapshot
	it       *kv.Iter

	key  coins.Key
	coin *state.Coin
	err  error
}

func (s *Snapshot) walkCoins() (*coinWalk, error) {
	it, err := s.db.Iter([]byte{prefixCoins}, []byte{prefixCoins + 1})
	if err != nil {
		return nil, err
	}
	return &coinWalk{snapshot: s, it: it}, nil
}

// next moves to the next coin; false at the end or at an error.
func (w *coinWalk) next() bool {
	w.coin = nil
	if w.err == nil {
		w.err = w.snapshot.goOn()
	}
	if w.err != nil || !w.it.Next() {
		return false
	}
	store := w.snapshot.store
	if len(w.it.Key()) != 1+coins.KeyBytes {
		w.err = store.damaged("coin key of %d bytes", len(w.it.Key()))
		return false
	}
	w.key = coins.Key(w.it.Key()[1:])
	coin, err := coins.DecodeCoin(w.it.Value())
	if err != nil {
		op := w.key.OutPoint()
		w.err = store.damaged("coin %v: %v", &op, err)
		return false
	}
	w.coin = coin
	return true
}

func (w *coinWalk) close() error {
	err := w.it.Close()
	if w.err != nil {
		err = w.err
	}
	return err
}
