package peer

import (
	"strings"
	"sync"
	"time"
)

// budget is a number of bytes that many goroutines share, first come, first
// served.
type budget struct {
	mu      sync.Mutex
	total   int
	free    int
	waiting []*claim
}

type claim struct {
	bytes int
	ready chan struct{}
}

func newBudget(totalBytes int) *budget { return &budget{total: totalBytes, free: totalBytes} }

// take waits until n bytes (all, if n is more) are free, or until cancel is
// closed, which gives false.
func (b *budget) take(n int, cancel <-chan struct{}) bool {
	mine := &claim{bytes: min(n, b.total), ready: make(chan struct{})}
	b.mu.Lock()
	b.waiting = append(b.waiting, mine)
	b.grant()
	b.mu.Unlock()
	select {
	case <-mine.ready:
		return true
	case <-cancel:
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, other := range b.waiting {
		if other == mine {
			b.waiting = append(b.waiting[:i:i], b.waiting[i+1:]...)
			b.grant()
			return false
		}
	}
	b.free += mine.bytes // granted meanwhile
	b.grant()
	return false
}

// give returns what take(n) took.
func (b *budget) give(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free += min(n, b.total)
	b.grant()
}

// grant serves those who wait, in order. The caller holds the lock.
func (b *budget) grant() {
	for len(b.waiting) > 0 && b.waiting[0].bytes <= b.free {
		b.free -= b.waiting[0].bytes
		close(b.waiting[0].ready)
		b.waiting = b.waiting[1:]
	}
}

// quiet lets a burst of log lines through and then one a second: no peer sets
// the rate of the log.
type quiet struct {
	last      time.Time
	tokens    int
	swallowed int
}

const quietBurst = 50

// allow reports whether a line may be written, and how many were not since
// the last one.
func (q *quiet) allow(now time.Time) (swallowed int, ok bool) {
	switch elapsed := now.Sub(q.last); {
	case q.last.IsZero() || elapsed < 0 || elapsed >= quietBurst*time.Second:
		q.tokens, q.last = quietBurst, now
	case elapsed >= time.Second:
		seconds := elapsed.Truncate(time.Second)
		q.tokens = min(quietBurst, q.tokens+int(seconds/time.Second))
		q.last = q.last.Add(seconds)
	}
	if q.tokens == 0 {
		q.swallowed++
		return 0, false
	}
	q.tokens--
	swallowed, q.swallowed = q.swallowed, 0
	return swallowed, true
}

// cleanText keeps the characters of s that are safe in logs and on pages, as
// Bitcoin Core does.
func cleanText(s string) string {
	const alsoSafe = " .,;-_/:?@()"
	clean := make([]byte, 0, len(s))
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(alsoSafe, c) >= 0 {
			clean = append(clean, c)
		}
	}
	return string(clean)
}
