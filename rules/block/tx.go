package block

import (
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/params"
	"granary/rules/script"
	"granary/state"
)

const (
	minCoinbaseScriptBytes = 2
	maxCoinbaseScriptBytes = 100
	// nodeBytes is the length of an inner node of the Merkle tree, which no
	// transaction may have under BIP54.
	nodeBytes = 64
)

// CheckTx judges what can be judged of a transaction alone: it has inputs and
// outputs, fits into a block, its amounts are in range (CVE-2010-5139), no
// outpoint is spent twice (CVE-2018-17144), a coinbase's script has 2 to 100
// bytes, and where there is a charter it is not 64 bytes long (BIP54).
func (r Rules) CheckTx(tx *state.Tx) error {
	if err := checkTxForm(tx.Msg, tx.StrippedBytes()); err != nil {
		return err
	}
	if r.cleanup() && tx.StrippedBytes() == nodeBytes {
		return check.Rule("bad-txns-size", "without witness it is exactly %d bytes long (BIP54)", nodeBytes)
	}
	return nil
}

func checkTxForm(tx *wire.MsgTx, strippedBytes int) error {
	if len(tx.TxIn) == 0 {
		return check.Rule("bad-txns-vin-empty", "no inputs")
	}
	if len(tx.TxOut) == 0 {
		return check.Rule("bad-txns-vout-empty", "no outputs")
	}
	if strippedBytes*params.WitnessScaleFactor > params.MaxBlockWeight {
		return check.Rule("bad-txns-oversize", "%d bytes without witness", strippedBytes)
	}
	if err := checkOutputs(tx.TxOut); err != nil {
		return err
	}
	if repeatsInput(tx.TxIn) {
		return check.Rule("bad-txns-inputs-duplicate", "one outpoint is spent twice")
	}
	if IsCoinbase(tx) {
		if n := len(tx.TxIn[0].SignatureScript); n < minCoinbaseScriptBytes || n > maxCoinbaseScriptBytes {
			return check.Rule("bad-cb-length", "coinbase script of %d bytes", n)
		}
		return nil
	}
	for _, in := range tx.TxIn {
		if isNull(&in.PreviousOutPoint) {
			return check.Rule("bad-txns-prevout-null", "an input spends nothing")
		}
	}
	return nil
}

func checkOutputs(outs []*wire.TxOut) error {
	var sum int64
	for i, out := range outs {
		if out.Value < 0 {
			return check.Rule("bad-txns-vout-negative", "output %d holds %d units", i, out.Value)
		}
		if out.Value > params.MaxMoneyUnits {
			return check.Rule("bad-txns-vout-toolarge", "output %d holds %d units", i, out.Value)
		}
		sum += out.Value // two amounts in range cannot overflow
		if !moneyRange(sum) {
			return check.Rule("bad-txns-txouttotal-toolarge", "outputs hold more than all coins")
		}
	}
	return nil
}

// repeatsInput compares a few inputs pairwise and more through a map.
func repeatsInput(ins []*wire.TxIn) bool {
	const few = 12
	if len(ins) <= few {
		for i, a := range ins {
			for _, b := range ins[:i] {
				if a.PreviousOutPoint == b.PreviousOutPoint {
					return true
				}
			}
		}
		return false
	}
	seen := make(map[wire.OutPoint]struct{}, len(ins))
	for _, in := range ins {
		seen[in.PreviousOutPoint] = struct{}{}
	}
	return len(seen) != len(ins)
}

// CheckTxInputs judges a transaction against the coins it spends, as part of
// a block at height: spent[i] is the coin of input i, nil where there is none.
// All coins are there and mature, amounts stay in range, and outputs do not
// hold more than inputs; with a charter, the scripts that run hold at most
// 2,500 legacy signature checks (BIP54). It gives the fee.
func (r Rules) CheckTxInputs(tx *state.Tx, spent []*state.Coin, height int32) (feeUnits int64, err error) {
	for i, coin := range spent {
		if coin == nil {
			return 0, check.Rule("bad-txns-inputs-missingorspent", "input %d spends %v, which is not there",
				i, tx.Msg.TxIn[i].PreviousOutPoint)
		}
	}
	var in, out int64
	for i, coin := range spent {
		if age := height - coin.Height; coin.Coinbase && age < params.CoinbaseMaturity {
			return 0, check.Rule("bad-txns-premature-spend-of-coinbase", "input %d spends a coinbase %d blocks deep", i, age)
		}
		if !moneyRange(coin.ValueUnits) || !moneyRange(in+coin.ValueUnits) {
			return 0, check.Rule("bad-txns-inputvalues-outofrange", "inputs hold more than all coins")
		}
		in += coin.ValueUnits
	}
	for _, o := range tx.Msg.TxOut {
		out += o.Value
	}
	if in < out {
		return 0, check.Rule("bad-txns-in-belowout", "inputs hold %d units, outputs %d", in, out)
	}
	if fee := in - out; !moneyRange(fee) {
		return 0, check.Rule("bad-txns-fee-outofrange", "fee of %d units", fee)
	}
	if err := r.checkLegacySigOps(tx.Msg, spent); err != nil {
		return 0, err
	}
	return in - out, nil
}

func (r Rules) checkLegacySigOps(tx *wire.MsgTx, spent []*state.Coin) error {
	if !r.cleanup() {
		return nil
	}
	if n := script.BIP54SigOps(tx, spent); n > params.BIP54MaxLegacySigOps {
		return check.Rule("bad-txns-legacy-sigops", "%d legacy signature checks, at most %d (BIP54)",
			n, params.BIP54MaxLegacySigOps)
	}
	return nil
}
