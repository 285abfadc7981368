package script

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"granary/test/vectors"
)

// checkOne judges one input of a job by the checker's road; the others, which
// the taproot vectors leave empty, are not looked at.
func checkOne(c *Checker, job *Job, input int) error {
	r := newRun([]Job{*job})
	r.total = input + 1
	r.next.Store(int64(input))
	r.worst.Store(int64(r.total))
	c.work(r)
	return r.failure
}

func TestTaprootReference(t *testing.T) {
	noBrokenAssumptions(t)
	checker := NewChecker(Options{})
	defer checker.Close()
	stepper := steppingChecker()
	defer stepper.Close()
	cases := vectors.TaprootTests(t)
	if len(cases) != 2760 {
		t.Errorf("%d files, 2760 expected", len(cases))
	}
	var templates, fillings, stepped atomic.Int64
	var group sync.WaitGroup
	parts := runtime.GOMAXPROCS(0)
	for part := range parts {
		group.Go(func() {
			for i := part; i < len(cases); i += parts {
				c := &cases[i]
				for _, filling := range []*vectors.Filling{c.Success, c.Failure} {
					if filling != nil {
						fillings.Add(1)
						templates.Add(taprootFilling(t, checker, c, filling, filling == c.Success))
						stepped.Add(taprootLeaf(t, stepper, c, filling, filling == c.Success))
					}
				}
			}
		})
	}
	group.Wait()
	t.Logf("%d files, %d fillings, %d of them by template, %d step by step", len(cases), fillings.Load(), templates.Load(), stepped.Load())
	if len(cases) > 0 && stepped.Load() < 1000 {
		t.Errorf("only %d tapscripts were run step by step", stepped.Load())
	}
}

// taprootFilling judges one filling on all roads; it gives 1 where a template
// knew it.
func taprootFilling(t *testing.T, checker *Checker, c *vectors.TaprootCase, filling *vectors.Filling, want bool) int64 {
	flags, err := ParseFlags(c.Flags)
	if err != nil {
		t.Errorf("%s: %v", c.Name, err)
		return 0
	}
	job := jobOf(c.With(filling), c.Spent, flags)
	slow, fast := Interpret(&job, c.Input), checkOne(checker, &job, c.Input)
	if (slow == nil) != want {
		t.Errorf("%s: interpreter: %v, want success %v", c.Name, slow, want)
	}
	if (fast == nil) != want {
		t.Errorf("%s: checker: %v, want success %v", c.Name, fast, want)
	}
	passed, known := fastVerdict(&job, c.Input)
	if known && passed != want {
		t.Errorf("%s: template says %v, want %v", c.Name, passed, want)
	}
	if known {
		return 1
	}
	return 0
}
