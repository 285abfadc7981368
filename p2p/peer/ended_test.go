package peer

import (
	"context"
	"testing"

	"granary/base/clock"
)

// TestPostAfterTheEnd: what is posted to a loop that has ended, a block of
// megabytes each time perhaps, is not kept.
func TestPostAfterTheEnd(t *testing.T) {
	l := NewLoop(clock.Real{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	l.Run(ctx)
	for range 100 {
		l.Post(func() { t.Error("done") })
	}
	if len(l.queue) != 0 {
		t.Fatalf("%d are kept", len(l.queue))
	}
	if l.Do(func() {}) {
		t.Fatal("an ended loop did something")
	}
}
