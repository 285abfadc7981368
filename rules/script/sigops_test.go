package script

import (
	"testing"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/state"
	"granary/test/vectors"
)

// counters compares our counts for a job with txscript's.
func counters(t testing.TB, job *Job) {
	t.Helper()
	tx := job.Tx.Msg
	legacy, p2shOps, bip54 := 0, 0, 0
	cost := 0
	for _, in := range tx.TxIn {
		legacy += txscript.GetSigOpCount(in.SignatureScript)
		bip54 += accurate(in.SignatureScript)
	}
	for _, out := range tx.TxOut {
		legacy += txscript.GetSigOpCount(out.PkScript)
	}
	for i, coin := range job.Spent {
		in := tx.TxIn[i]
		n := 0
		if txscript.IsPayToScriptHash(coin.Script) {
			n = txscript.GetPreciseSigOpCount(in.SignatureScript, coin.Script, true)
			p2shOps += n
		} else {
			n = accurate(coin.Script)
		}
		bip54 += n
		cost += txscript.GetWitnessSigOpCount(in.SignatureScript, coin.Script, in.Witness)
	}
	if got := LegacySigOps(tx); got != legacy {
		t.Fatalf("legacy sigops %d, txscript says %d", got, legacy)
	}
	cost += 4 * (legacy + p2shOps)
	if got := SigOpCost(tx, job.Spent, P2SH|Witness); got != int64(cost) {
		t.Fatalf("sigop cost %d, txscript says %d", got, cost)
	}
	if got := SigOpCost(tx, job.Spent, 0); got != int64(4*legacy) {
		t.Fatalf("sigop cost without P2SH %d, want %d", got, 4*legacy)
	}
	if got := BIP54SigOps(tx, job.Spent); got != bip54 {
		t.Fatalf("BIP54 sigops %d, txscript says %d", got, bip54)
	}
}

// accurate counts a script's operations as if it were a P2SH redeem script,
// which makes txscript count multisigs by their keys.
func accurate(script []byte) int {
	if len(script) == 0 {
		return 0
	}
	return txscript.GetPreciseSigOpCount(vectors.AppendPush(nil, script), p2sh(script), true)
}

func TestSigOpsOfMadeSpends(t *testing.T) {
	m := newMaker(11)
	for _, name := range templateNames {
		job := m.spend(t, name)
		counters(t, &job)
		job.Tx.Msg.TxOut[0].PkScript = job.Spent[0].Script
		counters(t, &job)
	}
}

func TestSigOpsByHand(t *testing.T) {
	parse := func(text string) []byte {
		script, err := vectors.ParseScript(text)
		if err != nil {
			t.Fatal(err)
		}
		return script
	}
	for _, c := range []struct {
		script             string
		legacy, accurately int
	}{
		{"", 0, 0},
		{"CHECKSIG CHECKSIGVERIFY CHECKSIGADD", 2, 2},
		{"CHECKMULTISIG", 20, 20},
		{"3 CHECKMULTISIGVERIFY", 20, 3},
		{"16 CHECKMULTISIG", 20, 16},
		{"0x01 0x03 CHECKMULTISIG", 20, 20},
		{"0 CHECKMULTISIG", 20, 20},
		{"3 NOP CHECKMULTISIG", 20, 20},
		{"CHECKSIG 0x4b 0xacacac", 1, 1},                // a broken push ends the count
		{"0x02 0xacac CHECKSIG", 1, 1},                  // data is not counted
		{"0x4c 0x02 0xacac CHECKSIG", 1, 1},             // nor behind OP_PUSHDATA1
		{"0x4d 0x0200 0xacac CHECKSIG 0x4d 0x01", 1, 1}, // nor behind OP_PUSHDATA2
		{"0x4e 0x02000000 0xacac CHECKSIG", 1, 1},
		{"0x4e 0xffffffff 0xac", 0, 0},
	} {
		script := parse(c.script)
		if got := sigOps(script, false); got != c.legacy {
			t.Errorf("%q: %d, want %d", c.script, got, c.legacy)
		}
		if got := sigOps(script, true); got != c.accurately {
			t.Errorf("%q accurately: %d, want %d", c.script, got, c.accurately)
		}
	}
}

// A coinbase has no coins: only what its own scripts hold counts.
func TestSigOpCostOfCoinbase(t *testing.T) {
	tx := wire.NewMsgTx(1)
	tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: 1<<32 - 1}, []byte{txscript.OP_CHECKSIG}, nil))
	tx.AddTxOut(wire.NewTxOut(1, []byte{txscript.OP_CHECKMULTISIG}))
	if got := SigOpCost(tx, nil, ConsensusFlags); got != 84 {
		t.Errorf("cost %d, want 84", got)
	}
}

func TestCountingAllocatesNothing(t *testing.T) {
	m := newMaker(12)
	job := m.spend(t, "P2SH-P2WSH 2-of-3", "P2SH 2-of-3", "P2WPKH")
	spent := append([]*state.Coin(nil), job.Spent...)
	if n := testing.AllocsPerRun(100, func() {
		SigOpCost(job.Tx.Msg, spent, ConsensusFlags)
		BIP54SigOps(job.Tx.Msg, spent)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
