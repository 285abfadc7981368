package peers

import (
	"bytes"
	"encoding/hex"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/params"
	"granary/rules/block"
	"granary/state"
)

// TestWeFollowBtcd is the other direction: blocks that btcd mined, with a
// transaction that it took into its own pool and a branch that it left, on our
// plain regtest.
func TestWeFollowBtcd(t *testing.T) {
	owner := newHolder(t, "owner of btcd's coinbases", 0)
	to, err := address.NewAddressWitnessPubKeyHash(owner.script[2:], &chaincfg.RegressionNetParams)
	if err != nil {
		t.Fatal(err)
	}
	peer := startBtcd(t, "--regtest", "--miningaddr="+to.EncodeAddress())
	w := newWorld(t, block.Rules{Net: params.RegTest()})
	// btcd dates blocks by the machine's clock, and a second after the last.
	w.clock.Set(time.Now().Add(time.Hour))
	follow := func(blocks []*state.Block) {
		t.Helper()
		w.take(blocks...)
		if peer.tip() != w.tip() {
			t.Fatalf("btcd stands at %v, we at %v", peer.tip(), w.tip())
		}
	}

	early := peer.generate(110)
	if len(early) != 110 {
		t.Fatalf("btcd mined %d blocks", len(early))
	}
	follow(early)
	paid := spendCoinbase(t, peer, owner, early[0])
	later := peer.generate(3)
	if !slices.ContainsFunc(later, func(b *state.Block) bool { return slices.Contains(b.Txids, paid.Txid) }) {
		t.Fatal("btcd did not mine the transaction that it took")
	}
	follow(later)

	peer.call(nil, "invalidateblock", later[1].Hash.String())
	other := peer.generate(4)
	if other[0].Msg.Header.PrevBlock != later[0].Hash {
		t.Fatalf("btcd's other branch begins on %v, not on %v", other[0].Msg.Header.PrevBlock, later[0].Hash)
	}
	follow(other)
	if height := w.engine.Tip().Height; height != 115 {
		t.Errorf("the chain ends at %d", height)
	}
	w.must(w.engine.VerifyChain(4, 0))
}

// spendCoinbase gives btcd a transaction that splits a coinbase of its own.
func spendCoinbase(t *testing.T, peer *btcd, owner *holder, from *state.Block) *state.Tx {
	t.Helper()
	coinbase := from.Msg.Transactions[0]
	value := coinbase.TxOut[0].Value
	msg := wire.NewMsgTx(2)
	msg.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: from.Txids[0]}, nil, nil))
	for n := 1; n <= 4; n++ { // one output for each kind of script
		msg.AddTxOut(wire.NewTxOut(value/4-1_000, newHolder(t, "payee", n).script))
	}
	if err := owner.sign(msg, value); err != nil {
		t.Fatal(err)
	}
	var raw bytes.Buffer
	if err := msg.Serialize(&raw); err != nil {
		t.Fatal(err)
	}
	var txid string
	peer.call(&txid, "sendrawtransaction", hex.EncodeToString(raw.Bytes()))
	tx := state.NewTx(msg)
	if txid != tx.Txid.String() {
		t.Fatalf("btcd calls the transaction %s, we %v", txid, tx.Txid)
	}
	return tx
}
