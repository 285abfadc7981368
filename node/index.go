package node

import (
	"context"
	"time"

	"granary/index/tx"
)

// startIndex opens the transaction index, where it is wanted, and brings it up
// to the chain.
func (n *Node) startIndex(ctx context.Context) error {
	if !n.Config.TxIndex {
		return nil
	}
	n.tell("Bringing the transaction index up to the chain")
	options := n.Config.TxIndexOptions()
	options.Log = n.Log
	index, err := tx.Open(options)
	if err != nil {
		return err
	}
	n.add("transaction index", index.Close)
	said := time.Now()
	err = index.Sync(ctx, n.Chain, func(height, tip int32) {
		if time.Since(said) > 10*time.Second {
			said = time.Now()
			n.Log.Info("building the transaction index", "height", height, "of", tip)
		}
	})
	if err != nil {
		return err
	}
	n.Index = index
	return nil
}
