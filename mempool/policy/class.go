package policy

import (
	"github.com/btcsuite/btcd/txscript/v2"
)

// Class is the kind of an output script, as Bitcoin Core 28's Solver sees it.
type Class uint8

// The classes of output scripts.
const (
	NonStandard Class = iota
	PubKey
	PubKeyHash
	ScriptHash
	Multisig
	NullData
	WitnessV0KeyHash
	WitnessV0ScriptHash
	WitnessV1Taproot
	Anchor
	WitnessUnknown
)

var classNames = [...]string{
	NonStandard: "nonstandard", PubKey: "pubkey", PubKeyHash: "pubkeyhash", ScriptHash: "scripthash",
	Multisig: "multisig", NullData: "nulldata", WitnessV0KeyHash: "witness_v0_keyhash",
	WitnessV0ScriptHash: "witness_v0_scripthash", WitnessV1Taproot: "witness_v1_taproot",
	Anchor: "anchor", WitnessUnknown: "witness_unknown",
}

// String gives the name that JSON-RPC shows as a script's type.
func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return "nonstandard"
}

// maxMultisigKeys is what OP_CHECKMULTISIG takes.
const maxMultisigKeys = 20

// Classify tells the class of an output script of any length.
func Classify(script []byte) Class {
	if isP2SH(script) {
		return ScriptHash
	}
	if version, program, ok := witnessProgram(script); ok {
		return classifyWitness(version, program)
	}
	switch {
	case len(script) >= 1 && script[0] == txscript.OP_RETURN && isPushOnly(script[1:]):
		return NullData
	case isPubKeyScript(script):
		return PubKey
	case isPubKeyHash(script):
		return PubKeyHash
	}
	if _, _, ok := multisig(script); ok {
		return Multisig
	}
	return NonStandard
}

func classifyWitness(version int, program []byte) Class {
	switch {
	case version == 0 && len(program) == 20:
		return WitnessV0KeyHash
	case version == 0 && len(program) == 32:
		return WitnessV0ScriptHash
	case version == 0:
		return NonStandard
	case version == 1 && len(program) == 32:
		return WitnessV1Taproot
	case isAnchorProgram(version, program):
		return Anchor
	}
	return WitnessUnknown
}

// witnessProgram splits a version and a 2 to 40 byte program (BIP141).
func witnessProgram(script []byte) (version int, program []byte, ok bool) {
	if len(script) < 4 || len(script) > 42 || int(script[1])+2 != len(script) {
		return 0, nil, false
	}
	switch op := script[0]; {
	case op == txscript.OP_0:
		return 0, script[2:], true
	case op >= txscript.OP_1 && op <= txscript.OP_16:
		return int(op-txscript.OP_1) + 1, script[2:], true
	}
	return 0, nil, false
}

func isAnchorProgram(version int, program []byte) bool {
	return version == 1 && len(program) == 2 && program[0] == 0x4e && program[1] == 0x73
}

func isP2SH(script []byte) bool {
	return len(script) == 23 && script[0] == txscript.OP_HASH160 && script[1] == 20 &&
		script[22] == txscript.OP_EQUAL
}

func isPubKeyHash(script []byte) bool {
	return len(script) == 25 && script[0] == txscript.OP_DUP && script[1] == txscript.OP_HASH160 &&
		script[2] == 20 && script[23] == txscript.OP_EQUALVERIFY && script[24] == txscript.OP_CHECKSIG
}

func isPubKeyScript(script []byte) bool {
	n := len(script)
	return (n == 35 || n == 67) && int(script[0]) == n-2 && script[n-1] == txscript.OP_CHECKSIG &&
		isPubKeyShape(script[1:n-1])
}

// isPubKeyShape looks at length and first byte only, as relay does.
func isPubKeyShape(key []byte) bool {
	if len(key) == 0 {
		return false
	}
	switch key[0] {
	case 2, 3:
		return len(key) == 33
	case 4, 6, 7:
		return len(key) == 65
	}
	return false
}

// isPushOnly reports whether a script parses whole and holds nothing above
// OP_16 (OP_RESERVED counts as a push here, as it always has).
func isPushOnly(script []byte) bool {
	tokens := txscript.MakeScriptTokenizer(0, script)
	for tokens.Next() {
		if tokens.Opcode() > txscript.OP_16 {
			return false
		}
	}
	return tokens.Err() == nil
}

// multisig parses `m key... n OP_CHECKMULTISIG`.
func multisig(script []byte) (required, keys int, ok bool) {
	if len(script) == 0 || script[len(script)-1] != txscript.OP_CHECKMULTISIG {
		return 0, 0, false
	}
	tokens := txscript.MakeScriptTokenizer(0, script)
	if !tokens.Next() {
		return 0, 0, false
	}
	required, ok = smallNumber(&tokens, 1)
	if !ok {
		return 0, 0, false
	}
	for {
		if !tokens.Next() {
			return 0, 0, false
		}
		if !isPubKeyShape(tokens.Data()) {
			break
		}
		keys++
	}
	total, ok := smallNumber(&tokens, required)
	if !ok || total != keys || !tokens.Next() || tokens.Opcode() != txscript.OP_CHECKMULTISIG {
		return 0, 0, false
	}
	return required, keys, tokens.Done()
}

// smallNumber reads a number from min to maxMultisigKeys: OP_1 to OP_16, or
// a minimal one byte push of a larger one.
func smallNumber(tokens *txscript.ScriptTokenizer, min int) (int, bool) {
	op, n := tokens.Opcode(), 0
	switch {
	case op >= txscript.OP_1 && op <= txscript.OP_16:
		n = int(op-txscript.OP_1) + 1
	case op == txscript.OP_DATA_1 && tokens.Data()[0] > 16:
		n = int(tokens.Data()[0])
	default:
		return 0, false
	}
	return n, n >= min && n <= maxMultisigKeys
}
