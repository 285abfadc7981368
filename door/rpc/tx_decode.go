package rpc

import (
	"bytes"
	"encoding/hex"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/params"
	"granary/rules/block"
	"granary/state"
)

// decodeTxHex reads a transaction from hex. As in Bitcoin Core the bytes may
// be read with or without witnesses (a transaction without inputs has only the
// second form); where both readings are possible the one with sane scripts
// wins, witnesses first. There are never bytes left over.
func decodeTxHex(text string, tryWitness, tryPlain bool) (*state.Tx, bool) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) == 0 {
		return nil, false
	}
	var witness, plain *state.Tx
	if tryWitness {
		if tx, err := state.DecodeTx(raw); err == nil {
			witness = tx
			if saneScripts(tx.Msg) {
				return tx, true
			}
		}
	}
	if tryPlain {
		if tx, ok := decodePlain(raw); ok {
			plain = tx
			if saneScripts(tx.Msg) {
				return tx, true
			}
		}
	}
	if witness != nil {
		return witness, true
	}
	return plain, plain != nil
}

// decodePlain reads the form without witnesses.
func decodePlain(raw []byte) (*state.Tx, bool) {
	if !plausiblePlain(raw) {
		return nil, false
	}
	var msg wire.MsgTx
	r := bytes.NewReader(raw)
	if err := msg.DeserializeNoWitness(r); err != nil || r.Len() != 0 {
		return nil, false
	}
	for _, out := range msg.TxOut {
		if out.PkScript == nil {
			out.PkScript = []byte{}
		}
	}
	return state.NewTx(&msg), true
}

// plausiblePlain keeps oversized texts away from the slow general decoder.
func plausiblePlain(raw []byte) bool {
	return len(raw) >= 10 && len(raw) <= params.MaxBlockBytes
}

// saneScripts reports that every script is made of defined opcodes and not
// too long: what tells a real reading of ambiguous bytes from an accident.
func saneScripts(msg *wire.MsgTx) bool {
	if !block.IsCoinbase(msg) {
		for _, in := range msg.TxIn {
			if len(in.SignatureScript) > params.MaxScriptBytes || !validOps(in.SignatureScript) {
				return false
			}
		}
	}
	for _, out := range msg.TxOut {
		if len(out.PkScript) > params.MaxScriptBytes || !validOps(out.PkScript) {
			return false
		}
	}
	return true
}

func serializeTx(msg *wire.MsgTx) ([]byte, error) {
	var buf bytes.Buffer
	buf.Grow(msg.SerializeSize())
	if err := msg.Serialize(&buf); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}
