package script

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/base/sig"
	"granary/state"
)

// manyJobs makes n signed jobs of two inputs each.
func manyJobs(t testing.TB, n int) []Job {
	t.Helper()
	m := newMaker(21)
	names := []string{"P2WPKH", "P2PKH", "P2TR", "P2WSH 2-of-3", "P2TR script"}
	base := make([]Job, 0, len(names))
	for i, name := range names {
		base = append(base, m.spend(t, name, names[(i+1)%len(names)]))
	}
	jobs := make([]Job, n)
	for i := range jobs {
		jobs[i] = clone(&base[i%len(base)])
		jobs[i].TxIndex = i + 1
	}
	return jobs
}

// spoil makes one input fail by its amount or its signature.
func spoil(job *Job, input int) {
	in := job.Tx.Msg.TxIn[input]
	if len(in.Witness) > 0 {
		in.Witness[0] = append([]byte(nil), in.Witness[0]...)
		if len(in.Witness[0]) == 0 {
			in.Witness[1] = append([]byte(nil), in.Witness[1]...)
			in.Witness[1][12] ^= 1
		} else {
			in.Witness[0][12] ^= 1
		}
	} else {
		in.SignatureScript = append([]byte(nil), in.SignatureScript...)
		in.SignatureScript[12] ^= 1
	}
	*job = jobWith(job.Tx.Msg, job.Spent, job.Flags)
}

// The verdict is the first failure in order, whatever the number of workers
// and however often it is asked.
func TestFirstFailureWins(t *testing.T) {
	jobs := manyJobs(t, 40)
	for _, place := range []struct{ job, input int }{{33, 0}, {17, 1}, {29, 0}, {38, 1}} {
		spoil(&jobs[place.job], place.input)
	}
	want := fmt.Sprintf("input 1 of %v (wtxid %v), spending %v", jobs[17].Tx.Txid, jobs[17].Tx.Wtxid,
		jobs[17].Tx.Msg.TxIn[1].PreviousOutPoint)
	var first error
	for _, workers := range []int{1, 2, 3, 8} {
		checker := NewChecker(Options{Workers: workers, CacheBytes: 1 << 16})
		for range 4 {
			err := checker.Check(jobs)
			if err == nil || !strings.HasSuffix(err.Error(), want) {
				t.Fatalf("%d workers: %v, want the first failure: %s", workers, err, want)
			}
			if first != nil && err.Error() != first.Error() {
				t.Fatalf("%d workers: %v, before that %v", workers, err, first)
			}
			first = err
		}
		checker.Close()
	}
	if err := NewChecker(Options{}).Check(jobs[:17]); err != nil {
		t.Fatalf("jobs before the first failure: %v", err)
	}
}

func TestCallersShareAChecker(t *testing.T) {
	jobs := manyJobs(t, 20)
	bad := manyJobs(t, 20)
	spoil(&bad[7], 0)
	checker := NewChecker(Options{Workers: 2, CacheBytes: 4096})
	defer checker.Close()
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			set, wantError := jobs, i%2 == 1
			if wantError {
				set = bad
			}
			for range 3 {
				if err := checker.Check(set); (err != nil) != wantError {
					t.Errorf("caller %d: %v", i, err)
				}
			}
		})
	}
	group.Wait()
}

func TestNothingToCheck(t *testing.T) {
	if err := NewChecker(Options{}).Check(nil); err != nil {
		t.Fatal(err)
	}
}

// What is cheap to know is: codes, kinds and Core's words.
func TestRefusalsSpeakCoresLanguage(t *testing.T) {
	m := newMaker(22)
	for _, c := range []struct {
		name, template string
		flags          Flags
		change         func(job *Job)
		code           check.Code
		kind           check.Kind
		reason         string
	}{
		{
			"a wrong signature in a block", "P2WPKH", ConsensusFlags,
			func(job *Job) { job.Spent[0].ValueUnits++ }, codeConsensus, check.Consensus, "(" + reasonEvalFalse + ")",
		},
		{
			"a wrong signature in the mempool", "P2WPKH", StandardFlags,
			func(job *Job) { job.Spent[0].ValueUnits++ }, codeConsensus, check.Consensus, "(" + reasonEvalFalse + ")",
		},
		{
			"a wrong taproot signature", "P2TR", StandardFlags,
			func(job *Job) { job.Tx.Msg.TxIn[0].Witness[0][5] ^= 1 }, codeConsensus, check.Consensus, "(" + reasonSchnorr + ")",
		},
		{
			"a wrong key", "P2PKH", ConsensusFlags,
			func(job *Job) { job.Spent[0].Script[5] ^= 1 }, codeConsensus, check.Consensus,
			"(Script failed an OP_EQUALVERIFY operation)",
		},
		{
			"policy alone", "P2WPKH", StandardFlags,
			func(job *Job) {
				in := job.Tx.Msg.TxIn[0]
				in.Witness[0] = otherS(in.Witness[0])
			}, codePolicy, check.Policy, "(Non-canonical signature: S value is unnecessarily high)",
		},
		{
			"a missing witness", "P2WSH 2-of-3", ConsensusFlags,
			func(job *Job) { job.Tx.Msg.TxIn[0].Witness = nil }, codeConsensus, check.Consensus,
			"(Witness program was passed an empty witness)",
		},
	} {
		var job Job
		for {
			job = m.spend(t, c.template)
			if Interpret(&Job{Tx: job.Tx, Spent: job.Spent, Flags: StandardFlags}, 0) == nil {
				break
			}
		}
		job.Flags = c.flags
		c.change(&job)
		err := NewChecker(Options{}).Check([]Job{job})
		rule := check.AsRule(err)
		if rule == nil || rule.Code != c.code || rule.Kind != c.kind || !strings.HasPrefix(rule.Detail, c.reason+", input 0 of ") {
			t.Errorf("%s: %v, want %s %s", c.name, err, c.code, c.reason)
		}
	}
}

func TestCacheSparesSignatures(t *testing.T) {
	jobs := manyJobs(t, 4) // the last job's second input is the interpreter's
	checker := NewChecker(Options{CacheBytes: 1 << 16})
	ask := func(wantMore bool, why string) {
		t.Helper()
		before := checker.SignaturesChecked()
		if err := checker.Check(jobs); err != nil {
			t.Fatal(err)
		}
		if more := checker.SignaturesChecked() > before; more != wantMore {
			t.Errorf("%s: signatures verified: %v", why, more)
		}
	}
	setFlags := func(flags Flags) {
		for i := range jobs {
			jobs[i].Flags = flags
		}
	}
	ask(true, "the first time")
	ask(false, "the second time")
	setFlags(ConsensusFlags | LowS)
	ask(true, "under other flags")
	setFlags(ConsensusFlags | LowS | NullDummy)
	ask(false, "under the same flags again")

	checker = NewChecker(Options{CacheBytes: 1 << 16})
	setFlags(ConsensusFlags | LowS)
	ask(true, "under policy flags")
	setFlags(ConsensusFlags)
	ask(false, "in a block after the mempool")
}

// The coins are part of the key: the same transaction over other coins is
// another question, which cannot come up for one chain but must not be
// answered from the cache.
func TestCacheKnowsTheCoins(t *testing.T) {
	m := newMaker(23)
	job := m.spend(t, "P2WPKH")
	checker := NewChecker(Options{CacheBytes: 1 << 16})
	if err := checker.Check([]Job{job}); err != nil {
		t.Fatal(err)
	}
	other := clone(&job)
	other.Spent[0].ValueUnits++
	if err := checker.Check([]Job{other}); err == nil {
		t.Error("another amount passes from the cache")
	}
	if err := checker.Check([]Job{other}); err == nil {
		t.Error("a failure was remembered as a success")
	}
}

// A panic inside the interpreter is a refusal and is counted. A coin without
// script bytes behind a nil engine cannot happen, so the test makes the panic
// by a missing coin.
func TestInterpreterPanicRefuses(t *testing.T) {
	m := newMaker(24)
	job := m.spend(t, "P2WSH conditional")
	job.Spent[0] = nil
	before := check.BrokenAssumptions()
	var vm interpreter
	vm.reset(job.Tx.Msg, job.Spent)
	if err := vm.run(0, ConsensusFlags); err == nil || check.BrokenAssumptions() != before+1 {
		t.Errorf("error %v, %d assumptions broken", err, check.BrokenAssumptions()-before)
	}
}

// An engine that wrongly refuses cannot refuse a block: the interpreter is
// asked, and the trouble is counted.
func TestInterpreterHealsAFaultyEngine(t *testing.T) {
	m := newMaker(25)
	job := m.spend(t, "P2WPKH", "P2TR", "P2SH 2-of-3")
	refuse := engineFunc(func(checks []sig.Check, verdicts []bool) {
		for i := range checks {
			verdicts[i] = false
		}
	})
	before := check.BrokenAssumptions()
	if err := NewChecker(Options{Engine: refuse}).Check([]Job{job}); err != nil {
		t.Error(err)
	}
	if n := check.BrokenAssumptions() - before; n != 3 {
		t.Errorf("%d assumptions broken, want 3", n)
	}
}

// Before BIP66 a signature in a form that no strict reader takes is good.
func TestLaxSignaturesBeforeBIP66(t *testing.T) {
	m := newMaker(26)
	for _, template := range []string{"P2PK", "P2PKH"} {
		job := m.spend(t, template)
		in := job.Tx.Msg.TxIn[0]
		for in.SignatureScript[0] > 72 { // room for one byte more in a short push
			job = m.spend(t, template)
			in = job.Tx.Msg.TxIn[0]
		}
		// One byte of garbage between S and the hash type, and a sequence
		// length that is off.
		script := append([]byte(nil), in.SignatureScript...)
		n := int(script[0])
		changed := append([]byte{byte(n + 1)}, script[1:n]...)
		changed = append(changed, 0xaa, script[n])
		changed[2] ^= 0x10
		in.SignatureScript = append(changed, script[n+1:]...)
		job = jobWith(job.Tx.Msg, job.Spent, P2SH|Witness|Taproot)
		if err := NewChecker(Options{}).Check([]Job{job}); err != nil {
			t.Errorf("%s before BIP66: %v", template, err)
		}
		job.Flags |= DERSig
		err := NewChecker(Options{}).Check([]Job{job})
		if err == nil || !strings.Contains(err.Error(), reasonNotDER) {
			t.Errorf("%s after BIP66: %v", template, err)
		}
	}
}

// benchJobs is a block of two-input transactions as "bench chain" makes them.
func benchJobs(b *testing.B) []Job {
	m := newMaker(27)
	names := []string{"P2WPKH", "P2PKH", "P2TR", "P2WPKH", "P2PKH", "P2TR", "P2WSH 2-of-3"}
	jobs := make([]Job, 0, 500)
	for i := range cap(jobs) {
		jobs = append(jobs, m.spend(b, names[i%len(names)], names[(i*3+1)%len(names)]))
	}
	return jobs
}

// BenchmarkCheck shows what checking costs beside the signatures: with an
// engine that says yes, and with the real one.
func BenchmarkCheck(b *testing.B) {
	jobs := benchJobs(b)
	yes := engineFunc(func(checks []sig.Check, verdicts []bool) {
		for i := range checks {
			verdicts[i] = true
		}
	})
	for _, c := range []struct {
		name    string
		options Options
	}{
		{"yes", Options{Engine: yes, Workers: 1}},
		{"yes-cache", Options{Engine: yes, Workers: 1, CacheBytes: 1 << 10}},
		{"default-1", Options{Workers: 1}},
		{"default", Options{}},
	} {
		b.Run(c.name, func(b *testing.B) {
			checker := NewChecker(c.options)
			b.ReportAllocs()
			for b.Loop() {
				if err := checker.Check(jobs); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*2*len(jobs)), "ns/input")
		})
	}
}

// Long scripts of spent coins are hashed where they lie: a block may spend
// hundreds of megabytes of them.
func TestLongSpentScriptsAreNotGathered(t *testing.T) {
	const coins, long = 300, 10_000
	script := bytes.Repeat([]byte{txscript.OP_1}, long)
	m := newMaker(9)
	job := jobWith(wire.NewMsgTx(2), nil, ConsensusFlags)
	for range coins {
		job.Tx.Msg.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Hash: [32]byte(m.bytes(32))}})
		job.Spent = append(job.Spent, &state.Coin{ValueUnits: 1, Script: script})
	}
	job = jobWith(job.Tx.Msg, job.Spent, job.Flags)
	cache := newSuccessCache(1 << 16)
	h := newHasher()
	h.reset(job.Tx.Msg, job.Spent)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cache.jobHash(job.Tx, job.Spent, h.sha, nil)
	h.fillTaproot()
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > coins*long/10 {
		t.Errorf("%d bytes allocated to hash %d bytes of scripts", grown, coins*long)
	}
}
