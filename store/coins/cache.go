package coins

import (
	"encoding/binary"
	"hash/maphash"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/state"
)

// Cache is the write-back cache of the UTXO set. It knows coins as they are
// on the disk (clean) and changes that the disk does not have (dirty).
//
// One goroutine writes (Add, Create, Spend, DropClean, MarkClean, Trim);
// Lookup, Dirty and the figures may be called by any number of goroutines
// while no writer's call runs. Whoever owns the cache sees to that.
type Cache struct {
	arena arena
	index index
	dirty []ref
	// dirtyBytes are the entries in the dirty list.
	dirtyBytes int64
}

// NewCache gives an empty cache.
func NewCache() *Cache {
	c := &Cache{}
	c.index.seed = maphash.MakeSeed()
	c.index.slots = make([]uint64, 1<<10)
	return c
}

// Lookup tells what the cache knows about op: known is false if nothing, and
// coin is nil if it is known to be spent. The coin is the caller's own.
func (c *Cache) Lookup(op *wire.OutPoint) (coin *state.Coin, known bool) {
	key := KeyOf(op)
	_, r := c.index.find(&c.arena, &key, c.index.hash(&key))
	if r == 0 {
		return nil, false
	}
	e := c.arena.entry(r)
	if e[2]&flagSpent != 0 {
		return nil, true
	}
	coin = newCoin(entryValue(e))
	coin.Script = append(coin.Script, entryScript(e)...)
	return coin, true
}

// Known reports whether Lookup would know op.
func (c *Cache) Known(op *wire.OutPoint) bool {
	key := KeyOf(op)
	_, r := c.index.find(&c.arena, &key, c.index.hash(&key))
	return r != 0
}

// Add remembers a coin as it is on the disk. It does nothing where op is
// known already.
func (c *Cache) Add(op *wire.OutPoint, coin *state.Coin) {
	key := KeyOf(op)
	hash := c.index.hash(&key)
	if _, r := c.index.find(&c.arena, &key, hash); r == 0 {
		c.store(&key, hash, coin, flagRecent)
	}
}

// Create puts a coin at op. fresh promises that the disk has none there, so
// that the coin need not be deleted on the disk if it is spent before the
// next commit; it counts only where the cache does not know better.
func (c *Cache) Create(op *wire.OutPoint, coin *state.Coin, fresh bool) {
	key := KeyOf(op)
	hash := c.index.hash(&key)
	slot, r := c.index.find(&c.arena, &key, hash)
	flags := byte(flagRecent | flagDirty)
	if r != 0 {
		// What is known of the disk stays known: a spent or clean entry is
		// one that the disk has.
		fresh = c.arena.entry(r)[2]&flagFresh != 0
		c.drop(slot, r)
	}
	if fresh {
		flags |= flagFresh
	}
	c.store(&key, hash, coin, flags)
}

// Spend removes the coin at op, whether the cache knows it or not.
func (c *Cache) Spend(op *wire.OutPoint) {
	key := KeyOf(op)
	hash := c.index.hash(&key)
	slot, r := c.index.find(&c.arena, &key, hash)
	if r == 0 {
		c.store(&key, hash, &state.Coin{}, flagRecent|flagDirty|flagSpent)
		return
	}
	e := c.arena.entry(r)
	check.Must(e[2]&flagSpent == 0, "coin %v is spent twice", op)
	if e[2]&flagFresh != 0 {
		c.drop(slot, r)
		return
	}
	e[2] |= flagSpent
	if e[2]&flagDirty == 0 {
		e[2] |= flagDirty
		c.listDirty(r, e)
	}
}

func (c *Cache) store(key *Key, hash uint32, coin *state.Coin, flags byte) {
	check.Must(len(coin.Script) <= maxScript, "coin with a script of %d bytes", len(coin.Script))
	r := c.arena.alloc(entryUnits(len(coin.Script)))
	e := c.arena.entry(r)
	e[2] = flags | flagUsed
	copy(e[8:], key[:])
	binary.LittleEndian.PutUint32(e[44:], uint32(heightCode(coin)))
	binary.LittleEndian.PutUint64(e[48:], uint64(coin.ValueUnits))
	binary.LittleEndian.PutUint16(e[56:], uint16(len(coin.Script)))
	copy(e[entryHead:], coin.Script)
	c.index.insert(hash, r)
	if flags&flagDirty != 0 {
		c.listDirty(r, e)
	}
}

func (c *Cache) listDirty(r ref, e []byte) {
	binary.LittleEndian.PutUint32(e[4:], uint32(len(c.dirty)))
	c.dirty = append(c.dirty, r)
	c.dirtyBytes += int64(len(e))
}

// drop forgets an entry; a dirty one leaves the list, whose last takes its
// place.
func (c *Cache) drop(slot int, r ref) {
	e := c.arena.entry(r)
	if e[2]&flagDirty != 0 {
		at, last := binary.LittleEndian.Uint32(e[4:]), len(c.dirty)-1
		moved := c.dirty[last]
		c.dirty[at] = moved
		binary.LittleEndian.PutUint32(c.arena.entry(moved)[4:], at)
		c.dirty = c.dirty[:last]
		c.dirtyBytes -= int64(len(e))
	}
	c.index.remove(slot)
	c.arena.release(r)
}

func entryValue(e []byte) (units int64, height int32, coinbase bool) {
	code := binary.LittleEndian.Uint32(e[44:])
	return int64(binary.LittleEndian.Uint64(e[48:])), int32(code >> 1), code&1 != 0
}

func entryScript(e []byte) []byte {
	return e[entryHead : entryHead+int(binary.LittleEndian.Uint16(e[56:]))]
}

// Change is one dirty entry: a coin to write, or none to delete. Coin and its
// script are valid until the cache changes.
type Change struct {
	Key  Key
	Coin *state.Coin
}

// Dirty calls f for every change that the disk does not have, in no order.
// f must not keep the change.
func (c *Cache) Dirty(f func(*Change)) {
	var change Change
	var coin state.Coin
	for _, r := range c.dirty {
		c.change(r, &change, &coin)
		f(&change)
	}
}

// change fills in the change at r, with coin as its memory.
func (c *Cache) change(r ref, change *Change, coin *state.Coin) {
	e := c.arena.entry(r)
	change.Key = Key(e[8:44])
	change.Coin = nil
	if e[2]&flagSpent == 0 {
		coin.ValueUnits, coin.Height, coin.Coinbase = entryValue(e)
		coin.Script = entryScript(e)
		change.Coin = coin
	}
}

// MarkClean says that the disk has every change now.
func (c *Cache) MarkClean() {
	for _, r := range c.dirty {
		e := c.arena.entry(r)
		e[2] &^= flagDirty | flagFresh
		if e[2]&flagSpent != 0 {
			slot, _ := c.index.find(&c.arena, (*Key)(e[8:44]), c.index.hash((*Key)(e[8:44])))
			c.index.remove(slot)
			c.arena.release(r)
		}
	}
	c.dirty = c.dirty[:0]
	c.dirtyBytes = 0
}

// Bytes is the memory that the cache holds, free places included.
func (c *Cache) Bytes() int64 {
	return int64(len(c.arena.chunks))*chunkBytes + int64(len(c.index.slots))*8 + int64(cap(c.dirty))*4
}

// dirtyOverheadBytes is what a dirty entry costs beside its place: its share
// of the index and the dirty list.
const dirtyOverheadBytes = 20

// DirtyBytes is the memory of the changes that the disk does not have.
func (c *Cache) DirtyBytes() int64 { return c.dirtyBytes + int64(len(c.dirty))*dirtyOverheadBytes }

// DirtyCount is the number of changes that the disk does not have.
func (c *Cache) DirtyCount() int { return len(c.dirty) }

// Count is the number of entries.
func (c *Cache) Count() int { return c.index.count }
