package goods

import (
	"bytes"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/params"
	"granary/state"
)

// SlashTx makes the slash that pays what a custodian owes from its bonds, as
// much as they hold, the oldest first. It is complete: anyone may send it, it
// needs no signature and pays its miner the miner's share. standing is as after
// the transactions before it. nil where there is no debt or no bond.
func SlashTx(id params.CharterID, custodian uint16, standing *state.Standing, minerShareBP int64) *wire.MsgTx {
	if standing.DebtUnits == 0 || len(standing.Bonds) == 0 {
		return nil
	}
	count := oldestBonds(standing, standing.DebtUnits)
	s := slashOf(standing, count, minerShareBP)
	msg := wire.NewMsgTx(2)
	for i := range count {
		msg.AddTxIn(wire.NewTxIn(&standing.Bonds[i].Out, nil, nil))
	}
	msg.AddTxOut(wire.NewTxOut(s.amountUnits-s.feeUnits, TreasuryScript(id)))
	if s.changeUnits > 0 {
		msg.AddTxOut(wire.NewTxOut(s.changeUnits, TreasuryScript(id)))
	}
	msg.AddTxOut(wire.NewTxOut(0, RecordScript(Slash{Custodian: custodian})))
	return msg
}

// DebtOutputs gives the outputs of a transaction that pays units of a
// custodian's debt, 1 to the whole, from ordinary coins: output 0, and the
// record, which is the last. Whatever inputs and change stand between them are
// the payer's; none of the inputs is the treasury's.
func DebtOutputs(id params.CharterID, custodian uint16, units int64) (payment, record *wire.TxOut) {
	return wire.NewTxOut(units, TreasuryScript(id)), wire.NewTxOut(0, RecordScript(Slash{Custodian: custodian}))
}

// BondOutputs gives output 1, behind the custodian's seat, and the record of a
// transaction that makes units a bond; the record is the last. The bonds that
// there are have the same return script.
func BondOutputs(id params.CharterID, custodian uint16, units int64, returnScript []byte) (bond, record *wire.TxOut) {
	return wire.NewTxOut(units, TreasuryScript(id)), wire.NewTxOut(0, RecordScript(Bond{Custodian: custodian, ReturnScript: returnScript}))
}

// WithdrawParts gives the inputs from 1 on, behind the custodian's seat, the
// outputs from 1 on and the record, which is the last, of the withdrawal of
// what the custodian announced; nil where nothing is. The inputs need no
// signature. The bonds pay no fee: that comes from inputs behind these.
func WithdrawParts(id params.CharterID, custodian uint16, standing *state.Standing) (bonds []wire.OutPoint, outs []*wire.TxOut, record *wire.TxOut) {
	units := standing.AnnouncedUnits
	if units == 0 {
		return nil, nil, nil
	}
	count := oldestBonds(standing, units)
	for _, bond := range standing.Bonds[:count] {
		bonds = append(bonds, bond.Out)
	}
	outs = append(outs, wire.NewTxOut(units, bytes.Clone(standing.ReturnScript)))
	if change := sumOfBonds(standing.Bonds[:count]) - units; change > 0 {
		outs = append(outs, wire.NewTxOut(change, TreasuryScript(id)))
	}
	return bonds, outs, wire.NewTxOut(0, RecordScript(Unbond{Step: UnbondWithdraw, Custodian: custodian}))
}

// oldestBonds counts the oldest bonds that hold units, or all of them.
func oldestBonds(standing *state.Standing, units int64) int {
	count, held := 0, int64(0)
	for count < len(standing.Bonds) && held < units {
		held += standing.Bonds[count].Units
		count++
	}
	return count
}
