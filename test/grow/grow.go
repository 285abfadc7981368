// Package grow gives tests a regtest chain on the real engine, in memory, whose
// branches they let grow block by block: for what follows a chain and cares
// more for where blocks are than for what is in them.
package grow

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"granary/base/clock"
	"granary/chain"
	"granary/params"
	"granary/rules/block"
	"granary/state"
	"granary/store"
)

// net is the network of every chain here.
var net = params.RegTest()

// Genesis is the block on which every branch stands, at height 0.
func Genesis() *state.Block { return state.NewBlock(net.Chain.GenesisBlock) }

// Chain opens an engine that has genesis alone. The test's end closes it.
func Chain(t testing.TB) *chain.Engine {
	t.Helper()
	s, err := store.Open(store.Options{Dir: "data", FS: vfs.NewMem(), Net: net, CacheBytes: 16 << 20})
	if err != nil {
		t.Fatal(err)
	}
	now := &clock.Mock{}
	now.Set(net.Chain.GenesisBlock.Header.Timestamp.AddDate(0, 1, 0))
	e, err := chain.Open(chain.Options{Store: s, Rules: block.Rules{Net: net}, Clock: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(e.Close(), s.Close()); err != nil {
			t.Error(err)
		}
	})
	return e
}

// next builds a block on parent, at height; name makes it unique. Anybody may
// spend its coinbase.
func next(parent *state.Block, height int32, name string, txs ...*wire.MsgTx) *state.Block {
	coinbase := wire.NewMsgTx(2)
	coinbase.AddTxIn(&wire.TxIn{
		PreviousOutPoint: wire.OutPoint{Index: wire.MaxPrevOutIndex}, Sequence: wire.MaxTxInSequenceNum,
		SignatureScript: append(append(block.HeightScript(height), byte(len(name))), name...),
	})
	coinbase.AddTxOut(wire.NewTxOut(net.SubsidyUnits(height), []byte{txscript.OP_TRUE}))
	msg := &wire.MsgBlock{
		Header: wire.BlockHeader{
			Version: 4, PrevBlock: parent.Hash, Bits: net.PowLimitBits,
			Timestamp: time.Unix(parent.Msg.Header.Timestamp.Unix()+60, 0),
		},
		Transactions: append([]*wire.MsgTx{coinbase}, txs...),
	}
	block.SetMerkleRoot(msg)
	target, _ := state.TargetOf(msg.Header.Bits)
	for {
		if id := msg.BlockHash(); state.HashMeets(&id, &target) {
			return state.NewBlock(msg)
		}
		msg.Header.Nonce++
	}
}

// Branch adds n blocks on parent, which is at height, the first one with the
// transactions, and gives them in order. Branches with other names have other
// blocks.
func Branch(t testing.TB, e *chain.Engine, name string, parent *state.Block, height int32, n int, txs ...*wire.MsgTx) []*state.Block {
	t.Helper()
	var blocks []*state.Block
	for i := range n {
		b := next(parent, height+1+int32(i), fmt.Sprint(name, i), txs...)
		if _, err := e.AcceptBlock(b); err != nil {
			t.Fatal(err)
		}
		blocks, parent, txs = append(blocks, b), b, nil
	}
	return blocks
}
