package rpc

import (
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/chaincfg/v2"

	"granary/base/desc"
)

// inferDescriptor writes the descriptor, with its checksum, that Bitcoin Core
// infers for a script about which it knows nothing else: pk, multi, rawtr,
// addr, else raw.
func inferDescriptor(script []byte, chain *chaincfg.Params) string {
	return withChecksum(inferBody(script, solve(script), chain))
}

func inferBody(script []byte, s solved, chain *chaincfg.Params) string {
	switch s.class {
	case classPubKey:
		if notHybrid(s.parts[0]) {
			return "pk(" + hexOf(s.parts[0]) + ")"
		}
	case classMultiSig:
		if body, ok := multiBody(s, notHybrid); ok {
			return body
		}
	case classTaproot:
		if _, err := schnorr.ParsePubKey(s.parts[0]); err == nil {
			return "rawtr(" + hexOf(s.parts[0]) + ")"
		}
	}
	if address, ok := scriptAddress(script, s, chain); ok {
		return "addr(" + address + ")"
	}
	return "raw(" + hexOf(script) + ")"
}

// inferWrapped writes the descriptor of the P2WSH output of a known script:
// wsh of a pk or multi of compressed keys, else only the address is said.
func inferWrapped(inner, outer []byte, chain *chaincfg.Params) string {
	s := solve(inner)
	switch s.class {
	case classPubKey:
		if compressed(s.parts[0]) {
			return withChecksum("wsh(pk(" + hexOf(s.parts[0]) + "))")
		}
	case classMultiSig:
		if body, ok := multiBody(s, compressed); ok {
			return withChecksum("wsh(" + body + ")")
		}
	}
	return inferDescriptor(outer, chain)
}

func multiBody(s solved, fits func(key []byte) bool) (string, bool) {
	words := []string{strconv.Itoa(s.required)}
	for _, key := range s.parts {
		if !fits(key) {
			return "", false
		}
		words = append(words, hexOf(key))
	}
	return "multi(" + strings.Join(words, ",") + ")", true
}

func notHybrid(key []byte) bool  { return key[0] == 2 || key[0] == 3 || key[0] == 4 }
func compressed(key []byte) bool { return len(key) == 33 }

// withChecksum adds the checksum; hex and addresses are always within its
// character set.
func withChecksum(body string) string {
	text, err := desc.AddChecksum(body)
	if err != nil {
		return body
	}
	return text
}

// scriptAddress is the address that is shown for a script; a bare public key
// has none.
func scriptAddress(script []byte, s solved, chain *chaincfg.Params) (string, bool) {
	switch s.class {
	case classPubKey, classMultiSig, classNullData, classNonStandard:
		return "", false
	}
	return desc.ScriptAddress(script, chain)
}

// scriptJSON is a script as transactions show it. Hex and Address are left out
// where they are empty and not asked for.
type scriptJSON struct {
	Asm     string      `json:"asm"`
	Desc    string      `json:"desc"`
	Hex     *string     `json:"hex,omitempty"`
	Address string      `json:"address,omitempty"`
	Type    scriptClass `json:"type"`
}

func newScriptJSON(script []byte, chain *chaincfg.Params, withHex bool) scriptJSON {
	s := solve(script)
	out := scriptJSON{
		Asm: scriptAsm(script, false), Desc: withChecksum(inferBody(script, s, chain)), Type: s.class,
	}
	if withHex {
		text := hex.EncodeToString(script)
		out.Hex = &text
	}
	out.Address, _ = scriptAddress(script, s, chain)
	return out
}
