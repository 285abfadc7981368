package policy

import (
	"cmp"
	"math/bits"

	"granary/params"
	"granary/state"

	"github.com/btcsuite/btcd/wire/v2"
)

// VBytes is the virtual size that fees are counted on: a quarter of the
// weight, or of BytesPerSigOp weight units per sigop cost where that is more,
// rounded up.
func (s *Settings) VBytes(weight, sigOpCost int64) int64 {
	return (max(weight, sigOpCost*s.BytesPerSigOp) + params.WitnessScaleFactor - 1) / params.WitnessScaleFactor
}

// FeeAt is what vbytes cost at a rate, rounded up; it saturates at MaxInt64.
func FeeAt(unitsPerKVB, vbytes int64) int64 {
	if unitsPerKVB <= 0 || vbytes <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(unitsPerKVB), uint64(vbytes))
	lo, carry := bits.Add64(lo, 999, 0)
	hi += carry
	if hi >= 1000 {
		return 1<<63 - 1
	}
	quo, _ := bits.Div64(hi, lo, 1000)
	return int64(min(quo, 1<<63-1))
}

// RateOf is the fee rate in units per 1,000 virtual bytes, rounded down.
func RateOf(feeUnits, vbytes int64) int64 {
	if feeUnits <= 0 || vbytes <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(feeUnits), 1000)
	if hi >= uint64(vbytes) {
		return 1<<63 - 1
	}
	quo, _ := bits.Div64(hi, lo, uint64(vbytes))
	return int64(min(quo, 1<<63-1))
}

// CompareRates orders two fee rates without rounding: negative where fee a
// over size a is less than fee b over size b. Sizes are positive (virtual
// bytes, or weight on both sides); a fee may be negative, by a person's wish.
func CompareRates(feeA, sizeA, feeB, sizeB int64) int {
	if (feeA < 0) != (feeB < 0) {
		return cmp.Compare(feeA, feeB)
	}
	hiA, loA := bits.Mul64(magnitude(feeA), uint64(sizeB))
	hiB, loB := bits.Mul64(magnitude(feeB), uint64(sizeA))
	order := cmp.Compare(hiA, hiB)
	if order == 0 {
		order = cmp.Compare(loA, loB)
	}
	if feeA < 0 {
		return -order
	}
	return order
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

// DustUnits is the value below which an output costs more to spend than it is
// worth, at DustUnitsPerKVB; 0 for what can never be spent.
func (s *Settings) DustUnits(out *wire.TxOut) int64 {
	if state.Unspendable(out.PkScript) {
		return 0
	}
	size := int64(out.SerializeSize())
	if _, _, ok := witnessProgram(out.PkScript); ok {
		size += 32 + 4 + 1 + 107/params.WitnessScaleFactor + 4
	} else {
		size += 32 + 4 + 1 + 107 + 4
	}
	return FeeAt(s.DustUnitsPerKVB, size)
}

// CheckFee refuses a fee below the mempool's own floor ("mempool min fee not
// met") or below the relay floor ("min relay fee not met"). The pool's floor is
// in units per 1,000 virtual bytes.
func (s *Settings) CheckFee(feeUnits, vbytes, poolRate int64) error {
	if floor := FeeAt(poolRate, vbytes); feeUnits < floor {
		return refuse("mempool min fee not met", "%d < %d", feeUnits, floor)
	}
	return s.CheckRelayFee(feeUnits, vbytes)
}

// CheckRelayFee refuses a fee below the relay floor alone.
func (s *Settings) CheckRelayFee(feeUnits, vbytes int64) error {
	if floor := FeeAt(s.MinRelayUnitsPerKVB, vbytes); feeUnits < floor {
		return refuse("min relay fee not met", "%d < %d", feeUnits, floor)
	}
	return nil
}
