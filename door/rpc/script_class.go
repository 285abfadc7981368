package rpc

import "bytes"

// scriptClass is the kind of an output script, by Bitcoin Core's names.
type scriptClass string

// The classes.
const (
	classNonStandard    scriptClass = "nonstandard"
	classAnchor         scriptClass = "anchor"
	classPubKey         scriptClass = "pubkey"
	classPubKeyHash     scriptClass = "pubkeyhash"
	classScriptHash     scriptClass = "scripthash"
	classMultiSig       scriptClass = "multisig"
	classNullData       scriptClass = "nulldata"
	classWitnessPKH     scriptClass = "witness_v0_keyhash"
	classWitnessSH      scriptClass = "witness_v0_scripthash"
	classTaproot        scriptClass = "witness_v1_taproot"
	classWitnessUnknown scriptClass = "witness_unknown"
)

// solved is what a script's form says: its class, and the keys or the hash in
// it; required is the number of signatures of a multisig.
type solved struct {
	class    scriptClass
	parts    [][]byte
	required int
}

var anchorScript = []byte{op1, 0x02, 0x4e, 0x73}

// solve classifies an output script. The parts alias it.
func solve(script []byte) solved {
	n := len(script)
	switch {
	case n == 23 && script[0] == opHash160 && script[1] == 20 && script[22] == opEqual:
		return solved{class: classScriptHash, parts: [][]byte{script[2:22]}}
	case isWitnessProgram(script):
		return solveWitness(script)
	case n >= 1 && script[0] == opReturn && pushOnly(script[1:]):
		return solved{class: classNullData}
	case (n == 35 || n == 67) && int(script[0]) == n-2 && script[n-1] == opCheckSig && keyLength(script[1:n-1]):
		return solved{class: classPubKey, parts: [][]byte{script[1 : n-1]}}
	case n == 25 && script[0] == opDup && script[1] == opHash160 && script[2] == 20 &&
		script[23] == opEqualVerify && script[24] == opCheckSig:
		return solved{class: classPubKeyHash, parts: [][]byte{script[3:23]}}
	}
	if multi, ok := solveMultiSig(script); ok {
		return multi
	}
	return solved{class: classNonStandard}
}

func isWitnessProgram(script []byte) bool {
	n := len(script)
	return n >= 4 && n <= 42 && (script[0] == 0 || (script[0] >= op1 && script[0] <= op16)) && int(script[1]) == n-2
}

func solveWitness(script []byte) solved {
	program := script[2:]
	out := solved{class: classWitnessUnknown, parts: [][]byte{program}}
	switch {
	case script[0] == 0 && len(program) == 20:
		out.class = classWitnessPKH
	case script[0] == 0 && len(program) == 32:
		out.class = classWitnessSH
	case script[0] == 0:
		out.class = classNonStandard
	case script[0] == op1 && len(program) == 32:
		out.class = classTaproot
	case bytes.Equal(script, anchorScript):
		out.class = classAnchor
	}
	return out
}

// keyLength reports a public key whose first byte fits its length.
func keyLength(key []byte) bool {
	switch {
	case len(key) == 33:
		return key[0] == 2 || key[0] == 3
	case len(key) == 65:
		return key[0] == 4 || key[0] == 6 || key[0] == 7
	}
	return false
}

const maxMultiSigKeys = 20

func solveMultiSig(script []byte) (solved, bool) {
	if len(script) == 0 || script[len(script)-1] != opCheckMultiSig {
		return solved{}, false
	}
	ops, ok := scriptOps(script)
	if !ok || len(ops) < 4 {
		return solved{}, false
	}
	keys := ops[1 : len(ops)-2]
	required, ok := smallNumber(ops[0])
	total, ok2 := smallNumber(ops[len(ops)-2])
	if !ok || !ok2 || required < 1 || total < required || total > maxMultiSigKeys || len(keys) != total {
		return solved{}, false
	}
	out := solved{class: classMultiSig, required: required}
	for _, op := range keys {
		if op.code > opPushData4 || !keyLength(op.data) {
			return solved{}, false
		}
		out.parts = append(out.parts, op.data)
	}
	return out, true
}

// smallNumber reads a count: OP_1 to OP_16, or a minimal push of a number.
func smallNumber(op scriptOp) (int, bool) {
	switch {
	case op.code >= op1 && op.code <= op16:
		return int(op.code-op1) + 1, true
	case op.code == 1 && op.data[0] > 16 && op.data[0] < 0x80:
		return int(op.data[0]), true
	}
	return 0, false
}
