package zmq

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/chain"
	"granary/mempool"
	"granary/state"
)

// TipSource is what the publisher asks the chain.
type TipSource interface {
	// Tip takes no lock.
	Tip() *state.Header
}

var (
	_ chain.Follower = (*Publisher)(nil)
	_ TipSource      = (*chain.Engine)(nil)
)

// shown gives a hash in the order in which it is shown.
func shown(hash chainhash.Hash) []byte {
	slices.Reverse(hash[:])
	return hash[:]
}

// Connect implements chain.Follower.
func (p *Publisher) Connect(ev *chain.Event) error {
	p.blockTxs(ev.Block)
	p.publish("sequence", func() []byte { return append(shown(ev.Header.Hash), 'C') })
	if ev.Header != p.o.Tip.Tip() || p.o.Syncing != nil && p.o.Syncing() {
		return nil
	}
	p.publish("hashblock", func() []byte { return shown(ev.Header.Hash) })
	p.publish("rawblock", func() []byte { return bytes.Clone(ev.Block.Raw) })
	return nil
}

// Disconnect implements chain.Follower.
func (p *Publisher) Disconnect(ev *chain.Event) error {
	p.blockTxs(ev.Block)
	p.publish("sequence", func() []byte { return append(shown(ev.Header.Hash), 'D') })
	return nil
}

// Prune implements chain.Follower; nothing is told of it.
func (p *Publisher) Prune(int32) error { return nil }

func (p *Publisher) blockTxs(b *state.Block) {
	for i := range b.Txids {
		p.publish("hashtx", func() []byte { return shown(b.Txids[i]) })
		p.publish("rawtx", func() []byte { return bytes.Clone(b.Tx(i).Raw) })
	}
}

// PoolChanged is for mempool.Pool.Watch: it tells of a transaction that came,
// or left otherwise than into a block. It is quick and does not call the pool.
func (p *Publisher) PoolChanged(c mempool.Change) {
	tx := c.Entry.Tx
	label := byte('R')
	switch {
	case c.Added:
		label = 'A'
		p.publish("hashtx", func() []byte { return shown(tx.Txid) })
		p.publish("rawtx", func() []byte { return tx.Raw })
	case c.Why == mempool.Confirmed:
		return
	}
	p.publish("sequence", func() []byte {
		return binary.LittleEndian.AppendUint64(append(shown(tx.Txid), label), c.Sequence)
	})
}
