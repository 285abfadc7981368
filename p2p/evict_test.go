package p2p

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"granary/base/clock"
)

var noon = time.Unix(1_700_000_000, 0)

// crowd makes n candidates of no merit, the later the younger.
func crowd(n int) []candidate {
	all := make([]candidate, n)
	for i := range all {
		all[i] = candidate{
			id: uint64(i), since: noon.Add(time.Duration(i) * time.Second), minPing: time.Second,
			relaysTx: true, serves: true, group: fmt.Sprint(i),
		}
	}
	return all
}

// evictAll removes candidates until none can be.
func evictAll(all []candidate) (left []candidate) {
	left = slices.Clone(all)
	for {
		id, ok := selectEvictee(left, []byte("secret"))
		if !ok {
			return left
		}
		left = slices.DeleteFunc(left, func(c candidate) bool { return c.id == id })
	}
}

// TestMeritIsSpared: whoever is hard to imitate outlasts any crowd.
func TestMeritIsSpared(t *testing.T) {
	for name, merit := range map[string]func(c *candidate, i int){
		"low latency":     func(c *candidate, i int) { c.minPing = time.Duration(i) * time.Millisecond },
		"transactions":    func(c *candidate, i int) { c.lastTx = noon.Add(time.Duration(i) * time.Second) },
		"blocks":          func(c *candidate, i int) { c.lastBlock = noon.Add(time.Duration(i) * time.Second) },
		"a person's word": func(c *candidate, _ int) { c.noBan = true },
	} {
		t.Run(name, func(t *testing.T) {
			all := crowd(100)
			rand.New(rand.NewPCG(1, 2)).Shuffle(len(all), func(i, j int) { all[i].since, all[j].since = all[j].since, all[i].since })
			for i := range 4 {
				merit(&all[10+i], i+1)
			}
			left := evictAll(all)
			for i := range 4 {
				if !slices.ContainsFunc(left, func(c candidate) bool { return c.id == uint64(10+i) }) {
					t.Errorf("candidate %d had to go", 10+i)
				}
			}
		})
	}
}

// TestLargestGroupGivesFirst: an attacker from one group loses his youngest.
func TestLargestGroupGivesFirst(t *testing.T) {
	all := crowd(80)
	for i := 40; i < 80; i++ {
		all[i].group = "attacker"
	}
	id, ok := selectEvictee(all, []byte("secret"))
	if !ok || id < 40 {
		t.Errorf("candidate %d had to go, want one of the large group", id)
	}
}

func TestFewAreAllSpared(t *testing.T) {
	if id, ok := selectEvictee(crowd(12), []byte("s")); ok {
		t.Errorf("candidate %d had to go though there are few", id)
	}
	if _, ok := selectEvictee(nil, nil); ok {
		t.Error("nobody had to go")
	}
}

func TestMisbehavingGoFirst(t *testing.T) {
	all := crowd(100)
	all[90].discouraged = true
	if id, _ := selectEvictee(all, []byte("s")); id != 90 {
		t.Errorf("candidate %d had to go before the one that misbehaved", id)
	}
}

// TestLinksOnThisMachineAreSpared: they look slow and young behind a proxy, and
// a part of the old places is theirs.
func TestLinksOnThisMachineAreSpared(t *testing.T) {
	all := crowd(60)
	for i := 55; i < 60; i++ {
		all[i].local, all[i].minPing = true, time.Minute
	}
	for range 15 {
		id, ok := selectEvictee(all, []byte("secret"))
		if !ok || slices.ContainsFunc(all, func(c candidate) bool { return c.id == id && c.local }) {
			t.Fatalf("candidate %d had to go", id)
		}
		all = slices.DeleteFunc(all, func(c candidate) bool { return c.id == id })
	}
}

func TestUploadTarget(t *testing.T) {
	c := &clock.Mock{}
	c.Set(noon)
	free := NewUploads(c, 0)
	free.Sent(1 << 50)
	if free.Reached(true) || free.Reached(false) {
		t.Error("no target is reached")
	}
	u := NewUploads(c, 1000<<20)
	if u.Reached(true) || u.Reached(false) {
		t.Error("a fresh day is used up")
	}
	u.Sent(500 << 20) // less than the day's blocks are left
	if !u.Reached(true) || u.Reached(false) {
		t.Error("old blocks are served from what is kept for new ones")
	}
	u.Sent(500 << 20)
	if !u.Reached(false) || u.Info().LeftBytes != 0 {
		t.Error("the target does not bind")
	}
	c.Set(noon.Add(uploadCycle))
	if u.Reached(true) || u.Info().LeftSeconds != 86_400 {
		t.Errorf("the next day: %+v", u.Info())
	}
}
