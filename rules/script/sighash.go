package script

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"hash"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/state"
)

// Hash types as the sighash algorithms read them.
const (
	hashTypeMask       = 0x1f
	hashDefault        = 0x00
	hashAll            = 0x01
	hashNone           = 0x02
	hashSingle         = 0x03
	hashAnyoneCanPay   = 0x80
	taprootOutputsMask = 0x03
)

// hasher computes the signature hashes of one transaction after the other. It
// keeps what the inputs of a transaction share, computed when first needed,
// and reuses its memory. It is not safe for concurrent use.
type hasher struct {
	tx    *wire.MsgTx
	spent []*state.Coin
	have  midstate

	// Single and double SHA-256 over all inputs and outputs (BIP143, BIP341).
	prevouts, sequences, outputs, amounts, scripts [32]byte
	prevouts2, sequences2, outputs2                [32]byte

	// blank is the legacy serialization with every input script empty; input
	// i starts at blank[inputsAt+41*i], the outputs at blank[outputsAt].
	blank               []byte
	inputsAt, outputsAt int
	unsequenced         []byte // blank up to the outputs, sequences zero

	single   [32]byte // of output singleAt-1 alone; singleAt 0 for none
	singleAt int

	buf, out []byte
	sha      hash.Hash
}

// midstate says which shared parts a hasher has computed.
type midstate uint8

const (
	haveShared midstate = 1 << iota
	haveDouble
	haveTaproot
	haveBlank
	haveUnsequenced
)

// blankInputBytes is an input without script: outpoint, length 0, sequence.
const blankInputBytes = 36 + 1 + 4

func newHasher() *hasher { return &hasher{sha: sha256.New()} }

// reset turns the hasher to another transaction. spent[i] is the coin of
// input i.
func (h *hasher) reset(tx *wire.MsgTx, spent []*state.Coin) {
	h.tx, h.spent, h.have, h.singleAt = tx, spent, 0, 0
}

// legacy is the signature hash of pre-segwit scripts over scriptCode, from
// which OP_CODESEPARATOR is left out. All of hashType goes into the hash.
func (h *hasher) legacy(input int, scriptCode []byte, hashType uint32) [32]byte {
	base := hashType & hashTypeMask
	if base == hashSingle && input >= len(h.tx.TxOut) {
		return [32]byte{1} // Bitcoin's original slip, now a rule
	}
	if bytes.IndexByte(scriptCode, txscript.OP_CODESEPARATOR) >= 0 {
		scriptCode = withoutCodeSeparators(scriptCode)
	}
	h.fillBlank()
	h.sha.Reset()
	switch {
	case hashType&hashAnyoneCanPay != 0:
		h.sha.Write(h.blank[:4])
		h.buf = append(h.buf[:0], 1)
		h.sha.Write(h.buf)
		h.writeSigned(input, scriptCode)
	case base == hashNone || base == hashSingle:
		h.fillUnsequenced()
		h.writeInputs(h.unsequenced, input, scriptCode)
	default:
		h.writeInputs(h.blank, input, scriptCode)
	}
	h.writeOutputs(input, base)
	h.buf = binary.LittleEndian.AppendUint32(h.buf[:0], h.tx.LockTime)
	h.buf = binary.LittleEndian.AppendUint32(h.buf, hashType)
	h.sha.Write(h.buf)
	return h.sumTwice()
}

// writeInputs writes version and inputs from a serialization without scripts,
// the script put into the input that is being signed.
func (h *hasher) writeInputs(blank []byte, input int, scriptCode []byte) {
	at := h.inputsAt + blankInputBytes*input
	h.sha.Write(blank[:at])
	h.writeSigned(input, scriptCode)
	h.sha.Write(blank[at+blankInputBytes : h.outputsAt])
}

// writeSigned writes the input that is being signed, with its script.
func (h *hasher) writeSigned(input int, scriptCode []byte) {
	at := h.inputsAt + blankInputBytes*input
	h.sha.Write(h.blank[at : at+36])
	h.buf = state.AppendCompactSize(h.buf[:0], uint64(len(scriptCode)))
	h.sha.Write(h.buf)
	h.sha.Write(scriptCode)
	h.sha.Write(h.blank[at+37 : at+41])
}

// writeOutputs writes what a hash type covers of the outputs.
func (h *hasher) writeOutputs(input int, base uint32) {
	switch base {
	case hashNone:
		h.buf = append(h.buf[:0], 0)
	case hashSingle:
		h.buf = state.AppendCompactSize(h.buf[:0], uint64(input)+1)
		for range input {
			h.buf = append(h.buf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0)
		}
		h.buf = appendOutput(h.buf, h.tx.TxOut[input])
	default:
		h.sha.Write(h.blank[h.outputsAt:])
		return
	}
	h.sha.Write(h.buf)
}

// fillBlank serializes version, inputs without scripts, and outputs.
func (h *hasher) fillBlank() {
	if h.have&haveBlank != 0 {
		return
	}
	h.have |= haveBlank
	b := binary.LittleEndian.AppendUint32(h.blank[:0], uint32(h.tx.Version))
	b = state.AppendCompactSize(b, uint64(len(h.tx.TxIn)))
	h.inputsAt = len(b)
	for _, in := range h.tx.TxIn {
		b = appendOutpoint(b, &in.PreviousOutPoint)
		b = append(b, 0)
		b = binary.LittleEndian.AppendUint32(b, in.Sequence)
	}
	h.outputsAt = len(b)
	b = state.AppendCompactSize(b, uint64(len(h.tx.TxOut)))
	for _, out := range h.tx.TxOut {
		b = appendOutput(b, out)
	}
	h.blank = b
}

// fillUnsequenced copies version and inputs of blank with sequences zero: what
// the hash types that cover no or one output see of the other inputs.
func (h *hasher) fillUnsequenced() {
	if h.have&haveUnsequenced != 0 {
		return
	}
	h.have |= haveUnsequenced
	h.unsequenced = append(h.unsequenced[:0], h.blank[:h.outputsAt]...)
	for at := h.inputsAt; at < h.outputsAt; at += blankInputBytes {
		clear(h.unsequenced[at+37 : at+41])
	}
}

// segwitV0 is BIP143's signature hash over scriptCode.
func (h *hasher) segwitV0(input int, scriptCode []byte, hashType uint32) [32]byte {
	h.fillDouble()
	base := hashType & hashTypeMask
	anyone := hashType&hashAnyoneCanPay != 0
	var zero [32]byte
	in := h.tx.TxIn[input]

	b := binary.LittleEndian.AppendUint32(h.buf[:0], uint32(h.tx.Version))
	if anyone {
		b = append(b, zero[:]...)
	} else {
		b = append(b, h.prevouts2[:]...)
	}
	if anyone || base == hashSingle || base == hashNone {
		b = append(b, zero[:]...)
	} else {
		b = append(b, h.sequences2[:]...)
	}
	b = appendOutpoint(b, &in.PreviousOutPoint)
	b = state.AppendCompactSize(b, uint64(len(scriptCode)))
	b = append(b, scriptCode...)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.spent[input].ValueUnits))
	b = binary.LittleEndian.AppendUint32(b, in.Sequence)
	switch {
	case base != hashSingle && base != hashNone:
		b = append(b, h.outputs2[:]...)
	case base == hashSingle && input < len(h.tx.TxOut):
		one := h.oneOutput(input)
		one = sha256.Sum256(one[:])
		b = append(b, one[:]...)
	default:
		b = append(b, zero[:]...)
	}
	b = binary.LittleEndian.AppendUint32(b, h.tx.LockTime)
	b = binary.LittleEndian.AppendUint32(b, hashType)
	h.buf = b
	once := sha256.Sum256(b)
	return sha256.Sum256(once[:])
}

// oneOutput hashes the output beside an input, which must exist, once for
// all signatures of the input.
func (h *hasher) oneOutput(input int) [32]byte {
	if h.singleAt != input+1 {
		h.out = appendOutput(h.out[:0], h.tx.TxOut[input])
		h.single, h.singleAt = sha256.Sum256(h.out), input+1
	}
	return h.single
}

// taprootPrefix is BIP341's tag hash, twice, and the epoch byte.
var taprootPrefix = func() (prefix [65]byte) {
	tag := sha256.Sum256([]byte("TapSighash"))
	copy(prefix[:32], tag[:])
	copy(prefix[32:], tag[:])
	return prefix
}()

// taprootHashType reports whether BIP341 defines the hash type.
func taprootHashType(hashType byte) bool {
	return hashType <= hashSingle || (hashType >= hashAnyoneCanPay|hashAll && hashType <= hashAnyoneCanPay|hashSingle)
}

// leafContext is what the signature hash of a script path spend holds beside
// that of a key path spend.
type leafContext struct {
	hash      [32]byte
	annex     *[32]byte // hash of the annex with its length, nil for none
	codeSepAt uint32    // place of the last executed OP_CODESEPARATOR
}

// noCodeSeparator is the place where none was executed.
const noCodeSeparator = 0xffffffff

// taprootKey is BIP341's signature hash for a key path spend without annex;
// ok is false where the hash type is unknown or its output does not exist.
func (h *hasher) taprootKey(input int, hashType byte) (digest [32]byte, ok bool) {
	return h.taproot(input, hashType, nil)
}

// taproot is BIP341's signature hash, with BIP342's extension where leaf is
// not nil; ok as for taprootKey.
func (h *hasher) taproot(input int, hashType byte, leaf *leafContext) (digest [32]byte, ok bool) {
	outputs := hashType & taprootOutputsMask
	if !taprootHashType(hashType) || (outputs == hashSingle && input >= len(h.tx.TxOut)) {
		return digest, false
	}
	h.fillTaproot()
	in := h.tx.TxIn[input]
	b := append(h.buf[:0], taprootPrefix[:]...)
	b = append(b, hashType)
	b = binary.LittleEndian.AppendUint32(b, uint32(h.tx.Version))
	b = binary.LittleEndian.AppendUint32(b, h.tx.LockTime)
	anyone := hashType&hashAnyoneCanPay != 0
	if !anyone {
		b = append(b, h.prevouts[:]...)
		b = append(b, h.amounts[:]...)
		b = append(b, h.scripts[:]...)
		b = append(b, h.sequences[:]...)
	}
	if outputs == hashAll || outputs == hashDefault {
		b = append(b, h.outputs[:]...)
	}
	b = append(b, leaf.spendType())
	if anyone {
		b = appendOutpoint(b, &in.PreviousOutPoint)
		b = binary.LittleEndian.AppendUint64(b, uint64(h.spent[input].ValueUnits))
		b = state.AppendCompactSize(b, uint64(len(h.spent[input].Script)))
		b = append(b, h.spent[input].Script...)
		b = binary.LittleEndian.AppendUint32(b, in.Sequence)
	} else {
		b = binary.LittleEndian.AppendUint32(b, uint32(input))
	}
	if leaf != nil && leaf.annex != nil {
		b = append(b, leaf.annex[:]...)
	}
	if outputs == hashSingle {
		one := h.oneOutput(input)
		b = append(b, one[:]...)
	}
	if leaf != nil {
		b = append(b, leaf.hash[:]...)
		b = append(b, 0) // version of the keys
		b = binary.LittleEndian.AppendUint32(b, leaf.codeSepAt)
	}
	h.buf = b
	return sha256.Sum256(b), true
}

// spendType tells key path (nil) and script path, with or without annex.
func (l *leafContext) spendType() byte {
	switch {
	case l == nil:
		return 0
	case l.annex == nil:
		return 2
	}
	return 3
}

// fillShared hashes prevouts, sequences and outputs once.
func (h *hasher) fillShared() {
	if h.have&haveShared != 0 {
		return
	}
	h.have |= haveShared
	b := h.buf[:0]
	for _, in := range h.tx.TxIn {
		b = appendOutpoint(b, &in.PreviousOutPoint)
	}
	h.prevouts = sha256.Sum256(b)
	b = b[:0]
	for _, in := range h.tx.TxIn {
		b = binary.LittleEndian.AppendUint32(b, in.Sequence)
	}
	h.sequences = sha256.Sum256(b)
	b = b[:0]
	for _, out := range h.tx.TxOut {
		b = appendOutput(b, out)
	}
	h.outputs = sha256.Sum256(b)
	h.buf = b
}

func (h *hasher) fillDouble() {
	if h.have&haveDouble != 0 {
		return
	}
	h.fillShared()
	h.have |= haveDouble
	h.prevouts2 = sha256.Sum256(h.prevouts[:])
	h.sequences2 = sha256.Sum256(h.sequences[:])
	h.outputs2 = sha256.Sum256(h.outputs[:])
}

func (h *hasher) fillTaproot() {
	if h.have&haveTaproot != 0 {
		return
	}
	h.fillShared()
	h.have |= haveTaproot
	b := h.buf[:0]
	for _, coin := range h.spent {
		b = binary.LittleEndian.AppendUint64(b, uint64(coin.ValueUnits))
	}
	h.amounts = sha256.Sum256(b)
	h.sha.Reset() // the scripts may be long: they are not gathered
	for _, coin := range h.spent {
		b = state.AppendCompactSize(b[:0], uint64(len(coin.Script)))
		h.sha.Write(b)
		h.sha.Write(coin.Script)
	}
	h.buf = h.sha.Sum(b[:0])
	h.scripts = [32]byte(h.buf)
}

// sumTwice ends the running hash and hashes its sum again.
func (h *hasher) sumTwice() [32]byte {
	h.buf = h.sha.Sum(h.buf[:0])
	return sha256.Sum256(h.buf)
}

// withoutCodeSeparators copies a script without its OP_CODESEPARATORs, up to
// the first broken push, behind which everything stays.
func withoutCodeSeparators(script []byte) []byte {
	out := make([]byte, 0, len(script))
	pc := 0
	for pc < len(script) {
		next, ok := skipOp(script, pc)
		if !ok {
			break
		}
		if script[pc] != txscript.OP_CODESEPARATOR {
			out = append(out, script[pc:next]...)
		}
		pc = next
	}
	return append(out, script[pc:]...)
}

func appendOutpoint(b []byte, op *wire.OutPoint) []byte {
	b = append(b, op.Hash[:]...)
	return binary.LittleEndian.AppendUint32(b, op.Index)
}

func appendOutput(b []byte, out *wire.TxOut) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(out.Value))
	b = state.AppendCompactSize(b, uint64(len(out.PkScript)))
	return append(b, out.PkScript...)
}
