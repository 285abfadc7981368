package benchgoods

import (
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"granary/rules/block"
	"granary/rules/goods"
	"granary/state"
)

// spacingSeconds is the time from block to block.
const spacingSeconds = 60

// assemble makes the block of these transactions on top of parent, whose goods
// state view is. Nothing is judged here.
func assemble(r block.Rules, parent *state.Header, view state.GoodsView, txs []*wire.MsgTx, feesUnits int64) (*state.Block, error) {
	height := parent.Height + 1
	outs, err := goods.CoinbaseOutputs(r.Charter, height, view, r.Net.SubsidyUnits(height), feesUnits, freeScript(kindHolder, 0))
	if err != nil {
		return nil, err
	}
	coinbase := wire.NewMsgTx(2)
	coinbase.AddTxIn(&wire.TxIn{
		PreviousOutPoint: wire.OutPoint{Index: wire.MaxPrevOutIndex},
		SignatureScript:  append(block.HeightScript(height), 0), Sequence: wire.MaxTxInSequenceNum - 1,
	})
	coinbase.TxOut, coinbase.LockTime = outs, uint32(height-1)
	msg := &wire.MsgBlock{Transactions: append([]*wire.MsgTx{coinbase}, txs...)}
	block.AddWitnessCommitment(msg)
	when := parent.Raw.Timestamp.Add(spacingSeconds * time.Second)
	msg.Header.Version, msg.Header.PrevBlock = 0x20000000, parent.Hash
	msg.Header.Timestamp, msg.Header.Bits = when, r.NextBits(parent, when.Unix())
	for target := r.Net.PowLimit; ; msg.Header.Nonce++ {
		if id := msg.Header.BlockHash(); state.HashMeets(&id, &target) {
			break
		}
	}
	return state.NewBlock(msg), nil
}
