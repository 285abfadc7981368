package txrelay

import (
	"encoding/binary"
	"math/bits"

	"github.com/aead/siphash"
	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/base/clock"
)

// A recent set takes recentProbes probes in recentBitsPerHash bits for each
// hash: one hash in a million that was never added is found.
const (
	recentProbes      = 20
	recentBitsPerHash = 30
)

// recent remembers at least the last n hashes added to it, and at most twice
// as many: two Bloom filters, the older of which is emptied when the younger is
// full. Memory is taken with the first hash. What is found by mistake depends
// on a secret key.
type recent struct {
	key          [siphash.KeySize]byte
	n            int
	count        int // in the younger
	young, older []uint64
}

func newRecent(n int, rand clock.Rand) *recent {
	return &recent{key: newKey(rand), n: n}
}

// newKey draws a key for siphash.
func newKey(rand clock.Rand) (key [siphash.KeySize]byte) {
	binary.LittleEndian.PutUint64(key[:], rand.Uint64())
	binary.LittleEndian.PutUint64(key[8:], rand.Uint64())
	return key
}

func (r *recent) words() int { return (r.n*recentBitsPerHash + 63) / 64 }

// probes gives the start and the step of a hash's walk through the bits.
func (r *recent) probes(h *chainhash.Hash) (at, step uint64) {
	at = siphash.Sum64(h[:], &r.key)
	step = (at ^ at>>31) * 0x9e3779b97f4a7c15
	return at, step ^ step>>29 | 1
}

// add reports whether h was new.
func (r *recent) add(h chainhash.Hash) bool {
	if r.has(h) {
		return false
	}
	if r.young == nil {
		r.young, r.older = make([]uint64, r.words()), make([]uint64, r.words())
	}
	if r.count == r.n {
		r.young, r.older = r.older, r.young
		clear(r.young)
		r.count = 0
	}
	r.count++
	at, step := r.probes(&h)
	for range recentProbes {
		word, bit := place(at, len(r.young))
		r.young[word] |= bit
		at += step
	}
	return true
}

func (r *recent) has(h chainhash.Hash) bool {
	if r.young == nil {
		return false
	}
	at, step := r.probes(&h)
	young, older := true, true
	for range recentProbes {
		word, bit := place(at, len(r.young))
		young = young && r.young[word]&bit != 0
		older = older && r.older[word]&bit != 0
		if !young && !older {
			return false
		}
		at += step
	}
	return true
}

// place spreads a number over words of 64 bits.
func place(at uint64, words int) (word int, bit uint64) {
	hi, lo := bits.Mul64(at, uint64(words))
	return int(hi), 1 << (lo >> 58)
}

// reset forgets everything and keeps the memory.
func (r *recent) reset() {
	clear(r.young)
	clear(r.older)
	r.count = 0
}
