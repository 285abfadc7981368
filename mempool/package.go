package mempool

import (
	"slices"
	"strings"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/base/check"
	"granary/mempool/policy"
	"granary/state"
)

const (
	// succeeded and failedOne are Core's words for a package: all are in, or
	// one's own result says why not.
	succeeded = "success"
	failedOne = "transaction failed"
)

// PackageResult is what came of a package.
type PackageResult struct {
	// Message is "success", "transaction failed" where a result says why, or
	// Core's reason against the package as a whole. Even then some of its
	// transactions may be in, by their own fee.
	Message string
	// Results are in the order of the transactions; those left open were not
	// judged.
	Results []Result
	// Replaced are the transactions that had to leave.
	Replaced []chainhash.Hash
}

// AcceptPackage takes parents and, last, the child that pays for them, for
// relay. refusals are in the order of txs: nil for what is in the pool now, a
// check.RuleError otherwise; what was refused only with the whole has the
// refusal that it got alone, or code "package" where there is none. err is the
// world's.
func (p *Pool) AcceptPackage(txs []*state.Tx) (refusals []error, err error) {
	result, err := p.SubmitPackage(txs, 0)
	if err != nil {
		return nil, err
	}
	refusals = make([]error, len(txs))
	for i := range result.Results {
		r := &result.Results[i]
		switch {
		case r.Entry != nil:
		case r.Err != nil:
			refusals[i] = r.Err
		default:
			refusals[i] = refuse("package", "%s", result.Message)
		}
	}
	return refusals, nil
}

// SubmitPackage takes a package: up to 25 transactions in order, the last of
// which spends from each of the others and nothing else that is unknown. Each
// is tried by itself first; those that pay too little then together, by the
// fee of all of them. maxUnitsPerKVB refuses what pays more, 0 takes any fee.
// Two, a parent and its child, may replace what stands against them (Core 28's
// package replacement). err is the world's.
func (p *Pool) SubmitPackage(txs []*state.Tx, maxUnitsPerKVB int64) (*PackageResult, error) {
	s := &submission{pool: p, maxUnitsPerKVB: maxUnitsPerKVB, PackageResult: PackageResult{Message: succeeded, Results: newResults(txs)}}
	if reason := packageError(txs); reason != "" || len(txs) == 0 {
		s.Message = reason
		return &s.PackageResult, nil
	}
	if len(txs) > 1 && !childWithParents(txs) {
		s.Message = "package-not-child-with-parents"
		return &s.PackageResult, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if unknown, err := p.childNeedsMore(txs); err != nil {
		return nil, err
	} else if unknown {
		s.Message = "package-not-child-with-unconfirmed-parents"
		return &s.PackageResult, nil
	}
	if err := s.run(); err != nil {
		return nil, err
	}
	return &s.PackageResult, nil
}

// childWithParents reports whether the last transaction spends from every
// other one.
func childWithParents(txs []*state.Tx) bool {
	child := txs[len(txs)-1]
	return !slices.ContainsFunc(txs[:len(txs)-1], func(parent *state.Tx) bool {
		return !spends(child.Msg, parent.Txid)
	})
}

// childNeedsMore reports whether the child spends what is neither the
// package's nor confirmed. It may spend from the pool only what the package
// says, or Core would not know a package's parents from other transactions.
func (p *Pool) childNeedsMore(txs []*state.Tx) (unknown bool, err error) {
	child := txs[len(txs)-1]
	if p.txs[child.Txid] != nil {
		return false, nil
	}
	err = p.chain.View(func(_ *state.Header, v state.View) error {
		for _, in := range child.Msg.TxIn {
			op := in.PreviousOutPoint
			if slices.ContainsFunc(txs, func(tx *state.Tx) bool { return tx.Txid == op.Hash }) {
				continue
			}
			coin, err := v.Coin(op)
			if err != nil {
				return err
			}
			unknown = unknown || coin == nil
		}
		return nil
	})
	return unknown && len(txs) > 1, err
}

// submission is a package on its way in.
type submission struct {
	pool           *Pool
	maxUnitsPerKVB int64
	PackageResult
}

// run tries each alone, then what is left together, and looks for room at the
// end, so that a child can keep its parents in.
func (s *submission) run() error {
	p := s.pool
	var left []*Result
	for i := range s.Results {
		again, err := s.alone(&s.Results[i])
		if err != nil {
			return err
		}
		if again {
			left = append(left, &s.Results[i])
		}
	}
	switch {
	case s.Message != succeeded || len(left) == 0:
	case len(left) == 1:
		s.Message = failedOne
	default:
		trials, reason, err := p.together(left, fromHelped)
		if err == nil && trials != nil {
			reason = s.dear(left, trials)
		}
		if err != nil {
			return err
		}
		if s.Message = reason; reason == succeeded {
			s.enter(trials)
		}
	}
	p.trim()
	for i := range s.Results {
		if r := &s.Results[i]; r.Entry != nil && p.txs[r.Tx.Txid] == nil {
			r.fail(errFull)
			s.Message = failedOne
		}
	}
	return nil
}

// alone tries one by its own fee; again says that a child's fee could help.
func (s *submission) alone(r *Result) (again bool, err error) {
	p := s.pool
	if e := p.txs[r.Tx.Txid]; e != nil {
		r.Evaluated, r.Entry, r.Already = true, e, true
		if e.Tx.Wtxid != r.Tx.Wtxid {
			r.Other = &e.Tx.Wtxid
		}
		return false, nil
	}
	t, err := p.judge(r.Tx, fromOutside)
	if err == nil {
		err = s.tooDear(t)
	}
	if err == nil {
		r.pass(t, []*trial{t})
		s.enter([]*trial{t})
		return false, nil
	}
	rule := check.AsRule(err)
	if rule == nil {
		return false, err
	}
	r.Err = err
	if Reconsiderable(rule) || rule.Kind == check.Unconnected {
		r.Evaluated = true
		return true, nil
	}
	r.fail(err)
	s.Message = failedOne
	return false, nil
}

// Reconsiderable reports a refusal that a child with a higher fee may lift.
func Reconsiderable(rule *check.RuleError) bool {
	switch rule.Code {
	case "min relay fee not met", "mempool min fee not met":
		return true
	}
	return strings.HasPrefix(string(rule.Code), "insufficient fee")
}

func (s *submission) tooDear(t *trial) error {
	if s.maxUnitsPerKVB > 0 && policy.RateOf(t.entry.modified(), t.entry.VBytes) > s.maxUnitsPerKVB {
		return refuse("max feerate exceeded", "")
	}
	return nil
}

// dear refuses a package of which one pays too much by itself.
func (s *submission) dear(left []*Result, trials []*trial) (reason string) {
	for i, t := range trials {
		if err := s.tooDear(t); err != nil {
			for _, r := range left {
				r.Entry = nil
			}
			left[i].fail(err)
			return failedOne
		}
	}
	return succeeded
}

// enter puts trials in and notes what had to leave.
func (s *submission) enter(trials []*trial) {
	for _, t := range trials {
		for _, e := range s.pool.reach(down, t.conflicts...) {
			if !slices.Contains(s.Replaced, e.Tx.Txid) {
				s.Replaced = append(s.Replaced, e.Tx.Txid)
			}
		}
	}
	s.pool.put(trials...)
}

// together judges several transactions as one, in order, without putting them
// in. trials is nil where they are refused; reason is Core's then, and the
// results say what was found. err is the world's.
func (p *Pool) together(results []*Result, from origin) (trials []*trial, reason string, err error) {
	refused := func(r *Result, err error) ([]*trial, string, error) {
		r.fail(err)
		if check.AsRule(err) == nil {
			return nil, failedOne, err
		}
		return nil, failedOne, nil
	}
	for _, r := range results {
		t, err := p.look(r.Tx, from, trials)
		if err == nil {
			err = p.checkDustSpent(t)
		}
		if err != nil {
			return refused(r, err)
		}
		trials = append(trials, t)
	}
	if err := packageTRUC(trials); err != nil {
		return nil, err.Error(), nil
	}
	if from == fromHelped {
		if err := p.checkPackageFee(trials); err != nil {
			return refused(results[len(results)-1], err)
		}
	}
	if err := p.checkPackage(trials); err != nil {
		return nil, err.Error(), nil
	}
	for i, t := range trials {
		if err := p.seal(t); err != nil {
			return refused(results[i], err)
		}
	}
	for i, t := range trials {
		by := trials
		if from != fromHelped {
			by = trials[i : i+1]
		}
		results[i].pass(t, by)
	}
	return trials, "", nil
}

// checkPackageFee asks the price of all together. What travels free is not
// counted.
func (p *Pool) checkPackageFee(trials []*trial) error {
	var feeUnits, vbytes int64
	for _, t := range trials {
		if !t.entry.free() {
			feeUnits += t.entry.modified()
			vbytes += t.entry.VBytes
		}
	}
	return p.policy.CheckFee(feeUnits, vbytes, p.floorRate())
}
