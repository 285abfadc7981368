package check

import (
	"errors"
	"fmt"
	"testing"
)

func TestRuleErrorTravels(t *testing.T) {
	err := fmt.Errorf("block 7: %w", RuleKind(Mutated, "bad-txnmrklroot", "root is %d", 3))
	rule := AsRule(err)
	if rule == nil || rule.Kind != Mutated || CodeOf(err) != "bad-txnmrklroot" {
		t.Fatalf("lost on the way: %+v", rule)
	}
	if AsRule(errors.New("disk")) != nil || CodeOf(nil) != "" {
		t.Error("an error of the world is no rule")
	}
}

func TestRuleErrorWords(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{Rule("dust", ""), "dust"},
		{Rule("bad-cb-amount", "pays %d", 5), "bad-cb-amount, pays 5"},
		{Rule("mandatory-script-verify-flag-failed", "(Script failed)"), "mandatory-script-verify-flag-failed (Script failed)"},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestGoodsCodes(t *testing.T) {
	if !Code("goods-seat-twice").Goods() || Code("bad-goods-x").Goods() {
		t.Error("goods codes start with goods-")
	}
}

func TestMust(t *testing.T) {
	Must(true, "unused")
	defer func() {
		if recover() == nil {
			t.Error("a broken promise must panic")
		}
	}()
	Must(false, "broken %d", 1)
}

func TestAssumeCounts(t *testing.T) {
	before := BrokenAssumptions()
	Assume(true)
	Assume(false)
	if got := BrokenAssumptions() - before; got != 1 {
		t.Errorf("counted %d, want 1", got)
	}
}
