package goods

import (
	"bytes"

	"granary/base/check"
	"granary/params"
	"granary/state"
)

// Reclaim is how a depositor takes goods back whose coins never left the pool.
// Who spends a coin with the receipt's script is the depositor.
type Reclaim struct {
	Receipt  uint64
	ID       state.ObjectID
	Quantity int64 // measures that move from undrawn to owed
}

// Type implements Record.
func (Reclaim) Type() RecordType { return TypeReclaim }

// Body implements Record: receipt u64, id 8 bytes, quantity u64.
func (r Reclaim) Body() []byte { return receiptPart(r).body() }

func parseReclaim(body []byte) (Record, error) {
	p, err := parseReceiptPart(TypeReclaim, body)
	if err != nil {
		return nil, err
	}
	return Reclaim(p), nil
}

func (r Reclaim) check(a *action) error {
	g := a.g
	receipt, err := g.receipt(r.Receipt, r.ID)
	if err != nil {
		return err
	}
	if len(a.spent) == 0 || !bytes.Equal(a.spent[0].Script, receipt.Script) {
		return check.Rule(CodeReclaimInput, "input 0 must be a coin with the script of receipt %d, %x", r.Receipt, receipt.Script)
	}
	if err := a.checkTokenOutput(); err != nil {
		return err
	}
	good, err := g.good(receipt.Good)
	if err != nil {
		return err
	}
	if r.Quantity > receipt.Undrawn || r.Quantity < min(good.MinRedemption, receipt.Undrawn) {
		return check.Rule(CodeReclaimQuantity, "the reclaim is of %d %s, receipt %d has %d undrawn: take %d at least, or all of it", r.Quantity, good.Measure, r.Receipt, receipt.Undrawn, good.MinRedemption)
	}
	return g.checkClaimsFull(receipt.Custodian, params.ReclaimsPerBlock)
}

func (r Reclaim) apply(a *action) error {
	before, err := a.g.receipt(r.Receipt, r.ID)
	if err != nil {
		return err
	}
	after := *before
	after.Undrawn -= r.Quantity
	after.Owed += r.Quantity
	if err := a.g.changeReceipt(before, &after); err != nil {
		return err
	}
	return a.openClaim(before, state.ClaimReclaim, r.Quantity, 0)
}

var _ Record = Reclaim{}
