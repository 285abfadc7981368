package clock

import (
	"testing"
	"time"
)

func TestMockFollowsUntilSet(t *testing.T) {
	base := &Mock{}
	base.Set(time.Unix(100, 0))
	m := &Mock{Base: base}
	if got := m.Now().Unix(); got != 100 {
		t.Errorf("follows its base: %d", got)
	}
	m.Set(time.Unix(7, 0))
	if got := m.Now().Unix(); got != 7 {
		t.Errorf("stands still: %d", got)
	}
	m.Set(time.Time{})
	if got := m.Now().Unix(); got != 100 {
		t.Errorf("follows again: %d", got)
	}
}

func TestSeededRandRepeats(t *testing.T) {
	a, b, c := SeededRand(1), SeededRand(1), SeededRand(2)
	same := true
	for range 10 {
		x := a.Uint64()
		if x != b.Uint64() {
			t.Fatal("one seed, two sequences")
		}
		same = same && x == c.Uint64()
	}
	if same {
		t.Error("two seeds, one sequence")
	}
}

func TestAdvance(t *testing.T) {
	start := time.Unix(1_000, 0)
	base := &Mock{}
	base.Set(start)
	m := &Mock{Base: base}
	m.Advance(time.Hour)
	if got := m.Now(); !got.Equal(start.Add(time.Hour)) {
		t.Errorf("a running clock moved to %v", got)
	}
	m.Set(start)
	m.Advance(time.Minute)
	if got := m.Now(); !got.Equal(start.Add(time.Minute)) {
		t.Errorf("a standing clock moved to %v", got)
	}
	m.Set(time.Time{})
	if got := m.Now(); !got.Equal(start) {
		t.Errorf("a clock that runs again is at %v", got)
	}
}
