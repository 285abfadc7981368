package goods

import (
	"encoding/binary"
	"math"
	"math/big"

	"granary/state"
)

// Coverage is what stood behind the coins after one block. Amounts are units.
type Coverage struct {
	Height           int32
	Time             int64 // of the block, seconds since 1970
	CirculatingUnits int64 // L
	ReserveUnits     int64 // R, saturated
	AllUnits         int64 // D, saturated
	ClaimedUnits     int64 // C, saturated
	PoolUnits        int64
	EscrowUnits      int64
	BondUnits        int64
	MinCoverageBP    int64
	Events           uint32 // lines of the log
}

// NoCoverage is the coverage of no circulating coins.
const NoCoverage = -1

// CoverageBP is floor(reserve x 10,000 / circulating), held at 2^63-1;
// NoCoverage where nothing circulates.
func CoverageBP(reserveUnits, circulatingUnits int64) int64 {
	if circulatingUnits == 0 {
		return NoCoverage
	}
	bp := new(big.Int).Mul(big.NewInt(reserveUnits), big.NewInt(10_000))
	if bp.Quo(bp, big.NewInt(circulatingUnits)); !bp.IsInt64() {
		return math.MaxInt64
	}
	return bp.Int64()
}

// BP is the coverage in basis points.
func (c *Coverage) BP() int64 { return CoverageBP(c.ReserveUnits, c.CirculatingUnits) }

// takeTotals moves the figures that are in the totals.
func (c *Coverage) takeTotals(t state.Totals) {
	c.CirculatingUnits, c.PoolUnits, c.EscrowUnits = t.CirculatingUnits, t.PoolUnits, t.EscrowUnits
}

// takeReserve moves those that are in the reserve.
func (c *Coverage) takeReserve(r state.Reserve) {
	c.ReserveUnits, c.AllUnits, c.ClaimedUnits = r.Counted.Units(), r.All.Units(), r.Claimed.Units()
}

func (c *Coverage) encode(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(uint32(c.Height)))
	for _, v := range [...]int64{
		c.Time, c.CirculatingUnits, c.ReserveUnits, c.AllUnits, c.ClaimedUnits, c.PoolUnits, c.EscrowUnits, c.BondUnits, c.MinCoverageBP,
	} {
		dst = binary.AppendUvarint(dst, uint64(v))
	}
	return binary.AppendUvarint(dst, uint64(c.Events))
}

func decodeCoverage(raw []byte) (c Coverage, err error) {
	r := row{raw: raw}
	c.Height = int32(r.uvarint())
	for _, v := range [...]*int64{
		&c.Time, &c.CirculatingUnits, &c.ReserveUnits, &c.AllUnits, &c.ClaimedUnits, &c.PoolUnits, &c.EscrowUnits, &c.BondUnits, &c.MinCoverageBP,
	} {
		*v = int64(r.uvarint())
	}
	c.Events = uint32(r.uvarint())
	if !r.done() {
		return c, errRow("coverage")
	}
	return c, nil
}
