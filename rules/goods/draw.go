package goods

import (
	"bytes"
	"encoding/binary"
	"math"

	"granary/base/check"
	"granary/state"
)

// Draw carries the coins of a receipt out of the pool to the receipt's own
// script. Anyone may make it: it needs no signature.
type Draw struct {
	Receipt  uint64
	ID       state.ObjectID
	Quantity int64 // measures that move from undrawn to free
}

// Type implements Record.
func (Draw) Type() RecordType { return TypeDraw }

// Body implements Record: receipt u64, id 8 bytes, quantity u64.
func (r Draw) Body() []byte {
	b := binary.LittleEndian.AppendUint64(nil, r.Receipt)
	b = append(b, r.ID[:]...)
	return binary.LittleEndian.AppendUint64(b, uint64(r.Quantity))
}

func parseDraw(body []byte) (Record, error) {
	b := state.NewByteReader(body)
	r := Draw{Receipt: b.U64()}
	copy(r.ID[:], b.Bytes(len(r.ID)))
	r.Quantity = b.Int64()
	if !b.Done() || r.Quantity == 0 {
		return nil, check.Rule(CodeRecordMalformed, "draw has %d bytes for a receipt, its id and a quantity above zero", len(body))
	}
	return r, nil
}

func (r Draw) check(a *action) error {
	if err := a.checkPoolInputs(); err != nil {
		return err
	}
	receipt, err := a.g.receipt(r.Receipt, r.ID)
	if err != nil {
		return err
	}
	if !receipt.Fresh(a.g.height) {
		return check.Rule(CodeStale, "receipt %d counts to height %d, this is %d", r.Receipt, receipt.ValidUntil, a.g.height)
	}
	standing, err := a.g.standing(receipt.Custodian)
	if err != nil {
		return err
	}
	if err := checkCounts(receipt.Custodian, standing); err != nil {
		return err
	}
	if err := a.checkDrawOutputs(receipt); err != nil {
		return err
	}
	if err := r.checkRelease(a, receipt); err != nil {
		return err
	}
	return r.checkCoverage(a, receipt)
}

// checkPoolInputs: the pool pays alone, and what opens it is the record.
func (a *action) checkPoolInputs() error {
	for i, in := range a.tx.Msg.TxIn {
		if !a.g.isTreasury(a.spent[i].Script) || meaningOf(a.inputs, i).Kind != state.MeansNothing {
			return check.Rule(CodeDrawInput, "input %d of a draw is not from the pool", i)
		}
		if len(in.SignatureScript) > 0 || len(in.Witness) > 0 {
			return check.Rule(CodeDrawInput, "input %d of a draw has a signature script or witness, both must be empty", i)
		}
		a.take(i)
	}
	return nil
}

// checkDrawOutputs: the payment to the receipt's script, perhaps one output
// back to the pool, the record.
func (a *action) checkDrawOutputs(receipt *state.Receipt) error {
	outs := a.tx.Msg.TxOut
	record := outs[len(outs)-1]
	switch {
	case len(outs) < 2 || len(outs) > 3:
		return check.Rule(CodeDrawOutput, "a draw has %d outputs: payment, perhaps one to the pool, and the record", len(outs))
	case !bytes.Equal(outs[0].PkScript, receipt.Script):
		return check.Rule(CodeDrawOutput, "output 0 of the draw does not pay to the script of receipt %d", receipt.Number)
	case len(outs) == 3 && !a.g.isTreasury(outs[1].PkScript):
		return check.Rule(CodeDrawOutput, "output 1 of the draw does not go back to the pool")
	case record.Value != 0:
		return check.Rule(CodeDrawOutput, "the record of a draw carries %d units, it must carry none", record.Value)
	}
	return nil
}

// checkRelease: the coins that leave the pool are exactly the credit of the
// quantity, and the miner's share of them is the fee.
func (r Draw) checkRelease(a *action, receipt *state.Receipt) error {
	g := a.g
	good, err := g.good(receipt.Good)
	if err != nil {
		return err
	}
	whole := r.Quantity == receipt.Undrawn
	credit := CreditUnits(receipt, good, r.Quantity)
	switch {
	case r.Quantity > receipt.Undrawn:
		return check.Rule(CodeDrawQuantity, "the draw is of %d %s, receipt %d has %d undrawn", r.Quantity, good.Measure, r.Receipt, receipt.Undrawn)
	case !whole && CreditUnits(receipt, good, r.Quantity-1) == credit:
		return check.Rule(CodeDrawQuantity, "fewer than %d %s have the same credit of %d units", r.Quantity, good.Measure, credit)
	}
	release := a.flow.poolIn - a.flow.poolOut
	fee := DrawFeeUnits(credit, g.params.MinerShareBP)
	switch {
	case release != credit:
		return check.Rule(CodeDrawRelease, "the draw takes %d units from the pool, the credit of %d %s is %d", release, r.Quantity, good.Measure, credit)
	case !whole && release < g.params.MinDrawUnits:
		return check.Rule(CodeDrawMinimum, "the draw takes %d units, %d at least or the whole credit are needed", release, g.params.MinDrawUnits)
	case release <= fee:
		return check.Rule(CodeDrawMinimum, "the draw takes %d units, of which nothing is left after the miner's %d", release, fee)
	case a.flow.in-a.flow.out != fee:
		return check.Rule(CodeDrawFee, "the draw leaves %d units to the miner, it must leave %d", a.flow.in-a.flow.out, fee)
	}
	return nil
}

// checkCoverage: the block's cap, and goods behind every coin after the draw.
func (r Draw) checkCoverage(a *action, receipt *state.Receipt) error {
	g := a.g
	release := a.flow.poolIn - a.flow.poolOut
	if left := g.params.BlockReleaseCapUnits - g.releasedUnits; release > left {
		return check.Rule(CodeBlockCap, "the draw takes %d units, %d may still be released in this block", release, left)
	}
	sums, err := g.sumsAfter(receipt, r.drawn(receipt))
	if err != nil {
		return err
	}
	circulating, reserve := g.totals.CirculatingUnits+release, sums.reserve.Counted.Units()
	if lessProduct(reserve, 10_000, circulating, g.params.MinCoverageBP) {
		return check.Rule(CodeCoverage, "the draw would leave %d units circulating over a reserve of %d, coverage must be %d basis points", circulating, reserve, g.params.MinCoverageBP)
	}
	return nil
}

func (r Draw) apply(a *action) error {
	g := a.g
	receipt, err := g.receipt(r.Receipt, r.ID)
	if err != nil {
		return err
	}
	release := a.flow.poolIn - a.flow.poolOut
	after := r.drawn(receipt)
	after.ReleasedUnits += min(release, math.MaxInt64-after.ReleasedUnits)
	if err := g.changeReceipt(receipt, after); err != nil {
		return err
	}
	g.releasedUnits += release
	g.noteSpent(a.tx.Msg, a.spent)
	g.events = append(g.events, Released{Receipt: *after, Quantity: r.Quantity, Units: release, FeeUnits: a.flow.in - a.flow.out})
	return nil
}

// drawn is the receipt after the draw.
func (r Draw) drawn(receipt *state.Receipt) *state.Receipt {
	after := *receipt
	after.Undrawn -= r.Quantity
	after.Free += r.Quantity
	return &after
}

// DrawFeeUnits is what a draw that releases units leaves to its miner.
func DrawFeeUnits(units, minerShareBP int64) int64 {
	fee := mulDiv(units, minerShareBP, 10_000)
	if !sameProduct(fee, 10_000, units, minerShareBP) {
		fee++
	}
	return fee
}

var _ Record = Draw{}
