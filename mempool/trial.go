package mempool

import (
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"granary/mempool/policy"
	"granary/state"
)

// trial is what is found out about a transaction on its way in.
type trial struct {
	tx    *state.Tx
	from  origin
	mates []*trial // of its package, before it; not in the pool
	goods *policy.Goods
	// conflicts are what it stands against and replaces. evicts says that one
	// of them is there for TRUC's sake: the only child of its parent.
	conflicts []*Entry
	evicts    bool
	spent     []*state.Coin // by input; owned
	parent    *state.Header // the tip
	entry     *Entry
	ancestors []*Entry // in the pool
}

// find gives the entry that waits, or would wait, with txid: a mate's or the
// pool's; nil if there is none.
func (p *Pool) find(txid *chainhash.Hash, mates []*trial) *Entry {
	for _, mate := range mates {
		if mate.tx.Txid == *txid {
			return mate.entry
		}
	}
	return p.txs[*txid]
}

// hasParents reports whether msg spends an output that is not confirmed.
func (p *Pool) hasParents(msg *wire.MsgTx, mates []*trial) bool {
	return slices.ContainsFunc(msg.TxIn, func(in *wire.TxIn) bool {
		return p.find(&in.PreviousOutPoint.Hash, mates) != nil
	})
}

// spends reports whether a transaction spends an output of another.
func spends(msg *wire.MsgTx, txid chainhash.Hash) bool {
	return slices.ContainsFunc(msg.TxIn, func(in *wire.TxIn) bool { return in.PreviousOutPoint.Hash == txid })
}

// spendsOutput reports whether msg spends output index of txid.
func spendsOutput(msg *wire.MsgTx, txid chainhash.Hash, index uint32) bool {
	return slices.ContainsFunc(msg.TxIn, func(in *wire.TxIn) bool {
		return in.PreviousOutPoint == wire.OutPoint{Hash: txid, Index: index}
	})
}
