package block

import (
	"bytes"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/hash"
	"granary/params"
	"granary/state"
)

// TestSealFromHeader: header, coinbase and branch show the same seal as the
// whole block, and no other's.
func TestSealFromHeader(t *testing.T) {
	key, pub := btcec.PrivKeyFromBytes(bytes.Repeat([]byte{7}, 32))
	challenge, err := txscript.NewScriptBuilder().AddData(pub.SerializeCompressed()).AddOp(txscript.OP_CHECKSIG).Script()
	if err != nil {
		t.Fatal(err)
	}
	l := newLedger(t, Rules{Net: params.SigNet(challenge)})
	msg := l.template()
	for i := range 4 {
		tx := wire.NewMsgTx(2)
		tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: uint32(i)}, nil, nil))
		tx.AddTxOut(wire.NewTxOut(1, []byte{txscript.OP_TRUE}))
		msg.AddTransaction(tx)
	}
	SetMerkleRoot(msg)
	judge := func(msg *wire.MsgBlock) error {
		b := state.NewBlock(msg)
		coinbase := msg.Transactions[0].Copy()
		coinbase.TxIn[0].Witness = nil // as a proof has it
		branch := hash.MerkleBranch(b.Txids, 0)
		if !hash.VerifyBranch(coinbase.TxHash(), branch, 0, msg.Header.MerkleRoot) {
			t.Fatal("the branch does not fit")
		}
		return l.rules.CheckSeal(&msg.Header, coinbase, branch)
	}
	want(t, "not signed", judge(msg), "bad-signet-blksig", 0)
	seal(msg, solution(nil))
	_, toSign, err := SignetTxs(msg, challenge)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := txscript.RawTxInSignature(toSign, 0, challenge, txscript.SigHashAll, key)
	if err != nil {
		t.Fatal(err)
	}
	push, err := txscript.NewScriptBuilder().AddData(signature).Script()
	if err != nil {
		t.Fatal(err)
	}
	seal(msg, solution(push))
	want(t, "signed", judge(msg), "", 0)
	msg.Transactions[3].TxOut[0].Value++
	SetMerkleRoot(msg)
	want(t, "signed for other transactions", judge(msg), "bad-signet-blksig", 0)
	plain := Rules{Net: params.RegTest()}
	want(t, "without a challenge", plain.CheckSeal(&msg.Header, msg.Transactions[0], nil), "", 0)
}
