package state

import (
	"bytes"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/base/check"
	"granary/base/hash"
	"granary/params"
)

// NewBlock makes a Block of a message that the house built itself (a
// template, a test): it serialises msg once and computes the ids from the
// bytes. The block keeps msg, which must not change afterwards.
func NewBlock(msg *wire.MsgBlock) *Block {
	n := len(msg.Transactions)
	b := &Block{
		Msg: msg, Hash: msg.Header.BlockHash(),
		Txids: make([]chainhash.Hash, n), Wtxids: make([]chainhash.Hash, n),
		TxOffsets: make([]uint32, n+1),
	}
	var buf bytes.Buffer
	buf.Grow(msg.SerializeSize())
	mustWrite(msg.Header.Serialize(&buf))
	mustWrite(wire.WriteVarInt(&buf, 0, uint64(n)))
	b.StrippedBytes = buf.Len()
	for i, tx := range msg.Transactions {
		start := buf.Len()
		b.TxOffsets[i] = uint32(start)
		mustWrite(tx.Serialize(&buf))
		b.Wtxids[i] = hash.Double(buf.Bytes()[start:])
		b.Txids[i] = b.Wtxids[i]
		if tx.HasWitness() {
			b.Txids[i] = tx.TxHash()
		}
		b.StrippedBytes += tx.SerializeSizeStripped()
	}
	b.TxOffsets[n] = uint32(buf.Len())
	b.Raw = buf.Bytes()
	return b
}

// NewTx makes a Tx of a message that the house built itself. The transaction
// keeps msg, which must not change afterwards.
func NewTx(msg *wire.MsgTx) *Tx {
	buf := bytes.NewBuffer(make([]byte, 0, msg.SerializeSize()))
	mustWrite(msg.Serialize(buf))
	t := &Tx{Msg: msg, Raw: buf.Bytes(), Wtxid: hash.Double(buf.Bytes())}
	t.Txid = t.Wtxid
	if msg.HasWitness() {
		t.Txid = msg.TxHash()
	}
	return t
}

// mustWrite holds that writing to memory does not fail.
func mustWrite(err error) { check.Must(err == nil, "serialise to memory: %v", err) }

// TxWeight is the weight of a transaction (BIP141).
func TxWeight(msg *wire.MsgTx) int64 {
	return int64(msg.SerializeSizeStripped()*(params.WitnessScaleFactor-1) + msg.SerializeSize())
}

// StrippedBytes is the length of the transaction without its witness.
func (t *Tx) StrippedBytes() int {
	if t.Txid == t.Wtxid {
		return len(t.Raw)
	}
	return t.Msg.SerializeSizeStripped()
}

// Weight is the weight of the transaction (BIP141).
func (t *Tx) Weight() int64 {
	return int64(t.StrippedBytes()*(params.WitnessScaleFactor-1) + len(t.Raw))
}

// VBytes is the weight in virtual bytes, rounded up.
func (t *Tx) VBytes() int64 {
	return (t.Weight() + params.WitnessScaleFactor - 1) / params.WitnessScaleFactor
}
