package rpc

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/txscript/v2"

	"granary/params"
)

// signKey is a key with its text on regtest.
func signKey(t *testing.T, n byte, compressed bool) (key *privateKey, text string) {
	t.Helper()
	secret, _ := btcec.PrivKeyFromBytes([]byte{n})
	wif, err := btcutil.NewWIF(secret, params.RegTest().Chain, compressed)
	if err != nil {
		t.Fatal(err)
	}
	return &privateKey{secret, compressed}, wif.String()
}

func p2sh(script []byte) []byte { return scriptHashOf(script) }

func multi(required byte, keys ...*privateKey) []byte {
	out := []byte{op1 + required - 1}
	for _, key := range keys {
		pub := key.pub()
		out = append(append(out, byte(len(pub))), pub...)
	}
	return append(out, op1+byte(len(keys))-1, opCheckMultiSig)
}

type signed struct {
	Hex      string
	Complete bool
	Errors   []struct{ Error string }
}

// sign spends outputs that the chain does not have.
func (w *world) sign(raw string, keys []string, previous string, hashType string) signed {
	w.t.Helper()
	list, _ := json.Marshal(keys)
	var out signed
	w.must(&out, "signrawtransactionwithkey", fmt.Sprintf(`[%q,%s,%s,%q]`, raw, list, previous, hashType))
	return out
}

// TestSigning: every form that is known is signed so that the interpreter
// takes it, with every hash type, and by nobody else's key.
func TestSigning(t *testing.T) {
	w := newWorld(t, nil)
	one, text1 := signKey(t, 1, true)
	two, text2 := signKey(t, 2, true)
	old, textOld := signKey(t, 3, false)
	_, other := signKey(t, 9, true)
	pkh := func(key *privateKey) []byte {
		return append(append([]byte{opDup, opHash160, 20}, address.Hash160(key.pub())...), opEqualVerify, opCheckSig)
	}
	wpkh := append([]byte{0, 20}, address.Hash160(one.pub())...)
	both := multi(2, one, two)
	bip86 := append([]byte{op1, 32}, schnorr.SerializePubKey(txscript.ComputeTaprootKeyNoScript(one.key.PubKey()))...)
	rawKey := append([]byte{op1, 32}, schnorr.SerializePubKey(one.key.PubKey())...)
	for name, form := range map[string]struct{ script, redeem, witness []byte }{
		"pk":               {script: append(append([]byte{33}, one.pub()...), opCheckSig)},
		"pkh":              {script: pkh(one)},
		"old pkh":          {script: pkh(old)},
		"multi":            {script: both},
		"wpkh":             {script: wpkh},
		"sh wpkh":          {script: p2sh(wpkh), redeem: wpkh},
		"sh multi":         {script: p2sh(both), redeem: both},
		"wsh":              {script: witnessProgram(both), witness: both},
		"sh wsh":           {script: p2sh(witnessProgram(both)), redeem: witnessProgram(both), witness: both},
		"sh wsh by redeem": {script: p2sh(witnessProgram(both)), witness: both},
		"tr":               {script: bip86},
		"rawtr":            {script: rawKey},
	} {
		previous := fmt.Sprintf(`[{"txid":"%064x","vout":1,"scriptPubKey":"%x","amount":0.5`, 7, form.script)
		if form.redeem != nil {
			previous += fmt.Sprintf(`,"redeemScript":"%x"`, form.redeem)
		}
		if form.witness != nil {
			previous += fmt.Sprintf(`,"witnessScript":"%x"`, form.witness)
		}
		previous += "}]"
		raw := w.text("createrawtransaction", fmt.Sprintf(`[[{"txid":"%064x","vout":1}],[{"data":"00"}]]`, 7))
		for hashType := range sigHashTypes {
			got := w.sign(raw, []string{text2, textOld, text1}, previous, hashType)
			if !got.Complete || len(got.Errors) > 0 {
				t.Errorf("%s, %s: %+v", name, hashType, got.Errors)
			}
			// What is signed stays signed, whoever comes later.
			if again := w.sign(got.Hex, []string{other}, previous, "ALL"); !again.Complete || again.Hex != got.Hex {
				t.Errorf("%s, %s: signed again it is %+v", name, hashType, again)
			}
		}
		if got := w.sign(raw, []string{other}, previous, "ALL"); got.Complete || len(got.Errors) != 1 || got.Hex != raw {
			t.Errorf("%s by another key: %+v", name, got)
		}
	}
}

// TestSigningTogether: two people sign a multisig one after the other, in
// either order.
func TestSigningTogether(t *testing.T) {
	w := newWorld(t, nil)
	one, text1 := signKey(t, 1, true)
	two, text2 := signKey(t, 2, true)
	three, _ := signKey(t, 3, true)
	script := multi(2, one, three, two)
	for name, previous := range map[string]string{
		"sh":  fmt.Sprintf(`[{"txid":"%064x","vout":0,"scriptPubKey":"%x","redeemScript":"%x"}]`, 7, p2sh(script), script),
		"wsh": fmt.Sprintf(`[{"txid":"%064x","vout":0,"scriptPubKey":"%x","witnessScript":"%x","amount":1}]`, 7, witnessProgram(script), script),
	} {
		raw := w.text("createrawtransaction", fmt.Sprintf(`[[{"txid":"%064x","vout":0}],[{"data":"00"}]]`, 7))
		for _, order := range [][]string{{text1, text2}, {text2, text1}} {
			half := w.sign(raw, order[:1], previous, "ALL")
			if half.Complete || len(half.Errors) != 1 {
				t.Errorf("%s: half is %+v", name, half)
			}
			if whole := w.sign(half.Hex, order[1:], previous, "ALL"); !whole.Complete {
				t.Errorf("%s: both are %+v", name, whole)
			}
		}
	}
}

func TestSigningRefusals(t *testing.T) {
	w := newWorld(t, nil)
	_, text1 := signKey(t, 1, true)
	raw := w.text("createrawtransaction", fmt.Sprintf(`[[{"txid":"%064x","vout":0}],[{"data":"00"}]]`, 7))
	call := func(rest string) string { return `["` + raw + `",` + rest + `]` }
	id := fmt.Sprintf(`"txid":"%064x","vout":0`, 7)
	const method = "signrawtransactionwithkey"
	w.fails(CodeDeserialization, "TX decode failed", method, `["zz",[]]`)
	w.fails(CodeInvalidAddress, "Invalid private key", method, call(`["nonsense"]`))
	w.fails(CodeInvalidAddress, "Invalid private key", method, call(`["`+text1[:51]+`x"]`))
	w.fails(CodeInvalidAddress, "Invalid private key", method, call(`["KwDiBf89QgGbjEhKnhXJuH7LrciVrZi3qYjgd9M7rFU73sVHnoWn"]`)) // main network
	w.fails(CodeInvalidParameter, "'X' is not a valid sighash parameter.", method, call(`[],[],"X"`))
	w.fails(CodeType, "Missing scriptPubKey", method, call(`[],[{`+id+`}]`))
	w.fails(CodeType, "Missing vout", method, call(`[],[{"txid":"`+strings.Repeat("0", 64)+`"}]`))
	p2wsh := hex.EncodeToString(witnessProgram([]byte{0x51}))
	w.fails(CodeInvalidParameter, "Missing redeemScript/witnessScript", method, call(`[],[{`+id+`,"scriptPubKey":"`+p2wsh+`"}]`))
	w.fails(CodeInvalidParameter, "does not match scriptPubKey", method, call(`[],[{`+id+`,"scriptPubKey":"`+p2wsh+`","witnessScript":"52"}]`))
	w.fails(CodeType, "Missing amount", method, call(`["`+text1+`"],[{`+id+`,"scriptPubKey":"`+p2wsh+`","witnessScript":"51"}]`))
	var got signed
	if w.must(&got, method, call(`["`+text1+`"]`)); got.Complete || got.Errors[0].Error != "Input not found or already spent" {
		t.Errorf("an unknown output gave %+v", got)
	}
}
