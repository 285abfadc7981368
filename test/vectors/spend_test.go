package vectors_test

import (
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/rules/script"
	"granary/state"
	"granary/test/vectors"
)

// everyFlag is every script rule there is.
const everyFlag = script.StandardFlags | script.SigPushOnly

func newChecker(t *testing.T) *script.Checker {
	t.Helper()
	before := check.BrokenAssumptions()
	checker := script.NewChecker(script.Options{CacheBytes: 1 << 20})
	t.Cleanup(func() {
		checker.Close()
		if n := check.BrokenAssumptions() - before; n > 0 {
			t.Errorf("%d assumptions broken: the two roads disagree, or the interpreter panicked", n)
		}
	})
	return checker
}

func jobOf(tx *wire.MsgTx, spent []vectors.Output) script.Job {
	coins := make([]*state.Coin, len(spent))
	for i, output := range spent {
		coins[i] = &state.Coin{ValueUnits: output.ValueUnits, Script: output.Script}
	}
	return script.Job{Tx: state.NewTx(tx), Spent: coins}
}

// onBothRoads judges a job under flags by the checker and by the interpreter
// alone, and fails the test where they differ.
func onBothRoads(t *testing.T, name string, checker *script.Checker, job script.Job, flags script.Flags) (passes bool) {
	t.Helper()
	job.Flags = flags
	var slow error
	for i := range job.Tx.Msg.TxIn {
		if slow = script.Interpret(&job, i); slow != nil {
			break
		}
	}
	fast := checker.Check([]script.Job{job})
	if (fast == nil) != (slow == nil) || (fast != nil && fast.Error() != slow.Error()) {
		t.Errorf("%s: checker says %v, interpreter %v (flags %v)", name, fast, slow, flags)
	}
	return slow == nil
}

// trim takes flags away whose dependencies are not there. btcsuite's
// interpreter adds one: without BIP65 or BIP112 it counts their opcodes among
// those that DiscourageUpgradableNops discourages, where Bitcoin Core lets
// them pass. No set of flags that is ever used has one without the others.
func trim(flags script.Flags) script.Flags {
	if flags&script.P2SH == 0 {
		flags &^= script.Witness
	}
	if flags&script.Witness == 0 {
		flags &^= script.CleanStack
	}
	if flags&(script.CLTV|script.CSV) != script.CLTV|script.CSV {
		flags &^= script.DiscourageUpgradableNops
	}
	return flags
}

// fill adds the dependencies of flags.
func fill(flags script.Flags) script.Flags {
	if flags&script.CleanStack != 0 {
		flags |= script.Witness
	}
	if flags&script.Witness != 0 {
		flags |= script.P2SH
	}
	return flags
}

func TestTxValid(t *testing.T) {
	checker := newChecker(t)
	cases := vectors.TxTests(t, "tx_valid.json")
	for _, c := range cases {
		excluded, err := script.ParseFlags(c.Flags)
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		validSpend(t, checker, &c, everyFlag&^excluded, excluded)
	}
	t.Logf("%d cases", len(cases))
}

// validSpend checks a case that must pass under flags, under fewer flags too,
// and must fail once one of the excluded flags is added.
func validSpend(t *testing.T, checker *script.Checker, c *vectors.SpendCase, flags, excluded script.Flags) {
	t.Helper()
	job := jobOf(c.Tx, c.Spent)
	if fill(flags) != flags {
		t.Errorf("%s: flags without their dependencies: %v", c.Name, flags)
	}
	if !onBothRoads(t, c.Name, checker, job, flags) {
		t.Errorf("%s: refused under %v", c.Name, flags)
	}
	for bit := script.Flags(1); bit <= everyFlag; bit <<= 1 {
		if fewer := trim(flags &^ bit); !onBothRoads(t, c.Name, checker, job, fewer) {
			t.Errorf("%s: refused under fewer rules: %v", c.Name, fewer)
		}
		if excluded&bit == 0 || !onBothRoads(t, c.Name, checker, job, fill(flags|bit)) {
			continue
		}
		if bit == script.NullFail && excluded&script.StrictEncoding != 0 {
			t.Logf("%s: passes with NULLFAIL too: without STRICTENC, btcsuite's interpreter applies that policy only to keys that parse", c.Name)
			continue
		}
		t.Errorf("%s: passes with %v too", c.Name, bit)
	}
}

func TestTxInvalid(t *testing.T) {
	checker := newChecker(t)
	cases := vectors.TxTests(t, "tx_invalid.json")
	bad := 0
	for _, c := range cases {
		if c.Flags == "BADTX" {
			bad++
			continue
		}
		flags, err := script.ParseFlags(c.Flags)
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		invalidSpend(t, checker, &c, flags)
	}
	t.Logf("%d cases run; %d left to TestTxContextFree: their scripts are not what is wrong", len(cases)-bad, bad)
}

// invalidSpend checks a case that must fail under flags, under more flags too,
// and must pass once one of the flags is taken away.
func invalidSpend(t *testing.T, checker *script.Checker, c *vectors.SpendCase, flags script.Flags) {
	t.Helper()
	job := jobOf(c.Tx, c.Spent)
	if fill(flags) != flags {
		t.Errorf("%s: flags without their dependencies: %v", c.Name, flags)
	}
	if onBothRoads(t, c.Name, checker, job, flags) {
		t.Errorf("%s: passes under %v", c.Name, flags)
	}
	for bit := script.Flags(1); bit <= everyFlag; bit <<= 1 {
		if more := fill(flags | bit); onBothRoads(t, c.Name, checker, job, more) {
			t.Errorf("%s: passes under more rules: %v", c.Name, more)
		}
		if flags&bit != 0 && !onBothRoads(t, c.Name, checker, job, trim(flags&^bit)) {
			t.Errorf("%s: fails without %v too", c.Name, bit)
		}
	}
}
