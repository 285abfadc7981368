package sim_test

import (
	"os"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"granary/params"
	"granary/sim"
	"granary/test/plays"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// number reads an environment variable, for the long forms.
func number(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

// TestScenarios plays seeds from GRANARY_SEED on, GRANARY_SCENARIOS of them:
// after cuts, splits, kills with lost pages and double blocks all nodes have
// one tip, one state, and their own blocks give it.
func TestScenarios(t *testing.T) {
	charter := plays.Charter(t, params.BaseRegtest)
	first := number("GRANARY_SEED", 1)
	for i := range number("GRANARY_SCENARIOS", 1) {
		trace, lines := play(t, charter, uint64(first+i), nil)
		t.Logf("seed %d: %d lines, %s", first+i, lines, trace[:16])
	}
}

// TestSameSeedSameTrace plays one seed GRANARY_REPEATS times: each message,
// each step of each chain at the same moment, in the same order.
func TestSameSeedSameTrace(t *testing.T) {
	charter := plays.Charter(t, params.BaseRegtest)
	seed := uint64(number("GRANARY_SEED", 3))
	var first []string
	want, lines := play(t, charter, seed, func(line string) { first = append(first, line) })
	for i := range number("GRANARY_REPEATS", 2) - 1 {
		at, differs := 0, ""
		got, _ := play(t, charter, seed, func(line string) {
			if differs == "" && (at >= len(first) || first[at] != line) {
				differs = line
			}
			at++
		})
		if got != want {
			before := first[max(0, min(at, len(first))-1)]
			t.Fatalf("run %d differs from the first: %q (the first's last line so far: %q)", i+2, differs, before)
		}
	}
	t.Logf("seed %d: %d lines, the same in every run", seed, lines)
}

func play(t *testing.T, charter *params.Charter, seed uint64, told func(string)) (trace string, lines int) {
	t.Helper()
	w, err := sim.Play(charter, seed, sim.Troubles{
		Nodes: number("GRANARY_NODES", 4), Blocks: number("GRANARY_BLOCKS", 160), BlockEvery: 20 * time.Second,
	}, told)
	if err != nil {
		t.Errorf("repeat it with GRANARY_SEED=%d: %v", seed, err)
	}
	trace, lines = w.Trace()
	if err := w.Close(); err != nil && !t.Failed() {
		t.Error(err)
	}
	if t.Failed() {
		t.FailNow()
	}
	return trace, lines
}
