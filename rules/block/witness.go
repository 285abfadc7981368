package block

import (
	"bytes"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/hash"
)

// commitmentHeader starts the script of the witness commitment (BIP141):
// OP_RETURN, a push of 36 bytes, and four bytes of magic before the hash.
var commitmentHeader = []byte{0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed}

// commitmentBytes is where the hash of the commitment ends.
const commitmentBytes = 6 + chainhash.HashSize

// WitnessCommitmentIndex is the output of a coinbase that holds the witness
// commitment, the last one of that form, or -1.
func WitnessCommitmentIndex(coinbase *wire.MsgTx) int {
	for i, out := range slices.Backward(coinbase.TxOut) {
		if len(out.PkScript) >= commitmentBytes && bytes.HasPrefix(out.PkScript, commitmentHeader) {
			return i
		}
	}
	return -1
}

// WitnessCommitment is the hash that a coinbase commits to: the Merkle root
// of the wtxids, the coinbase's taken as zero, hashed with the reserved value
// in the coinbase's witness. wtxids is not modified.
func WitnessCommitment(wtxids []chainhash.Hash, reserved []byte) chainhash.Hash {
	leaves := slices.Clone(wtxids)
	if len(leaves) > 0 {
		leaves[0] = chainhash.Hash{}
	}
	root, _ := hash.MerkleRoot(leaves)
	var stream hash.Stream
	return stream.Double(root[:], reserved)
}

// AddWitnessCommitment completes a block under construction: it gives the
// coinbase the reserved value (zeros) and, as its last output, the witness
// commitment, in place of one that is there, and sets the header's Merkle
// root. A block without transactions is left alone.
func AddWitnessCommitment(msg *wire.MsgBlock) {
	if len(msg.Transactions) == 0 || len(msg.Transactions[0].TxIn) == 0 {
		return
	}
	coinbase := msg.Transactions[0]
	if at := WitnessCommitmentIndex(coinbase); at >= 0 {
		coinbase.TxOut = slices.Delete(coinbase.TxOut, at, at+1)
	}
	wtxids := make([]chainhash.Hash, len(msg.Transactions))
	for i, tx := range msg.Transactions[1:] {
		wtxids[i+1] = tx.WitnessHash()
	}
	reserved := make([]byte, chainhash.HashSize)
	commitment := WitnessCommitment(wtxids, reserved)
	coinbase.TxIn[0].Witness = wire.TxWitness{reserved}
	coinbase.AddTxOut(wire.NewTxOut(0, append(slices.Clone(commitmentHeader), commitment[:]...)))
	SetMerkleRoot(msg)
}

// SetMerkleRoot makes the header name the transactions as they are.
func SetMerkleRoot(msg *wire.MsgBlock) {
	txids := make([]chainhash.Hash, len(msg.Transactions))
	for i, tx := range msg.Transactions {
		txids[i] = tx.TxHash()
	}
	msg.Header.MerkleRoot, _ = hash.MerkleRoot(txids)
}
