package vectors

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/btcsuite/btcd/txscript/v2"
)

// ParseScript reads the script notation of Bitcoin Core's vectors: numbers are
// pushed, 0x… is inserted as it stands, 'text' is pushed, opcodes go by their
// names with or without OP_.
func ParseScript(text string) ([]byte, error) {
	var script []byte
	for _, word := range strings.Fields(text) {
		number, err := strconv.ParseInt(word, 10, 64)
		switch {
		case err == nil:
			script = appendNumber(script, number)
		case strings.HasPrefix(word, "0x"):
			raw, err := hex.DecodeString(word[2:])
			if err != nil {
				return nil, fmt.Errorf("script word %q: %w", word, err)
			}
			script = append(script, raw...)
		case len(word) >= 2 && word[0] == '\'' && word[len(word)-1] == '\'':
			script = AppendPush(script, []byte(word[1:len(word)-1]))
		default:
			op, ok := opcode(word)
			if !ok {
				return nil, fmt.Errorf("unknown script word %q", word)
			}
			script = append(script, op)
		}
	}
	return script, nil
}

// opcode finds an opcode by name; pushes have none but OP_RESERVED.
func opcode(word string) (byte, bool) {
	if !strings.HasPrefix(word, "OP_") {
		word = "OP_" + word
	}
	op, ok := txscript.OpcodeByName[word]
	return op, ok && (op >= txscript.OP_NOP || op == txscript.OP_RESERVED)
}

// AppendPush appends the push of data with the shortest length prefix, without
// the opcodes for small numbers, as Bitcoin Core's script builder does.
func AppendPush(script, data []byte) []byte {
	n := len(data)
	switch {
	case n < txscript.OP_PUSHDATA1:
		script = append(script, byte(n))
	case n <= 0xff:
		script = append(script, txscript.OP_PUSHDATA1, byte(n))
	case n <= 0xffff:
		script = append(script, txscript.OP_PUSHDATA2, byte(n), byte(n>>8))
	default:
		script = append(script, txscript.OP_PUSHDATA4, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
	}
	return append(script, data...)
}

func appendNumber(script []byte, n int64) []byte {
	switch {
	case n == 0:
		return append(script, txscript.OP_0)
	case n == -1:
		return append(script, txscript.OP_1NEGATE)
	case n >= 1 && n <= 16:
		return append(script, byte(txscript.OP_1+n-1))
	}
	magnitude := uint64(n)
	if n < 0 {
		magnitude = -magnitude
	}
	var bytes []byte
	for ; magnitude > 0; magnitude >>= 8 {
		bytes = append(bytes, byte(magnitude))
	}
	last := len(bytes) - 1
	if bytes[last]&0x80 != 0 {
		bytes, last = append(bytes, 0), last+1
	}
	if n < 0 {
		bytes[last] |= 0x80
	}
	return AppendPush(script, bytes)
}
