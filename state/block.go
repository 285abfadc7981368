package state

import (
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// Block is what travels: a decoded block with its bytes and ids, made once by
// DecodeBlock or NewBlock and read-only afterwards, so that any number of
// goroutines may share it. Scripts and witnesses of Msg alias Raw: whoever
// keeps a part longer than the block copies it out.
type Block struct {
	Msg    *wire.MsgBlock
	Raw    []byte // the serialization with witnesses
	Hash   chainhash.Hash
	Txids  []chainhash.Hash
	Wtxids []chainhash.Hash // Wtxids[i] == Txids[i] for a transaction without witness
	// StrippedBytes is the length of the serialization without witnesses.
	StrippedBytes int
	// TxOffsets are the offsets of the transactions in Raw, with one more at
	// the end: transaction i is Raw[TxOffsets[i]:TxOffsets[i+1]].
	TxOffsets []uint32
}

// Weight is the block weight of BIP141.
func (b *Block) Weight() int { return b.StrippedBytes*3 + len(b.Raw) }

// Tx is transaction i as a Tx that shares the block's memory.
func (b *Block) Tx(i int) *Tx {
	return &Tx{
		Msg: b.Msg.Transactions[i], Raw: b.Raw[b.TxOffsets[i]:b.TxOffsets[i+1]],
		Txid: b.Txids[i], Wtxid: b.Wtxids[i],
	}
}

// Tx is a transaction with its bytes and ids, read-only after it is made.
type Tx struct {
	Msg         *wire.MsgTx
	Raw         []byte
	Txid, Wtxid chainhash.Hash
}
