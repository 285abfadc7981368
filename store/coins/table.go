package coins

import (
	"encoding/binary"
	"hash/maphash"

	"granary/base/check"
)

// ref is the place of an entry: the chunk's number and the entry's place in
// it, in units of 8 bytes. Zero is no place.
type ref uint32

const (
	unitBytes  = 8
	chunkUnits = 1 << 15
	chunkBytes = chunkUnits * unitBytes
	maxChunks  = 1 << 17
)

// An entry in a chunk:
//
//	0  uint16  length in units; zero ends the chunk
//	2  uint8   flags; zero for a free place
//	4  uint32  index in the dirty list, or the next free place of this length
//	8  [36]    key
//	44 uint32  height and coinbase bit
//	48 uint64  units of value
//	56 uint16  length of the script, which follows
const entryHead = 58

const (
	flagUsed   = 1 << iota
	flagDirty  // differs from the disk
	flagFresh  // the disk has no coin under this key
	flagSpent  // no coin any more
	flagRecent // came in since the last Trim
)

// arena keeps entries in large pieces of memory that hold no pointers, so
// that the garbage collector has nothing to do with millions of coins. A
// place that becomes free is used again for the next entry of its length.
type arena struct {
	chunks [][]byte
	at     int // next free unit of the last chunk
	free   [maxEntryUnits + 1]ref
	// usedBytes are in entries, without free places.
	usedBytes int64
}

// maxScript is the longest script of a coin that can be spent.
const (
	maxScript     = 10_000
	maxEntryUnits = (entryHead + maxScript + unitBytes - 1) / unitBytes
)

func entryUnits(scriptBytes int) int { return (entryHead + scriptBytes + unitBytes - 1) / unitBytes }

func (a *arena) entry(r ref) []byte {
	chunk := a.chunks[r/chunkUnits]
	at := int(r%chunkUnits) * unitBytes
	return chunk[at : at+int(binary.LittleEndian.Uint16(chunk[at:]))*unitBytes]
}

// alloc gives a place for an entry of that many units. Its bytes but the
// first two are not cleared.
func (a *arena) alloc(units int) ref {
	a.usedBytes += int64(units) * unitBytes
	if r := a.free[units]; r != 0 {
		a.free[units] = ref(binary.LittleEndian.Uint32(a.entry(r)[4:]))
		return r
	}
	if len(a.chunks) == 0 || a.at+units > chunkUnits {
		check.Must(len(a.chunks) < maxChunks, "coin cache beyond %d chunks", maxChunks)
		a.chunks = append(a.chunks, make([]byte, chunkBytes))
		a.at = 0
		if len(a.chunks) == 1 {
			// Place zero means none: the first unit is a free entry of one.
			binary.LittleEndian.PutUint16(a.chunks[0], 1)
			a.at = 1
		}
	}
	r := ref((len(a.chunks)-1)*chunkUnits + a.at)
	binary.LittleEndian.PutUint16(a.chunks[len(a.chunks)-1][a.at*unitBytes:], uint16(units))
	a.at += units
	return r
}

func (a *arena) release(r ref) {
	e := a.entry(r)
	units := len(e) / unitBytes
	e[2] = 0
	binary.LittleEndian.PutUint32(e[4:], uint32(a.free[units]))
	a.free[units] = r
	a.usedBytes -= int64(len(e))
}

// each calls f for every used entry of a chunk.
func (a *arena) each(chunk int, f func(r ref, e []byte)) {
	c := a.chunks[chunk]
	for at := 0; at < chunkUnits; {
		units := int(binary.LittleEndian.Uint16(c[at*unitBytes:]))
		if units == 0 {
			return
		}
		if e := c[at*unitBytes : (at+units)*unitBytes]; e[2] != 0 {
			f(ref(chunk*chunkUnits+at), e)
		}
		at += units
	}
}

// index finds places by key: open addressing with linear probing, a slot
// holds the place (upper half) and the key's hash (lower half).
type index struct {
	slots []uint64
	count int
	seed  maphash.Seed
}

func (x *index) hash(key *Key) uint32 { return uint32(maphash.Bytes(x.seed, key[:])) }

// find gives the slot of key and its place, or the slot where it would go and
// no place.
func (x *index) find(a *arena, key *Key, hash uint32) (slot int, r ref) {
	mask := uint32(len(x.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		s := x.slots[i]
		if s == 0 {
			return int(i), 0
		}
		if uint32(s) == hash {
			if r := ref(s >> 32); *(*Key)(a.entry(r)[8:44]) == *key {
				return int(i), r
			}
		}
	}
}

// insert adds a key that is not there. It may move every slot.
func (x *index) insert(hash uint32, r ref) {
	if x.count*4 >= len(x.slots)*3 {
		old := x.slots
		x.slots = make([]uint64, max(2*len(old), 1<<10))
		for _, s := range old {
			if s != 0 {
				x.place(s)
			}
		}
	}
	x.place(uint64(r)<<32 | uint64(hash))
	x.count++
}

func (x *index) place(s uint64) {
	mask := uint32(len(x.slots) - 1)
	i := uint32(s) & mask
	for x.slots[i] != 0 {
		i = (i + 1) & mask
	}
	x.slots[i] = s
}

// remove empties a slot and moves those behind it up, so that no probe ends
// too early.
func (x *index) remove(slot int) {
	mask := uint32(len(x.slots) - 1)
	hole := uint32(slot)
	for i := (hole + 1) & mask; x.slots[i] != 0; i = (i + 1) & mask {
		home := uint32(x.slots[i]) & mask
		if (i-home)&mask >= (i-hole)&mask {
			x.slots[hole] = x.slots[i]
			hole = i
		}
	}
	x.slots[hole] = 0
	x.count--
}
