package policy

import (
	"granary/base/check"
	"granary/params"
	"granary/state"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

const (
	maxPushBytes  = 520
	maxStackItems = 1000
)

// CheckInputs refuses inputs and witnesses that are not standard
// ("bad-txns-nonstandard-inputs", "bad-witness-nonstandard"). spent[i] is the
// coin of input i. The treasury is standard where a goods record opens it; as
// scripts are checked more mildly then (SpendsTreasury), other programs of
// unknown version are refused here even inside of P2SH. A witness may be
// somebody else's work, so its refusal is of kind Mutated.
func CheckInputs(tx *wire.MsgTx, spent []*state.Coin, g *Goods) error {
	treasury := g.SpendsTreasury(tx, spent)
	for i, in := range tx.TxIn {
		if g.opens(in, spent[i].Script) {
			continue
		}
		if !inputStandard(in.SignatureScript, spent[i].Script) || treasury && nestsUnknown(in.SignatureScript, spent[i].Script) {
			return refuse("bad-txns-nonstandard-inputs", "input %d", i)
		}
	}
	for i, in := range tx.TxIn {
		if len(in.Witness) > 0 && !witnessStandard(in, spent[i].Script) {
			return check.RuleKind(check.Mutated, "bad-witness-nonstandard", "input %d", i)
		}
	}
	return nil
}

// CheckSigOps refuses a fifth of a block's signature operations in one
// transaction ("bad-txns-too-many-sigops").
func CheckSigOps(cost int64) error {
	if cost > params.MaxStandardTxSigOpsCost {
		return refuse("bad-txns-too-many-sigops", "%d", cost)
	}
	return nil
}

func inputStandard(sigScript, script []byte) bool {
	switch Classify(script) {
	case NonStandard, WitnessUnknown:
		return false
	case ScriptHash:
		redeem, ok := lastPush(sigScript)
		return ok && txscript.GetPreciseSigOpCount(nil, redeem, true) <= MaxP2SHSigOps
	}
	return true
}

// nestsUnknown reports a P2SH input whose redeem script is a witness program
// that no rule knows.
func nestsUnknown(sigScript, script []byte) bool {
	redeem, ok := lastPush(sigScript)
	version, _, isProgram := witnessProgram(redeem)
	return isP2SH(script) && ok && isProgram && version != 0
}

func witnessStandard(in *wire.TxIn, script []byte) bool {
	version, program, isProgram := witnessProgram(script)
	if isProgram && isAnchorProgram(version, program) {
		return false // nothing is needed: this one is stuffed
	}
	nested := isP2SH(script)
	if nested {
		redeem, ok := lastPush(in.SignatureScript)
		if !ok {
			return false
		}
		version, program, isProgram = witnessProgram(redeem)
	}
	switch {
	case !isProgram:
		return false
	case version == 0 && len(program) == 32:
		return p2wshStandard(in.Witness)
	case version == 1 && len(program) == 32 && !nested:
		return taprootStandard(in.Witness)
	}
	return true
}

// NeedsWitness reports whether a spent coin wants a witness (BIP141), its
// script's hash included: a transaction without one may have lost it on its
// way, and be valid all the same.
func NeedsWitness(tx *wire.MsgTx, spent []*state.Coin) bool {
	for i, coin := range spent {
		script := coin.Script
		if isP2SH(script) {
			redeem, ok := lastPush(tx.TxIn[i].SignatureScript)
			if !ok {
				continue
			}
			script = redeem
		}
		if version, program, ok := witnessProgram(script); ok && !isAnchorProgram(version, program) {
			return true
		}
	}
	return false
}

func p2wshStandard(witness wire.TxWitness) bool {
	last := len(witness) - 1
	return len(witness[last]) <= MaxP2WSHScriptBytes && last <= MaxP2WSHStackItems &&
		itemsWithin(witness[:last], MaxP2WSHStackItemBytes)
}

// taprootStandard refuses annexes and large items for a tapscript; a key path
// spend has no bounds of its own.
func taprootStandard(witness wire.TxWitness) bool {
	n := len(witness)
	if n == 1 {
		return true
	}
	control := witness[n-1]
	if len(control) == 0 || control[0] == txscript.TaprootAnnexTag {
		return false
	}
	if control[0]&txscript.TaprootLeafMask == byte(txscript.BaseLeafVersion) {
		return itemsWithin(witness[:n-2], MaxTapscriptStackItemBytes)
	}
	return true
}

func itemsWithin(items [][]byte, maxBytes int) bool {
	for _, item := range items {
		if len(item) > maxBytes {
			return false
		}
	}
	return true
}

// lastPush runs a push-only script and gives the top of its stack; ok is
// false where the script would fail or leaves nothing.
func lastPush(sigScript []byte) (top []byte, ok bool) {
	if len(sigScript) > params.MaxScriptBytes {
		return nil, false
	}
	tokens := txscript.MakeScriptTokenizer(0, sigScript)
	for items := 1; tokens.Next(); items++ {
		if items > maxStackItems {
			return nil, false
		}
		switch op := tokens.Opcode(); {
		case op <= txscript.OP_PUSHDATA4:
			if top = tokens.Data(); len(top) > maxPushBytes {
				return nil, false
			}
		case op == txscript.OP_1NEGATE:
			top = []byte{0x81}
		case op >= txscript.OP_1 && op <= txscript.OP_16:
			top = []byte{op - txscript.OP_1 + 1}
		default:
			return nil, false
		}
		ok = true
	}
	return top, ok && tokens.Err() == nil
}
