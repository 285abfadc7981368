package block

import (
	"bytes"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/params"
	"granary/state"
	"granary/test/vectors"
)

func TestWitnessCommitmentRules(t *testing.T) {
	l := regtest(t).grow(120)
	witnessed := spend(one(l.coinbaseOut(1)), 1)
	witnessed.TxIn[0].Witness = wire.TxWitness{{1}}
	commitment := func(msg *wire.MsgBlock) *wire.TxOut {
		return coinbaseOf(msg).TxOut[WitnessCommitmentIndex(coinbaseOf(msg))]
	}
	runCases(t, l, []blockCase{
		{name: "a witness", bend: func(_ *ledger, msg *wire.MsgBlock) { add(msg, witnessed) }},
		{
			name: "a witness and no commitment", bare: true, code: "unexpected-witness", kind: check.Mutated,
			bend: func(_ *ledger, msg *wire.MsgBlock) {
				coinbaseOf(msg).TxOut = coinbaseOf(msg).TxOut[:1]
				add(msg, witnessed)
			},
		},
		{name: "no witness, no commitment", bare: true, bend: func(_ *ledger, msg *wire.MsgBlock) {
			coinbaseOf(msg).TxOut, coinbaseOf(msg).TxIn[0].Witness = coinbaseOf(msg).TxOut[:1], nil
		}},
		{
			name: "the coinbase's witness without commitment", bare: true, code: "unexpected-witness", kind: check.Mutated,
			bend: func(_ *ledger, msg *wire.MsgBlock) { coinbaseOf(msg).TxOut = coinbaseOf(msg).TxOut[:1] },
		},
		{
			name: "another witness than committed to", root: true, code: "bad-witness-merkle-match", kind: check.Mutated,
			bend: func(_ *ledger, msg *wire.MsgBlock) {
				add(msg, witnessed.Copy())
				AddWitnessCommitment(msg)
				msg.Transactions[1].TxIn[0].Witness[0][0] = 2
			},
		},
		{
			name: "another commitment", bare: true, code: "bad-witness-merkle-match", kind: check.Mutated,
			bend: func(_ *ledger, msg *wire.MsgBlock) { commitment(msg).PkScript[6] ^= 1 },
		},
		{name: "bytes behind the commitment", bare: true, bend: func(_ *ledger, msg *wire.MsgBlock) {
			commitment(msg).PkScript = append(commitment(msg).PkScript, 1, 2, 3)
		}},
		{name: "the last commitment counts", bare: true, bend: func(_ *ledger, msg *wire.MsgBlock) {
			outs := coinbaseOf(msg).TxOut
			wrong := wire.NewTxOut(0, bytes.Clone(commitment(msg).PkScript))
			wrong.PkScript[6] ^= 1
			coinbaseOf(msg).TxOut = []*wire.TxOut{outs[0], wrong, outs[1]}
		}},
		{
			name: "the last commitment is wrong", bare: true, code: "bad-witness-merkle-match", kind: check.Mutated,
			bend: func(_ *ledger, msg *wire.MsgBlock) {
				wrong := wire.NewTxOut(0, bytes.Clone(commitment(msg).PkScript))
				wrong.PkScript[6] ^= 1
				coinbaseOf(msg).AddTxOut(wrong)
			},
		},
		{
			name: "no reserved value", root: true, code: "bad-witness-nonce-size", kind: check.Mutated,
			bend: func(_ *ledger, msg *wire.MsgBlock) { coinbaseOf(msg).TxIn[0].Witness = nil },
		},
		{
			name: "reserved value of 31 bytes", root: true, code: "bad-witness-nonce-size", kind: check.Mutated,
			bend: func(_ *ledger, msg *wire.MsgBlock) { coinbaseOf(msg).TxIn[0].Witness[0] = make([]byte, 31) },
		},
		{
			name: "two reserved values", root: true, code: "bad-witness-nonce-size", kind: check.Mutated,
			bend: func(_ *ledger, msg *wire.MsgBlock) {
				in := coinbaseOf(msg).TxIn[0]
				in.Witness = append(in.Witness, in.Witness[0])
			},
		},
		{
			name: "another reserved value", root: true, code: "bad-witness-merkle-match", kind: check.Mutated,
			bend: func(_ *ledger, msg *wire.MsgBlock) { coinbaseOf(msg).TxIn[0].Witness[0][0] = 1 },
		},
	})
	before := Rules{Net: params.RegTest()}
	before.Net.SegwitHeight = 1000
	early := newLedger(t, before)
	msg := early.template()
	_, err := early.judge(early.solve(msg))
	want(t, "commitment before BIP141", err, "unexpected-witness", check.Mutated)
}

// A witness that was changed on the way leaves the id as it was: the error is
// Mutated, and the block as it was made is accepted afterwards.
func TestMutatedBlockDoesNotCondemnItsID(t *testing.T) {
	l := regtest(t).grow(120)
	tx := spend(one(l.coinbaseOut(1)), 1)
	tx.TxIn[0].Witness = wire.TxWitness{{1, 2, 3}}
	b := l.solve(l.template(tx))
	raw := bytes.Clone(b.Raw)
	at := bytes.Index(raw, []byte{3, 1, 2, 3})
	raw[at+1] ^= 0x80
	bent, err := state.DecodeBlock(raw)
	if err != nil || bent.Hash != b.Hash {
		t.Fatalf("%v", err)
	}
	_, err = l.judge(bent)
	want(t, "bent", err, "bad-witness-merkle-match", check.Mutated)
	l.extend(b)
}

// The real mainnet block 413567 passes every check that needs no coin, and
// its Merkle root is that of its transactions.
func TestMainnet413567(t *testing.T) {
	b, err := state.DecodeBlock(vectors.Shared(t, "block413567.raw"))
	if err != nil {
		t.Fatal(err)
	}
	rules := Rules{Net: params.MainNet()}
	if err := rules.checkWork(&b.Msg.Header); err != nil {
		t.Error(err)
	}
	if err := rules.CheckBlock(b); err != nil {
		t.Error(err)
	}
	if at := WitnessCommitmentIndex(b.Msg.Transactions[0]); at >= 0 {
		t.Errorf("a witness commitment at output %d, before segwit", at)
	}
	parent := headerAt(413_566, b.Msg.Header.Timestamp.Unix()-1)
	if err := rules.CheckBlockContext(b, parent); err != nil {
		t.Error(err)
	}
	// Committed to as a segwit block would, its witness root is verified too.
	msg := *b.Msg
	msg.Transactions = slices.Clone(msg.Transactions)
	msg.Transactions[0] = msg.Transactions[0].Copy()
	AddWitnessCommitment(&msg)
	net := params.MainNet()
	net.SegwitHeight = 1
	if err := (Rules{Net: net}).CheckBlockContext(state.NewBlock(&msg), parent); err != nil {
		t.Error(err)
	}
}

// headerAt is a header that stands at a height without its ancestors: good
// for rules that look at height and median time only.
func headerAt(height int32, seconds int64) *state.Header {
	h := branch(1, func(int) (int64, uint32) { return seconds, 0x207fffff })
	h.Height = height
	return h
}
