package txrelay

import (
	"slices"
	"time"

	"granary/mempool"
	"granary/mempool/policy"
	"granary/p2p/message"
	"granary/params"
)

// Telling peers what to leave out (BIP133); Core's figures.
const (
	feeFilterEvery   = 10 * time.Minute // on average
	feeFilterSoon    = 5 * time.Minute  // at most, after a large change
	feeFilterVersion = 70_013
	maxFeeStep       = 10_000_000 // units for each 1,000 vbytes
)

// makeFeeSteps lists the fees that a filter may name, a tenth apart: an exact
// one would tell peers' nodes apart.
func makeFeeSteps() []int64 {
	steps := []int64{0}
	for step := int64(max(policy.IncrementalUnitsPerKVB/2, 1)); step <= maxFeeStep; step = max(step*11/10, step+1) {
		steps = append(steps, step)
	}
	return steps
}

// roundFee gives a step near a fee: mostly the one below.
func (r *Relay) roundFee(units int64) int64 {
	at, _ := slices.BinarySearch(r.feeSteps, units)
	if at == len(r.feeSteps) || at > 0 && r.Rand.Uint64()%3 != 0 {
		at--
	}
	return r.feeSteps[at]
}

// sendFeeFilter tells a peer what the pool asks for, now and then, and soon
// after a large change.
func (r *Relay) sendFeeFilter(l *link, now time.Time) {
	if !l.heard || l.facts.ForceRelay || l.facts.Version < feeFilterVersion {
		return
	}
	info := r.feeInfo(now)
	units := info.MinUnitsPerKVB
	if r.Syncing() {
		units = params.MaxMoneyUnits
	} else if l.sentFeeFilter >= params.MaxMoneyUnits {
		l.nextFeeFilter = time.Time{} // transactions are welcome from now on
	}
	if !now.Before(l.nextFeeFilter) {
		r.tellFeeFilter(l, units, info.RelayUnitsPerKVB)
		l.nextFeeFilter = now.Add(randomPause(r.Rand, feeFilterEvery))
		return
	}
	changed := units < l.sentFeeFilter/4*3 || units > l.sentFeeFilter/3*4
	if changed && now.Add(feeFilterSoon).Before(l.nextFeeFilter) {
		l.nextFeeFilter = now.Add(time.Duration(r.Rand.Uint64() % uint64(feeFilterSoon)))
	}
}

func (r *Relay) tellFeeFilter(l *link, units, leastUnits int64) {
	if units < params.MaxMoneyUnits {
		units = max(r.roundFee(units), leastUnits)
	}
	if units != l.sentFeeFilter {
		l.Send(&message.FeeFilter{UnitsPerKVB: units})
		l.sentFeeFilter = units
	}
}

// feeInfo gives what the pool asks for, at most a second old.
func (r *Relay) feeInfo(now time.Time) *mempool.Info {
	if !now.Before(r.infoUntil) {
		r.info, r.infoUntil = r.Pool.Info(), now.Add(time.Second)
	}
	return &r.info
}

// receiveFeeFilter notes what a peer wants to be told of.
func (r *Relay) receiveFeeFilter(l *link, units int64) {
	if units >= 0 && units <= params.MaxMoneyUnits {
		l.minFeeUnitsPerKVB = units
	}
}
