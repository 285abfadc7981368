package block

import (
	"github.com/holiman/uint256"

	"granary/state"
)

// retargetLimit bounds how much one period may change the target, either way.
const retargetLimit = 4

// NextBits is the compact target that a block below parent must carry. The
// time (Unix seconds) matters only where a late block may use the easiest
// target (test networks).
func (r Rules) NextBits(parent *state.Header, timeUnix int64) uint32 {
	interval := r.Net.RetargetInterval()
	if (parent.Height+1)%interval == 0 {
		return r.retarget(parent)
	}
	if !r.Net.AllowMinDifficulty {
		return parent.Raw.Bits
	}
	if timeUnix > parent.Raw.Timestamp.Unix()+2*r.Net.SpacingSeconds {
		return r.Net.PowLimitBits
	}
	// The last block that did not use the exception sets the target.
	walk := parent
	for walk.Parent != nil && walk.Height%interval != 0 && walk.Raw.Bits == r.Net.PowLimitBits {
		walk = walk.Parent
	}
	return walk.Raw.Bits
}

// retarget is the target of the first block of a new period. It scales the
// target of the period's last block (under BIP94 its first, which cannot have
// used the exception) by the time the period took. As in Bitcoin since the
// start, one interval of the period goes uncounted.
func (r Rules) retarget(last *state.Header) uint32 {
	if r.Net.NoRetargeting {
		return last.Raw.Bits
	}
	first := last.Ancestor(last.Height - r.Net.RetargetInterval() + 1)
	taken := last.Raw.Timestamp.Unix() - first.Raw.Timestamp.Unix()
	taken = max(taken, r.Net.TimespanSeconds/retargetLimit)
	taken = min(taken, r.Net.TimespanSeconds*retargetLimit)
	base := last.Raw.Bits
	if r.Net.EnforceBIP94 {
		base = first.Raw.Bits
	}
	target, _ := state.TargetOf(base)
	overflow := false
	_, overflow = target.MulDivOverflow(&target, uint256.NewInt(uint64(taken)), uint256.NewInt(uint64(r.Net.TimespanSeconds)))
	if overflow || target.Gt(&r.Net.PowLimit) {
		return r.Net.PowLimitBits
	}
	return state.BitsOf(&target)
}
