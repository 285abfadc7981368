package rpc

import (
	"strconv"
	"strings"

	"granary/state"
)

var sigHashNames = map[byte]string{
	0x01: "ALL", 0x02: "NONE", 0x03: "SINGLE",
	0x81: "ALL|ANYONECANPAY", 0x82: "NONE|ANYONECANPAY", 0x83: "SINGLE|ANYONECANPAY",
}

// scriptAsm prints a script step by step as Bitcoin Core does: small pushes
// as numbers, others as hex. sigHash, for input scripts, shows the last byte
// of what looks like a signature as its hash type.
func scriptAsm(script []byte, sigHash bool) string {
	var words []string
	sigHash = sigHash && !state.Unspendable(script)
	for len(script) > 0 {
		op, rest, ok := nextOp(script)
		if !ok {
			words = append(words, "[error]")
			break
		}
		switch {
		case op.code > opPushData4:
			words = append(words, opName(op.code))
		case len(op.data) <= 4:
			words = append(words, strconv.FormatInt(scriptNumber(op.data), 10))
		case sigHash && strictSignature(op.data):
			last := len(op.data) - 1
			words = append(words, hexOf(op.data[:last])+"["+sigHashNames[op.data[last]]+"]")
		default:
			words = append(words, hexOf(op.data))
		}
		script = rest
	}
	return strings.Join(words, " ")
}

// strictSignature reports a strictly DER-encoded signature (BIP66) followed by
// a defined hash type.
func strictSignature(sig []byte) bool {
	if len(sig) < 9 || len(sig) > 73 || sig[0] != 0x30 || int(sig[1]) != len(sig)-3 {
		return false
	}
	r, rest, ok := derInteger(sig[2 : len(sig)-1])
	if !ok || !r {
		return false
	}
	s, rest, ok := derInteger(rest)
	return ok && s && len(rest) == 0 && sigHashNames[sig[len(sig)-1]] != ""
}

// derInteger reads one INTEGER: positive and without needless padding.
func derInteger(b []byte) (good bool, rest []byte, ok bool) {
	if len(b) < 3 || b[0] != 0x02 || b[1] == 0 || int(b[1]) > len(b)-2 {
		return false, nil, false
	}
	n := int(b[1])
	value := b[2 : 2+n]
	good = value[0]&0x80 == 0 && (n == 1 || value[0] != 0 || value[1]&0x80 != 0)
	return good, b[2+n:], true
}
