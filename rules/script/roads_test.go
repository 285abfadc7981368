package script

import (
	"os"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/state"
)

// usedFlags are sets that blocks and mempools really use.
var usedFlags = []Flags{
	ConsensusFlags, StandardFlags, ConsensusFlags, StandardFlags,
	P2SH | Witness | Taproot,
	P2SH | Witness | Taproot | DERSig,
	ConsensusFlags | LowS | NullFail,
	ConsensusFlags | StrictEncoding | MinimalData | CleanStack,
	P2SH | Witness, P2SH, 0,
}

// compare judges every input of a job by template, by checker and by the
// interpreter alone; it tells how many inputs a template knew and how many
// passed.
func compare(t testing.TB, checker *Checker, job *Job) (known, passed int) {
	t.Helper()
	var first error
	for i := range job.Spent {
		slow := Interpret(job, i)
		if slow != nil && first == nil {
			first = slow
		}
		if slow == nil {
			passed++
		}
		fast, isKnown := fastVerdict(job, i)
		if !isKnown {
			continue
		}
		known++
		// Before BIP66 the template is right where the two differ: the
		// interpreter's reader is stricter than Bitcoin's.
		if fast != (slow == nil) && (job.Flags&DERSig != 0 || !fast) {
			t.Fatalf("input %d: template says %v, interpreter %v (flags %v)\npkScript %x\nsigScript %x\nwitness %x",
				i, fast, slow, job.Flags, job.Spent[i].Script, job.Tx.Msg.TxIn[i].SignatureScript, job.Tx.Msg.TxIn[i].Witness)
		}
	}
	if job.Flags&DERSig == 0 {
		return known, passed
	}
	for range 2 { // the second time from the cache
		got := checker.Check([]Job{*job})
		if (got == nil) != (first == nil) || (got != nil && got.Error() != first.Error()) {
			t.Fatalf("checker says %v, interpreter %v", got, first)
		}
	}
	return known, passed
}

func TestValidSpendsPassByTemplate(t *testing.T) {
	noBrokenAssumptions(t)
	checker := NewChecker(Options{CacheBytes: 1 << 16})
	defer checker.Close()
	m := newMaker(1)
	for n, name := range templateNames {
		for range 6 {
			job := m.spend(t, name, "P2TR", name)
			known, passed := compare(t, checker, &job)
			want := 3
			if n >= firstUnknownTemplate {
				want = 1
			}
			if known != want || passed != 3 {
				t.Fatalf("%s: %d of 3 inputs known to a template, want %d; %d of 3 pass", name, known, want, passed)
			}
		}
	}
}

// rounds is how many mutated spends the property test tries.
func rounds() int {
	if os.Getenv("GRANARY_LONG") != "" {
		return 100_000
	}
	return 1500
}

func TestMutatedSpendsGetTheSameVerdict(t *testing.T) {
	noBrokenAssumptions(t)
	const seed = 7
	checker := NewChecker(Options{CacheBytes: 1 << 16})
	defer checker.Close()
	m := newMaker(seed)
	var bases []Job
	for _, name := range templateNames {
		if name != "P2WSH 15-of-16" { // slow, and no different
			bases = append(bases, m.spend(t, name, templateNames[m.rand.IntN(12)]))
		}
	}
	known, passed, inputs := 0, 0, 0
	for range rounds() {
		job := clone(&bases[m.rand.IntN(len(bases))])
		for range 1 + m.rand.IntN(2) {
			m.mutate(&job)
		}
		job = jobWith(job.Tx.Msg, job.Spent, usedFlags[m.rand.IntN(len(usedFlags))])
		k, p := compare(t, checker, &job)
		known, passed, inputs = known+k, passed+p, inputs+len(job.Spent)
	}
	t.Logf("seed %d: %d inputs, %d known to a template, %d pass", seed, inputs, known, passed)
	if known < inputs/4 || passed < inputs/8 {
		t.Error("the mutations hardly reach the templates")
	}
}

// FuzzRoads feeds both roads whatever scripts an attacker could.
func FuzzRoads(f *testing.F) {
	m := newMaker(3)
	for _, name := range templateNames {
		job := m.spend(f, name)
		in := job.Tx.Msg.TxIn[0]
		var witness []byte
		for _, item := range in.Witness {
			witness = append(append(witness, byte(len(item))), item...)
		}
		f.Add(job.Spent[0].Script, in.SignatureScript, witness, uint32(StandardFlags))
	}
	f.Fuzz(func(t *testing.T, pkScript, sigScript, packed []byte, flagBits uint32) {
		flags := Flags(flagBits) & (StandardFlags | SigPushOnly)
		if flags&P2SH == 0 {
			flags &^= Witness
		}
		if flags&Witness == 0 {
			flags &^= CleanStack | Taproot
		}
		tx := wire.NewMsgTx(2)
		tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: 1}, sigScript, unpack(packed)))
		tx.AddTxOut(wire.NewTxOut(1, nil))
		job := jobWith(tx, []*state.Coin{{ValueUnits: 5, Script: pkScript}}, flags)
		before := check.BrokenAssumptions()
		compare(t, NewChecker(Options{Workers: 1}), &job)
		if check.BrokenAssumptions() != before {
			t.Fatal("the two roads disagree, or the interpreter panicked")
		}
		counters(t, &job)
	})
}

// unpack reads witness items, each behind a length byte.
func unpack(packed []byte) (witness wire.TxWitness) {
	for len(packed) > 0 {
		n := min(int(packed[0]), len(packed)-1)
		witness = append(witness, packed[1:1+n])
		packed = packed[1+n:]
	}
	return witness
}
