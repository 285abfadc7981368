package block

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/base/hash"
	"granary/rules/script"
	"granary/state"
)

// signetHeader marks the push in the witness commitment's script that holds
// the solution (BIP325).
var signetHeader = []byte{0xec, 0xc7, 0xda, 0xa2}

// checkSignet: the block solves the signet's challenge.
func (r Rules) checkSignet(b *state.Block) error {
	challenge := r.Net.SignetChallenge
	if challenge == nil || b.Hash == r.Net.GenesisHash() {
		return nil
	}
	toSpend, toSign, err := SignetTxs(b.Msg, challenge)
	if err == nil {
		err = verifySignet(toSpend, toSign)
	}
	if err != nil {
		return check.Rule("bad-signet-blksig", "%v", err)
	}
	return nil
}

// SignetTxs gives the two virtual transactions of BIP325: the one whose only
// output is the challenge and commits to the block without its solution, and
// the one that spends it with the solution found in the witness commitment
// (an empty one where there is none, which solves trivial challenges). A
// sealer signs the second. A block without coinbase or witness commitment, or
// with a solution that does not decode, is an error.
func SignetTxs(msg *wire.MsgBlock, challenge []byte) (toSpend, toSign *wire.MsgTx, err error) {
	if len(msg.Transactions) == 0 {
		return nil, nil, fmt.Errorf("no coinbase")
	}
	return signetTxs(&msg.Header, msg.Transactions[0], challenge, func(coinbase chainhash.Hash) chainhash.Hash {
		leaves := make([]chainhash.Hash, len(msg.Transactions))
		leaves[0] = coinbase
		for i, tx := range msg.Transactions[1:] {
			leaves[i+1] = tx.TxHash()
		}
		root, _ := hash.MerkleRoot(leaves)
		return root
	})
}

// signetTxs is SignetTxs for a block of which header and coinbase are known,
// and rootOf, what its Merkle root would be with another coinbase.
func signetTxs(header *wire.BlockHeader, coinbase *wire.MsgTx, challenge []byte, rootOf func(coinbase chainhash.Hash) chainhash.Hash) (toSpend, toSign *wire.MsgTx, err error) {
	at := WitnessCommitmentIndex(coinbase)
	if at < 0 {
		return nil, nil, fmt.Errorf("no witness commitment, which a signet block needs")
	}
	clearedScript, solution := cutSolution(coinbase.TxOut[at].PkScript)
	scriptSig, witness, err := parseSolution(solution)
	if err != nil {
		return nil, nil, fmt.Errorf("solution does not decode: %w", err)
	}
	cleared := *coinbase
	cleared.TxOut = slices.Clone(coinbase.TxOut)
	cleared.TxOut[at] = &wire.TxOut{Value: coinbase.TxOut[at].Value, PkScript: clearedScript}
	root := rootOf(cleared.TxHash())
	toSpend = &wire.MsgTx{
		TxIn: []*wire.TxIn{{
			PreviousOutPoint: wire.OutPoint{Index: wire.MaxPrevOutIndex},
			SignatureScript:  appendPush([]byte{txscript.OP_0}, signetBlockData(header, &root)),
		}},
		TxOut: []*wire.TxOut{{PkScript: challenge}},
	}
	toSign = &wire.MsgTx{
		TxIn: []*wire.TxIn{{
			PreviousOutPoint: wire.OutPoint{Hash: toSpend.TxHash()},
			SignatureScript:  scriptSig,
			Witness:          witness,
		}},
		TxOut: []*wire.TxOut{{PkScript: []byte{txscript.OP_RETURN}}},
	}
	return toSpend, toSign, nil
}

// signetBlockData is what the first virtual transaction commits to: the
// header without bits and nonce, with the modified root.
func signetBlockData(h *wire.BlockHeader, root *chainhash.Hash) []byte {
	le := binary.LittleEndian
	data := le.AppendUint32(nil, uint32(h.Version))
	data = append(data, h.PrevBlock[:]...)
	data = append(data, root[:]...)
	return le.AppendUint32(data, uint32(h.Timestamp.Unix()))
}

// cutSolution looks in the commitment's script for the first push that begins
// with the signet header and goes on: solution is what follows the header,
// cleared the script rewritten without it. Where there is none, solution is
// nil and cleared is the script as it was.
func cutSolution(commitment []byte) (cleared, solution []byte) {
	tokens := txscript.MakeScriptTokenizer(0, commitment)
	for tokens.Next() {
		data := tokens.Data()
		if len(data) == 0 {
			cleared = append(cleared, tokens.Opcode())
			continue
		}
		if solution == nil && len(data) > len(signetHeader) && bytes.HasPrefix(data, signetHeader) {
			solution = data[len(signetHeader):]
			data = signetHeader
		}
		cleared = appendPush(cleared, data)
	}
	if solution == nil {
		return commitment, nil
	}
	return cleared, solution
}

// appendPush appends the push of data with the shortest length prefix; unlike
// a minimal push it never uses the opcodes for small numbers.
func appendPush(to, data []byte) []byte {
	le := binary.LittleEndian
	switch n := len(data); {
	case n < txscript.OP_PUSHDATA1:
		to = append(to, byte(n))
	case n <= 0xff:
		to = append(to, txscript.OP_PUSHDATA1, byte(n))
	case n <= 0xffff:
		to = le.AppendUint16(append(to, txscript.OP_PUSHDATA2), uint16(n))
	default:
		to = le.AppendUint32(append(to, txscript.OP_PUSHDATA4), uint32(n))
	}
	return append(to, data...)
}

// parseSolution reads a script and a witness stack, and nothing behind them.
// No solution is an empty one.
func parseSolution(solution []byte) (scriptSig []byte, witness wire.TxWitness, err error) {
	if solution == nil {
		return nil, nil, nil
	}
	r := bytes.NewReader(solution)
	field := func() ([]byte, error) {
		return wire.ReadVarBytes(r, 0, uint32(r.Len()), "signet solution")
	}
	if scriptSig, err = field(); err != nil {
		return nil, nil, err
	}
	items, err := wire.ReadVarInt(r, 0)
	if err != nil {
		return nil, nil, err
	}
	for range items {
		item, err := field()
		if err != nil {
			return nil, nil, err
		}
		witness = append(witness, item)
	}
	if r.Len() > 0 {
		return nil, nil, fmt.Errorf("%d bytes too many", r.Len())
	}
	return scriptSig, witness, nil
}

// signetFlags are the script rules of a solution, as in Bitcoin Core: taproot
// and the lock time rules are not among them.
const signetFlags = script.P2SH | script.Witness | script.DERSig | script.NullDummy

// verifySignet runs the solution against the challenge.
func verifySignet(toSpend, toSign *wire.MsgTx) error {
	job := script.Job{
		Tx:    state.NewTx(toSign),
		Spent: []*state.Coin{{Script: toSpend.TxOut[0].PkScript}},
		Flags: signetFlags,
	}
	if err := script.Interpret(&job, 0); err != nil {
		return fmt.Errorf("the solution does not meet the challenge: %w", err)
	}
	return nil
}
