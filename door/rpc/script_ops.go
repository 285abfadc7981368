package rpc

import "fmt"

// Opcodes that the door tells apart.
const (
	opPushData1     = 0x4c
	opPushData2     = 0x4d
	opPushData4     = 0x4e
	op1Negate       = 0x4f
	op1             = 0x51
	op16            = 0x60
	opReturn        = 0x6a
	opDup           = 0x76
	opEqual         = 0x87
	opEqualVerify   = 0x88
	opHash160       = 0xa9
	opCheckSig      = 0xac
	opCheckMultiSig = 0xae
	opLastDefined   = 0xb9 // OP_NOP10
	opCheckSigAdd   = 0xba

	maxElementBytes = 520
)

// names of the opcodes from 0x61 to 0xba.
var opNames = [...]string{
	"OP_NOP", "OP_VER", "OP_IF", "OP_NOTIF", "OP_VERIF", "OP_VERNOTIF", "OP_ELSE", "OP_ENDIF",
	"OP_VERIFY", "OP_RETURN", "OP_TOALTSTACK", "OP_FROMALTSTACK", "OP_2DROP", "OP_2DUP", "OP_3DUP",
	"OP_2OVER", "OP_2ROT", "OP_2SWAP", "OP_IFDUP", "OP_DEPTH", "OP_DROP", "OP_DUP", "OP_NIP", "OP_OVER",
	"OP_PICK", "OP_ROLL", "OP_ROT", "OP_SWAP", "OP_TUCK", "OP_CAT", "OP_SUBSTR", "OP_LEFT", "OP_RIGHT",
	"OP_SIZE", "OP_INVERT", "OP_AND", "OP_OR", "OP_XOR", "OP_EQUAL", "OP_EQUALVERIFY", "OP_RESERVED1",
	"OP_RESERVED2", "OP_1ADD", "OP_1SUB", "OP_2MUL", "OP_2DIV", "OP_NEGATE", "OP_ABS", "OP_NOT",
	"OP_0NOTEQUAL", "OP_ADD", "OP_SUB", "OP_MUL", "OP_DIV", "OP_MOD", "OP_LSHIFT", "OP_RSHIFT",
	"OP_BOOLAND", "OP_BOOLOR", "OP_NUMEQUAL", "OP_NUMEQUALVERIFY", "OP_NUMNOTEQUAL", "OP_LESSTHAN",
	"OP_GREATERTHAN", "OP_LESSTHANOREQUAL", "OP_GREATERTHANOREQUAL", "OP_MIN", "OP_MAX", "OP_WITHIN",
	"OP_RIPEMD160", "OP_SHA1", "OP_SHA256", "OP_HASH160", "OP_HASH256", "OP_CODESEPARATOR", "OP_CHECKSIG",
	"OP_CHECKSIGVERIFY", "OP_CHECKMULTISIG", "OP_CHECKMULTISIGVERIFY", "OP_NOP1", "OP_CHECKLOCKTIMEVERIFY",
	"OP_CHECKSEQUENCEVERIFY", "OP_NOP4", "OP_NOP5", "OP_NOP6", "OP_NOP7", "OP_NOP8", "OP_NOP9", "OP_NOP10",
	"OP_CHECKSIGADD",
}

func opName(op byte) string {
	switch {
	case op == op1Negate:
		return "-1"
	case op == 0x50:
		return "OP_RESERVED"
	case op >= op1 && op <= op16:
		return fmt.Sprint(op - op1 + 1)
	case int(op) < 0x61+len(opNames):
		return opNames[op-0x61]
	case op == 0xff:
		return "OP_INVALIDOPCODE"
	}
	return "OP_UNKNOWN"
}

// scriptOp is one step of a script: an opcode, with the bytes that it pushes
// where it is a push.
type scriptOp struct {
	code byte
	data []byte
}

// nextOp reads the first step of a script; ok is false where a push runs over
// the end. An empty script has no step: ask for its length first.
func nextOp(script []byte) (op scriptOp, rest []byte, ok bool) {
	op.code, rest = script[0], script[1:]
	n, width := int(op.code), 0
	switch op.code {
	case opPushData1:
		width = 1
	case opPushData2:
		width = 2
	case opPushData4:
		width = 4
	default:
		if op.code > opPushData4 {
			return op, rest, true
		}
	}
	if width > 0 {
		if len(rest) < width {
			return op, nil, false
		}
		n = 0
		for i := width - 1; i >= 0; i-- {
			n = n<<8 | int(rest[i])
		}
		rest = rest[width:]
	}
	if n > len(rest) || n < 0 {
		return op, nil, false
	}
	op.data = rest[:n:n]
	return op, rest[n:], true
}

// scriptOps takes a whole script apart; ok is false where it ends within a
// push.
func scriptOps(script []byte) (ops []scriptOp, ok bool) {
	for len(script) > 0 {
		op, rest, fine := nextOp(script)
		if !fine {
			return ops, false
		}
		ops, script = append(ops, op), rest
	}
	return ops, true
}

// validOps reports whether every step is a defined opcode and no push longer
// than an element may be.
func validOps(script []byte) bool {
	for len(script) > 0 {
		op, rest, ok := nextOp(script)
		if !ok || op.code > opLastDefined || len(op.data) > maxElementBytes {
			return false
		}
		script = rest
	}
	return true
}

// pushOnly reports whether a script only pushes.
func pushOnly(script []byte) bool {
	for len(script) > 0 {
		op, rest, ok := nextOp(script)
		if !ok || op.code > op16 {
			return false
		}
		script = rest
	}
	return true
}

// opSuccess reports the opcodes that BIP342 turns into unconditional success.
func opSuccess(op byte) bool {
	return op == 80 || op == 98 || (op >= 126 && op <= 129) || (op >= 131 && op <= 134) ||
		(op >= 137 && op <= 138) || (op >= 141 && op <= 142) || (op >= 149 && op <= 153) || (op >= 187 && op <= 254)
}

// scriptNumber reads a script number of at most four bytes, any encoding.
func scriptNumber(data []byte) int64 {
	if len(data) == 0 {
		return 0
	}
	var n int64
	for i, b := range data {
		n |= int64(b) << (8 * i)
	}
	if top := data[len(data)-1]; top&0x80 != 0 {
		n &^= int64(0x80) << (8 * (len(data) - 1))
		n = -n
	}
	return n
}
