package rpc

import (
	"bytes"
	"strings"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/rules/script"
	"granary/state"
)

// signer signs the inputs of one transaction with the keys and scripts of one
// call.
type signer struct {
	msg      *wire.MsgTx
	coins    []*state.Coin // by input, nil where the output is not known
	keys     []*privateKey
	scripts  map[string][]byte // by HASH160 and by SHA-256
	hashType txscript.SigHashType

	fetcher *txscript.MultiPrevOutFetcher
	hashes  *txscript.TxSigHashes
	whole   bool // all coins are known, as taproot's signatures need
}

// learn takes a key, and the P2WPKH script that may stand inside of P2SH.
func (s *signer) learn(key *privateKey) {
	s.keys = append(s.keys, key)
	if key.compressed {
		s.addScript(append([]byte{0, 20}, address.Hash160(key.pub())...))
	}
}

// forget wipes the keys.
func (s *signer) forget() {
	for _, key := range s.keys {
		key.key.Zero()
	}
}

// signAll signs what it can and holds every input to the rules of the mempool;
// the failures are in the order of the inputs.
func (s *signer) signAll() ([]signFailureJSON, error) {
	outs := make(map[wire.OutPoint]*wire.TxOut, len(s.coins))
	spent := make([]*state.Coin, len(s.coins))
	s.whole = true
	for i, coin := range s.coins {
		if spent[i] = coin; coin == nil {
			s.whole = false
			spent[i] = &state.Coin{}
		} else if coin.ValueUnits == unknownUnits {
			s.whole = false
		}
		outs[s.msg.TxIn[i].PreviousOutPoint] = wire.NewTxOut(spent[i].ValueUnits, spent[i].Script)
	}
	s.fetcher = txscript.NewMultiPrevOutFetcher(outs)
	s.hashes = txscript.NewTxSigHashes(s.msg, s.fetcher)
	for i, coin := range s.coins {
		if coin == nil {
			continue
		}
		single := s.hashType&0x1f == txscript.SigHashSingle
		if single && i >= len(s.msg.TxOut) {
			continue // there is nothing that such a signature would commit to
		}
		if err := s.sign(i, coin); err != nil {
			return nil, err
		}
	}
	failures := []signFailureJSON{}
	job := &script.Job{Tx: state.NewTx(s.msg), Spent: spent, Flags: script.StandardFlags}
	for i, coin := range s.coins {
		text := "Input not found or already spent"
		if coin != nil {
			err := script.Interpret(job, i)
			if err == nil {
				continue
			}
			text = signProblem(err)
		}
		failures = append(failures, signFailure(s.msg.TxIn[i], text))
	}
	return failures, nil
}

// signProblem says why an input may not spend, with Core's hints.
func signProblem(err error) string {
	rule := check.AsRule(err)
	if rule == nil {
		return err.Error()
	}
	text, _, _ := strings.Cut(strings.TrimPrefix(rule.Detail, "("), ")")
	switch {
	case strings.HasPrefix(text, "Operation not valid with the current stack size"):
		return "Unable to sign input, invalid stack size (possibly missing key)"
	case strings.HasPrefix(rule.Detail, "(Signature must be zero for failed CHECK(MULTI)SIG"):
		return "CHECK(MULTI)SIG failing with non-zero signature (possibly need more signatures)"
	}
	return text
}

// sign gives input i its script and witness, as far as keys and scripts go. An
// input for which nothing is known stays as it is.
func (s *signer) sign(i int, coin *state.Coin) error {
	in := s.msg.TxIn[i]
	program := coin.Script
	var redeem []byte
	if solve(program).class == classScriptHash {
		if redeem = s.byProgram(program); redeem == nil {
			return nil
		}
		program = redeem
	}
	if !isWitnessProgram(program) {
		stack := s.legacyStack(i, program)
		if stack == nil {
			return nil
		}
		if redeem != nil {
			stack = append(stack, redeem)
		}
		in.SignatureScript = pushes(stack)
		return nil
	}
	if coin.ValueUnits == unknownUnits {
		return errorf(CodeType, "Missing amount for CTxOut with scriptPubKey=%s", hexOf(coin.Script))
	}
	witness := s.witness(i, program, coin)
	if witness == nil {
		return nil
	}
	in.Witness, in.SignatureScript = witness, nil
	if redeem != nil {
		in.SignatureScript = pushes([][]byte{redeem})
	}
	return nil
}

// witness signs a witness program.
func (s *signer) witness(i int, program []byte, coin *state.Coin) wire.TxWitness {
	solved := solve(program)
	sign := func(script []byte, key *privateKey) []byte {
		if !key.compressed {
			return nil
		}
		sig, err := txscript.RawTxInWitnessSignature(s.msg, s.hashes, i, coin.ValueUnits, script, s.ecdsaType(), key.key)
		if err != nil {
			return nil
		}
		return sig
	}
	switch solved.class {
	case classWitnessPKH:
		code := append(append([]byte{opDup, opHash160, 20}, solved.parts[0]...), opEqualVerify, opCheckSig)
		return s.stack(code, sign, nil)
	case classWitnessSH:
		inner := s.byProgram(program)
		if inner == nil {
			return nil
		}
		digest := func(hashType txscript.SigHashType) ([]byte, error) {
			return txscript.CalcWitnessSigHash(inner, s.hashes, hashType, s.msg, i, coin.ValueUnits)
		}
		stack := s.stack(inner, sign, s.earlier(s.msg.TxIn[i].Witness, digest))
		if stack == nil {
			return nil
		}
		return append(stack, inner)
	case classTaproot:
		return s.taproot(i, solved.parts[0], coin)
	}
	return nil
}

// legacyStack signs a script without witness.
func (s *signer) legacyStack(i int, script []byte) [][]byte {
	sign := func(script []byte, key *privateKey) []byte {
		sig, err := txscript.RawTxInSignature(s.msg, i, script, s.ecdsaType(), key.key)
		if err != nil {
			return nil
		}
		return sig
	}
	digest := func(hashType txscript.SigHashType) ([]byte, error) {
		return txscript.CalcSignatureHash(script, hashType, s.msg, i)
	}
	var given [][]byte
	if ops, ok := scriptOps(s.msg.TxIn[i].SignatureScript); ok {
		for _, op := range ops {
			given = append(given, op.data)
		}
	}
	return s.stack(script, sign, s.earlier(given, digest))
}

func (s *signer) ecdsaType() txscript.SigHashType {
	if s.hashType == txscript.SigHashDefault {
		return txscript.SigHashAll
	}
	return s.hashType
}

// earlier gives a function that finds, among what an input carries already, a
// signature by a public key.
func (s *signer) earlier(given [][]byte, digest func(txscript.SigHashType) ([]byte, error)) func(pub []byte) []byte {
	return func(pub []byte) []byte {
		key, err := btcec.ParsePubKey(pub)
		if err != nil {
			return nil
		}
		for _, item := range given {
			if len(item) < 9 {
				continue
			}
			sig, err := ecdsa.ParseDERSignature(item[:len(item)-1])
			if err != nil {
				continue
			}
			sum, err := digest(txscript.SigHashType(item[len(item)-1]))
			if err == nil && sig.Verify(sum, key) {
				return item
			}
		}
		return nil
	}
}

// stack makes what a pk, pkh or multi script wants, as far as it can: a multi
// of too few signatures keeps those there are. nil is nothing.
func (s *signer) stack(script []byte, sign func([]byte, *privateKey) []byte, earlier func(pub []byte) []byte) [][]byte {
	solved := solve(script)
	switch solved.class {
	case classPubKey:
		if key := s.keyOf(solved.parts[0]); key != nil {
			return found(sign(script, key))
		}
	case classPubKeyHash:
		for _, key := range s.keys {
			if bytes.Equal(address.Hash160(key.pub()), solved.parts[0]) {
				return found(sign(script, key), key.pub())
			}
		}
	case classMultiSig:
		out := [][]byte{{}}
		for _, pub := range solved.parts {
			if len(out) > solved.required {
				break
			}
			var sig []byte
			if key := s.keyOf(pub); key != nil {
				sig = sign(script, key)
			} else if earlier != nil {
				sig = earlier(pub)
			}
			if sig != nil {
				out = append(out, sig)
			}
		}
		if len(out) > 1 {
			return out
		}
	}
	return nil
}

// found is a stack whose first item, the signature, is there.
func found(stack ...[]byte) [][]byte {
	if stack[0] == nil {
		return nil
	}
	return stack
}

func (s *signer) keyOf(pub []byte) *privateKey {
	for _, key := range s.keys {
		if bytes.Equal(key.pub(), pub) {
			return key
		}
	}
	return nil
}

// taproot signs by the key: one that is tweaked without scripts (BIP86), or
// one that is the output key itself.
func (s *signer) taproot(i int, program []byte, coin *state.Coin) wire.TxWitness {
	if !s.whole {
		return nil
	}
	for _, key := range s.keys {
		pub := key.key.PubKey()
		if bytes.Equal(schnorr.SerializePubKey(txscript.ComputeTaprootKeyNoScript(pub)), program) {
			sig, err := txscript.RawTxInTaprootSignature(
				s.msg, s.hashes, i, coin.ValueUnits, coin.Script, []byte{}, s.hashType, key.key)
			if err == nil {
				return wire.TxWitness{sig}
			}
		}
		if bytes.Equal(schnorr.SerializePubKey(pub), program) {
			return s.untweaked(i, key)
		}
	}
	return nil
}

func (s *signer) untweaked(i int, key *privateKey) wire.TxWitness {
	sum, err := txscript.CalcTaprootSignatureHash(s.hashes, s.hashType, s.msg, i, s.fetcher)
	if err != nil {
		return nil
	}
	sig, err := schnorr.Sign(key.key, sum)
	if err != nil {
		return nil
	}
	raw := sig.Serialize()
	if s.hashType != txscript.SigHashDefault {
		raw = append(raw, byte(s.hashType))
	}
	return wire.TxWitness{raw}
}

// pushes writes a script of data pushes in their shortest form.
func pushes(stack [][]byte) []byte {
	b := txscript.NewScriptBuilder(txscript.WithScriptAllocSize(512))
	for _, item := range stack {
		b.AddFullData(item)
	}
	out, err := b.Script()
	if err != nil {
		return nil
	}
	return out
}
