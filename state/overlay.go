package state

import (
	"bytes"
	"slices"

	"github.com/btcsuite/btcd/wire/v2"
)

// Overlay is a View with changes collected on top, itself a View. It is not
// safe for concurrent use. The View below must not change while it lives.
type Overlay struct {
	below View
	coins map[wire.OutPoint]overlayCoin
	goods map[string]overlayValue
	kinds [256][]string     // the keys of goods by their first byte
	read  map[string][]byte // what was read from below: the same keys are asked for again and again
	order []wire.OutPoint   // first touch, so that Delta needs no map order
}

type overlayCoin struct {
	before *Coin // below, nil if absent
	now    *Coin // nil if spent
}

type overlayValue struct{ before, now []byte }

// NewOverlay starts an empty overlay over a View that does not change while it
// is used; one goroutine uses it. coinHint is how many outpoints it is
// likely to touch.
func NewOverlay(below View, coinHint int) *Overlay {
	return &Overlay{
		below: below,
		coins: make(map[wire.OutPoint]overlayCoin, coinHint),
		goods: make(map[string]overlayValue),
		read:  make(map[string][]byte),
		order: make([]wire.OutPoint, 0, coinHint),
	}
}

// Coin implements CoinView.
func (o *Overlay) Coin(op wire.OutPoint) (*Coin, error) {
	if entry, ok := o.coins[op]; ok {
		return entry.now, nil
	}
	return o.below.Coin(op)
}

// Spend removes the coin at op and returns it, nil if there is none.
func (o *Overlay) Spend(op wire.OutPoint) (*Coin, error) {
	if entry, ok := o.coins[op]; ok {
		coin := entry.now
		if coin != nil {
			entry.now = nil
			o.coins[op] = entry
		}
		return coin, nil
	}
	coin, err := o.below.Coin(op)
	if err != nil || coin == nil {
		return nil, err
	}
	o.coins[op] = overlayCoin{before: coin}
	o.order = append(o.order, op)
	return coin, nil
}

// Create puts a coin at op. fresh promises that the View below has none there,
// which saves the look-up; without it an older coin is overwritten.
func (o *Overlay) Create(op wire.OutPoint, coin *Coin, fresh bool) error {
	entry, ok := o.coins[op]
	if !ok {
		if !fresh {
			before, err := o.below.Coin(op)
			if err != nil {
				return err
			}
			entry.before = before
		}
		o.order = append(o.order, op)
	}
	entry.now = coin
	o.coins[op] = entry
	return nil
}

// Goods implements GoodsView.
func (o *Overlay) Goods(key []byte) ([]byte, error) {
	if entry, ok := o.goods[string(key)]; ok {
		return entry.now, nil
	}
	return o.goodsBelow(key)
}

// maxRead bounds what is remembered of the View below; an overlay may live
// through many blocks.
const maxRead = 1 << 16

// goodsBelow asks the View below once for a key.
func (o *Overlay) goodsBelow(key []byte) ([]byte, error) {
	if value, ok := o.read[string(key)]; ok {
		return value, nil
	}
	value, err := o.below.Goods(key)
	if err == nil {
		if len(o.read) >= maxRead {
			clear(o.read)
		}
		o.read[string(key)] = value
	}
	return value, err
}

// WarmGoods implements GoodsWarmer, as far as the View below does.
func (o *Overlay) WarmGoods(keys [][]byte) {
	below, able := o.below.(GoodsWarmer)
	if !able {
		return
	}
	var missing [][]byte
	for _, key := range keys {
		if _, own := o.goods[string(key)]; own {
			continue
		}
		if _, read := o.read[string(key)]; !read {
			missing = append(missing, key)
		}
	}
	below.WarmGoods(missing)
}

// SetGoods puts value under key; nil removes it. The overlay keeps value.
func (o *Overlay) SetGoods(key, value []byte) error {
	entry, ok := o.goods[string(key)]
	if !ok {
		before, err := o.goodsBelow(key)
		if err != nil {
			return err
		}
		entry.before = before
		delete(o.read, string(key))
		if len(key) > 0 {
			o.kinds[key[0]] = append(o.kinds[key[0]], string(key))
		}
	}
	entry.now = value
	o.goods[string(key)] = entry
	return nil
}

// ownKeys gives the keys in [from, to) that the overlay holds, ascending. Only
// those of the kinds in question are looked at.
func (o *Overlay) ownKeys(from, to []byte) (own []string) {
	first, last := 0, len(o.kinds)-1
	if len(from) > 0 {
		first = int(from[0])
	}
	if len(to) > 0 {
		last = int(to[0])
	}
	for kind := first; kind <= last; kind++ {
		for _, key := range o.kinds[kind] {
			if key >= string(from) && (to == nil || key < string(to)) {
				own = append(own, key)
			}
		}
	}
	slices.Sort(own)
	return own
}

// GoodsRange implements GoodsView over the merged state.
func (o *Overlay) GoodsRange(from, to []byte, f func(key, value []byte) bool) error {
	own := o.ownKeys(from, to)
	stopped := false
	emitOwn := func(key string) bool {
		if now := o.goods[key].now; now != nil && !f([]byte(key), now) {
			stopped = true
		}
		return !stopped
	}
	err := o.below.GoodsRange(from, to, func(key, value []byte) bool {
		for len(own) > 0 && own[0] < string(key) {
			next := own[0]
			own = own[1:]
			if !emitOwn(next) {
				return false
			}
		}
		if len(own) > 0 && own[0] == string(key) {
			next := own[0]
			own = own[1:]
			return emitOwn(next)
		}
		if !f(key, value) {
			stopped = true
		}
		return !stopped
	})
	if err != nil || stopped {
		return err
	}
	for _, key := range own {
		if !emitOwn(key) {
			return nil
		}
	}
	return nil
}

// Changes gives what the overlay collected: coins spent and created in order
// of first touch, goods changes in ascending key order. isNode tells tree
// nodes from state keys. The result owns its memory.
func (o *Overlay) Changes(isNode func(key []byte) bool) *Delta {
	d := &Delta{}
	for _, op := range o.order {
		entry := o.coins[op]
		if entry.before != nil && entry.now != entry.before {
			d.Spent = append(d.Spent, CoinChange{op, entry.before})
		}
		if entry.now != nil && entry.now != entry.before {
			d.Created = append(d.Created, CoinChange{op, entry.now})
		}
	}
	keys := make([]string, 0, len(o.goods))
	for key := range o.goods {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		entry := o.goods[key]
		if bytes.Equal(entry.before, entry.now) && (entry.before == nil) == (entry.now == nil) {
			continue
		}
		change := GoodsChange{Key: []byte(key), Old: entry.before, New: entry.now}
		if isNode(change.Key) {
			d.Nodes = append(d.Nodes, change)
		} else {
			d.Goods = append(d.Goods, change)
		}
	}
	return d
}

// Empty is a View of nothing: the state before genesis.
type Empty struct{}

// Coin implements CoinView.
func (Empty) Coin(wire.OutPoint) (*Coin, error) { return nil, nil }

// Goods implements GoodsView.
func (Empty) Goods([]byte) ([]byte, error) { return nil, nil }

// GoodsRange implements GoodsView.
func (Empty) GoodsRange(_, _ []byte, _ func(_, _ []byte) bool) error { return nil }

var (
	_ View        = (*Overlay)(nil)
	_ GoodsWarmer = (*Overlay)(nil)
	_ View        = Empty{}
)
