package addr

import (
	"net/netip"
	"time"

	"granary/p2p/message"
)

// When an address is given up (Bitcoin Core's bounds).
const (
	horizon        = 30 * 24 * time.Hour // heard of this long ago: forgotten
	freshRetries   = 3                   // failures without ever a success
	maxFailures    = 10                  // failures since a success of ...
	failureHorizon = 7 * 24 * time.Hour  // ... this long ago
)

// entry is an address of the book. Times are Unix seconds.
type entry struct {
	at       netip.AddrPort
	source   netip.Addr // who told us
	services message.Services
	seen     int64 // last heard of
	tried    int64 // last attempt
	counted  int64 // last attempt that counted as a failure
	success  int64
	attempts int32 // counted, since the last success

	inTried bool
	refs    int   // places in the new table
	index   int   // in Book.order
	born    int64 // ascends; ties are broken by it and never by the map
}

func (e *entry) address() Address { return Address{e.at, e.services, e.seen} }

// terrible reports whether the entry may be thrown away.
func (e *entry) terrible(now int64) bool {
	switch {
	case since(now, e.tried) <= time.Minute:
		return false // tried just now: judge later
	case e.seen > now+600:
		return true // from the future
	case since(now, e.seen) > horizon:
		return true
	case e.success == 0 && e.attempts >= freshRetries:
		return true
	}
	return since(now, e.success) > failureHorizon && e.attempts >= maxFailures
}

// chanceOne is a certain choice; see chance.
const chanceOne = 1 << 20

// chance weighs the entry for a choice: recent attempts and failures lower it.
func (e *entry) chance(now int64) uint64 {
	c := uint64(chanceOne)
	if since(now, e.tried) < 10*time.Minute {
		c /= 100
	}
	for range min(e.attempts, 8) {
		c = c * 66 / 100
	}
	return c
}
