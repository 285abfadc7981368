package script

import (
	"bytes"
	"crypto/sha256"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/sig"
	"granary/state"
)

// heavySignedBytes is how much the interpreter may hash again for the
// signatures of one tapscript; where it could be more, leafRun runs it.
const heavySignedBytes = 64 << 20

// leafRun runs a tapscript (BIP342) through btcsuite's interpreter step by step
// and checks its signatures itself. The interpreter hashes the annex and the
// output beside a SINGLE signature again for each signature, so that one
// input could cost a block minutes; here both are hashed once.
//
// Before each signature opcode that runs, the key on the stack gives way to one
// of an unknown kind: the interpreter counts the signature against the budget
// and takes it for good, and the true key is checked afterwards. leafRun
// belongs to one worker, with whose hasher it is set to a transaction.
type leafRun struct {
	hashes    *hasher
	engine    sig.Engine
	fromBytes int64 // suits inputs for which the interpreter could hash more

	vm    *txscript.Engine
	input int
	flags Flags
	leaf  leafContext
	annex [32]byte
	conds []condition
}

// condition is one open OP_IF or OP_NOTIF.
type condition uint8

const (
	condSkipped condition = iota // inside a branch that does not run
	condFalse
	condTrue
)

// unknownKey is a key of no known kind, whose signatures all hold.
var unknownKey = make([]byte, 33)

// suits reports whether an input spends a tapscript whose signatures sign
// much; false for nil.
func (r *leafRun) suits(tx *wire.MsgTx, input int, pkScript []byte, flags Flags) bool {
	const rules = P2SH | Witness | Taproot
	if r == nil || flags&rules != rules || !isP2TR(pkScript) {
		return false
	}
	witness, annex := cutAnnex(tx.TxIn[input].Witness)
	if len(witness) < 2 {
		return false
	}
	signed := int64(len(annex))
	if input < len(tx.TxOut) {
		signed += int64(len(tx.TxOut[input].PkScript))
	}
	checks := 0 // at most: the bytes of data count as well
	for _, op := range []byte{txscript.OP_CHECKSIG, txscript.OP_CHECKSIGVERIFY, txscript.OP_CHECKSIGADD} {
		checks += bytes.Count(witness[len(witness)-2], []byte{op})
	}
	return int64(checks)*signed > r.fromBytes
}

// cutAnnex takes the annex off a taproot witness, nil where there is none.
func cutAnnex(witness wire.TxWitness) (rest wire.TxWitness, annex []byte) {
	last := len(witness) - 1
	if last < 1 || len(witness[last]) == 0 || witness[last][0] != txscript.TaprootAnnexTag {
		return witness, nil
	}
	return witness[:last], witness[last]
}

// execute runs vm, new, to its end: the verdict is that of vm.Execute, under
// flags as they are here and not in vm.
func (r *leafRun) execute(vm *txscript.Engine, witness wire.TxWitness, input int, flags Flags) error {
	defer func() { r.vm = nil }()
	r.vm, r.input, r.flags, r.conds = vm, input, flags, r.conds[:0]
	// The output's script comes first: version and program. Its second step
	// opens what the witness commits to.
	for range 2 {
		if done, err := vm.Step(); err != nil {
			return err
		} else if done {
			return vm.CheckErrorCondition(true)
		}
	}
	witness, annex := cutAnnex(witness)
	script := witness[len(witness)-2]
	r.leaf = leafContext{hash: txscript.NewBaseTapLeaf(script).TapHash(), codeSepAt: noCodeSeparator}
	if annex != nil {
		r.annex = sha256.Sum256(append(state.AppendCompactSize(nil, uint64(len(annex))), annex...))
		r.leaf.annex = &r.annex
	}
	for tokens := txscript.MakeScriptTokenizer(0, script); tokens.Next(); {
		done, err := r.step(tokens.Opcode(), uint32(tokens.OpcodePosition()))
		if err != nil {
			return err
		}
		if done {
			return vm.CheckErrorCondition(true)
		}
	}
	return txscript.Error{ErrorCode: txscript.ErrScriptUnfinished, Description: "tapscript without an end"}
}

// step runs the opcode at place at of the script.
func (r *leafRun) step(op byte, at uint32) (done bool, err error) {
	running := len(r.conds) == 0 || r.conds[len(r.conds)-1] == condTrue
	var key, signature []byte
	truth := false
	if running {
		switch op {
		case txscript.OP_CHECKSIG, txscript.OP_CHECKSIGVERIFY:
			key, signature = r.hideKey(2)
		case txscript.OP_CHECKSIGADD:
			key, signature = r.hideKey(3)
		case txscript.OP_IF:
			truth = len(r.top()) > 0 // minimal, or the step fails
		case txscript.OP_NOTIF:
			truth = len(r.top()) == 0
		case txscript.OP_CODESEPARATOR:
			r.leaf.codeSepAt = at
		}
	}
	if done, err = r.vm.Step(); err != nil {
		return done, err
	}
	r.follow(op, running, truth)
	return done, r.checkKey(key, signature)
}

// top is the item on top of the stack, nil where there is none.
func (r *leafRun) top() []byte {
	stack := r.vm.GetStack()
	if len(stack) == 0 {
		return nil
	}
	return stack[len(stack)-1]
}

// follow keeps account of the branches after an opcode that went well.
func (r *leafRun) follow(op byte, running, truth bool) {
	last := len(r.conds) - 1
	switch op {
	case txscript.OP_IF, txscript.OP_NOTIF:
		opened := condSkipped
		switch {
		case running && truth:
			opened = condTrue
		case running:
			opened = condFalse
		}
		r.conds = append(r.conds, opened)
	case txscript.OP_ELSE:
		if r.conds[last] != condSkipped {
			r.conds[last] = condTrue + condFalse - r.conds[last]
		}
	case txscript.OP_ENDIF:
		r.conds = r.conds[:last]
	}
}

// hideKey gives the key on top of the stack and the signature at depth (1 is
// the top), and hides a key of 32 bytes from the interpreter. Where the step
// to come needs no signature, or must fail, it gives nothing.
func (r *leafRun) hideKey(depth int) (key, signature []byte) {
	stack := r.vm.GetStack()
	if len(stack) < depth {
		return nil, nil
	}
	top := len(stack) - 1
	key, signature = stack[top], stack[len(stack)-depth]
	if len(key) == 0 || len(signature) == 0 {
		return nil, nil
	}
	if len(key) == 32 {
		stack[top] = unknownKey
		r.vm.SetStack(stack)
	}
	return key, signature
}

// checkKey judges the signature of an opcode that has passed with a key of an
// unknown kind in the place of key; nil means that there was none.
func (r *leafRun) checkKey(key, signature []byte) error {
	if key == nil {
		return nil
	}
	if len(key) != 32 {
		if r.flags&DiscourageUpgradablePubKeyType != 0 {
			return txscript.Error{ErrorCode: txscript.ErrDiscourageUpgradeablePubKeyType}
		}
		return nil
	}
	hashType := byte(hashDefault)
	switch {
	case len(signature) == 65 && signature[64] != hashDefault:
		hashType = signature[64]
	case len(signature) != 64:
		return txscript.Error{ErrorCode: txscript.ErrInvalidTaprootSigLen}
	}
	digest, ok := r.hashes.taproot(r.input, hashType, &r.leaf)
	if !ok || !sig.Verify(r.engine, &sig.Check{Kind: sig.Schnorr, PubKey: key, Sig: signature[:64], Digest: digest}) {
		return txscript.Error{ErrorCode: txscript.ErrTaprootSigInvalid}
	}
	return nil
}
