package script

import (
	"crypto/sha256"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/sig"
	"granary/state"
	"granary/test/vectors"
)

// steppingChecker runs every tapscript step by step, however little it signs.
func steppingChecker() *Checker {
	c := NewChecker(Options{})
	c.idle.New = func() any {
		w := newWorker(c)
		w.vm.leaves.fromBytes = -1
		return w
	}
	return c
}

// taprootLeaf judges one filling step by step; it gives 1 where that road is
// open to it.
func taprootLeaf(t *testing.T, stepper *Checker, c *vectors.TaprootCase, filling *vectors.Filling, want bool) int64 {
	flags, err := ParseFlags(c.Flags)
	if err != nil {
		t.Errorf("%s: %v", c.Name, err)
		return 0
	}
	// The vectors ask for consensus; the policies must at least agree.
	job := jobOf(c.With(filling), c.Spent, flags)
	if err := checkOne(stepper, &job, c.Input); (err == nil) != want {
		t.Errorf("%s: step by step: %v, want success %v", c.Name, err, want)
	}
	policy := jobOf(c.With(filling), c.Spent, StandardFlags)
	slow, fast := Interpret(&policy, c.Input), checkOne(stepper, &policy, c.Input)
	if (slow == nil) != (fast == nil) {
		t.Errorf("%s: as policy: interpreter %v, step by step %v", c.Name, slow, fast)
	}
	leaves := &leafRun{fromBytes: -1}
	if leaves.suits(job.Tx.Msg, c.Input, job.Spent[c.Input].Script, flags) {
		return 1
	}
	return 0
}

// leafSpend spends a tapscript with an annex; the signature is of hashType
// over the first CHECKSIG (no separator before it).
func leafSpend(t testing.TB, m *maker, code func(pub []byte) []byte, annexBytes, outputBytes int, hashType txscript.SigHashType) Job {
	t.Helper()
	key, _ := btcec.PrivKeyFromBytes(m.bytes(32))
	script := code(schnorr.SerializePubKey(key.PubKey()))
	leaf := txscript.NewBaseTapLeaf(script)
	tree := txscript.AssembleTaprootScriptTree(leaf)
	root := tree.RootNode.TapHash()
	pkScript, err := txscript.PayToTaprootScript(txscript.ComputeTaprootOutputKey(key.PubKey(), root[:]))
	if err != nil {
		t.Fatal(err)
	}
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Hash: [32]byte(m.bytes(32))}})
	tx.AddTxOut(wire.NewTxOut(1, make([]byte, outputBytes)))
	var opts []txscript.TaprootSigHashOption
	var annex []byte
	if annexBytes > 0 {
		annex = append([]byte{txscript.TaprootAnnexTag}, make([]byte, annexBytes-1)...)
		opts = append(opts, txscript.WithAnnex(annex))
	}
	prevouts := txscript.NewCannedPrevOutputFetcher(pkScript, 1000)
	digest, err := txscript.CalcTapscriptSignaturehash(txscript.NewTxSigHashes(tx, prevouts), hashType, tx, 0, prevouts, leaf, opts...)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := schnorr.Sign(key, digest)
	if err != nil {
		t.Fatal(err)
	}
	signature := signed.Serialize()
	if hashType != txscript.SigHashDefault {
		signature = append(signature, byte(hashType))
	}
	block := tree.LeafMerkleProofs[0].ToControlBlock(key.PubKey())
	control, err := block.ToBytes()
	if err != nil {
		t.Fatal(err)
	}
	tx.TxIn[0].Witness = wire.TxWitness{signature, script, control}
	if annex != nil {
		tx.TxIn[0].Witness = append(tx.TxIn[0].Witness, annex)
	}
	return jobWith(tx, []*state.Coin{{ValueUnits: 1000, Script: pkScript}}, ConsensusFlags)
}

// manySigs checks one signature n times.
func manySigs(n int) func(pub []byte) []byte {
	return func(pub []byte) []byte {
		code := vectors.AppendPush(nil, pub)
		for range n {
			code = append(code, txscript.OP_2DUP, txscript.OP_CHECKSIGVERIFY)
		}
		return append(code, txscript.OP_2DROP, txscript.OP_1)
	}
}

// A large annex, or a large output beside a SINGLE signature, is hashed once
// and not for every signature.
func TestHeavyTapscriptHashesOnce(t *testing.T) {
	m := newMaker(54)
	const signatures, large = 150, 1_000_000
	for name, job := range map[string]Job{
		"annex":  leafSpend(t, m, manySigs(signatures), large, 1, txscript.SigHashDefault),
		"single": leafSpend(t, m, manySigs(signatures), 60*signatures, large, txscript.SigHashSingle),
	} {
		asked := 0
		checker := NewChecker(Options{Workers: 1, Engine: engineFunc(func(checks []sig.Check, verdicts []bool) {
			asked += len(checks)
			sig.Default().Verify(checks, verdicts)
		})})
		defer checker.Close()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if err := checker.Check([]Job{job}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 12*large || asked != signatures {
			t.Errorf("%s: %d bytes allocated for %d signed, %d signatures checked here", name, grown, large, asked)
		}
	}
}

// leafMaker writes a tapscript of statements that leave the stack as it was,
// and knows which signature each check on the way that runs wants.
type leafMaker struct {
	*maker
	pub    []byte
	code   []byte
	ops    uint32
	at     uint32   // the last separator that runs
	wanted []uint32 // separators that the signatures in the witness cover
}

func (l *leafMaker) op(ops ...byte) {
	l.code = append(l.code, ops...)
	l.ops += uint32(len(ops))
}

func (l *leafMaker) push(b []byte) {
	l.code = vectors.AppendPush(l.code, b)
	l.ops++
}

// fetch copies the signature for a check here from the bottom of the stack.
func (l *leafMaker) fetch(runs bool) {
	at := l.at
	if runs && l.rand.IntN(60) == 0 { // now and then another one
		at = uint32(l.rand.IntN(50))
	}
	k := slices.Index(l.wanted, at)
	if k < 0 && len(l.wanted) < 15 {
		k = len(l.wanted)
		l.wanted = append(l.wanted, at)
	}
	l.op(txscript.OP_DEPTH, txscript.OP_1+byte(max(k, 0)), txscript.OP_SUB, txscript.OP_PICK)
}

func (l *leafMaker) key() {
	switch l.rand.IntN(8) {
	case 0:
		l.push(l.bytes(33))
	default:
		l.push(l.pub)
	}
}

func (l *leafMaker) statement(runs bool, depth int) {
	switch l.rand.IntN(6) {
	case 0:
		l.fetch(runs)
		l.key()
		l.op(txscript.OP_CHECKSIG, txscript.OP_DROP)
	case 1:
		l.fetch(runs)
		l.key()
		l.op(txscript.OP_CHECKSIGVERIFY)
	case 2:
		l.fetch(runs)
		l.op(txscript.OP_3)
		l.key()
		l.op(txscript.OP_CHECKSIGADD, txscript.OP_4, txscript.OP_EQUALVERIFY)
	case 3:
		if runs {
			l.at = l.ops
		}
		l.op(txscript.OP_CODESEPARATOR)
	case 4:
		l.op(txscript.OP_0)
		l.key()
		l.op(txscript.OP_CHECKSIG, txscript.OP_DROP)
	case 5:
		truth, not := l.rand.IntN(2) == 1, l.rand.IntN(2) == 1
		l.op(map[bool]byte{false: txscript.OP_0, true: txscript.OP_1}[truth],
			map[bool]byte{false: txscript.OP_IF, true: txscript.OP_NOTIF}[not])
		l.statements(runs && truth != not, depth+1)
		for range l.rand.IntN(3) {
			l.op(txscript.OP_ELSE)
			not = !not
			l.statements(runs && truth != not, depth+1)
		}
		l.op(txscript.OP_ENDIF)
	}
}

func (l *leafMaker) statements(runs bool, depth int) {
	for range l.rand.IntN(max(5-depth, 1)) {
		l.statement(runs, depth)
	}
}

// spend makes the transaction of a finished script.
func (l *leafMaker) spend(t testing.TB, key *btcec.PrivateKey) Job {
	for range l.wanted {
		l.op(txscript.OP_DROP)
	}
	l.op(txscript.OP_1)
	job := leafSpend(t, l.maker, func([]byte) []byte { return l.code }, 1000, 10, txscript.SigHashDefault)
	in := job.Tx.Msg.TxIn[0]
	h := newHasher()
	h.reset(job.Tx.Msg, job.Spent)
	_, annex := cutAnnex(in.Witness)
	sum := sha256.Sum256(append(state.AppendCompactSize(nil, uint64(len(annex))), annex...))
	leaf := leafContext{hash: txscript.NewBaseTapLeaf(l.code).TapHash(), annex: &sum}
	var stack wire.TxWitness
	for _, at := range l.wanted {
		leaf.codeSepAt = at
		hashType := []byte{hashDefault, hashAll, hashNone, hashSingle, hashAnyoneCanPay | hashSingle}[l.rand.IntN(5)]
		digest, _ := h.taproot(0, hashType, &leaf)
		signed, err := schnorr.Sign(key, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		signature := signed.Serialize()
		if hashType != hashDefault {
			signature = append(signature, hashType)
		}
		stack = append(stack, signature)
	}
	in.Witness = append(stack, in.Witness[1:]...)
	return jobWith(job.Tx.Msg, job.Spent, job.Flags)
}

// Tapscripts of random branches, separators and checks get the verdict step by
// step that the interpreter alone gives them.
func TestSteppedTapscriptsGetTheSameVerdict(t *testing.T) {
	noBrokenAssumptions(t)
	m := newMaker(342)
	stepper := steppingChecker()
	defer stepper.Close()
	passed, failed := 0, 0
	for range rounds() {
		key, _ := btcec.PrivKeyFromBytes(m.bytes(32))
		l := &leafMaker{maker: m, pub: schnorr.SerializePubKey(key.PubKey()), at: noCodeSeparator}
		l.statements(true, 0)
		l.statements(true, 0)
		job := l.spend(t, key)
		if l.rand.IntN(10) == 0 {
			in := job.Tx.Msg.TxIn[0]
			m.flip(in.Witness[l.rand.IntN(len(in.Witness))])
			job = jobWith(job.Tx.Msg, job.Spent, job.Flags)
		}
		slow, fast := Interpret(&job, 0), stepper.Check([]Job{job})
		if (slow == nil) != (fast == nil) {
			t.Fatalf("script %x: interpreter %v, step by step %v", l.code, slow, fast)
		}
		if slow == nil {
			passed++
		} else {
			failed++
		}
	}
	t.Logf("%d passed, %d failed", passed, failed)
	if passed < failed || failed == 0 {
		t.Errorf("%d passed, %d failed: the scripts are no test", passed, failed)
	}
}

// Each way in which a check of a tapscript can be wrong has Core's reason.
func TestSteppedTapscriptReasons(t *testing.T) {
	m := newMaker(7)
	stepper := steppingChecker()
	defer stepper.Close()
	for reason, c := range map[string]struct {
		annexBytes int
		change     func(w wire.TxWitness)
	}{
		"(Invalid Schnorr signature)":      {3000, func(w wire.TxWitness) { w[0][10] ^= 1 }},
		"(Invalid Schnorr signature size)": {3000, func(w wire.TxWitness) { w[0] = w[0][:63] }},
		"(Too much signature validation":   {3, func(wire.TxWitness) {}},
	} {
		job := leafSpend(t, m, manySigs(40), c.annexBytes, 1, txscript.SigHashDefault)
		c.change(job.Tx.Msg.TxIn[0].Witness)
		err := stepper.Check([]Job{job})
		if err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("want %s, got %v", reason, err)
		}
	}
}
