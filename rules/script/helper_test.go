package script

import (
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/base/sig"
	"granary/state"
	"granary/test/vectors"
)

// jobOf makes a job of a vector.
func jobOf(tx *wire.MsgTx, spent []vectors.Output, flags Flags) Job {
	coins := make([]*state.Coin, len(spent))
	for i, output := range spent {
		coins[i] = &state.Coin{ValueUnits: output.ValueUnits, Script: output.Script}
	}
	return jobWith(tx, coins, flags)
}

func jobWith(tx *wire.MsgTx, coins []*state.Coin, flags Flags) Job {
	return Job{
		Tx:    &state.Tx{Msg: tx, Txid: tx.TxHash(), Wtxid: tx.WitnessHash()},
		Spent: coins, Flags: flags,
	}
}

func mustFlags(t testing.TB, text string) Flags {
	t.Helper()
	flags, err := ParseFlags(text)
	if err != nil {
		t.Fatal(err)
	}
	return flags
}

// fastVerdict judges one input by its template alone, without the
// interpreter's second opinion; known is false where no template fits.
func fastVerdict(job *Job, input int) (passed, known bool) {
	decided := false
	engine := engineFunc(func(checks []sig.Check, verdicts []bool) {
		decided = true
		sig.Default().Verify(checks, verdicts)
		for i := range checks {
			passed = verdicts[i]
		}
	})
	w := newWorker(&Checker{engine: engine, workers: 1})
	w.run, w.job = newRun([]Job{*job}), -1
	w.turnTo(0)
	if !w.spend.parse(job.Tx.Msg.TxIn[input], job.Spent[input].Script, job.Flags) {
		return false, false
	}
	if w.spend.mode == modeTaprootKey {
		w.gatherTaproot(&ref{input: input})
	} else {
		w.gatherECDSA(&ref{input: input})
	}
	for len(w.checks) > 0 {
		w.verify()
	}
	// The last check of an input decides it: a multisig stops at the first
	// state that is final.
	return passed, decided
}

type engineFunc func(checks []sig.Check, verdicts []bool)

func (engineFunc) Name() string                            { return "test" }
func (f engineFunc) Verify(checks []sig.Check, out []bool) { f(checks, out) }

// noBrokenAssumptions fails the test if f makes the two roads disagree or the
// interpreter panic.
func noBrokenAssumptions(t *testing.T) {
	t.Helper()
	before := check.BrokenAssumptions()
	t.Cleanup(func() {
		if n := check.BrokenAssumptions() - before; n > 0 {
			t.Errorf("%d assumptions broken: a template refused what the interpreter passes, or it panicked", n)
		}
	})
}
