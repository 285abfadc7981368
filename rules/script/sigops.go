package script

import (
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/params"
	"granary/state"
)

// LegacySigOps counts the signature operations in the input and output scripts
// of tx as Bitcoin always has: a multisig counts as twenty.
func LegacySigOps(tx *wire.MsgTx) int {
	n := 0
	for _, in := range tx.TxIn {
		n += sigOps(in.SignatureScript, false)
	}
	for _, out := range tx.TxOut {
		n += sigOps(out.PkScript, false)
	}
	return n
}

// SigOpCost is the cost of tx against the block limit (BIP141): legacy and
// P2SH operations count four, witness operations one. spent[i] is the coin of
// input i; for a coinbase spent is nil.
func SigOpCost(tx *wire.MsgTx, spent []*state.Coin, flags Flags) int64 {
	cost := int64(LegacySigOps(tx)) * params.WitnessScaleFactor
	if flags&P2SH == 0 {
		return cost
	}
	for i, coin := range spent {
		in := tx.TxIn[i]
		if redeem, ok := redeemScript(coin.Script, in.SignatureScript); ok {
			cost += int64(sigOps(redeem, true)) * params.WitnessScaleFactor
		}
		if flags&Witness != 0 {
			cost += int64(witnessSigOps(coin.Script, in))
		}
	}
	return cost
}

// BIP54SigOps counts the legacy signature operations that the inputs of tx may
// run (BIP54): those in the input script, in the spent script and in the P2SH
// redeem script, a multisig by its number of keys where that is plain.
// spent[i] is the coin of input i.
func BIP54SigOps(tx *wire.MsgTx, spent []*state.Coin) int {
	n := 0
	for i, coin := range spent {
		in := tx.TxIn[i]
		n += sigOps(in.SignatureScript, true)
		if !isP2SH(coin.Script) {
			n += sigOps(coin.Script, true)
		} else if redeem, ok := redeemScript(coin.Script, in.SignatureScript); ok {
			n += sigOps(redeem, true)
		}
	}
	return n
}

// sigOps counts in one script, up to the first broken push. accurate takes
// OP_1 to OP_16 before a multisig for its number of keys.
func sigOps(script []byte, accurate bool) int {
	n := 0
	last := byte(txscript.OP_INVALIDOPCODE)
	for pc := 0; pc < len(script); {
		op := script[pc]
		next, ok := skipOp(script, pc)
		if !ok {
			break
		}
		switch op {
		case txscript.OP_CHECKSIG, txscript.OP_CHECKSIGVERIFY:
			n++
		case txscript.OP_CHECKMULTISIG, txscript.OP_CHECKMULTISIGVERIFY:
			if accurate && last >= txscript.OP_1 && last <= txscript.OP_16 {
				n += int(last - txscript.OP_1 + 1)
			} else {
				n += txscript.MaxPubKeysPerMultiSig
			}
		}
		last, pc = op, next
	}
	return n
}

// witnessSigOps counts the operations of a version 0 witness program, native
// or inside P2SH.
func witnessSigOps(pkScript []byte, in *wire.TxIn) int {
	program := pkScript
	if isP2SH(pkScript) {
		redeem, ok := redeemScript(pkScript, in.SignatureScript)
		if !ok {
			return 0
		}
		program = redeem
	}
	switch {
	case isP2WPKH(program):
		return 1
	case isP2WSH(program) && len(in.Witness) > 0:
		return sigOps(in.Witness[len(in.Witness)-1], true)
	}
	return 0
}

// redeemScript gives what the last push of a push-only input script of a P2SH
// spend puts on the stack; an operation that pushes a small number leaves it
// empty, as in Bitcoin Core's counting. ok is false for other spends.
func redeemScript(pkScript, sigScript []byte) (redeem []byte, ok bool) {
	if !isP2SH(pkScript) {
		return nil, false
	}
	for pc := 0; pc < len(sigScript); {
		op := sigScript[pc]
		data, next, ok := pushAt(sigScript, pc)
		if !ok || op > txscript.OP_16 {
			return nil, false
		}
		redeem, pc = data, next
	}
	return redeem, true
}

// skipOp gives the offset behind the operation at pc; ok is false where the
// script ends inside it.
func skipOp(script []byte, pc int) (next int, ok bool) {
	op := script[pc]
	if op > txscript.OP_PUSHDATA4 {
		return pc + 1, true
	}
	_, next, ok = pushAt(script, pc)
	return next, ok
}

// pushAt gives the bytes that the operation at pc pushes (none for operations
// that are no data push) and the offset behind it; ok is false where the
// script ends inside it.
func pushAt(script []byte, pc int) (data []byte, next int, ok bool) {
	op := script[pc]
	pc++
	var length uint64
	switch {
	case op < txscript.OP_PUSHDATA1:
		length = uint64(op)
	case op > txscript.OP_PUSHDATA4:
		return nil, pc, true
	default:
		width := 1 << (op - txscript.OP_PUSHDATA1)
		if len(script)-pc < width {
			return nil, pc, false
		}
		for i := range width {
			length |= uint64(script[pc+i]) << (8 * i)
		}
		pc += width
	}
	if length > uint64(len(script)-pc) {
		return nil, pc, false
	}
	end := pc + int(length)
	return script[pc:end], end, true
}

func isP2SH(script []byte) bool {
	return len(script) == 23 && script[0] == txscript.OP_HASH160 &&
		script[1] == txscript.OP_DATA_20 && script[22] == txscript.OP_EQUAL
}

func isP2WPKH(script []byte) bool {
	return len(script) == 22 && script[0] == txscript.OP_0 && script[1] == txscript.OP_DATA_20
}

func isP2WSH(script []byte) bool {
	return len(script) == 34 && script[0] == txscript.OP_0 && script[1] == txscript.OP_DATA_32
}

func isP2TR(script []byte) bool {
	return len(script) == 34 && script[0] == txscript.OP_1 && script[1] == txscript.OP_DATA_32
}

func isP2PKH(script []byte) bool {
	return len(script) == 25 && script[0] == txscript.OP_DUP && script[1] == txscript.OP_HASH160 &&
		script[2] == txscript.OP_DATA_20 && script[23] == txscript.OP_EQUALVERIFY &&
		script[24] == txscript.OP_CHECKSIG
}
