package block

import (
	"granary/base/check"
	"granary/base/hash"
	"granary/params"
	"granary/rules/script"
	"granary/state"
)

// CheckBlock judges what can be judged of a block alone, its header apart
// (CheckHeader): the Merkle root, size, one coinbase that comes first, every
// transaction alone (CheckTx), legacy sigops, and on a signet the solution
// (BIP325). Where the bytes may be a damaged form of a valid block with the
// same id the error has Kind Mutated.
func (r Rules) CheckBlock(b *state.Block) error {
	if err := checkMerkleRoot(b); err != nil {
		return err
	}
	txs := b.Msg.Transactions
	if len(txs) == 0 || len(txs)*params.WitnessScaleFactor > params.MaxBlockWeight ||
		b.StrippedBytes*params.WitnessScaleFactor > params.MaxBlockWeight {
		return check.Rule("bad-blk-length", "%d transactions, %d bytes without witness", len(txs), b.StrippedBytes)
	}
	if err := checkCoinbasePlace(b); err != nil {
		return err
	}
	if err := r.checkSignet(b); err != nil {
		return err
	}
	sigOps := 0
	for i := range txs {
		tx := txOf(b, i)
		if err := r.CheckTx(&tx); err != nil {
			return inTx(err, i, &b.Txids[i])
		}
		sigOps += script.LegacySigOps(tx.Msg)
	}
	if sigOps*params.WitnessScaleFactor > params.MaxBlockSigOpsCost {
		return check.Rule("bad-blk-sigops", "%d legacy signature checks", sigOps)
	}
	return nil
}

// txOf is b.Tx without the allocation.
func txOf(b *state.Block, i int) state.Tx {
	return state.Tx{
		Msg: b.Msg.Transactions[i], Raw: b.Raw[b.TxOffsets[i]:b.TxOffsets[i+1]],
		Txid: b.Txids[i], Wtxid: b.Wtxids[i],
	}
}

func checkMerkleRoot(b *state.Block) error {
	root, mutated := hash.MerkleRoot(b.Txids)
	if root != b.Msg.Header.MerkleRoot {
		return check.RuleKind(check.Mutated, "bad-txnmrklroot", "transactions give %v, the header says %v",
			root, b.Msg.Header.MerkleRoot)
	}
	if mutated {
		return check.RuleKind(check.Mutated, "bad-txns-duplicate", "a tail of the transactions is repeated (CVE-2012-2459)")
	}
	return nil
}

// checkCoinbasePlace: the first transaction is the coinbase and no other is.
// Inner nodes of the Merkle tree, 64 bytes each, can pose as the transactions
// of a valid block (CVE-2017-12842), but never with a coinbase among them:
// then the block of this id may still be valid.
func checkCoinbasePlace(b *state.Block) error {
	txs := b.Msg.Transactions
	if !IsCoinbase(txs[0]) {
		kind := check.Consensus
		for i := range txs {
			if tx := txOf(b, i); tx.StrippedBytes() == nodeBytes {
				kind = check.Mutated
			}
		}
		return check.RuleKind(kind, "bad-cb-missing", "the first transaction is not a coinbase")
	}
	for i := 1; i < len(txs); i++ {
		if IsCoinbase(txs[i]) {
			return check.Rule("bad-cb-multiple", "transaction %d is a second coinbase", i)
		}
	}
	return nil
}
