package block

import (
	"maps"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"pgregory.net/rapid"

	"granary/base/check"
	"granary/state"
)

// naiveCoin is an unspent output of the slow model.
type naiveCoin struct {
	units    int64
	height   int32
	coinbase bool
}

// naive is Bitcoin's bookkeeping without cleverness: one map, copied for every
// block. It knows amounts, maturity, locks by height, and nothing of bytes.
type naive map[wire.OutPoint]naiveCoin

// connect gives the state after a block, or the code of the first broken rule.
func (m naive) connect(msg *wire.MsgBlock, height int32, subsidy int64) (naive, check.Code) {
	after := maps.Clone(m)
	fees := int64(0)
	for i, tx := range msg.Transactions {
		txid := tx.TxHash()
		if i > 0 {
			in, out := int64(0), int64(0)
			for _, txIn := range tx.TxIn {
				if _, there := after[txIn.PreviousOutPoint]; !there {
					return nil, "bad-txns-inputs-missingorspent"
				}
			}
			for _, txIn := range tx.TxIn {
				c := after[txIn.PreviousOutPoint]
				if c.coinbase && height-c.height < 100 {
					return nil, "bad-txns-premature-spend-of-coinbase"
				}
				in += c.units
			}
			for _, txOut := range tx.TxOut {
				out += txOut.Value
			}
			if out > in {
				return nil, "bad-txns-in-belowout"
			}
			fees += in - out
			for _, txIn := range tx.TxIn {
				c := after[txIn.PreviousOutPoint]
				if tx.Version != 1 && txIn.Sequence < 1<<16 && height < c.height+int32(txIn.Sequence) {
					return nil, "bad-txns-nonfinal"
				}
			}
			for _, txIn := range tx.TxIn {
				delete(after, txIn.PreviousOutPoint)
			}
		}
		for n, txOut := range tx.TxOut {
			if len(txOut.PkScript) > 0 && txOut.PkScript[0] == txscript.OP_RETURN {
				continue
			}
			after[wire.OutPoint{Hash: txid, Index: uint32(n)}] = naiveCoin{txOut.Value, height, i == 0}
		}
	}
	paid := int64(0)
	for _, txOut := range msg.Transactions[0].TxOut {
		paid += txOut.Value
	}
	if paid > subsidy+fees {
		return nil, "bad-cb-amount"
	}
	return after, ""
}

// matches compares the model with the view.
func (m naive) matches(view *memory) bool {
	if len(m) != len(view.coins) {
		return false
	}
	for op, c := range view.coins {
		if m[op] != (naiveCoin{c.ValueUnits, c.Height, c.Coinbase}) {
			return false
		}
	}
	return true
}

// drawTx makes a transaction over what there is, what this block made, and
// now and then over what never was.
func drawTx(rt *rapid.T, known []wire.OutPoint, units func(wire.OutPoint) int64) *wire.MsgTx {
	tx := wire.NewMsgTx(rapid.SampledFrom([]int32{1, 2, 3, -1}).Draw(rt, "version"))
	sum := int64(0)
	for range rapid.IntRange(1, 3).Draw(rt, "inputs") {
		op := wire.OutPoint{Hash: hashOf(byte(rapid.IntRange(0, 255).Draw(rt, "nowhere")))}
		if rapid.IntRange(0, 30).Draw(rt, "known") > 0 {
			op = rapid.SampledFrom(known).Draw(rt, "outpoint")
		}
		if slices.ContainsFunc(tx.TxIn, func(in *wire.TxIn) bool { return in.PreviousOutPoint == op }) {
			continue
		}
		in := wire.NewTxIn(&op, nil, nil)
		in.Sequence = rapid.SampledFrom([]uint32{0xffffffff, 0xffffffff, 0xffffffff, 0, 1, 2, 120}).Draw(rt, "sequence")
		tx.AddTxIn(in)
		sum += units(op)
	}
	sum += rapid.SampledFrom([]int64{0, 0, -1000, -1000, 0, 0, 0, 0, 0, 1}).Draw(rt, "fee")
	outs := rapid.IntRange(1, 3).Draw(rt, "outputs")
	for n := range outs {
		share := max(sum/int64(outs), 0)
		if n == outs-1 {
			share = max(sum-share*int64(outs-1), 0)
		}
		pkScript := rapid.SampledFrom([][]byte{{txscript.OP_TRUE}, {txscript.OP_TRUE}, nil, {txscript.OP_RETURN}}).Draw(rt, "script")
		tx.AddTxOut(wire.NewTxOut(share, pkScript))
	}
	return tx
}

// Random histories against the model: the same verdict with the same code,
// the same coins after every block, and Disconnect takes back exactly what
// Connect did.
func TestConnectAgainstNaiveModel(t *testing.T) {
	base := regtest(t).grow(110)
	model := naive{}
	for height, b := range base.blocks[1:] {
		after, code := model.connect(b.Msg, int32(height+1), base.rules.Net.SubsidyUnits(int32(height+1)))
		if code != "" {
			t.Fatal(code)
		}
		model = after
	}
	if !model.matches(base.view) {
		t.Fatal("the model differs before it began")
	}
	verdicts := map[check.Code]int{}
	rapid.Check(t, func(rt *rapid.T) {
		l := *base
		l.view = base.view.clone()
		l.blocks, l.undos = slices.Clone(base.blocks), slices.Clone(base.undos)
		past := []naive{model}
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			if len(past) > 1 && rapid.IntRange(0, 3).Draw(rt, "back") == 0 {
				l.retreat()
				past = past[:len(past)-1]
			} else {
				after, code := drawBlock(rt, &l, past[len(past)-1])
				verdicts[code]++
				if code == "" {
					past = append(past, after)
				}
			}
			if !past[len(past)-1].matches(l.view) {
				rt.Fatal("the coins differ from the model's")
			}
		}
		for len(past) > 1 {
			l.retreat()
			past = past[:len(past)-1]
			if !past[len(past)-1].matches(l.view) {
				rt.Fatal("Disconnect is not the inverse of Connect")
			}
		}
		if !sameState(l.view, base.view) {
			rt.Fatal("not the state there was")
		}
	})
	t.Log(verdicts)
	for _, code := range []check.Code{"", "bad-txns-inputs-missingorspent", "bad-txns-premature-spend-of-coinbase", "bad-txns-in-belowout", "bad-txns-nonfinal", "bad-cb-amount"} {
		if verdicts[code] == 0 {
			t.Errorf("no history met verdict %q: the test has become blind", code)
		}
	}
}

// drawBlock builds a block on the tip, lets both judge it and moves the ledger
// if it is valid.
func drawBlock(rt *rapid.T, l *ledger, before naive) (naive, check.Code) {
	height := l.tip.Height + 1
	spendable := maps.Clone(before)
	maps.DeleteFunc(spendable, func(_ wire.OutPoint, c naiveCoin) bool {
		return c.coinbase && height-c.height < 100 && c.height%50 != 0 // a few to stumble over
	})
	known := slices.SortedFunc(maps.Keys(spendable), func(a, b wire.OutPoint) int {
		if c := slices.Compare(a.Hash[:], b.Hash[:]); c != 0 {
			return c
		}
		return int(a.Index) - int(b.Index)
	})
	fresh := map[wire.OutPoint]int64{}
	units := func(op wire.OutPoint) int64 {
		if u, ok := fresh[op]; ok {
			return u
		}
		return before[op].units
	}
	var txs []*wire.MsgTx
	for range rapid.IntRange(0, 5).Draw(rt, "transactions") {
		tx := drawTx(rt, known, units)
		txs = append(txs, tx)
		for n, out := range tx.TxOut {
			op := wire.OutPoint{Hash: tx.TxHash(), Index: uint32(n)}
			fresh[op] = out.Value
			known = append(known, op)
		}
	}
	msg := l.template(txs...)
	msg.Transactions[0].TxOut[0].Value += rapid.SampledFrom([]int64{0, 0, 0, 1, 1000, -1}).Draw(rt, "claim")
	AddWitnessCommitment(msg)
	b := l.solve(msg)
	o, err := l.judge(b)
	after, code := before.connect(msg, height, l.rules.Net.SubsidyUnits(height))
	if got := check.CodeOf(err); got != code || (err != nil && check.AsRule(err) == nil) {
		rt.Fatalf("verdict %v, the model says %q", err, code)
	}
	if code != "" {
		return nil, code
	}
	l.view.apply(l.t, o.delta)
	l.tip, l.blocks, l.undos = o.head, append(l.blocks, b), append(l.undos, o.undo)
	return after, ""
}

// BenchmarkConnect is a block of 1,500 transactions with two inputs and two
// outputs each, without scripts.
func BenchmarkConnect(b *testing.B) {
	l := regtest(b).grow(101)
	var ops []wire.OutPoint
	fund := spend(one(l.coinbaseOut(1)))
	for range 3000 {
		fund.AddTxOut(wire.NewTxOut(1000, append([]byte{0, 20}, make([]byte, 20)...)))
	}
	l.extend(l.solve(l.template(fund)))
	for n := range uint32(3000) {
		ops = append(ops, wire.OutPoint{Hash: fund.TxHash(), Index: n})
	}
	var txs []*wire.MsgTx
	for n := 0; n < len(ops); n += 2 {
		tx := spend(ops[n:n+2], 900, 900)
		for _, in := range tx.TxIn {
			in.Witness = wire.TxWitness{make([]byte, 72), make([]byte, 33)}
		}
		txs = append(txs, tx)
	}
	raw := l.solve(l.template(txs...)).Raw
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := state.DecodeBlock(raw); err != nil {
				b.Fatal(err)
			}
		}
	})
	block, err := state.DecodeBlock(raw)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("check", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := l.rules.CheckBlock(block); err != nil {
				b.Fatal(err)
			}
			if err := l.rules.CheckBlockContext(block, l.tip); err != nil {
				b.Fatal(err)
			}
		}
	})
	head := state.NewHeader(&block.Msg.Header, l.tip)
	b.Run("connect", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, _, err := l.rules.Connect(block, head, l.view, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}
