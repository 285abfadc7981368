// Package clock is where time and chance enter the house: a Clock and a Rand,
// real in the binary, fake in tests and simulation, so that one seed replays
// a whole run. Rules never see either; node hands them to the services.
package clock

import (
	crand "crypto/rand"
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"time"
)

// Clock tells the time. Implementations are safe for concurrent use.
type Clock interface {
	Now() time.Time
}

// Real is the clock of the machine.
type Real struct{}

// Now gives the machine's time.
func (Real) Now() time.Time { return time.Now() }

// Mock is a clock that can be set: at the zero time it follows Base, after
// Set it stands still (Bitcoin Core's setmocktime), and Advance moves it on
// either way.
type Mock struct {
	mu    sync.RWMutex
	Base  Clock
	at    time.Time
	ahead time.Duration // of Base
}

// Now gives the set time, or Base's where none is set.
func (m *Mock) Now() time.Time {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if !m.at.IsZero() {
		return m.at
	}
	if m.Base != nil {
		return m.Base.Now().Add(m.ahead)
	}
	return time.Now().Add(m.ahead)
}

// Advance moves the clock on by d, whether it stands or runs; Set ends what a
// running clock is ahead by.
func (m *Mock) Advance(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.at.IsZero() {
		m.ahead += d
	} else {
		m.at = m.at.Add(d)
	}
}

// Set stops the clock at t; the zero time lets it follow Base again.
func (m *Mock) Set(t time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.at, m.ahead = t, 0
}

// Rand is the chance that services draw from. It is not for keys.
type Rand interface {
	Uint64() uint64
}

// NewRand gives a Rand seeded by the operating system. It is not safe for
// concurrent use.
func NewRand() Rand {
	var seed [16]byte
	crand.Read(seed[:]) //nolint:errcheck // never fails since Go 1.24
	return rand.NewPCG(binary.LittleEndian.Uint64(seed[:8]), binary.LittleEndian.Uint64(seed[8:]))
}

// SeededRand gives a Rand that repeats for the same seed. It is not safe for
// concurrent use.
func SeededRand(seed uint64) Rand { return rand.NewPCG(seed, seed^0x9e3779b97f4a7c15) }
