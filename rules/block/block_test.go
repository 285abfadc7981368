package block

import (
	"bytes"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/params"
	"granary/state"
)

// blockCase bends a valid block until a rule breaks.
type blockCase struct {
	name string
	bend func(l *ledger, msg *wire.MsgBlock)
	code check.Code
	kind check.Kind
	// bare leaves the witness commitment as bend left it.
	bare bool
	// root leaves the Merkle root too.
	root bool
}

// runCases judges every case on a chain of 120 blocks.
func runCases(t *testing.T, l *ledger, cases []blockCase) {
	t.Helper()
	for _, c := range cases {
		msg := l.template()
		c.bend(l, msg)
		switch {
		case c.root:
		case c.bare:
			SetMerkleRoot(msg)
		default:
			AddWitnessCommitment(msg)
		}
		_, err := l.judge(l.solve(msg))
		want(t, c.name, err, c.code, c.kind)
	}
}

func coinbaseOf(msg *wire.MsgBlock) *wire.MsgTx { return msg.Transactions[0] }

func add(msg *wire.MsgBlock, txs ...*wire.MsgTx) { msg.Transactions = append(msg.Transactions, txs...) }

const coin = params.UnitsPerCoin

func TestBlockRules(t *testing.T) {
	l := regtest(t).grow(120)
	out := func(n int32) wire.OutPoint { return l.coinbaseOut(n) }
	oversize := bytes.Repeat([]byte{txscript.OP_NOP}, 1_000_000)
	runCases(t, l, []blockCase{
		{name: "nothing bent", bend: func(*ledger, *wire.MsgBlock) {}},
		{
			name: "wrong merkle root", root: true, code: "bad-txnmrklroot", kind: check.Mutated,
			bend: func(_ *ledger, msg *wire.MsgBlock) { msg.Header.MerkleRoot[3] ^= 1 },
		},
		{
			name: "no transactions", root: true, code: "bad-blk-length",
			bend: func(_ *ledger, msg *wire.MsgBlock) { msg.Transactions, msg.Header.MerkleRoot = nil, chainhash.Hash{} },
		},
		{
			name: "a million bytes without witness", code: "bad-blk-length",
			bend: func(_ *ledger, msg *wire.MsgBlock) {
				coinbaseOf(msg).AddTxOut(wire.NewTxOut(0, oversize[:999_900]))
			},
		},
		{
			name: "no coinbase", code: "bad-cb-missing", bare: true,
			bend: func(_ *ledger, msg *wire.MsgBlock) { msg.Transactions[0] = spend(one(out(1)), 1) },
		},
		{
			name: "second coinbase", code: "bad-cb-multiple",
			bend: func(_ *ledger, msg *wire.MsgBlock) { add(msg, coinbaseOf(msg).Copy()) },
		},
		{
			name: "coinbase script of one byte", code: "bad-cb-length",
			bend: func(_ *ledger, msg *wire.MsgBlock) { coinbaseOf(msg).TxIn[0].SignatureScript = []byte{0} },
		},
		{
			name: "coinbase script of 100 bytes",
			bend: func(_ *ledger, msg *wire.MsgBlock) {
				in := coinbaseOf(msg).TxIn[0]
				in.SignatureScript = append(HeightScript(121), make([]byte, 98)...)
			},
		},
		{
			name: "coinbase script of 101 bytes", code: "bad-cb-length",
			bend: func(_ *ledger, msg *wire.MsgBlock) {
				in := coinbaseOf(msg).TxIn[0]
				in.SignatureScript = append(HeightScript(121), make([]byte, 99)...)
			},
		},
		{
			name: "coinbase of another height", code: "bad-cb-height",
			bend: func(_ *ledger, msg *wire.MsgBlock) {
				coinbaseOf(msg).TxIn[0].SignatureScript = append(HeightScript(120), 0, 0)
			},
		},
		{name: "lock time reached", bend: func(_ *ledger, msg *wire.MsgBlock) { lock(msg, out(1), 120) }},
		{
			name: "lock time one too high", code: "bad-txns-nonfinal",
			bend: func(_ *ledger, msg *wire.MsgBlock) { lock(msg, out(1), 121) },
		},
		{name: "lock by time before the median", bend: func(l *ledger, msg *wire.MsgBlock) {
			lock(msg, out(1), uint32(l.tip.MedianTimePast()-1))
		}},
		{name: "lock by time at the median", code: "bad-txns-nonfinal", bend: func(l *ledger, msg *wire.MsgBlock) {
			lock(msg, out(1), uint32(l.tip.MedianTimePast()))
		}},
		{
			name: "coinbase locked too", code: "bad-txns-nonfinal",
			bend: func(_ *ledger, msg *wire.MsgBlock) { coinbaseOf(msg).LockTime = 121 },
		},
		{
			name: "coinbase takes one unit too much", code: "bad-cb-amount",
			bend: func(_ *ledger, msg *wire.MsgBlock) { coinbaseOf(msg).TxOut[0].Value++ },
		},
		{name: "coinbase takes the fee", bend: func(_ *ledger, msg *wire.MsgBlock) {
			add(msg, spend(one(out(1)), 50*coin-7))
			coinbaseOf(msg).TxOut[0].Value += 7
		}},
		{name: "coinbase takes more than the fee", code: "bad-cb-amount", bend: func(_ *ledger, msg *wire.MsgBlock) {
			add(msg, spend(one(out(1)), 50*coin-7))
			coinbaseOf(msg).TxOut[0].Value += 8
		}},
		{name: "coinbase takes less", bend: func(_ *ledger, msg *wire.MsgBlock) { coinbaseOf(msg).TxOut[0].Value-- }},
	})
}

// lock adds a transaction with a lock time that is not switched off.
func lock(msg *wire.MsgBlock, op wire.OutPoint, lockTime uint32) {
	tx := spend(one(op), 1)
	tx.LockTime = lockTime
	tx.TxIn[0].Sequence = 0
	add(msg, tx)
}

func TestTransactionRules(t *testing.T) {
	l := regtest(t).grow(120)
	out := func(n int32) wire.OutPoint { return l.coinbaseOut(n) }
	with := func(tx *wire.MsgTx) func(*ledger, *wire.MsgBlock) {
		return func(_ *ledger, msg *wire.MsgBlock) { add(msg, tx) }
	}
	twelve := []wire.OutPoint{}
	for n := range int32(13) {
		twelve = append(twelve, out(n+1))
	}
	null := wire.OutPoint{Index: wire.MaxPrevOutIndex}
	parent := spend(one(out(2)), 30*coin, 20*coin)
	child := spend([]wire.OutPoint{{Hash: parent.TxHash(), Index: 1}}, 20*coin)
	runCases(t, l, []blockCase{
		{name: "no outputs", bend: with(spend(one(out(1)))), code: "bad-txns-vout-empty"},
		{name: "spends nothing beside something", bend: with(spend([]wire.OutPoint{out(1), null}, 1)), code: "bad-txns-prevout-null"},
		{name: "negative output", bend: with(spend(one(out(1)), -1)), code: "bad-txns-vout-negative"},
		{name: "output of all coins", bend: with(spend(one(out(1)), params.MaxMoneyUnits)), code: "bad-txns-in-belowout"},
		{name: "output of more than all coins", bend: with(spend(one(out(1)), params.MaxMoneyUnits+1)), code: "bad-txns-vout-toolarge"},
		{name: "outputs of more than all coins", bend: with(spend(one(out(1)), params.MaxMoneyUnits, 1)), code: "bad-txns-txouttotal-toolarge"},
		{name: "exactly what is there", bend: with(spend(one(out(1)), 50*coin))},
		{name: "one unit from nowhere", bend: with(spend(one(out(1)), 50*coin+1)), code: "bad-txns-in-belowout"},
		{name: "input that never was", bend: with(spend([]wire.OutPoint{{Hash: hashOf(1)}}, 1)), code: "bad-txns-inputs-missingorspent"},
		{name: "output that never was", bend: with(spend([]wire.OutPoint{{Hash: out(1).Hash, Index: 2}}, 1)), code: "bad-txns-inputs-missingorspent"},
		{name: "the witness commitment's output", bend: with(spend([]wire.OutPoint{{Hash: out(1).Hash, Index: 1}}, 1)), code: "bad-txns-inputs-missingorspent"},
		{name: "mature by a block", bend: with(spend(one(out(21)), 1))},
		{name: "not mature by a block", bend: with(spend(one(out(22)), 1)), code: "bad-txns-premature-spend-of-coinbase"},
		{
			name: "double spend in the block", code: "bad-txns-inputs-missingorspent",
			bend: func(_ *ledger, msg *wire.MsgBlock) { add(msg, spend(one(out(1)), 1), spend(one(out(1)), 2)) },
		},
		{name: "child behind its parent", bend: func(_ *ledger, msg *wire.MsgBlock) { add(msg, parent, child) }},
		{
			name: "child before its parent", code: "bad-txns-inputs-missingorspent",
			bend: func(_ *ledger, msg *wire.MsgBlock) { add(msg, child, parent) },
		},
		{
			name: "this block's coinbase", code: "bad-txns-premature-spend-of-coinbase",
			bend: func(_ *ledger, msg *wire.MsgBlock) {
				AddWitnessCommitment(msg)
				// Spending it changes no byte of the coinbase but the commitment,
				// which must be made without the witness of anything.
				coinbase := coinbaseOf(msg)
				coinbase.TxOut, coinbase.TxIn[0].Witness = coinbase.TxOut[:1], nil
				add(msg, spend(one(wire.OutPoint{Hash: coinbase.TxHash()}), 1))
			}, bare: true,
		},
		{name: "thirteen inputs", bend: with(spend(twelve, 13*50*coin))},
	})
}

// Two equal inputs of one transaction must not count twice (CVE-2018-17144),
// few inputs or many, in CheckTx and in a block.
func TestDuplicateInputsCVE2018_17144(t *testing.T) {
	l := regtest(t).grow(120)
	for _, n := range []int{2, 3, 12, 13, 40} {
		var ops []wire.OutPoint
		for i := range n - 1 {
			op := l.coinbaseOut(1)
			op.Index = uint32(i)
			ops = append(ops, op)
		}
		ops = append(ops, ops[0])
		tx := spend(ops, 1)
		want(t, "alone", l.rules.CheckTx(state.NewTx(tx)), "bad-txns-inputs-duplicate", check.Consensus)
		_, err := l.judge(l.solve(l.template(tx)))
		want(t, "in a block", err, "bad-txns-inputs-duplicate", check.Consensus)
		want(t, "without it", l.rules.CheckTx(state.NewTx(spend(ops[:n-1], 1))), "", 0)
	}
	// Connect alone does not count it twice either.
	msg := l.template(spend([]wire.OutPoint{l.coinbaseOut(1), l.coinbaseOut(1)}, 100*coin))
	b := state.NewBlock(msg)
	_, _, _, err := l.rules.Connect(b, state.NewHeader(&msg.Header, l.tip), l.view, nil)
	want(t, "Connect alone", err, "bad-txns-inputs-missingorspent", check.Consensus)
}

// Output sums must not wrap around (CVE-2010-5139).
func TestValueOverflowCVE2010_5139(t *testing.T) {
	rules := Rules{Net: params.RegTest()}
	const wrap = 9_223_372_036_854_277_039 // two of them were near zero in block 74638
	for _, c := range []struct {
		units []int64
		code  check.Code
	}{
		{[]int64{wrap, wrap}, "bad-txns-vout-toolarge"},
		{[]int64{1, -1}, "bad-txns-vout-negative"},
		{[]int64{-1 << 63}, "bad-txns-vout-negative"},
		{slices.Repeat([]int64{params.MaxMoneyUnits}, 5000), "bad-txns-txouttotal-toolarge"},
		{[]int64{params.MaxMoneyUnits - 1, 1}, ""},
	} {
		err := rules.CheckTx(state.NewTx(spend(one(wire.OutPoint{Hash: hashOf(1)}), c.units...)))
		want(t, "outputs", err, c.code, check.Consensus)
	}
	tx := state.NewTx(spend([]wire.OutPoint{{Hash: hashOf(1)}, {Hash: hashOf(2)}}, 1))
	for _, c := range []struct {
		units [2]int64
		code  check.Code
	}{
		{[2]int64{params.MaxMoneyUnits, 0}, ""},
		{[2]int64{params.MaxMoneyUnits, 1}, "bad-txns-inputvalues-outofrange"},
		{[2]int64{params.MaxMoneyUnits + 1, 0}, "bad-txns-inputvalues-outofrange"},
		{[2]int64{-1, 5}, "bad-txns-inputvalues-outofrange"},
		{[2]int64{1<<63 - 1, 1<<63 - 1}, "bad-txns-inputvalues-outofrange"},
	} {
		spent := []*state.Coin{{ValueUnits: c.units[0]}, {ValueUnits: c.units[1]}}
		_, err := rules.CheckTxInputs(tx, spent, 200)
		want(t, "inputs", err, c.code, check.Consensus)
	}
}

// A block whose transactions are repeated at the end has the same id and must
// not be mistaken for the valid one (CVE-2012-2459).
func TestMerkleDuplicationCVE2012_2459(t *testing.T) {
	l := regtest(t).grow(120)
	msg := l.template(spend(one(l.coinbaseOut(1)), 50*coin), spend(one(l.coinbaseOut(2)), 50*coin))
	valid := l.solve(msg)
	bent := *msg
	bent.Transactions = append(slices.Clone(msg.Transactions), msg.Transactions[2])
	twin := state.NewBlock(&bent)
	if twin.Hash != valid.Hash {
		t.Fatal("the twin has another id")
	}
	_, err := l.judge(twin)
	want(t, "twin", err, "bad-txns-duplicate", check.Mutated)
	l.extend(valid)
}

// nodesAsTxs makes transactions of 64 bytes whose bytes are the inner nodes
// of a tree: here simply two such transactions below a header.
func nodesAsTxs() []*wire.MsgTx {
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: hashOf(1)}, nil, nil))
	tx.AddTxOut(wire.NewTxOut(0, []byte{0x51, 0x51, 0x51, 0x51}))
	other := tx.Copy()
	other.LockTime = 1
	return []*wire.MsgTx{tx, other}
}

// Inner nodes of 64 bytes can pose as transactions (CVE-2017-12842): such a
// block is damaged, its id not condemned, and BIP54 forbids them outright.
func TestSixtyFourBytesCVE2017_12842(t *testing.T) {
	l := regtest(t).grow(3)
	msg := l.template()
	msg.Transactions = nodesAsTxs()
	for _, tx := range msg.Transactions {
		if tx.SerializeSizeStripped() != 64 {
			t.Fatalf("%d bytes", tx.SerializeSizeStripped())
		}
	}
	SetMerkleRoot(msg)
	_, err := l.judge(l.solve(msg))
	want(t, "nodes as transactions", err, "bad-cb-missing", check.Mutated)
	msg.Transactions[0].TxOut[0].PkScript = nil
	msg.Transactions[1].TxOut[0].PkScript = nil
	SetMerkleRoot(msg)
	_, err = l.judge(l.solve(msg))
	want(t, "sixty bytes are no nodes", err, "bad-cb-missing", check.Consensus)
}

func TestSigOpLimits(t *testing.T) {
	l := regtest(t).grow(120)
	checks := func(n int) []byte { return bytes.Repeat([]byte{txscript.OP_CHECKSIG}, n) }
	runCases(t, l, []blockCase{
		{name: "20,000 legacy", bend: func(_ *ledger, msg *wire.MsgBlock) {
			coinbaseOf(msg).AddTxOut(wire.NewTxOut(0, checks(20_000)))
		}},
		{name: "20,001 legacy", code: "bad-blk-sigops", bend: func(_ *ledger, msg *wire.MsgBlock) {
			coinbaseOf(msg).AddTxOut(wire.NewTxOut(0, checks(20_001)))
		}},
		{name: "1,000 multisigs", bend: func(_ *ledger, msg *wire.MsgBlock) {
			coinbaseOf(msg).AddTxOut(wire.NewTxOut(0, bytes.Repeat([]byte{txscript.OP_CHECKMULTISIG}, 1000)))
		}},
		{name: "1,000 multisigs and one", code: "bad-blk-sigops", bend: func(_ *ledger, msg *wire.MsgBlock) {
			coinbaseOf(msg).AddTxOut(wire.NewTxOut(0, append(bytes.Repeat([]byte{txscript.OP_CHECKMULTISIG}, 1000), txscript.OP_CHECKSIG)))
		}},
	})
	// A P2SH coin whose redeem script adds to a block at the limit: only
	// Connect can see it.
	redeem := checks(200)
	p2sh, err := txscript.NewScriptBuilder().AddOp(txscript.OP_HASH160).AddData(hash160(redeem)).AddOp(txscript.OP_EQUAL).Script()
	if err != nil {
		t.Fatal(err)
	}
	fund := spend(one(l.coinbaseOut(1)))
	fund.AddTxOut(wire.NewTxOut(coin, p2sh))
	l.extend(l.solve(l.template(fund)))
	sigScript, err := txscript.NewScriptBuilder().AddData(redeem).Script()
	if err != nil {
		t.Fatal(err)
	}
	tx := spend([]wire.OutPoint{{Hash: fund.TxHash()}}, 1)
	tx.TxIn[0].SignatureScript = sigScript
	for n, code := range map[int]check.Code{19_800: "", 19_801: "bad-blk-sigops"} {
		runCases(t, l, []blockCase{{name: "P2SH beside legacy", code: code, bend: func(_ *ledger, msg *wire.MsgBlock) {
			coinbaseOf(msg).AddTxOut(wire.NewTxOut(0, checks(n)))
			add(msg, tx)
		}}})
	}
}

func TestWeightLimit(t *testing.T) {
	l := regtest(t).grow(120)
	fill := func(msg *wire.MsgBlock, weight int) {
		tx := spend(one(l.coinbaseOut(1)), 1)
		tx.TxIn[0].Witness = wire.TxWitness{make([]byte, 100_000)}
		add(msg, tx)
		AddWitnessCommitment(msg)
		lacking := weight - state.NewBlock(msg).Weight()
		tx.TxIn[0].Witness[0] = make([]byte, 100_000+lacking)
	}
	runCases(t, l, []blockCase{
		{name: "four million", bend: func(_ *ledger, msg *wire.MsgBlock) { fill(msg, 4_000_000) }},
		{name: "four million and one", code: "bad-blk-weight", bend: func(_ *ledger, msg *wire.MsgBlock) { fill(msg, 4_000_001) }},
	})
}
