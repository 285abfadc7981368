package block

import (
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/params"
	"granary/state"
)

// CheckFinal judges the absolute lock time of a transaction in a block at
// height: timeUnix is what a lock by time is measured against, the median
// time of the parent once BIP113 holds, the block's own time before.
func (r Rules) CheckFinal(tx *state.Tx, height int32, timeUnix int64) error {
	if isFinal(tx.Msg, height, timeUnix) {
		return nil
	}
	return check.Rule("bad-txns-nonfinal", "locked until %d", tx.Msg.LockTime)
}

func isFinal(tx *wire.MsgTx, height int32, timeUnix int64) bool {
	if tx.LockTime == 0 {
		return true
	}
	limit := timeUnix
	if tx.LockTime < params.LockTimeThreshold {
		limit = int64(height)
	}
	if int64(tx.LockTime) < limit {
		return true
	}
	for _, in := range tx.TxIn {
		if in.Sequence != wire.MaxTxInSequenceNum {
			return false
		}
	}
	return true
}

// CheckSequenceLocks judges the relative lock times of a transaction (BIP68)
// in a block on top of tip, where BIP68 holds: spent[i] is the coin of input
// i; a coin that no block holds yet counts as one of the block being built,
// at tip.Height+1.
func (r Rules) CheckSequenceLocks(tx *state.Tx, spent []*state.Coin, tip *state.Header) error {
	height := tip.Height + 1
	// Versions are unsigned here: a "negative" one is large and the rule holds
	// (CVE-2024-34478).
	if height < r.Net.CSVHeight || uint32(tx.Msg.Version) < 2 {
		return nil
	}
	tipMedian := int64(-1)
	for i, in := range tx.Msg.TxIn {
		if in.Sequence&wire.SequenceLockTimeDisabled != 0 {
			continue
		}
		lock := int64(in.Sequence & wire.SequenceLockTimeMask)
		if in.Sequence&wire.SequenceLockTimeIsSeconds == 0 {
			if first := int64(spent[i].Height) + lock; int64(height) < first {
				return check.Rule("bad-txns-nonfinal", "input %d is locked until height %d", i, first)
			}
			continue
		}
		if tipMedian < 0 {
			tipMedian = tip.MedianTimePast()
		}
		since := tip.Ancestor(min(max(spent[i].Height-1, 0), tip.Height)).MedianTimePast()
		if first := since + lock<<wire.SequenceLockTimeGranularity; tipMedian < first {
			return check.Rule("bad-txns-nonfinal", "input %d is locked until time %d", i, first)
		}
	}
	return nil
}
