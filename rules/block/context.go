package block

import (
	"bytes"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/params"
	"granary/state"
)

// CheckBlockContext judges what depends on the place below parent but on no
// coin: finality of every transaction (BIP113), the height in the coinbase
// (BIP34), its lock time (BIP54), the witness commitment (BIP141; Kind
// Mutated, for the witness is not in the id), and the weight. The block has
// passed CheckBlock.
func (r Rules) CheckBlockContext(b *state.Block, parent *state.Header) error {
	txs := b.Msg.Transactions
	if len(txs) == 0 || !IsCoinbase(txs[0]) {
		return check.Rule("bad-cb-missing", "the first transaction is not a coinbase")
	}
	height := parent.Height + 1
	cutoff := b.Msg.Header.Timestamp.Unix()
	if height >= r.Net.CSVHeight {
		cutoff = parent.MedianTimePast()
	}
	for i, tx := range txs {
		if !isFinal(tx, height, cutoff) {
			return check.Rule("bad-txns-nonfinal", "transaction %d (%v) is locked until %d", i, b.Txids[i], tx.LockTime)
		}
	}
	if err := r.checkCoinbaseHeight(b, height); err != nil {
		return err
	}
	if err := r.checkWitness(b, height); err != nil {
		return err
	}
	if w := b.Weight(); w > params.MaxBlockWeight {
		return check.Rule("bad-blk-weight", "weight is %d", w)
	}
	return nil
}

// checkCoinbaseHeight: BIP34's height at the start of the coinbase's script,
// BIP54's in its lock time.
func (r Rules) checkCoinbaseHeight(b *state.Block, height int32) error {
	coinbase := b.Msg.Transactions[0]
	if height >= r.Net.BIP34Height && !bytes.HasPrefix(coinbase.TxIn[0].SignatureScript, HeightScript(height)) {
		return check.Rule("bad-cb-height", "the coinbase does not begin with height %d", height)
	}
	if !r.cleanup() {
		return nil
	}
	if int64(coinbase.LockTime) != int64(height)-1 {
		return check.Rule("bad-cb-locktime", "the coinbase's lock time is %d, at height %d it must be %d (BIP54)",
			coinbase.LockTime, height, height-1)
	}
	if coinbase.TxIn[0].Sequence == wire.MaxTxInSequenceNum {
		return check.Rule("bad-cb-sequence", "the coinbase's sequence is final (BIP54)")
	}
	return nil
}

// HeightScript is what the script of a coinbase at height begins with
// (BIP34): the height as Bitcoin Core pushes a number, one byte below 17.
func HeightScript(height int32) []byte {
	script, err := txscript.NewScriptBuilder().AddInt64(int64(height)).Script()
	check.Must(err == nil, "height script of %d: %v", height, err)
	return script
}

// checkWitness: with a commitment in the coinbase it is the right one, and
// without one (or before BIP141) no transaction has a witness.
func (r Rules) checkWitness(b *state.Block, height int32) error {
	coinbase := b.Msg.Transactions[0]
	at := WitnessCommitmentIndex(coinbase)
	if height >= r.Net.SegwitHeight && at >= 0 {
		stack := coinbase.TxIn[0].Witness
		if len(stack) != 1 || len(stack[0]) != chainhash.HashSize {
			return check.RuleKind(check.Mutated, "bad-witness-nonce-size",
				"the coinbase's witness is not one item of %d bytes", chainhash.HashSize)
		}
		want := WitnessCommitment(b.Wtxids, stack[0])
		if !bytes.Equal(coinbase.TxOut[at].PkScript[len(commitmentHeader):commitmentBytes], want[:]) {
			return check.RuleKind(check.Mutated, "bad-witness-merkle-match", "the witnesses give commitment %x", want[:])
		}
		return nil
	}
	for i, tx := range b.Msg.Transactions {
		if tx.HasWitness() {
			return check.RuleKind(check.Mutated, "unexpected-witness", "transaction %d (%v) has a witness, the block commits to none", i, b.Txids[i])
		}
	}
	return nil
}
