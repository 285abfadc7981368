package block

import (
	"fmt"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/params"
	"granary/state"
)

// versionBits is the block version without any signal (BIP9).
const versionBits = 0x20000000

// ComputeVersion is the version of a block that the house builds on parent:
// no deployment is being signalled for.
func (r Rules) ComputeVersion(*state.Header) int32 { return versionBits }

// CheckHeader judges a header below parent: work against its own claim and
// against the chain's difficulty rule, time against the median of the past
// eleven blocks, BIP94's and BIP54's limits and the clock (nowUnix, Unix
// seconds), and the version (BIP34, 65, 66). "time-too-new" has Kind Future,
// all else is Consensus.
func (r Rules) CheckHeader(raw *wire.BlockHeader, parent *state.Header, nowUnix int64) error {
	if err := r.checkWork(raw); err != nil {
		return err
	}
	return r.CheckHeaderContext(raw, parent, nowUnix)
}

// CheckHeaderContext is CheckHeader without the work, for a block that is
// proposed before it is mined (BIP23).
func (r Rules) CheckHeaderContext(raw *wire.BlockHeader, parent *state.Header, nowUnix int64) error {
	if want := r.NextBits(parent, raw.Timestamp.Unix()); raw.Bits != want {
		return check.Rule("bad-diffbits", "bits are %08x, the chain asks for %08x", raw.Bits, want)
	}
	if err := r.checkTime(raw, parent); err != nil {
		return err
	}
	if latest := nowUnix + params.MaxFutureSeconds; raw.Timestamp.Unix() > latest {
		return check.RuleKind(check.Future, "time-too-new",
			"time %d is beyond %d, two hours ahead of the clock", raw.Timestamp.Unix(), latest)
	}
	return r.checkVersion(raw.Version, parent.Height+1)
}

// checkWork: the hash meets the target that the header itself names.
func (r Rules) checkWork(raw *wire.BlockHeader) error {
	target, ok := state.TargetOf(raw.Bits)
	if !ok || target.Gt(&r.Net.PowLimit) {
		return check.Rule("high-hash", "bits %08x name no target of this network", raw.Bits)
	}
	if hash := raw.BlockHash(); !state.HashMeets(&hash, &target) {
		return check.Rule("high-hash", "block hash %v is above the target of bits %08x", hash, raw.Bits)
	}
	return nil
}

// checkTime: later than the median of the past, and not far back where a
// difficulty period begins or ends.
func (r Rules) checkTime(raw *wire.BlockHeader, parent *state.Header) error {
	seconds, before := raw.Timestamp.Unix(), parent.Raw.Timestamp.Unix()
	if median := parent.MedianTimePast(); seconds <= median {
		return check.Rule("time-too-old", "time %d is not after the median %d of the last eleven blocks", seconds, median)
	}
	height, interval := parent.Height+1, r.Net.RetargetInterval()
	if height%interval == 0 {
		if r.Net.EnforceBIP94 && seconds < before-params.TimewarpGraceSeconds {
			return timewarp(seconds, before, params.TimewarpGraceSeconds)
		}
		if r.cleanup() && seconds < before-params.BIP54TimewarpGraceSeconds {
			return timewarp(seconds, before, params.BIP54TimewarpGraceSeconds)
		}
	}
	if r.cleanup() && height%interval == interval-1 {
		first := parent.Ancestor(height - interval + 1).Raw.Timestamp.Unix()
		if seconds < first {
			return check.Rule("time-negative-interval",
				"time %d of the last block of a difficulty period is before its first block's %d", seconds, first)
		}
	}
	return nil
}

func timewarp(seconds, before int64, grace int) error {
	return check.Rule("time-timewarp-attack",
		"time %d of the first block of a difficulty period is more than %d seconds before its parent's %d",
		seconds, grace, before)
}

// checkVersion refuses versions that the buried deployments outdated.
func (r Rules) checkVersion(version, height int32) error {
	outdated := version < 2 && height >= r.Net.BIP34Height ||
		version < 3 && height >= r.Net.BIP66Height ||
		version < 4 && height >= r.Net.BIP65Height
	if outdated {
		code := check.Code(fmt.Sprintf("bad-version(0x%08x)", uint32(version)))
		return check.Rule(code, "a block at height %d needs a newer version", height)
	}
	return nil
}
