package proof

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/hash"
	"granary/params"
	"granary/rules/goods"
	"granary/state"
)

// Anchor ties the root of a goods state to a block: the block's coinbase
// commits to the state after the block's parent, and a Merkle branch leads
// from the coinbase to the header.
type Anchor struct {
	CharterID params.CharterID
	Header    wire.BlockHeader
	Coinbase  []byte           // without witness
	Branch    []chainhash.Hash // from the coinbase's sibling up
	Root      chainhash.Hash   // of the state after the block's parent
}

// NewAnchor makes the anchor of a block; root is that of the goods state
// after its parent. It is not checked here.
func NewAnchor(id params.CharterID, b *state.Block, root chainhash.Hash) (*Anchor, error) {
	if len(b.Txids) == 0 {
		return nil, errors.New("a block without a coinbase commits to nothing")
	}
	var coinbase bytes.Buffer
	if err := b.Msg.Transactions[0].SerializeNoWitness(&coinbase); err != nil {
		return nil, fmt.Errorf("write the coinbase: %w", err)
	}
	return &Anchor{
		CharterID: id, Header: b.Msg.Header, Coinbase: coinbase.Bytes(),
		Branch: hash.MerkleBranch(b.Txids, 0), Root: root,
	}, nil
}

// Block is what an anchor proves of its block, to someone who has the block's
// hash from elsewhere.
type Block struct {
	Hash chainhash.Hash
	// Height is what the coinbase says by its lock time (BIP54); who has the
	// chain's headers knows it from them.
	Height int32
	Header wire.BlockHeader
	Tx     *wire.MsgTx // the coinbase
}

// StateHeight is the height of the last block whose effects the state holds.
func (b *Block) StateHeight() int32 { return b.Height - 1 }

// Check proves the root: the coinbase lies in the block, is one, and commits
// to charter and root; the header carries the work that it claims. Whether
// that is the work that the chain asks for, and whether the block is in the
// chain, only charter and headers tell.
func (a *Anchor) Check() (*Block, error) {
	block := &Block{Hash: a.Header.BlockHash(), Header: a.Header}
	target, ok := state.TargetOf(a.Header.Bits)
	if !ok || !state.HashMeets(&block.Hash, &target) {
		return nil, noWork(&block.Hash)
	}
	tx, err := state.DecodeTx(bytes.Clone(a.Coinbase))
	if err != nil || tx.Txid != tx.Wtxid {
		return nil, errors.New("the coinbase of the proof cannot be read")
	}
	// A coinbase is the first transaction, so that no inner node of the Merkle
	// tree can pass for one: the leaf there would have to be 64 bytes long.
	if !hash.VerifyBranch(tx.Txid, a.Branch, 0, a.Header.MerkleRoot) {
		return nil, fmt.Errorf("the coinbase of the proof is not in block %v", block.Hash)
	}
	block.Tx = tx.Msg
	if block.Height, err = coinbaseHeight(tx.Msg); err != nil {
		return nil, err
	}
	return block, a.checkCommitment(tx.Msg)
}

// CheckCharter holds an anchor to the charter that it names: this is it, and
// the header's target is within the charter's network.
func (a *Anchor) CheckCharter(charter *params.Charter) error {
	if id := charter.ID(); id != a.CharterID {
		return fmt.Errorf("the proof belongs to the chain of charter %v, not to that of %v", a.CharterID, id)
	}
	net, err := charter.Network()
	if err != nil {
		return err
	}
	if target, ok := state.TargetOf(a.Header.Bits); !ok || target.Gt(&net.PowLimit) {
		id := a.Header.BlockHash()
		return noWork(&id)
	}
	return nil
}

func noWork(id *chainhash.Hash) error {
	return fmt.Errorf("block %v has not the work that it claims, or that its chain asks for at least", id)
}

// coinbaseHeight reads the height that BIP54 writes into the lock time.
func coinbaseHeight(tx *wire.MsgTx) (int32, error) {
	null := wire.OutPoint{Index: wire.MaxPrevOutIndex}
	if len(tx.TxIn) != 1 || tx.TxIn[0].PreviousOutPoint != null {
		return 0, errors.New("the first transaction of the proof's block is not a coinbase")
	}
	if tx.LockTime >= math.MaxInt32 {
		return 0, fmt.Errorf("the coinbase's lock time %d is no height", tx.LockTime)
	}
	return int32(tx.LockTime) + 1, nil
}

// checkCommitment: the coinbase holds one goods commitment, which is to
// charter and root.
func (a *Anchor) checkCommitment(tx *wire.MsgTx) error {
	want := goods.CommitmentScript(a.CharterID, a.Root)
	kind := want[:len(want)-chainhash.HashSize]
	found := 0
	for _, out := range tx.TxOut {
		if !bytes.HasPrefix(out.PkScript, kind) {
			continue
		}
		if found++; !bytes.Equal(out.PkScript, want) {
			return errors.New("the block commits to another charter or another goods state than the proof's")
		}
	}
	if found != 1 {
		return fmt.Errorf("the coinbase has %d goods commitments, one is wanted", found)
	}
	return nil
}

// append writes the anchor without the charter's id, which a proof writes
// before it and an audit implies by the charter: header, u32 length and
// coinbase, u8 count and branch, root.
func (a *Anchor) append(b []byte) []byte {
	b = appendHeader(b, &a.Header)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(a.Coinbase)))
	b = append(b, a.Coinbase...)
	b = append(b, byte(len(a.Branch)))
	for i := range a.Branch {
		b = append(b, a.Branch[i][:]...)
	}
	return append(b, a.Root[:]...)
}

// anchor reads what append wrote.
func (r *reader) anchor(id params.CharterID) *Anchor {
	a := &Anchor{CharterID: id}
	a.Header = r.header()
	a.Coinbase = r.bytes(r.u32(), maxCoinbaseBytes, "the coinbase")
	count := r.u8()
	if count > maxBranch {
		r.fail("the Merkle branch has %d steps, at most %d are allowed", count, maxBranch)
	}
	for range count {
		if r.err == nil {
			a.Branch = append(a.Branch, r.hash())
		}
	}
	a.Root = r.hash()
	if r.err != nil {
		return nil
	}
	return a
}

// appendCharter writes u32 length and canonical charter.
func appendCharter(b []byte, charter *params.Charter) []byte {
	canonical := charter.Canonical()
	b = binary.LittleEndian.AppendUint32(b, uint32(len(canonical)))
	return append(b, canonical...)
}

// charter reads what appendCharter wrote; nil after an error.
func (r *reader) charter() *params.Charter {
	canonical := r.bytes(r.u32(), params.MaxCharterBytes, "the charter")
	if r.err != nil {
		return nil
	}
	charter, err := params.ParseCanonical(canonical)
	if err != nil {
		r.fail("the charter in the file: %w", err)
		return nil
	}
	return charter
}

func appendHeader(b []byte, h *wire.BlockHeader) []byte {
	le := binary.LittleEndian
	b = le.AppendUint32(b, uint32(h.Version))
	b = append(append(b, h.PrevBlock[:]...), h.MerkleRoot[:]...)
	b = le.AppendUint32(b, uint32(h.Timestamp.Unix()))
	return le.AppendUint32(le.AppendUint32(b, h.Bits), h.Nonce)
}

func (r *reader) header() wire.BlockHeader {
	var raw [state.HeaderBytes]byte
	r.full(raw[:])
	header, err := state.DecodeHeader(raw[:])
	if err != nil { // the length is right
		r.fail("%w", err)
		return wire.BlockHeader{}
	}
	return *header
}
