package rpc

import (
	"bytes"
	"crypto/sha256"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/state"
)

func signMethods() []Method {
	return []Method{{
		Name: "signrawtransactionwithkey", Family: familyRawTx,
		Summary: "Signs the inputs of a transaction with private keys.",
		Detail:  "Keys and the answer travel unencrypted to this door; nothing of them is kept or logged. Known output forms: pk, pkh, wpkh, multi, the same inside sh and wsh, tr by its key.",
		Params: []Param{
			{Name: "hexstring", Type: Hex, Help: "The transaction."},
			{Name: "privkeys", Type: List, Help: "Private keys in base58."},
			{Name: "prevtxs", Type: List, Optional: true, Help: `Outputs that the chain does not have yet: {"txid", "vout", "scriptPubKey", "redeemScript", "witnessScript", "amount" in coins}.`},
			{Name: "sighashtype", Type: Text, Optional: true, Default: `"DEFAULT"`, Help: "DEFAULT, ALL, NONE, SINGLE, each of the last three also with |ANYONECANPAY."},
		},
		Result: "An object with hex, complete, and errors (txid, vout, witness, scriptSig, sequence, error).",
		run:    signRawTransactionWithKey,
	}}
}

var sigHashTypes = map[string]txscript.SigHashType{
	"DEFAULT": txscript.SigHashDefault, "ALL": txscript.SigHashAll, "NONE": txscript.SigHashNone,
	"SINGLE":              txscript.SigHashSingle,
	"ALL|ANYONECANPAY":    txscript.SigHashAll | txscript.SigHashAnyOneCanPay,
	"NONE|ANYONECANPAY":   txscript.SigHashNone | txscript.SigHashAnyOneCanPay,
	"SINGLE|ANYONECANPAY": txscript.SigHashSingle | txscript.SigHashAnyOneCanPay,
}

func signRawTransactionWithKey(c *call) (any, error) {
	tx, ok := decodeTxHex(c.text("hexstring", ""), true, true)
	if !ok {
		return nil, errTxDecode
	}
	word := c.text("sighashtype", "DEFAULT")
	hashType, ok := sigHashTypes[word]
	if !ok {
		return nil, errorf(CodeInvalidParameter, "'%s' is not a valid sighash parameter.", clip(word))
	}
	s := &signer{msg: tx.Msg.Copy(), hashType: hashType, scripts: map[string][]byte{}}
	defer s.forget()
	for _, v := range c.arg("privkeys").items {
		if v.kind != String {
			return nil, errorf(CodeType, "%s", mismatch(v.kind, "string"))
		}
		key, err := decodeWIF(v.text, c.server.opts.Net.Chain.PrivateKeyID)
		if err != nil {
			return nil, err
		}
		s.learn(key)
	}
	if err := c.findCoins(s); err != nil {
		return nil, err
	}
	for _, item := range c.arg("prevtxs").items {
		if err := s.addPrevious(item); err != nil {
			return nil, err
		}
	}
	failures, err := s.signAll()
	if err != nil {
		return nil, err
	}
	raw, err := serializeTx(s.msg)
	if err != nil {
		return nil, err
	}
	out := object{{"hex", hexOf(raw)}, {"complete", len(failures) == 0}}
	if len(failures) > 0 {
		out = append(out, member{"errors", failures})
	}
	return out, nil
}

// findCoins looks for what the inputs spend, in the mempool and in the chain.
func (c *call) findCoins(s *signer) error {
	s.coins = make([]*state.Coin, len(s.msg.TxIn))
	for i, in := range s.msg.TxIn {
		op := in.PreviousOutPoint
		if e := c.Pool.Get(op.Hash); e != nil && int64(op.Index) < int64(len(e.Tx.Msg.TxOut)) {
			out := e.Tx.Msg.TxOut[op.Index]
			s.coins[i] = state.NewCoin(out.Value, out.PkScript, 0, false)
		}
	}
	return c.Chain.View(func(_ *state.Header, v state.View) error {
		for i, in := range s.msg.TxIn {
			coin, err := v.Coin(in.PreviousOutPoint)
			if err != nil {
				return err
			}
			if coin != nil {
				s.coins[i] = coin.Clone()
			}
		}
		return nil
	})
}

// unknownUnits is the amount of an output that nobody told.
const unknownUnits = -1

// addPrevious takes an output that the caller tells of, with the scripts that
// it commits to.
func (s *signer) addPrevious(item Value) error {
	if item.kind != Object {
		return errorf(CodeDeserialization, "expected object with {\"txid'\",\"vout\",\"scriptPubKey\"}")
	}
	given := Value{kind: Object}
	for i, key := range item.keys {
		if key == "txid" || key == "vout" {
			given.keys, given.items = append(given.keys, key), append(given.items, item.items[i])
		}
	}
	op, err := parseOutPoint(given)
	if err != nil {
		return err
	}
	field := func(name string) ([]byte, bool, error) {
		v, _ := item.Get(name)
		if v.IsNull() {
			return nil, false, nil
		}
		raw, err := v.bytes(name)
		return raw, err == nil, err
	}
	script, found, err := field("scriptPubKey")
	if err == nil && !found {
		err = errorf(CodeType, "Missing scriptPubKey")
	}
	if err != nil {
		return err
	}
	units := int64(unknownUnits)
	if v, _ := item.Get("amount"); !v.IsNull() {
		if units, err = v.units(); err != nil {
			return err
		}
	}
	for i, in := range s.msg.TxIn {
		if in.PreviousOutPoint != op {
			continue
		}
		if known := s.coins[i]; known != nil && !bytes.Equal(known.Script, script) {
			return errorf(CodeDeserialization, "Previous output scriptPubKey mismatch:\n%s\nvs:\n%s",
				clipLong(scriptAsm(known.Script, false)), clipLong(scriptAsm(script, false)))
		} else if known != nil && units == unknownUnits {
			units = known.ValueUnits
		}
		s.coins[i] = &state.Coin{ValueUnits: units, Script: script}
	}
	return s.addScripts(script, field)
}

// addScripts notes the redeem and witness scripts of an output, which must
// belong to it.
func (s *signer) addScripts(script []byte, field func(string) ([]byte, bool, error)) error {
	redeem, hasRedeem, err := field("redeemScript")
	if err != nil {
		return err
	}
	witness, hasWitness, err := field("witnessScript")
	if err != nil {
		return err
	}
	class := solve(script).class
	if class != classScriptHash && class != classWitnessSH {
		return nil
	}
	if !hasRedeem && !hasWitness {
		return errorf(CodeInvalidParameter, "Missing redeemScript/witnessScript")
	}
	if hasWitness {
		s.addScript(witness)
		s.addScript(witnessProgram(witness))
	}
	if hasRedeem {
		s.addScript(redeem)
		s.addScript(witnessProgram(redeem)) // Core takes a witness script under either name
	}
	if s.byProgram(script) == nil {
		return errorf(CodeInvalidParameter, "redeemScript/witnessScript does not match scriptPubKey")
	}
	return nil
}

// witnessProgram is the P2WSH output of a script.
func witnessProgram(script []byte) []byte {
	sum := sha256.Sum256(script)
	return append([]byte{0, 32}, sum[:]...)
}

func (s *signer) addScript(script []byte) {
	sum := sha256.Sum256(script)
	s.scripts[string(address.Hash160(script))] = script
	s.scripts[string(sum[:])] = script
}

// byProgram finds the script that a P2SH or P2WSH output commits to.
func (s *signer) byProgram(script []byte) []byte {
	solved := solve(script)
	if solved.class != classScriptHash && solved.class != classWitnessSH {
		return nil
	}
	return s.scripts[string(solved.parts[0])]
}

type signFailureJSON struct {
	Txid     string   `json:"txid"`
	Vout     uint32   `json:"vout"`
	Witness  []string `json:"witness"`
	Script   string   `json:"scriptSig"`
	Sequence uint32   `json:"sequence"`
	Error    string   `json:"error"`
}

func signFailure(in *wire.TxIn, text string) signFailureJSON {
	out := signFailureJSON{
		Txid: in.PreviousOutPoint.Hash.String(), Vout: in.PreviousOutPoint.Index, Witness: []string{},
		Script: hexOf(in.SignatureScript), Sequence: in.Sequence, Error: text,
	}
	for _, item := range in.Witness {
		out.Witness = append(out.Witness, hexOf(item))
	}
	return out
}
