package script

import (
	"granary/base/check"
	"granary/base/sig"
)

// worker takes inputs apart and gathers their signature checks until a batch
// is full. It keeps its memory from one run to the next.
type worker struct {
	checker *Checker
	run     *run

	job     int // the job that hashes, vm and jobHash are set to; -1 for none
	hashes  *hasher
	vm      interpreter
	jobHash [32]byte
	spend   spend
	buf     []byte

	checks, oldChecks []sig.Check
	refs, oldRefs     []ref
	verdicts          []bool
	multisigs         []*multisig // idle ones
}

// ref says what a check of the batch is for.
type ref struct {
	job, input int
	key        cacheKey
	multi      *multisig // nil where the input has one signature
}

func newWorker(c *Checker) *worker {
	w := &worker{checker: c, hashes: newHasher()}
	w.vm.leaves = &leafRun{hashes: w.hashes, engine: c.engine, fromBytes: heavySignedBytes}
	return w
}

// work checks inputs of r until none are left.
func (w *worker) work(r *run) {
	w.run, w.job = r, -1
	for {
		from, to := r.take(w.checker.workers)
		if from == to {
			break
		}
		w.inputs(from, to)
		w.verify()
	}
	for len(w.checks) > 0 {
		w.verify()
	}
	w.forget()
}

// forget drops what would keep a block alive.
func (w *worker) forget() {
	w.run = nil
	w.hashes.reset(nil, nil)
	w.vm.reset(nil, nil)
	w.spend = spend{digest: w.spend.digest}
	clear(w.checks[:cap(w.checks)])
	clear(w.oldChecks[:cap(w.oldChecks)])
	clear(w.refs[:cap(w.refs)])
	clear(w.oldRefs[:cap(w.oldRefs)])
	for _, m := range w.multisigs {
		*m = multisig{}
	}
}

// inputs looks at the inputs from <= place < to.
func (w *worker) inputs(from, to int) {
	job := w.run.jobAt(from)
	for place := from; place < to; place++ {
		for job+1 < len(w.run.starts) && place >= w.run.starts[job+1] {
			job++
		}
		if w.run.hopeless(place) {
			return
		}
		w.turnTo(job)
		w.input(job, place-w.run.starts[job])
	}
}

// turnTo sets the shared parts of a job up, once while it stays the same.
func (w *worker) turnTo(job int) {
	if w.job == job {
		return
	}
	w.job = job
	j := &w.run.jobs[job]
	w.hashes.reset(j.Tx.Msg, j.Spent)
	w.vm.reset(j.Tx.Msg, j.Spent)
	if cache := w.checker.cache; cache != nil {
		w.jobHash, w.buf = cache.jobHash(j.Tx, j.Spent, w.hashes.sha, w.buf)
	}
}

// input takes one input apart and adds its checks to the batch, or decides it
// at once.
func (w *worker) input(job, input int) {
	j := &w.run.jobs[job]
	target := ref{job: job, input: input}
	if cache := w.checker.cache; cache != nil {
		target.key = keyOf(&w.jobHash, j.Flags, input)
		if cache.has(&target.key) {
			return
		}
	}
	if !w.spend.parse(j.Tx.Msg.TxIn[input], j.Spent[input].Script, j.Flags) {
		w.interpret(&target)
		return
	}
	if w.spend.mode == modeTaprootKey {
		w.gatherTaproot(&target)
	} else {
		w.gatherECDSA(&target)
	}
}

// gatherTaproot adds the check of a key path spend.
func (w *worker) gatherTaproot(target *ref) {
	signature := w.spend.sigs[0]
	hashType := byte(hashDefault)
	if len(signature) == 65 {
		hashType = signature[64]
	}
	digest, ok := w.hashes.taprootKey(target.input, hashType)
	if !ok {
		w.interpret(target)
		return
	}
	w.add(target, sig.Check{Kind: sig.Schnorr, PubKey: w.spend.keys[0], Sig: signature[:64], Digest: digest})
}

// gatherECDSA adds the check of a single signature, or the first one of a
// multisig.
func (w *worker) gatherECDSA(target *ref) {
	s := &w.spend
	if len(s.keys) == 1 {
		signature := s.sigs[0]
		w.add(target, sig.Check{
			Kind: sig.ECDSA, PubKey: s.keys[0],
			Sig: signature[:len(signature)-1], Digest: w.digest(target.input, signature),
		})
		return
	}
	m := w.idleMultisig()
	m.begin(s)
	for i, signature := range s.sigs {
		if i > 0 && lastByte(signature) == lastByte(s.sigs[i-1]) {
			m.digests[i] = m.digests[i-1]
			continue
		}
		m.digests[i] = w.digest(target.input, signature)
	}
	target.multi = m
	w.add(target, m.check())
}

// digest is the signature hash that an ECDSA signature of the spend covers.
func (w *worker) digest(input int, signature []byte) [32]byte {
	if w.spend.mode == modeSegwitV0 {
		return w.hashes.segwitV0(input, w.spend.code, uint32(lastByte(signature)))
	}
	return w.hashes.legacy(input, w.spend.code, uint32(lastByte(signature)))
}

func lastByte(b []byte) byte { return b[len(b)-1] }

func (w *worker) idleMultisig() *multisig {
	if n := len(w.multisigs); n > 0 {
		m := w.multisigs[n-1]
		w.multisigs = w.multisigs[:n-1]
		return m
	}
	return new(multisig)
}

func (w *worker) add(target *ref, c sig.Check) {
	w.checks = append(w.checks, c)
	w.refs = append(w.refs, *target)
}

// verify runs the batch. Multisigs that are not decided by it put their next
// check into the following one.
func (w *worker) verify() {
	if len(w.checks) == 0 {
		return
	}
	w.checks, w.oldChecks = w.oldChecks[:0], w.checks
	w.refs, w.oldRefs = w.oldRefs[:0], w.refs
	if cap(w.verdicts) < len(w.oldChecks) {
		w.verdicts = make([]bool, max(len(w.oldChecks), sig.PreferredBatch))
	}
	verdicts := w.verdicts[:len(w.oldChecks)]
	w.checker.engine.Verify(w.oldChecks, verdicts)
	w.checker.checked.Add(uint64(len(verdicts)))
	for i, verdict := range verdicts {
		w.resolve(&w.oldRefs[i], verdict)
	}
}

// resolve takes the verdict on one check.
func (w *worker) resolve(target *ref, passed bool) {
	if m := target.multi; m != nil {
		var done bool
		passed, done = m.advance(passed)
		if !done {
			if !w.run.hopeless(w.run.starts[target.job] + target.input) {
				w.add(target, m.check())
				return
			}
		}
		w.multisigs = append(w.multisigs, m)
		if !done {
			return
		}
	}
	if passed {
		w.pass(target)
	} else {
		w.doubt(target)
	}
}

// interpret decides an input by the interpreter.
func (w *worker) interpret(target *ref) {
	j := &w.run.jobs[target.job]
	failure := w.vm.run(target.input, j.Flags)
	if failure == nil {
		w.pass(target)
		return
	}
	w.run.fail(w.run.starts[target.job]+target.input, w.vm.judge(j, target.input, j.Flags, failure))
}

// doubt decides an input of a template whose signatures do not hold: the
// interpreter finds the reason. Should it find none, it is believed, as the
// slower and older witness; except before BIP66, where it reads signatures
// more strictly than Bitcoin ever has.
func (w *worker) doubt(target *ref) {
	place := w.run.starts[target.job] + target.input
	if w.run.hopeless(place) {
		return
	}
	w.turnTo(target.job)
	j := &w.run.jobs[target.job]
	failure := w.vm.run(target.input, j.Flags)
	switch {
	case failure != nil:
		w.run.fail(place, w.vm.judge(j, target.input, j.Flags, failure))
	case j.Flags&DERSig == 0:
		w.run.fail(place, refusal(check.Consensus, codeConsensus, j, target.input, reasonEvalFalse))
	default:
		check.Assume(false)
		w.pass(target)
	}
}

// pass remembers an input that may spend.
func (w *worker) pass(target *ref) {
	cache := w.checker.cache
	if cache == nil {
		return
	}
	cache.add(&target.key)
	if flags := w.run.jobs[target.job].Flags; flags&^ConsensusFlags != 0 {
		key := keyOf((*[32]byte)(target.key[:]), flags&ConsensusFlags, target.input)
		cache.add(&key)
	}
}
