package script

import (
	"crypto/rand"
	"encoding/binary"
	"hash"
	"sync"

	"granary/state"
)

// cacheKey names one input of one transaction with the coins it spends, under
// one set of flags: 24 bytes of a salted hash, the flags, the input.
type cacheKey [32]byte

// The cache is an array of buckets; a key lives in the bucket that its hash
// picks and pushes the oldest one there out. Locks are shared by buckets.
const (
	cacheWays  = 4
	cacheLocks = 64
)

type cacheBucket struct {
	keys [cacheWays]cacheKey
	next uint8 // the slot to overwrite
}

// cacheBucketBytes is what a bucket takes in memory.
const cacheBucketBytes = cacheWays*32 + 1

// successCache remembers inputs that passed. A stranger cannot aim at its
// buckets: the salt is secret and chosen at start. It never reaches a verdict
// other than the one a full check gives. Safe for concurrent use.
type successCache struct {
	salt    [32]byte
	buckets []cacheBucket
	locks   [cacheLocks]sync.Mutex
}

// newSuccessCache makes a cache of at most sizeBytes; nil where that is too
// little for one bucket.
func newSuccessCache(sizeBytes int) *successCache {
	if sizeBytes < cacheBucketBytes {
		return nil
	}
	c := &successCache{buckets: make([]cacheBucket, sizeBytes/cacheBucketBytes)}
	rand.Read(c.salt[:])
	return c
}

// jobHash is the part of the keys that the inputs of a job share. sha and buf
// are scratch; buf is returned for reuse. The scripts, of which a block may
// spend hundreds of megabytes, are not gathered.
func (c *successCache) jobHash(tx *state.Tx, spent []*state.Coin, sha hash.Hash, buf []byte) ([32]byte, []byte) {
	sha.Reset()
	sha.Write(c.salt[:])
	sha.Write(tx.Wtxid[:])
	for _, coin := range spent {
		buf = binary.LittleEndian.AppendUint64(buf[:0], uint64(coin.ValueUnits))
		buf = state.AppendCompactSize(buf, uint64(len(coin.Script)))
		sha.Write(buf)
		sha.Write(coin.Script)
	}
	buf = sha.Sum(buf[:0])
	return [32]byte(buf), buf
}

// keyOf completes a key.
func keyOf(jobHash *[32]byte, flags Flags, input int) (key cacheKey) {
	copy(key[:24], jobHash[:24])
	binary.LittleEndian.PutUint32(key[24:], uint32(flags))
	binary.LittleEndian.PutUint32(key[28:], uint32(input))
	return key
}

// bucket gives the bucket of key and its lock.
func (c *successCache) bucket(key *cacheKey) (*cacheBucket, *sync.Mutex) {
	// The inputs of a job share their hash: mix the input and the flags in.
	spread := binary.LittleEndian.Uint64(key[24:]) * 0x9e3779b97f4a7c15
	at := (binary.LittleEndian.Uint64(key[:]) ^ spread) % uint64(len(c.buckets))
	return &c.buckets[at], &c.locks[at%cacheLocks]
}

// has reports whether key was added and is still there.
func (c *successCache) has(key *cacheKey) bool {
	bucket, lock := c.bucket(key)
	lock.Lock()
	defer lock.Unlock()
	for i := range bucket.keys {
		if bucket.keys[i] == *key {
			return true
		}
	}
	return false
}

// add remembers key. The zero key, which marks an empty slot, names no input:
// every key carries 24 bytes of a hash.
func (c *successCache) add(key *cacheKey) {
	bucket, lock := c.bucket(key)
	lock.Lock()
	defer lock.Unlock()
	for i := range bucket.keys {
		if bucket.keys[i] == *key {
			return
		}
	}
	bucket.keys[bucket.next] = *key
	bucket.next = (bucket.next + 1) % cacheWays
}
