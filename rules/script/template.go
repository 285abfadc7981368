package script

import (
	"crypto/sha256"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/sig"
)

// maxTemplateKeys bounds the keys of a multisig that a template knows: those
// whose number one opcode can push.
const maxTemplateKeys = 16

// spendMode says how the signatures of a spend are made.
type spendMode uint8

const (
	modeLegacy spendMode = iota
	modeSegwitV0
	modeTaprootKey
)

// spend is an input taken apart: everything about it holds if sigs match keys
// in order, and only then. The slices alias the transaction, the coin or the
// spend itself. Multisig has several keys; the other templates have one.
type spend struct {
	mode spendMode
	code []byte   // the script code that the signatures cover
	keys [][]byte // in script order
	sigs [][]byte // each with its hash type byte, in stack order

	keyArray  [maxTemplateKeys][]byte
	itemArray [maxTemplateKeys + 2][]byte
	codeArray [25]byte
	digest    hash160
}

// parse takes an input apart. It gives false for whatever is no plain spend of
// a known template under flags: the interpreter's business, valid or not.
func (s *spend) parse(in *wire.TxIn, pkScript []byte, flags Flags) bool {
	s.keys, s.sigs = s.keyArray[:0], nil
	segwit := flags&(P2SH|Witness) == P2SH|Witness
	switch {
	case isP2WPKH(pkScript) || isP2WSH(pkScript):
		return segwit && len(in.SignatureScript) == 0 && s.parseV0(pkScript, in.Witness, flags)
	case isP2TR(pkScript):
		return segwit && flags&Taproot != 0 && len(in.SignatureScript) == 0 &&
			s.parseTaproot(pkScript, in.Witness)
	case isP2SH(pkScript):
		return flags&P2SH != 0 && s.parseP2SH(in, pkScript, flags)
	}
	if flags&Witness != 0 && len(in.Witness) != 0 {
		return false
	}
	items, ok := readPushes(in.SignatureScript, s.itemArray[:0])
	s.mode = modeLegacy
	if isP2PKH(pkScript) {
		return ok && s.parseKeyHash(pkScript, pkScript[3:23], items, flags)
	}
	return ok && s.parseCode(pkScript, items, flags)
}

// parseV0 takes a version 0 witness program apart.
func (s *spend) parseV0(program []byte, witness wire.TxWitness, flags Flags) bool {
	s.mode = modeSegwitV0
	if isP2WPKH(program) {
		code := append(s.codeArray[:0], txscript.OP_DUP, txscript.OP_HASH160, txscript.OP_DATA_20)
		code = append(append(code, program[2:]...), txscript.OP_EQUALVERIFY, txscript.OP_CHECKSIG)
		return s.parseKeyHash(code, program[2:], witness, flags)
	}
	if len(witness) == 0 {
		return false
	}
	code := witness[len(witness)-1]
	if len(code) > maxTemplateKeys*66+3 || sha256.Sum256(code) != [32]byte(program[2:]) {
		return false
	}
	return s.parseCode(code, witness[:len(witness)-1], flags)
}

// parseTaproot takes a key path spend without annex apart.
func (s *spend) parseTaproot(pkScript []byte, witness wire.TxWitness) bool {
	if len(witness) != 1 {
		return false
	}
	signature := witness[0]
	if len(signature) != 64 && (len(signature) != 65 || signature[64] == hashDefault) {
		return false
	}
	s.mode = modeTaprootKey
	s.keys = append(s.keys, pkScript[2:])
	s.sigs = append(s.itemArray[:0], signature)
	return true
}

// parseP2SH takes a spend through a redeem script apart, a witness program
// inside it included.
func (s *spend) parseP2SH(in *wire.TxIn, pkScript []byte, flags Flags) bool {
	items, ok := readPushes(in.SignatureScript, s.itemArray[:0])
	if !ok || len(items) == 0 {
		return false
	}
	redeem := items[len(items)-1]
	if s.digest.sum(redeem) != [20]byte(pkScript[2:22]) {
		return false
	}
	if isP2WPKH(redeem) || isP2WSH(redeem) {
		return flags&Witness != 0 && len(items) == 1 && s.parseV0(redeem, in.Witness, flags)
	}
	if flags&Witness != 0 && len(in.Witness) != 0 {
		return false
	}
	s.mode = modeLegacy
	return s.parseCode(redeem, items[:len(items)-1], flags)
}

// parseKeyHash takes "signature, key" for a key hash apart.
func (s *spend) parseKeyHash(code, keyHash []byte, items [][]byte, flags Flags) bool {
	if len(items) != 2 || s.digest.sum(items[1]) != [20]byte(keyHash) {
		return false
	}
	s.code, s.sigs = code, items[:1]
	s.keys = append(s.keys, items[1])
	return s.plain(flags)
}

// parseCode takes a script apart that checks one key or a multisig.
func (s *spend) parseCode(code []byte, items [][]byte, flags Flags) bool {
	s.code = code
	if n := len(code); (n == 35 || n == 67) && int(code[0]) == n-2 && code[n-1] == txscript.OP_CHECKSIG {
		s.keys = append(s.keys, code[1:n-1])
		s.sigs = items
		return len(items) == 1 && s.plain(flags)
	}
	needed, ok := s.parseMultisig(code)
	if !ok || len(items) != needed+1 || len(items[0]) != 0 {
		return false
	}
	s.sigs = items[1:]
	return s.plain(flags)
}

// parseMultisig reads "m, keys, n, OP_CHECKMULTISIG" and gives m.
func (s *spend) parseMultisig(code []byte) (needed int, ok bool) {
	if len(code) < 3+34 || !isNumber(code[0]) || code[len(code)-1] != txscript.OP_CHECKMULTISIG {
		return 0, false
	}
	needed = number(code[0])
	pc, end := 1, len(code)-2
	for pc < end {
		length := int(code[pc])
		if (length != 33 && length != 65) || pc+1+length > end || len(s.keys) == maxTemplateKeys {
			return 0, false
		}
		s.keys = append(s.keys, code[pc+1:pc+1+length])
		pc += 1 + length
	}
	count := code[end]
	return needed, isNumber(count) && number(count) == len(s.keys) && needed <= len(s.keys)
}

func isNumber(op byte) bool { return op >= txscript.OP_1 && op <= txscript.OP_16 }
func number(op byte) int    { return int(op-txscript.OP_1) + 1 }

// plain reports whether every key and signature has a form that no rule under
// flags minds, whatever the order they are looked at.
func (s *spend) plain(flags Flags) bool {
	for _, key := range s.keys {
		if !s.plainKey(key, flags) {
			return false
		}
	}
	for _, signature := range s.sigs {
		if !plainSignature(signature, flags) {
			return false
		}
	}
	return true
}

func (s *spend) plainKey(key []byte, flags Flags) bool {
	switch {
	case len(key) == 33 && (key[0] == 2 || key[0] == 3):
		return true
	case len(key) != 65 || (s.mode == modeSegwitV0 && flags&WitnessPubKeyType != 0):
		return false
	case key[0] == 4:
		return true
	}
	return (key[0] == 6 || key[0] == 7) && flags&StrictEncoding == 0
}

// plainSignature leaves what is too short, too long or oddly encoded to the
// interpreter. Neither a key nor a key hash of a template can equal what it
// lets through, so that no signature is ever part of its own script code.
func plainSignature(signature []byte, flags Flags) bool {
	const least, most = 9, 75
	n := len(signature)
	if n < least || n > most || n == 20 || signature[0] != 0x30 {
		return false
	}
	encoded, hashType := signature[:n-1], signature[n-1]
	if flags&(DERSig|LowS|StrictEncoding) != 0 && !sig.StrictDER(encoded) {
		return false
	}
	if flags&LowS != 0 && !sig.LowS(encoded) {
		return false
	}
	base := hashType &^ hashAnyoneCanPay
	return flags&StrictEncoding == 0 || (base >= hashAll && base <= hashSingle)
}

// readPushes appends what an input script of plain, minimal data pushes puts
// on the stack; ok is false for any other script, and for one of more pushes
// than items has room for.
func readPushes(script []byte, items [][]byte) (_ [][]byte, ok bool) {
	for pc := 0; pc < len(script); {
		op := script[pc]
		if op > txscript.OP_PUSHDATA2 || len(items) == cap(items) {
			return nil, false
		}
		data, next, ok := pushAt(script, pc)
		if !ok || !plainPush(op, len(data)) {
			return nil, false
		}
		items = append(items, data)
		pc = next
	}
	return items, true
}

// plainPush reports whether op is the shortest way to push so many bytes;
// single bytes, which have opcodes of their own, are not plain.
func plainPush(op byte, length int) bool {
	switch op {
	case txscript.OP_DATA_1:
		return false
	case txscript.OP_PUSHDATA1:
		return length > txscript.OP_DATA_75
	case txscript.OP_PUSHDATA2:
		return length > 0xff && length <= txscript.MaxScriptElementSize
	}
	return true
}
