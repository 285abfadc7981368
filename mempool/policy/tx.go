package policy

import (
	"granary/params"
	"granary/state"

	"github.com/btcsuite/btcd/wire/v2"
)

// CheckTx refuses a transaction that is not standard by itself: version,
// size, signature scripts, output scripts, dust. g is its goods record, which
// is standard and may want outputs that hold nothing. Reasons are those of
// Core's IsStandardTx: "version", "tx-size", "scriptsig-size",
// "scriptsig-not-pushonly", "scriptpubkey", "dust", "multi-op-return".
func CheckTx(tx *state.Tx, g *Goods) error {
	msg := tx.Msg
	if msg.Version < MinTxVersion || msg.Version > MaxTxVersion {
		return refuse("version", "%d", msg.Version)
	}
	if weight := tx.Weight(); weight > params.MaxStandardTxWeight {
		return refuse("tx-size", "%d > %d weight units", weight, params.MaxStandardTxWeight)
	}
	for i, in := range msg.TxIn {
		if len(in.SignatureScript) > MaxScriptSigBytes {
			return refuse("scriptsig-size", "input %d", i)
		}
		if !isPushOnly(in.SignatureScript) {
			return refuse("scriptsig-not-pushonly", "input %d", i)
		}
	}
	return checkOutputs(msg, g)
}

// CheckSize refuses what could pass for an inner node of the merkle tree
// ("tx-size-small"). It holds where standardness is off, too.
func CheckSize(msg *wire.MsgTx) error {
	if n := msg.SerializeSizeStripped(); n < MinTxStrippedBytes {
		return refuse("tx-size-small", "%d < %d bytes without witness", n, MinTxStrippedBytes)
	}
	return nil
}

func checkOutputs(msg *wire.MsgTx, g *Goods) error {
	dataOutputs := 0
	for i, out := range msg.TxOut {
		class := Classify(out.PkScript)
		if class == NullData {
			dataOutputs++
		}
		if g != nil && i == g.last {
			continue
		}
		if !outputStandard(out.PkScript, class) {
			return refuse("scriptpubkey", "output %d", i)
		}
		asTheRulesWant := out.Value == 0 && g.mayBeEmpty(i) || g.isChange(i, out)
		if !asTheRulesWant && out.Value < DustUnits(out) {
			return refuse("dust", "output %d", i)
		}
	}
	if dataOutputs > 1 {
		return refuse("multi-op-return", "%d", dataOutputs)
	}
	return nil
}

func outputStandard(script []byte, class Class) bool {
	switch class {
	case NonStandard:
		return false
	case NullData:
		return len(script) <= MaxDataCarrierBytes
	case Multisig:
		_, keys, _ := multisig(script)
		return keys <= MaxBareMultisigKeys
	}
	return true
}
