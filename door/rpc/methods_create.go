package rpc

import (
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/desc"
)

// Input sequences that createrawtransaction chooses between.
const (
	sequenceReplaceable = 0xfffffffd // BIP125
	sequenceNotFinal    = 0xfffffffe
	sequenceFinal       = 0xffffffff
)

func createTxMethods() []Method {
	return []Method{{
		Name: "createrawtransaction", Family: familyRawTx,
		Summary: "Builds an unsigned transaction from inputs and outputs; nothing is stored or sent.",
		Detail:  "What the inputs hold beyond the outputs is the miner's fee: nothing is added for change.",
		Params: []Param{
			{Name: "inputs", Type: List, Help: `Objects {"txid": hex, "vout": number, "sequence": number (optional)}.`},
			{Name: "outputs", Type: ListOrDict, Help: `Objects {address: amount in coins} or {"data": hex}, in the order of the outputs.`},
			{Name: "locktime", Type: Integer, Optional: true, Default: "0", Help: "A height, or Unix seconds from 500000000 on; not 0 makes inputs not final."},
			{Name: "replaceable", Type: Boolean, Optional: true, Default: "true", Help: "Signal that it may be replaced (BIP125)."},
		},
		Result: "The transaction in hex.",
		run:    createRawTransaction,
	}}
}

func createRawTransaction(c *call) (any, error) {
	lockTime, err := c.integer("locktime", 0)
	if err != nil {
		return nil, err
	}
	if lockTime < 0 || lockTime > 0xffffffff {
		return nil, errorf(CodeInvalidParameter, "Invalid parameter, locktime out of range")
	}
	msg := wire.NewMsgTx(2)
	msg.LockTime = uint32(lockTime)
	if err := c.addInputs(msg); err != nil {
		return nil, err
	}
	if err := c.addOutputs(msg, c.arg("outputs")); err != nil {
		return nil, err
	}
	if v := c.arg("replaceable"); v.truth && len(msg.TxIn) > 0 && !replaceable(msg) {
		return nil, errorf(CodeInvalidParameter, "Invalid parameter combination: Sequence number(s) contradict replaceable option")
	}
	raw, err := serializeTx(msg)
	return hexOf(raw), err
}

func replaceable(msg *wire.MsgTx) bool {
	for _, in := range msg.TxIn {
		if in.Sequence <= sequenceReplaceable {
			return true
		}
	}
	return false
}

func (c *call) addInputs(msg *wire.MsgTx) error {
	sequence := uint32(sequenceFinal)
	switch {
	case c.flag("replaceable", true):
		sequence = sequenceReplaceable
	case msg.LockTime != 0:
		sequence = sequenceNotFinal
	}
	for _, item := range c.arg("inputs").items {
		in, err := parseInput(item, sequence)
		if err != nil {
			return err
		}
		msg.TxIn = append(msg.TxIn, in)
	}
	return nil
}

func parseInput(item Value, sequence uint32) (*wire.TxIn, error) {
	if item.kind != Object {
		return nil, errorf(CodeType, "%s", mismatch(item.kind, "object"))
	}
	given, _ := item.Get("txid")
	txid, err := given.hash("txid")
	if err != nil {
		return nil, err
	}
	vout, _ := item.Get("vout")
	if vout.kind != Number {
		return nil, errorf(CodeInvalidParameter, "Invalid parameter, missing vout key")
	}
	n, err := vout.int64()
	switch {
	case err != nil:
		return nil, err
	case n < 0:
		return nil, errorf(CodeInvalidParameter, "Invalid parameter, vout cannot be negative")
	case n > 0x7fffffff:
		return nil, errIntegerRange
	}
	if given, _ := item.Get("sequence"); given.kind == Number {
		number, err := given.int64()
		if err != nil || number < 0 || number > 0xffffffff {
			return nil, errorf(CodeInvalidParameter, "Invalid parameter, sequence number is out of range")
		}
		sequence = uint32(number)
	}
	return &wire.TxIn{PreviousOutPoint: wire.OutPoint{Hash: txid, Index: uint32(n)}, Sequence: sequence}, nil
}

// addOutputs takes an object, or an array of objects of one pair each.
func (c *call) addOutputs(msg *wire.MsgTx, outputs Value) error {
	pairs := outputs
	switch outputs.kind {
	case Null:
		return errorf(CodeInvalidParameter, "Invalid parameter, output argument must be non-null")
	case Object:
	case Array:
		pairs = Value{kind: Object}
		for _, item := range outputs.items {
			if item.kind != Object {
				return errorf(CodeInvalidParameter, "Invalid parameter, key-value pair not an object as expected")
			}
			if item.Len() != 1 {
				return errorf(CodeInvalidParameter, "Invalid parameter, key-value pair must contain exactly one key")
			}
			pairs.keys, pairs.items = append(pairs.keys, item.keys[0]), append(pairs.items, item.items[0])
		}
	default:
		return errorf(CodeType, "%s", mismatch(outputs.kind, "array"))
	}
	seen := make(map[string]bool, pairs.Len())
	hasData := false
	for i, key := range pairs.keys {
		out, err := c.parseOutput(key, pairs.items[i])
		if err != nil {
			return err
		}
		switch {
		case key == "data" && hasData:
			return errorf(CodeInvalidParameter, "Invalid parameter, duplicate key: data")
		case key == "data":
			hasData = true
		case seen[string(out.PkScript)]:
			return errorf(CodeInvalidParameter, "Invalid parameter, duplicated address: %s", clip(key))
		}
		seen[string(out.PkScript)] = true
		msg.TxOut = append(msg.TxOut, out)
	}
	return nil
}

func (c *call) parseOutput(key string, v Value) (*wire.TxOut, error) {
	if key == "data" {
		data, err := v.bytes("Data")
		if err != nil {
			return nil, err
		}
		return &wire.TxOut{PkScript: dataScript(data)}, nil
	}
	script, err := c.addressScript(key)
	if err != nil {
		return nil, errorf(CodeInvalidAddress, "Invalid Bitcoin address: %s", clip(key))
	}
	units, err := v.units()
	if err != nil {
		return nil, err
	}
	return &wire.TxOut{Value: units, PkScript: script}, nil
}

// maxAddressChars is far beyond any address; it keeps base58's cost small.
const maxAddressChars = 128

// addressScript reads an address of this chain.
func (c *call) addressScript(text string) ([]byte, error) {
	if len(text) > maxAddressChars {
		return nil, errorf(CodeInvalidAddress, "an address is at most %d characters long", maxAddressChars)
	}
	return desc.AddressScript(text, c.server.opts.Net.Chain)
}

// dataScript is OP_RETURN with one push of data, in the short form that the
// length allows (data of one small number stays a byte push, as Core's).
func dataScript(data []byte) []byte {
	script := []byte{opReturn}
	switch n := len(data); {
	case n < opPushData1:
		script = append(script, byte(n))
	case n <= 0xff:
		script = append(script, opPushData1, byte(n))
	case n <= 0xffff:
		script = append(script, opPushData2, byte(n), byte(n>>8))
	default:
		script = append(script, opPushData4, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
	}
	return append(script, data...)
}
