package goods

import (
	"granary/base/check"
	"granary/params"
	"granary/state"
)

// Redeem pays coins into escrow for free goods of a receipt. Anyone may, at
// the price that L and D of the start of the block make.
type Redeem struct {
	Receipt  uint64
	ID       state.ObjectID
	Quantity int64 // measures that move from free to owed
}

// Type implements Record.
func (Redeem) Type() RecordType { return TypeRedeem }

// Body implements Record: receipt u64, id 8 bytes, quantity u64.
func (r Redeem) Body() []byte { return receiptPart(r).body() }

func parseRedeem(body []byte) (Record, error) {
	p, err := parseReceiptPart(TypeRedeem, body)
	if err != nil {
		return nil, err
	}
	return Redeem(p), nil
}

func (r Redeem) check(a *action) error {
	g := a.g
	receipt, err := g.receipt(r.Receipt, r.ID)
	if err != nil {
		return err
	}
	if err := a.checkTokenOutput(); err != nil {
		return err
	}
	escrow := a.output(1)
	if escrow == nil || !g.isTreasury(escrow.PkScript) {
		return check.Rule(CodeEscrowOutput, "output 1 of a redeem must pay the escrow to the treasury's script")
	}
	good, err := g.good(receipt.Good)
	if err != nil {
		return err
	}
	if r.Quantity > receipt.Free || r.Quantity < min(good.MinRedemption, receipt.Free) {
		return check.Rule(CodeRedeemQuantity, "the redemption is of %d %s, receipt %d has %d free: take %d at least, or all of it", r.Quantity, good.Measure, r.Receipt, receipt.Free, good.MinRedemption)
	}
	if err := g.checkClaimsFull(receipt.Custodian, params.UntenderedPerBlock); err != nil {
		return err
	}
	price, err := g.priceUnits(receipt, r.Quantity)
	if err != nil {
		return err
	}
	if escrow.Value < price {
		return check.Rule(CodeRedeemPrice, "the escrow holds %d units, %d %s of receipt %d cost %d in this block", escrow.Value, r.Quantity, good.Measure, r.Receipt, price)
	}
	a.name(1, state.MeansEscrow)
	return nil
}

func (r Redeem) apply(a *action) error {
	before, err := a.g.receipt(r.Receipt, r.ID)
	if err != nil {
		return err
	}
	after := *before
	after.Free -= r.Quantity
	after.Owed += r.Quantity
	if err := a.g.changeReceipt(before, &after); err != nil {
		return err
	}
	return a.openClaim(before, state.ClaimRedemption, r.Quantity, a.tx.Msg.TxOut[1].Value)
}

var _ Record = Redeem{}
