package desc

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/btcsuite/btcd/address/v2/base58"
	"github.com/btcsuite/btcd/address/v2/bech32"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/txscript/v2"
)

// maxAddressChars is BIP173's bound, beyond any base58 address.
const maxAddressChars = 90

// AddressScript gives the output script of an address of the given chain:
// base58 (P2PKH, P2SH), bech32 (BIP173, witness version 0) or bech32m
// (BIP350, versions 1 to 16). The chain's own prefixes decide, so networks
// of a charter work without any registration.
func AddressScript(text string, chain *chaincfg.Params) ([]byte, error) {
	// Decoding base58 is quadratic in the length.
	if len(text) > maxAddressChars {
		return nil, fmt.Errorf("a text of %d characters is not an address: none is longer than %d", len(text), maxAddressChars)
	}
	if hrp, _, found := strings.Cut(strings.ToLower(text), "1"); found && hrp == chain.Bech32HRPSegwit {
		return segwitScript(text, chain)
	}
	payload, version, err := base58.CheckDecode(text)
	if err != nil || len(payload) != 20 {
		return nil, fmt.Errorf("%q is not an address of %s: check for a typing error and for the right network", text, chain.Name)
	}
	switch version {
	case chain.PubKeyHashAddrID:
		return keyHashScript(payload), nil
	case chain.ScriptHashAddrID:
		return scriptHashScript(payload), nil
	}
	return nil, fmt.Errorf("address %q belongs to another network than %s: use an address of this one", text, chain.Name)
}

func segwitScript(text string, chain *chaincfg.Params) ([]byte, error) {
	bad := func(what string) ([]byte, error) {
		return nil, fmt.Errorf("address %q: %s: check for a typing error", text, what)
	}
	hrp, data, encoding, err := bech32.DecodeGeneric(text)
	if err != nil || hrp != chain.Bech32HRPSegwit || len(data) == 0 {
		return bad("the checksum does not match")
	}
	version := data[0]
	program, err := bech32.ConvertBits(data[1:], 5, 8, false)
	switch {
	case err != nil:
		return bad("the padding is wrong")
	case version > 16 || len(program) < 2 || len(program) > 40:
		return bad("it is no witness program")
	case version == 0 && len(program) != 20 && len(program) != 32:
		return bad("a version 0 program has 20 or 32 bytes")
	case (version == 0) != (encoding == bech32.Version0):
		return bad("the checksum is of the wrong kind (bech32 for version 0, bech32m above)")
	}
	return witnessScript(version, program), nil
}

// ScriptAddress gives the address of a script on the given chain; ok is false
// for a script that has none.
func ScriptAddress(script []byte, chain *chaincfg.Params) (text string, ok bool) {
	switch {
	case len(script) == 25 && bytes.Equal(script, keyHashScript(script[3:23])):
		return base58.CheckEncode(script[3:23], chain.PubKeyHashAddrID), true
	case len(script) == 23 && bytes.Equal(script, scriptHashScript(script[2:22])):
		return base58.CheckEncode(script[2:22], chain.ScriptHashAddrID), true
	}
	version, program, ok := witnessProgram(script)
	if !ok || version == 0 && len(program) != 20 && len(program) != 32 {
		return "", false
	}
	text, err := encodeSegwit(chain.Bech32HRPSegwit, version, program)
	return text, err == nil
}

func encodeSegwit(hrp string, version byte, program []byte) (string, error) {
	groups, err := bech32.ConvertBits(program, 8, 5, true)
	if err != nil {
		return "", err
	}
	data := append([]byte{version}, groups...)
	if hrp == "" {
		return "", errors.New("this chain has no witness addresses")
	}
	if version == 0 {
		return bech32.Encode(hrp, data)
	}
	return bech32.EncodeM(hrp, data)
}

// witnessProgram takes a witness program apart (BIP141).
func witnessProgram(script []byte) (version byte, program []byte, ok bool) {
	if len(script) < 4 || len(script) > 42 || int(script[1]) != len(script)-2 {
		return 0, nil, false
	}
	switch op := script[0]; {
	case op == txscript.OP_0:
		return 0, script[2:], true
	case op >= txscript.OP_1 && op <= txscript.OP_16:
		return op - txscript.OP_1 + 1, script[2:], true
	}
	return 0, nil, false
}

func witnessScript(version byte, program []byte) []byte {
	op := byte(txscript.OP_0)
	if version > 0 {
		op = txscript.OP_1 + version - 1
	}
	return append([]byte{op, byte(len(program))}, program...)
}

func keyHashScript(hash []byte) []byte {
	b := append([]byte{txscript.OP_DUP, txscript.OP_HASH160, 20}, hash...)
	return append(b, txscript.OP_EQUALVERIFY, txscript.OP_CHECKSIG)
}

func scriptHashScript(hash []byte) []byte {
	b := append([]byte{txscript.OP_HASH160, 20}, hash...)
	return append(b, txscript.OP_EQUAL)
}
