package web

import (
	"encoding/hex"

	"github.com/btcsuite/btcd/txscript/v2"

	"granary/base/desc"
	"granary/state"
)

// scriptView is an output script for a person.
type scriptView struct {
	Kind    string // "key hash", "script hash", "taproot", ...
	Address string // "" where the script has none
	Hex     string
}

// scriptKinds are the words for txscript's classes.
var scriptKinds = map[txscript.ScriptClass]string{
	txscript.PubKeyTy:              "public key",
	txscript.PubKeyHashTy:          "key hash",
	txscript.ScriptHashTy:          "script hash",
	txscript.MultiSigTy:            "bare multisig",
	txscript.NullDataTy:            "data",
	txscript.WitnessV0PubKeyHashTy: "witness key hash",
	txscript.WitnessV0ScriptHashTy: "witness script hash",
	txscript.WitnessV1TaprootTy:    "taproot",
	txscript.WitnessUnknownTy:      "unknown witness program",
}

// maxScriptHex bounds the script bytes that a page prints.
const maxScriptHex = 1000

func (s *Server) script(script []byte) scriptView {
	view := scriptView{Kind: "script"}
	if len(script) > maxScriptHex {
		view.Hex = hex.EncodeToString(script[:maxScriptHex]) + "\u2026"
	} else {
		view.Hex = hex.EncodeToString(script)
	}
	if len(script) == 0 {
		view.Kind = "anyone can spend"
		return view
	}
	if len(script) > 10_000 {
		return view
	}
	if words, ok := scriptKinds[txscript.GetScriptClass(script)]; ok {
		view.Kind = words
	}
	view.Address, _ = desc.ScriptAddress(script, s.options.Net.Chain)
	return view
}

// outputRole says what an output is beside a payment: "treasury", "Witness
// commitment", "Data" or "".
func (s *Server) outputRole(script []byte) string {
	switch {
	case s.treasuryScript() != "" && string(script) == s.treasuryScript():
		return "treasury"
	case len(script) >= 38 && string(script[:6]) == "\x6a\x24\xaa\x21\xa9\xed":
		return "Witness commitment"
	case state.Unspendable(script):
		return "Data"
	}
	return ""
}
