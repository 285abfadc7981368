package script

import (
	"crypto/sha256"
	"encoding/binary"
	"testing"
	"unsafe"
)

func numberedKey(n int) *cacheKey {
	var key cacheKey
	binary.BigEndian.PutUint64(key[:], uint64(n)*0x9e3779b97f4a7c15+1)
	return &key
}

func TestCacheRemembersAndStaysBounded(t *testing.T) {
	const sizeBytes = 64 << 10
	c := newSuccessCache(sizeBytes)
	if real := len(c.buckets) * int(unsafe.Sizeof(cacheBucket{})); real > sizeBytes || real < sizeBytes*9/10 {
		t.Errorf("%d bytes of buckets where %d are allowed", real, sizeBytes)
	}
	slots := len(c.buckets) * cacheWays
	for i := range slots / 4 {
		c.add(numberedKey(i))
	}
	lost := 0
	for i := range slots / 4 {
		if !c.has(numberedKey(i)) {
			lost++
		}
	}
	if lost > slots/40 {
		t.Errorf("%d of %d keys lost in a cache a quarter full", lost, slots/4)
	}
	for i := range 4 * slots {
		c.add(numberedKey(slots + i))
	}
	if !c.has(numberedKey(5*slots - 1)) {
		t.Error("the newest key is not there")
	}
	kept := 0
	for i := range slots / 4 {
		if c.has(numberedKey(i)) {
			kept++
		}
	}
	if kept > slots/40 {
		t.Errorf("%d old keys survive a flood", kept)
	}
}

func TestCacheAddsOnce(t *testing.T) {
	c := newSuccessCache(cacheBucketBytes)
	for range 10 {
		c.add(numberedKey(1))
	}
	c.add(numberedKey(2))
	c.add(numberedKey(3))
	if !c.has(numberedKey(1)) || !c.has(numberedKey(2)) || !c.has(numberedKey(3)) || c.has(numberedKey(4)) {
		t.Error("a key added again pushes others out")
	}
}

func TestCacheOfNothing(t *testing.T) {
	if newSuccessCache(0) != nil || newSuccessCache(cacheBucketBytes-1) != nil {
		t.Error("a cache without room for one bucket")
	}
}

func TestCacheKeysDiffer(t *testing.T) {
	hash := [32]byte{1, 2, 3}
	seen := make(map[cacheKey]bool)
	for _, flags := range []Flags{0, P2SH, ConsensusFlags, StandardFlags} {
		for input := range 100 {
			key := keyOf(&hash, flags, input)
			if seen[key] {
				t.Fatalf("two inputs share a key: flags %v input %d", flags, input)
			}
			seen[key] = true
		}
	}
}

// Two caches never share keys: the salt is new for each.
func TestCacheIsSalted(t *testing.T) {
	job := newMaker(31).spend(t, "P2WPKH")
	a, _ := newSuccessCache(1<<12).jobHash(job.Tx, job.Spent, sha256.New(), nil)
	b, _ := newSuccessCache(1<<12).jobHash(job.Tx, job.Spent, sha256.New(), nil)
	if a == b {
		t.Error("two caches hash a job alike")
	}
}
