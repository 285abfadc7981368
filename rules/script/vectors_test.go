package script

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/test/vectors"
)

// expectedReasons are the reasons behind the error names of script_tests.json.
var expectedReasons = map[string]string{
	"EVAL_FALSE":                 reasonEvalFalse,
	"BAD_OPCODE":                 reasonOpcode,
	"SIG_DER":                    reasonNotDER,
	"UNKNOWN_ERROR":              reasonUnknown,
	"SCRIPTNUM":                  reasonUnknown,
	"WITNESS_PROGRAM_MISMATCH":   reasonProgram,
	"TAPROOT_WRONG_CONTROL_SIZE": reasonControl,
}

// knownConfusions are reasons that btcsuite's interpreter gives in place of
// the expected ones. The verdict is the same; only the word differs.
var knownConfusions = map[string]string{
	"UNKNOWN_ERROR":          reasons[txscript.ErrMinimalData],
	"UNBALANCED_CONDITIONAL": reasons[txscript.ErrInvalidStackOperation],
	"SIG_DER":                reasons[txscript.ErrInvalidSigHashType],
}

func init() {
	for name, code := range map[string]txscript.ErrorCode{
		"OP_RETURN": txscript.ErrEarlyReturn, "SCRIPT_SIZE": txscript.ErrScriptTooBig,
		"PUSH_SIZE": txscript.ErrElementTooBig, "OP_COUNT": txscript.ErrTooManyOperations,
		"STACK_SIZE": txscript.ErrStackOverflow, "PUBKEY_COUNT": txscript.ErrInvalidPubKeyCount,
		"SIG_COUNT": txscript.ErrInvalidSignatureCount, "VERIFY": txscript.ErrVerify,
		"EQUALVERIFY": txscript.ErrEqualVerify, "NUMEQUALVERIFY": txscript.ErrNumEqualVerify,
		"CHECKSIGVERIFY": txscript.ErrCheckSigVerify, "CHECKMULTISIGVERIFY": txscript.ErrCheckMultiSigVerify,
		"DISABLED_OPCODE": txscript.ErrDisabledOpcode, "INVALID_STACK_OPERATION": txscript.ErrInvalidStackOperation,
		"UNBALANCED_CONDITIONAL": txscript.ErrUnbalancedConditional, "MINIMALDATA": txscript.ErrMinimalData,
		"SIG_HASHTYPE": txscript.ErrInvalidSigHashType, "SIG_HIGH_S": txscript.ErrSigHighS,
		"SIG_PUSHONLY": txscript.ErrNotPushOnly, "SIG_NULLDUMMY": txscript.ErrSigNullDummy,
		"PUBKEYTYPE": txscript.ErrPubKeyType, "CLEANSTACK": txscript.ErrCleanStack,
		"NULLFAIL": txscript.ErrNullFail, "WITNESS_MALLEATED": txscript.ErrWitnessMalleated,
		"WITNESS_MALLEATED_P2SH": txscript.ErrWitnessMalleatedP2SH, "WITNESS_UNEXPECTED": txscript.ErrWitnessUnexpected,
		"WITNESS_PROGRAM_WITNESS_EMPTY": txscript.ErrWitnessProgramEmpty,
		"WITNESS_PROGRAM_WRONG_LENGTH":  txscript.ErrWitnessProgramWrongLength,
		"WITNESS_PUBKEYTYPE":            txscript.ErrWitnessPubKeyType, "DISCOURAGE_UPGRADABLE_NOPS": txscript.ErrDiscourageUpgradableNOPs,
		"DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM": txscript.ErrDiscourageUpgradableWitnessProgram,
		"NEGATIVE_LOCKTIME":                     txscript.ErrNegativeLockTime, "UNSATISFIED_LOCKTIME": txscript.ErrUnsatisfiedLockTime,
		"MINIMALIF": txscript.ErrMinimalIf, "OP_CODESEPARATOR": txscript.ErrCodeSeparator,
		"SIG_FINDANDDELETE":   txscript.ErrNonConstScriptCode,
		"TAPSCRIPT_MINIMALIF": txscript.ErrMinimalIf, "INVALID_ALTSTACK_OPERATION": txscript.ErrInvalidStackOperation,
	} {
		expectedReasons[name] = reasons[code]
	}
}

func TestScriptTests(t *testing.T) {
	noBrokenAssumptions(t)
	checker := NewChecker(Options{CacheBytes: 1 << 20})
	defer checker.Close()
	cases := vectors.ScriptTests(t)
	templates, otherReasons := 0, 0
	for _, c := range cases {
		job := jobOf(c.Tx, c.Spent, mustFlags(t, c.Flags))
		var vm interpreter
		vm.reset(job.Tx.Msg, job.Spent)
		failure := vm.run(0, job.Flags)
		want := c.Expected == "OK"
		if (failure == nil) != want {
			t.Errorf("%s: interpreter: %v, want %s (flags %v)", c.Name, failure, c.Expected, job.Flags)
		}
		if err := checker.Check([]Job{job}); (err == nil) != want {
			t.Errorf("%s: checker: %v, want %s (flags %v)", c.Name, err, c.Expected, job.Flags)
		}
		if passed, known := fastVerdict(&job, 0); known {
			templates++
			if passed != want {
				t.Errorf("%s: template says %v, want %s", c.Name, passed, c.Expected)
			}
		}
		if failure != nil {
			if got := reasonOf(failure, job.Flags); got != expectedReasons[c.Expected] {
				otherReasons++
				if knownConfusions[c.Expected] != got {
					t.Errorf("%s: refused with %q where %s is expected", c.Name, got, c.Expected)
				}
			}
		}
	}
	t.Logf("%d cases, %d of them by template, %d refused with another reason than the vector's", len(cases), templates, otherReasons)
}

func TestSighashVectors(t *testing.T) {
	var rows [][]any
	if err := json.Unmarshal(vectors.Shared(t, "sighash.json"), &rows); err != nil {
		t.Fatal(err)
	}
	h := newHasher()
	for i, row := range rows[1:] {
		var tx wire.MsgTx
		if err := tx.Deserialize(bytes.NewReader(unhex(t, row[0].(string)))); err != nil {
			t.Fatal(err)
		}
		h.reset(&tx, nil)
		got := h.legacy(int(row[2].(float64)), unhex(t, row[1].(string)), uint32(int64(row[3].(float64))))
		if want := row[4].(string); chainhash.Hash(got).String() != want {
			t.Errorf("row %d: got %v, want %s", i+1, chainhash.Hash(got), want)
		}
	}
	t.Logf("%d cases", len(rows)-1)
}

func TestBIP341KeyPathVectors(t *testing.T) {
	var file struct {
		KeyPathSpending []struct {
			Given struct {
				RawUnsignedTx string
				UtxosSpent    []struct {
					ScriptPubKey string
					AmountSats   int64
				}
			}
			Intermediary struct {
				HashAmounts, HashOutputs, HashPrevouts, HashScriptPubkeys, HashSequences string
			}
			InputSpending []struct {
				Given struct {
					TxinIndex int
					HashType  byte
				}
				Intermediary struct{ SigHash string }
			}
		}
	}
	if err := json.Unmarshal(vectors.Shared(t, "bip341_wallet_vectors.json"), &file); err != nil {
		t.Fatal(err)
	}
	run := 0
	for _, c := range file.KeyPathSpending {
		var tx wire.MsgTx
		if err := tx.Deserialize(bytes.NewReader(unhex(t, c.Given.RawUnsignedTx))); err != nil {
			t.Fatal(err)
		}
		var spent []vectors.Output
		for _, utxo := range c.Given.UtxosSpent {
			spent = append(spent, vectors.Output{ValueUnits: utxo.AmountSats, Script: unhex(t, utxo.ScriptPubKey)})
		}
		job := jobOf(&tx, spent, StandardFlags)
		h := newHasher()
		h.reset(&tx, job.Spent)
		h.fillTaproot()
		for _, part := range []struct {
			name, want string
			got        [32]byte
		}{
			{"amounts", c.Intermediary.HashAmounts, h.amounts},
			{"outputs", c.Intermediary.HashOutputs, h.outputs},
			{"prevouts", c.Intermediary.HashPrevouts, h.prevouts},
			{"scripts", c.Intermediary.HashScriptPubkeys, h.scripts},
			{"sequences", c.Intermediary.HashSequences, h.sequences},
		} {
			if hex.EncodeToString(part.got[:]) != part.want {
				t.Errorf("hash of %s: got %x, want %s", part.name, part.got, part.want)
			}
		}
		for _, in := range c.InputSpending {
			digest, ok := h.taprootKey(in.Given.TxinIndex, in.Given.HashType)
			if want := in.Intermediary.SigHash; !ok || hex.EncodeToString(digest[:]) != want {
				t.Errorf("input %d: got %x %v, want %s", in.Given.TxinIndex, digest, ok, want)
			}
			run++
		}
	}
	if run == 0 {
		t.Error("no case run")
	}
	t.Logf("%d inputs", run)
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
