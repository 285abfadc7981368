package block

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/params"
	"granary/state"
)

func hash160(b []byte) []byte { return address.Hash160(b) }

// The transactions of BIP54's public vectors for size, several of them from
// mainnet's history: exactly 64 bytes without witness are too few or too many.
func TestBIP54TransactionSize(t *testing.T) {
	const in = "827da3d85a6547d6b03662d2cb86982d655a6f390547285a3bf9ec9f28e0c88315000000"
	for _, c := range []struct {
		name, raw string
		valid     bool
	}{
		{"63 bytes", "0200000001" + in + "00ffffffff0100000000000000000300515200000000", true},
		{"61 bytes and a witness", "02000000000101" + in + "00ffffffff01000000000000000000010000000000", true},
		{"64 bytes, in the output script", "0200000001" + in + "00ffffffff010000000000000000040051525400000000", false},
		{"64 bytes, in the input script", "0200000001" + in + "0403424242ffffffff010040075af07507000000000000", false},
		{"65 bytes", "0200000001" + in + "00ffffffff01000000000000000005005152545800000000", true},
		{"64 bytes and a witness", "02000000000101" + in + "00ffffffff01000000000000000004005152540108213245576281941200000000", false},
		{"pay to anchor", "02000000000101" + in + "00ffffffff0100000000000000000451024e7301415a78b5a14a2527feb02c08b8124e74c3b9bcc1bd3dba1fbfa87f1c930f28a46fea2bf375105dfd835e212c9127aad4976c46ef86be02edbb681e6f38f9a9e06f0100000000", false},
		{"mainnet 892f44a4", "0200000001deb98691723fa71260ffca6ea0a7bc0a63b0a8a366e1b585caad47fb269a2ce401000000030251b201000000010000000000000000016a00000000", false},
		{"mainnet bbf71454", "01000000010d0afe3d74062ee60c0ec55579d691d8c8af5c04eb97b777157a21a8c5fb143d00000000035101b100000000010000000000000000016a01000000", false},
		{"mainnet 6713d61a", "02000000011658a33df410379bb512206659910c9fbd0e50bfb732f7be9936558ff036919401000000035101b201000000010000000000000000016a00000000", false},
		{"mainnet 7f2efc65", "02000000011a7a4cf262fb7e53e2e6e0b2ef8b763f6ee97d8681ca968d1938418d56e6c38700000000035101b201000000010000000000000000016a00000000", false},
		{"mainnet 5302e01d", "01000000019222bbb054bb9f94571dfe769af5866835f2a97e883959fa757de4064bed8bca01000000035101b100000000010000000000000000016a01000000", false},
	} {
		raw, err := hex.DecodeString(c.raw)
		if err != nil {
			t.Fatal(err)
		}
		tx, err := state.DecodeTx(raw)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		code := check.Code("")
		if !c.valid {
			code = "bad-txns-size"
		}
		want(t, c.name, Rules{Net: params.RegTest(), Charter: &params.Charter{}}.CheckTx(tx), code, check.Consensus)
		want(t, c.name+" without charter", Rules{Net: params.RegTest()}.CheckTx(tx), "", 0)
	}
}

// The coinbase of a charter's chain is locked to the block before its own and
// has the lock switched on.
func TestBIP54Coinbase(t *testing.T) {
	l := regtest(t).grow(5)
	charter := Rules{Net: l.rules.Net, Charter: &params.Charter{}}
	for _, c := range []struct {
		name               string
		lockTime, sequence uint32
		code               check.Code
	}{
		{"height less one", 5, 0xfffffffe, ""},
		{"any sequence but the last", 5, 0, ""},
		{"one lower", 4, 0xfffffffe, "bad-cb-locktime"},
		{"none", 0, 0xfffffffe, "bad-cb-locktime"},
		{"not final", 6, 0xfffffffe, "bad-txns-nonfinal"},
		{"final sequence makes the lock idle", 6, 0xffffffff, "bad-cb-locktime"},
		{"final sequence", 5, 0xffffffff, "bad-cb-sequence"},
	} {
		msg := l.template()
		msg.Transactions[0].LockTime = c.lockTime
		msg.Transactions[0].TxIn[0].Sequence = c.sequence
		AddWitnessCommitment(msg)
		want(t, c.name, charter.CheckBlockContext(state.NewBlock(msg), l.tip), c.code, check.Consensus)
	}
}

// 2,500 legacy signature checks in what the inputs of a transaction run:
// input script, spent script, redeem script; witnesses do not count.
func TestBIP54SigOpLimit(t *testing.T) {
	rules := Rules{Net: params.RegTest(), Charter: &params.Charter{}}
	ops := func(op byte, n int) []byte { return bytes.Repeat([]byte{op}, n) }
	redeem := ops(txscript.OP_CHECKSIG, 100)
	p2sh := append(append([]byte{txscript.OP_HASH160, 20}, hash160(redeem)...), txscript.OP_EQUAL)
	push := append([]byte{txscript.OP_PUSHDATA1, byte(len(redeem))}, redeem...)
	type input struct{ sig, script []byte }
	for _, c := range []struct {
		name   string
		inputs []input
		code   check.Code
	}{
		{"spent script at the limit", []input{{nil, ops(txscript.OP_CHECKSIG, 2500)}}, ""},
		{"spent script beyond", []input{{nil, ops(txscript.OP_CHECKSIGVERIFY, 2501)}}, "bad-txns-legacy-sigops"},
		{"input script at the limit", []input{{ops(txscript.OP_CHECKSIG, 2500), nil}}, ""},
		{"input script beyond", []input{{ops(txscript.OP_CHECKSIG, 2501), nil}}, "bad-txns-legacy-sigops"},
		{"split over inputs", []input{{nil, ops(txscript.OP_CHECKSIG, 1250)}, {ops(txscript.OP_CHECKSIG, 1250), nil}}, ""},
		{"split and beyond", []input{{nil, ops(txscript.OP_CHECKSIG, 1250)}, {ops(txscript.OP_CHECKSIG, 1251), nil}}, "bad-txns-legacy-sigops"},
		{"redeem script", []input{{push, p2sh}, {nil, ops(txscript.OP_CHECKSIG, 2400)}}, ""},
		{"redeem script beyond", []input{{push, p2sh}, {nil, ops(txscript.OP_CHECKSIG, 2401)}}, "bad-txns-legacy-sigops"},
		{"plain multisigs count twenty", []input{{nil, ops(txscript.OP_CHECKMULTISIG, 125)}}, ""},
		{"plain multisigs beyond", []input{{nil, ops(txscript.OP_CHECKMULTISIG, 126)}}, "bad-txns-legacy-sigops"},
		{"multisigs of sixteen", []input{{nil, bytes.Repeat([]byte{txscript.OP_16, txscript.OP_CHECKMULTISIGVERIFY}, 156)}}, ""},
		{"multisigs of sixteen beyond", []input{{nil, bytes.Repeat([]byte{txscript.OP_16, txscript.OP_CHECKMULTISIGVERIFY}, 157)}}, "bad-txns-legacy-sigops"},
	} {
		tx := wire.NewMsgTx(2)
		tx.AddTxOut(wire.NewTxOut(1, ops(txscript.OP_CHECKSIG, 3000))) // outputs do not count
		var spent []*state.Coin
		for i, in := range c.inputs {
			tx.AddTxIn(&wire.TxIn{
				PreviousOutPoint: wire.OutPoint{Index: uint32(i)}, SignatureScript: in.sig,
				Witness: wire.TxWitness{ops(txscript.OP_CHECKSIG, 3000)},
			})
			spent = append(spent, &state.Coin{ValueUnits: 10, Script: in.script})
		}
		_, err := rules.CheckTxInputs(state.NewTx(tx), spent, 10)
		want(t, c.name, err, c.code, check.Consensus)
		_, err = Rules{Net: rules.Net}.CheckTxInputs(state.NewTx(tx), spent, 10)
		want(t, c.name+" without charter", err, "", 0)
	}
}
