package goods

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/params"
	"granary/state"
)

// The transactions that are made here are complete but for ordinary inputs,
// which pay, and signatures. More outputs go in front of the record (AddOutput).

// RefOf names a claim.
func RefOf(c *state.Claim) ClaimRef { return ClaimRef{c.Number, c.ID} }

// AddOutput puts out in front of the record of msg, behind the other outputs.
func AddOutput(msg *wire.MsgTx, out *wire.TxOut) {
	msg.TxOut = slices.Insert(msg.TxOut, max(len(msg.TxOut)-1, 0), out)
}

// ReclaimTx takes quantity undrawn measures of receipt back. coin is an
// ordinary one with the receipt's script, to be signed for; tokenScript is who
// will hold the claim.
func ReclaimTx(receipt *state.Receipt, quantity int64, coin wire.OutPoint, tokenScript []byte) *wire.MsgTx {
	msg := wire.NewMsgTx(2)
	msg.AddTxIn(wire.NewTxIn(&coin, nil, nil))
	msg.AddTxOut(wire.NewTxOut(0, bytes.Clone(tokenScript)))
	msg.AddTxOut(wire.NewTxOut(0, RecordScript(Reclaim{receipt.Number, receipt.ID, quantity})))
	return msg
}

// RedeemTx pays escrowUnits, at least ReadPrice's, for quantity free measures
// of receipt. It needs inputs.
func RedeemTx(id params.CharterID, receipt *state.Receipt, quantity, escrowUnits int64, tokenScript []byte) *wire.MsgTx {
	msg := wire.NewMsgTx(2)
	msg.AddTxOut(wire.NewTxOut(0, bytes.Clone(tokenScript)))
	msg.AddTxOut(wire.NewTxOut(escrowUnits, TreasuryScript(id)))
	msg.AddTxOut(wire.NewTxOut(0, RecordScript(Redeem{receipt.Number, receipt.ID, quantity})))
	return msg
}

// DeliverTx spends the token, to be signed for, in receipt of the goods. An
// input that pays the fee needs an output of change.
func DeliverTx(c *state.Claim) *wire.MsgTx { return tokenTx(c, Deliver{RefOf(c)}) }

// AssignTx hands the claim on to tokenScript; the token is to be signed for.
func AssignTx(c *state.Claim, tokenScript []byte) *wire.MsgTx {
	msg := tokenTx(c, Assign{RefOf(c)})
	AddOutput(msg, wire.NewTxOut(0, bytes.Clone(tokenScript)))
	return msg
}

// LapseTx returns the escrow of a tendered claim: by its token, which is to be
// signed for, or by anyone.
func LapseTx(id params.CharterID, c *state.Claim, byToken bool) *wire.MsgTx {
	msg := tokenTx(c, Lapse{RefOf(c)})
	if !byToken {
		msg.TxIn = nil
	}
	if c.Kind == state.ClaimReclaim {
		return msg
	}
	msg.AddTxIn(wire.NewTxIn(&c.Escrow, nil, nil))
	paid, rest := LapseUnits(c)
	AddOutput(msg, wire.NewTxOut(paid, bytes.Clone(c.TokenScript)))
	if rest > 0 {
		AddOutput(msg, wire.NewTxOut(rest, TreasuryScript(id)))
	}
	return msg
}

// SettleTx returns the escrow of a claim that was not tendered in time. That
// of a reclaim has no input and needs one.
func SettleTx(c *state.Claim) *wire.MsgTx {
	msg := tokenTx(c, Settle{RefOf(c)})
	msg.TxIn = nil
	if c.Kind == state.ClaimRedemption {
		msg.AddTxIn(wire.NewTxIn(&c.Escrow, nil, nil))
		AddOutput(msg, wire.NewTxOut(c.EscrowUnits, bytes.Clone(c.TokenScript)))
	}
	return msg
}

// tokenTx spends the token of a claim under a record.
func tokenTx(c *state.Claim, r Record) *wire.MsgTx {
	msg := wire.NewMsgTx(2)
	msg.AddTxIn(wire.NewTxIn(&c.Token, nil, nil))
	msg.AddTxOut(wire.NewTxOut(0, RecordScript(r)))
	return msg
}

// TenderOf is the proposal that a custodian's claims are ready: 1 to 200, in
// any order, each once. Expiry is the last height at which it may act on it.
func TenderOf(custodian uint16, expiry int32, claims []*state.Claim) Tender {
	r := Tender{Custodian: custodian, Expiry: expiry}
	for _, c := range claims {
		r.Claims = append(r.Claims, RefOf(c))
	}
	slices.SortFunc(r.Claims, func(a, b ClaimRef) int { return cmp.Compare(a.Number, b.Number) })
	return r
}

// DeliveriesOf is the proposal that the goods of a custodian's claims were
// handed out without their tokens: 1 to 100, in any order, each once.
func DeliveriesOf(custodian uint16, expiry int32, deliveries []Delivery) DeliverAttested {
	sorted := slices.SortedFunc(slices.Values(deliveries), func(a, b Delivery) int { return cmp.Compare(a.Number, b.Number) })
	return DeliverAttested{Custodian: custodian, Expiry: expiry, Deliveries: sorted}
}
