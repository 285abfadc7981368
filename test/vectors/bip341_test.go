package vectors_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/rules/script"
	"granary/test/vectors"
)

// bip341 is bip341_wallet_vectors.json.
type bip341 struct {
	ScriptPubKey []struct {
		Given struct {
			InternalPubkey string
			ScriptTree     json.RawMessage
		}
		Intermediary struct{ TweakedPubkey string }
		Expected     struct {
			ScriptPubKey            string
			ScriptPathControlBlocks []string
		}
	}
	KeyPathSpending []struct {
		Given struct {
			UtxosSpent []struct {
				ScriptPubKey string
				AmountSats   int64
			}
		}
		Auxiliary struct{ FullySignedTx string }
	}
}

func readBIP341(t *testing.T) *bip341 {
	t.Helper()
	var file bip341
	if err := json.Unmarshal(vectors.Shared(t, "bip341_wallet_vectors.json"), &file); err != nil {
		t.Fatal(err)
	}
	return &file
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The fully signed transaction of the vectors spends, and no longer does once
// any of its amounts is another.
func TestBIP341SignedTransactions(t *testing.T) {
	checker := newChecker(t)
	cases := readBIP341(t).KeyPathSpending
	for _, c := range cases {
		var tx wire.MsgTx
		if err := tx.Deserialize(bytes.NewReader(unhex(t, c.Auxiliary.FullySignedTx))); err != nil {
			t.Fatal(err)
		}
		var spent []vectors.Output
		for _, utxo := range c.Given.UtxosSpent {
			spent = append(spent, vectors.Output{ValueUnits: utxo.AmountSats, Script: unhex(t, utxo.ScriptPubKey)})
		}
		if !onBothRoads(t, "signed transaction", checker, jobOf(&tx, spent), script.StandardFlags) {
			t.Error("the signed transaction is refused")
		}
		for i := range spent {
			spent[i].ValueUnits++
			if onBothRoads(t, "changed amount", checker, jobOf(&tx, spent), script.StandardFlags) {
				t.Errorf("passes with another amount of input %d", i)
			}
			spent[i].ValueUnits--
		}
	}
	t.Logf("%d transactions", len(cases))
}

// leaf is one script of a tree; trees are leaves or pairs of trees.
type leaf struct {
	ID          int
	Script      string
	LeafVersion byte
}

// leaves gives the leaves of a tree from left to right, and its root hash.
func leaves(t *testing.T, raw json.RawMessage) ([]leaf, []byte) {
	t.Helper()
	var pair []json.RawMessage
	if json.Unmarshal(raw, &pair) == nil {
		left, leftHash := leaves(t, pair[0])
		right, rightHash := leaves(t, pair[1])
		if bytes.Compare(leftHash, rightHash) > 0 {
			leftHash, rightHash = rightHash, leftHash
		}
		root := chainhash.TaggedHash(chainhash.TagTapBranch, leftHash, rightHash)
		return append(left, right...), root[:]
	}
	var one leaf
	if err := json.Unmarshal(raw, &one); err != nil {
		t.Fatal(err)
	}
	hash := txscript.NewTapLeaf(txscript.TapscriptLeafVersion(one.LeafVersion), unhex(t, one.Script)).TapHash()
	return []leaf{one}, hash[:]
}

func TestBIP341OutputKeys(t *testing.T) {
	cases := readBIP341(t).ScriptPubKey
	controls := 0
	for i, c := range cases {
		internal, err := schnorr.ParsePubKey(unhex(t, c.Given.InternalPubkey))
		if err != nil {
			t.Fatal(err)
		}
		var list []leaf
		var root []byte
		if len(c.Given.ScriptTree) > 0 && string(c.Given.ScriptTree) != "null" {
			list, root = leaves(t, c.Given.ScriptTree)
		}
		output := schnorr.SerializePubKey(txscript.ComputeTaprootOutputKey(internal, root))
		if hex.EncodeToString(output) != c.Intermediary.TweakedPubkey {
			t.Errorf("case %d: output key %x, want %s", i, output, c.Intermediary.TweakedPubkey)
		}
		if want := unhex(t, c.Expected.ScriptPubKey); !bytes.Equal(want[2:], output) {
			t.Errorf("case %d: script %x does not pay to the key", i, want)
		}
		for n, text := range c.Expected.ScriptPathControlBlocks {
			controls++
			checkControl(t, i, unhex(t, text), output, unhex(t, list[n].Script))
		}
	}
	t.Logf("%d outputs, %d control blocks", len(cases), controls)
}

// checkControl proves a script by its control block and refuses another one.
func checkControl(t *testing.T, i int, raw, output, leafScript []byte) {
	t.Helper()
	control, err := txscript.ParseControlBlock(raw)
	if err != nil {
		t.Errorf("case %d: %v", i, err)
		return
	}
	if err := txscript.VerifyTaprootLeafCommitment(control, output, leafScript); err != nil {
		t.Errorf("case %d: control block %x: %v", i, raw, err)
	}
	if txscript.VerifyTaprootLeafCommitment(control, output, append(leafScript, 0)) == nil {
		t.Errorf("case %d: control block %x proves another script", i, raw)
	}
}
