package peer

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"granary/p2p/message"
)

// TestClocksOfPeers (CVE-2024-52912): a peer may name any time. It is shown
// and means nothing: the link stands, and its pings are measured by our clock.
func TestClocksOfPeers(t *testing.T) {
	for _, at := range []int64{math.MinInt64, -1, 0, 1 << 31, 1 << 62, math.MaxInt64} {
		synctest.Test(t, func(t *testing.T) {
			s, link, other, _ := meet(t, Inbound, nil)
			v := hello()
			v.Time = at
			other.send(v, &message.VerAck{})
			synctest.Wait()
			if s.all() != "+0" {
				t.Fatalf("time %d: heard %q", at, s.all())
			}
			if age := time.Since(link.Stats().Since); age > time.Minute || age < 0 {
				t.Errorf("time %d: the link is %v old", at, age)
			}
		})
	}
}
