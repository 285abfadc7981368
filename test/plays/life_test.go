package plays

import (
	"os"
	"strconv"
	"testing"

	"go.uber.org/goleak"

	"granary/params"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// number reads an environment variable, for the long forms of a test.
func number(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

// TestLife lives for some hundred blocks: every record occurs, the state is
// right all the way, and few acts are refused.
func TestLife(t *testing.T) {
	blocks := int32(number("GRANARY_LIFE_BLOCKS", 400))
	p := Open(t, Charter(t, params.BaseRegtest), uint64(number("GRANARY_SEED", 7)))
	for height := int32(100); height <= 100+blocks; height += 25 {
		p.Live(height)
		p.MustCheck()
	}
	p.MustHaveSeen()
	given := 0
	for _, n := range p.Life.Given {
		given += n
	}
	t.Logf("%d custodians in default; %d acts, %d refused, the last: %v", p.Defaults, given, p.Life.Refused, p.Life.LastRefusal)
	if p.Life.Refused*10 > given {
		t.Errorf("%d acts were refused, %d happened", p.Life.Refused, given)
	}
}
