package goods

import (
	"bytes"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/params"
	"granary/state"
	"granary/state/tree"
)

// commitmentTag separates the hash in the goods commitment from others.
const commitmentTag = "granary/commitment"

// commitmentPrefix starts the goods commitment: OP_RETURN and a push of 36
// bytes that begins with a mark of its own, so that it is not a record.
var commitmentPrefix = []byte{txscript.OP_RETURN, txscript.OP_DATA_36, 'G', 'r', 'C', 'o'}

// witnessPrefix starts the witness commitment of BIP141, at least 38 bytes.
var witnessPrefix = []byte{txscript.OP_RETURN, txscript.OP_DATA_36, 0xaa, 0x21, 0xa9, 0xed}

// CommitmentScript is the output script by which a coinbase commits to the
// goods state after the previous block: the prefix and the tagged hash of
// charter id and root.
func CommitmentScript(id params.CharterID, root chainhash.Hash) []byte {
	sum := chainhash.TaggedHash([]byte(commitmentTag), id[:], root[:])
	return append(bytes.Clone(commitmentPrefix), sum[:]...)
}

// Root gives the root of the goods state that view holds, the one that the
// next block commits to: 32 zero bytes before block 1.
func Root(view state.GoodsView) (chainhash.Hash, error) { return tree.Root(view) }

// witnessCommitment is the output that BIP141 takes for the witness
// commitment, the last one of its form, or -1.
func witnessCommitment(msg *wire.MsgTx) int {
	for i, out := range slices.Backward(msg.TxOut) {
		if len(out.PkScript) >= 38 && bytes.HasPrefix(out.PkScript, witnessPrefix) {
			return i
		}
	}
	return -1
}

// checkCommitment: one goods commitment, right, and last but for a witness
// commitment after it.
func (g *Block) checkCommitment(msg *wire.MsgTx) error {
	at := -1
	for i, out := range msg.TxOut {
		if !bytes.HasPrefix(out.PkScript, commitmentPrefix) {
			continue
		}
		if at >= 0 {
			return check.Rule(CodeCommitmentDuplicate, "outputs %d and %d are both goods commitments", at, i)
		}
		at = i
	}
	if at < 0 {
		return check.Rule(CodeCommitmentMissing, "the coinbase does not commit to the goods state")
	}
	last := len(msg.TxOut) - 1
	if witness := witnessCommitment(msg); witness >= 0 {
		if witness != last {
			return check.Rule(CodeCommitmentPosition, "the witness commitment is output %d, it must be the last, %d", witness, last)
		}
		last--
	}
	if at != last {
		return check.Rule(CodeCommitmentPosition, "the goods commitment is output %d, it must be %d: last, or followed by the witness commitment only", at, last)
	}
	root, err := Root(g.over)
	if err != nil {
		return err
	}
	if want := CommitmentScript(g.charter.ID(), root); !bytes.Equal(msg.TxOut[at].PkScript, want) {
		return check.Rule(CodeCommitmentWrong, "the goods commitment is %x, the state after the previous block gives %x", msg.TxOut[at].PkScript, want)
	}
	return nil
}
