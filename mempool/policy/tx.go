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
// "scriptsig-not-pushonly", "scriptpubkey", "bare-multisig", "dust", "multi-op-return". One output may be
// dust here; CheckDust looks at it once the fee is known.
func (s *Settings) CheckTx(tx *state.Tx, g *Goods) error {
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
	return s.checkOutputs(msg, g)
}

// CheckSize refuses what could pass for an inner node of the merkle tree
// ("tx-size-small"). It holds where standardness is off, too.
func CheckSize(msg *wire.MsgTx) error {
	if n := msg.SerializeSizeStripped(); n < MinTxStrippedBytes {
		return refuse("tx-size-small", "%d < %d bytes without witness", n, MinTxStrippedBytes)
	}
	return nil
}

func (s *Settings) checkOutputs(msg *wire.MsgTx, g *Goods) error {
	dataOutputs := 0
	for i, out := range msg.TxOut {
		class := Classify(out.PkScript)
		if class == NullData {
			dataOutputs++
		}
		if g != nil && i == g.last {
			continue
		}
		if !s.outputStandard(out.PkScript, class) {
			return refuse("scriptpubkey", "output %d", i)
		}
		if class == Multisig && !s.BareMultisig {
			return refuse("bare-multisig", "output %d", i)
		}
	}
	if dust := s.Dust(msg, g); len(dust) > MaxDustOutputs {
		return refuse("dust", "output %d", dust[0])
	}
	if dataOutputs > 1 {
		return refuse("multi-op-return", "%d", dataOutputs)
	}
	return nil
}

// Dust lists the outputs that are dust, but for those that the goods rules
// want as small as they are.
func (s *Settings) Dust(msg *wire.MsgTx, g *Goods) []uint32 {
	var dust []uint32
	for i, out := range msg.TxOut {
		if g != nil && (i == g.last || out.Value == 0 && g.mayBeEmpty(i) || g.isChange(i, out)) {
			continue
		}
		if out.Value < s.DustUnits(out) {
			dust = append(dust, uint32(i))
		}
	}
	return dust
}

// CheckDust refuses dust in a transaction that pays a fee, really or by a
// person's wish: with nothing to earn, nobody mines it without the child that
// sweeps the dust ("dust").
func CheckDust(dust []uint32, feeUnits, modifiedUnits int64) error {
	if len(dust) > 0 && (feeUnits != 0 || modifiedUnits != 0) {
		return refuse("dust", "tx with dust output must be 0-fee")
	}
	return nil
}

func (s *Settings) outputStandard(script []byte, class Class) bool {
	switch class {
	case NonStandard:
		return false
	case NullData:
		return len(script) <= s.DataCarrierBytes
	case Multisig:
		_, keys, _ := multisig(script)
		return keys <= MaxBareMultisigKeys
	}
	return true
}
