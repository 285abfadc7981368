package vectors

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// Output is what an input of a vector spends.
type Output struct {
	ValueUnits int64
	Script     []byte
}

// SpendCase is one transaction with the outputs it spends and the flags that
// its vector names, by Bitcoin Core's names, separated by commas.
type SpendCase struct {
	Name  string
	Tx    *wire.MsgTx
	Raw   []byte   // as the vector has it; nil where the vector is no transaction
	Spent []Output // Spent[i] is the output of input i; nil where the vector lacks one
	Flags string
}

// ScriptCase is one line of script_tests.json.
type ScriptCase struct {
	SpendCase        // one input
	Expected  string // "OK" or Bitcoin Core's name of the error
}

// ScriptTests reads script_tests.json: every case of it, the comments left
// out.
func ScriptTests(t testing.TB) []ScriptCase {
	t.Helper()
	var cases []ScriptCase
	for i, row := range rows(t, "script_tests.json") {
		if len(row) == 1 {
			continue
		}
		c, err := scriptCase(row)
		if err != nil {
			t.Fatalf("script_tests.json row %d: %v", i, err)
		}
		c.Name = fmt.Sprintf("row %d %s", i, c.Name)
		cases = append(cases, *c)
	}
	return cases
}

// scriptCase reads [[witness..., amount], input script, output script, flags,
// expected, comment]; the first and the last may be absent.
func scriptCase(row []any) (*ScriptCase, error) {
	var witness wire.TxWitness
	var valueUnits int64
	var taproot []byte
	if list, ok := row[0].([]any); ok {
		var err error
		if witness, taproot, err = scriptWitness(list[:len(list)-1]); err != nil {
			return nil, err
		}
		valueUnits = int64(math.Round(list[len(list)-1].(float64) * 1e8))
		row = row[1:]
	}
	sigScript, err := ParseScript(row[0].(string))
	if err != nil {
		return nil, err
	}
	var pkScript []byte
	if text := row[1].(string); text == "0x51 0x20 #TAPROOTOUTPUT#" {
		pkScript = AppendPush([]byte{txscript.OP_1}, taproot)
	} else if pkScript, err = ParseScript(text); err != nil {
		return nil, err
	}
	c := &ScriptCase{Expected: row[3].(string)}
	c.Flags = row[2].(string)
	if len(row) > 4 {
		c.Name = row[4].(string)
	}
	c.Tx = spendingTx(creditingTx(pkScript, valueUnits), sigScript, witness)
	c.Spent = []Output{{valueUnits, pkScript}}
	return c, nil
}

// scriptWitness reads a witness of script_tests.json: hex, "#SCRIPT# words",
// or "#CONTROLBLOCK#" for the script before it, alone in a tree below the
// point nobody knows the key of. It gives that tree's output key too.
func scriptWitness(list []any) (witness wire.TxWitness, outputKey []byte, err error) {
	for _, item := range list {
		text := item.(string)
		switch {
		case strings.HasPrefix(text, "#SCRIPT#"):
			script, err := ParseScript(strings.TrimPrefix(text, "#SCRIPT#"))
			if err != nil {
				return nil, nil, err
			}
			witness = append(witness, script)
		case text == "#CONTROLBLOCK#":
			var control []byte
			control, outputKey, err = controlBlock(witness[len(witness)-1])
			if err != nil {
				return nil, nil, err
			}
			witness = append(witness, control)
		default:
			raw, err := hex.DecodeString(text)
			if err != nil {
				return nil, nil, err
			}
			witness = append(witness, raw)
		}
	}
	return witness, outputKey, nil
}

// numsKey is BIP341's point without a known private key.
const numsKey = "50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0"

func controlBlock(script []byte) (control, outputKey []byte, err error) {
	raw, err := hex.DecodeString(numsKey)
	if err != nil {
		return nil, nil, err
	}
	internal, err := schnorr.ParsePubKey(raw)
	if err != nil {
		return nil, nil, err
	}
	tree := txscript.AssembleTaprootScriptTree(txscript.NewBaseTapLeaf(script))
	block := tree.LeafMerkleProofs[0].ToControlBlock(internal)
	root := tree.RootNode.TapHash()
	output := txscript.ComputeTaprootOutputKey(internal, root[:])
	control, err = block.ToBytes()
	return control, schnorr.SerializePubKey(output), err
}

func creditingTx(pkScript []byte, valueUnits int64) *wire.MsgTx {
	tx := wire.NewMsgTx(1)
	tx.AddTxIn(wire.NewTxIn(wire.NewOutPoint(&chainhash.Hash{}, math.MaxUint32), []byte{0, 0}, nil))
	tx.AddTxOut(wire.NewTxOut(valueUnits, pkScript))
	return tx
}

func spendingTx(credit *wire.MsgTx, sigScript []byte, witness wire.TxWitness) *wire.MsgTx {
	tx := wire.NewMsgTx(1)
	hash := credit.TxHash()
	tx.AddTxIn(wire.NewTxIn(wire.NewOutPoint(&hash, 0), sigScript, witness))
	tx.AddTxOut(wire.NewTxOut(credit.TxOut[0].Value, nil))
	return tx
}

// TxTests reads tx_valid.json or tx_invalid.json: every case of it, the
// comments left out. In tx_valid.json the flags are those that must not be
// set; in tx_invalid.json those that make it fail, or BADTX.
func TxTests(t testing.TB, name string) []SpendCase {
	t.Helper()
	var cases []SpendCase
	for i, row := range rows(t, name) {
		if len(row) == 1 {
			continue
		}
		c, err := txCase(row)
		if err != nil {
			t.Fatalf("%s row %d: %v", name, i, err)
		}
		c.Name = fmt.Sprintf("row %d", i)
		cases = append(cases, *c)
	}
	return cases
}

// txCase reads [[[txid, index, script, value], ...], transaction, flags]; the
// values may be absent.
func txCase(row []any) (*SpendCase, error) {
	outputs := make(map[wire.OutPoint]Output)
	for _, item := range row[0].([]any) {
		input := item.([]any)
		hash, err := chainhash.NewHashFromStr(input[0].(string))
		if err != nil {
			return nil, err
		}
		script, err := ParseScript(input[2].(string))
		if err != nil {
			return nil, err
		}
		output := Output{Script: script}
		if len(input) > 3 {
			output.ValueUnits = int64(input[3].(float64))
		}
		outputs[*wire.NewOutPoint(hash, uint32(int64(input[1].(float64))))] = output
	}
	raw, err := hex.DecodeString(row[1].(string))
	if err != nil {
		return nil, err
	}
	c := &SpendCase{Tx: new(wire.MsgTx), Raw: raw, Flags: row[2].(string)}
	if err := c.Tx.Deserialize(bytes.NewReader(raw)); err != nil {
		return nil, err
	}
	for _, in := range c.Tx.TxIn {
		output, ok := outputs[in.PreviousOutPoint]
		if !ok {
			c.Spent = nil
			break
		}
		c.Spent = append(c.Spent, output)
	}
	return c, nil
}

// TaprootCase is one file of the taproot reference vectors: an input with one
// filling that must pass, and perhaps one that must fail.
type TaprootCase struct {
	SpendCase
	Input            int
	Success, Failure *Filling
}

// Filling is what an input brings to spend its output.
type Filling struct {
	SigScript []byte
	Witness   wire.TxWitness
}

// With gives the transaction with input filled.
func (c *TaprootCase) With(f *Filling) *wire.MsgTx {
	tx := c.Tx.Copy()
	tx.TxIn[c.Input].SignatureScript = f.SigScript
	tx.TxIn[c.Input].Witness = f.Witness
	return tx
}

// TaprootTests reads the taproot reference vectors that come with txscript.
func TaprootTests(t testing.TB) []TaprootCase {
	t.Helper()
	dir := Module(t, "github.com/btcsuite/btcd/txscript/v2", "data", "taproot-ref")
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	cases := make([]TaprootCase, 0, len(entries))
	for _, entry := range entries {
		data, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		c, err := taprootCase(data)
		if err != nil {
			t.Fatalf("taproot vector %s: %v", entry.Name(), err)
		}
		c.Name = entry.Name() + " " + c.Name
		cases = append(cases, *c)
	}
	return cases
}

type filling struct {
	ScriptSig string
	Witness   []string
}

func taprootCase(data []byte) (*TaprootCase, error) {
	var file struct {
		Tx               string
		Prevouts         []string
		Index            int
		Flags, Comment   string
		Success, Failure *filling
	}
	// The files are lines of a larger list: a comma may follow the object.
	if err := json.NewDecoder(bytes.NewReader(data)).Decode(&file); err != nil {
		return nil, err
	}
	raw, err := hex.DecodeString(file.Tx)
	if err != nil {
		return nil, err
	}
	c := &TaprootCase{Input: file.Index}
	c.Name, c.Flags, c.Tx = file.Comment, file.Flags, new(wire.MsgTx)
	if err := c.Tx.Deserialize(bytes.NewReader(raw)); err != nil {
		return nil, err
	}
	for _, text := range file.Prevouts {
		output, err := parseOutput(text)
		if err != nil {
			return nil, err
		}
		c.Spent = append(c.Spent, output)
	}
	if c.Success, err = file.Success.decode(); err != nil {
		return nil, err
	}
	c.Failure, err = file.Failure.decode()
	return c, err
}

func (f *filling) decode() (*Filling, error) {
	if f == nil {
		return nil, nil
	}
	script, err := hex.DecodeString(f.ScriptSig)
	if err != nil {
		return nil, err
	}
	out := &Filling{SigScript: script}
	for _, text := range f.Witness {
		item, err := hex.DecodeString(text)
		if err != nil {
			return nil, err
		}
		out.Witness = append(out.Witness, item)
	}
	return out, nil
}

// parseOutput reads a serialized output.
func parseOutput(text string) (Output, error) {
	raw, err := hex.DecodeString(text)
	if err != nil {
		return Output{}, err
	}
	r := bytes.NewReader(raw)
	var value [8]byte
	if _, err := r.Read(value[:]); err != nil {
		return Output{}, err
	}
	var units int64
	for i, b := range value {
		units |= int64(b) << (8 * i)
	}
	script, err := wire.ReadVarBytes(r, 0, 100_000, "script")
	return Output{units, script}, err
}

// rows reads a vector file that is a list of lists.
func rows(t testing.TB, name string) [][]any {
	t.Helper()
	var out [][]any
	if err := json.Unmarshal(Shared(t, name), &out); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return out
}
