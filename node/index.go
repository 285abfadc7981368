package node

import (
	"context"
	"time"

	"granary/index/filter"
	"granary/index/goods"
	"granary/index/tx"
)

// startIndexes opens what stands beside the chain, where it is wanted, and
// brings it up to the chain.
func (n *Node) startIndexes(ctx context.Context) error {
	if err := n.startTxIndex(ctx); err != nil {
		return err
	}
	if err := n.startFilterIndex(ctx); err != nil {
		return err
	}
	return n.startGoodsIndex(ctx)
}

// startFilterIndex starts the index of block filters, where it was asked for.
func (n *Node) startFilterIndex(ctx context.Context) error {
	if !n.Config.BlockFilterIndex {
		return nil
	}
	n.tell("Bringing the block filters up to the chain")
	options := n.Config.FilterIndexOptions()
	options.Log = n.Log
	index, err := filter.Open(options)
	if err != nil {
		return err
	}
	n.add("block filters", index.Close)
	if err := index.Sync(ctx, n.Chain, n.indexProgress("building the block filters")); err != nil {
		return err
	}
	n.Filters = index
	return nil
}

// startTxIndex starts the transaction index, where it was asked for.
func (n *Node) startTxIndex(ctx context.Context) error {
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
	if err := index.Sync(ctx, n.Chain, n.indexProgress("building the transaction index")); err != nil {
		return err
	}
	n.Index = index
	return nil
}

// startGoodsIndex starts the history of the goods, on a chain with a charter.
func (n *Node) startGoodsIndex(ctx context.Context) error {
	if n.Config.Charter == nil {
		return nil
	}
	n.tell("Bringing the goods history up to the chain")
	options := n.Config.GoodsIndexOptions()
	options.Log = n.Log
	index, err := goods.Open(options)
	if err != nil {
		return err
	}
	n.add("goods history", index.Close)
	if err := index.Sync(ctx, n.Chain, n.indexProgress("building the goods history")); err != nil {
		return err
	}
	n.Goods = index
	return nil
}

// indexProgress writes a line every ten seconds.
func (n *Node) indexProgress(doing string) func(height, tip int32) {
	said := time.Now()
	return func(height, tip int32) {
		if time.Since(said) > 10*time.Second {
			said = time.Now()
			n.Log.Info(doing, "height", height, "of", tip)
		}
	}
}
