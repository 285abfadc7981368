package node

import (
	"context"
	"path/filepath"
	"time"

	"granary/index/tx"
)

// indexCacheBytes is the memory of the transaction index's database.
const indexCacheBytes = 16 << 20

// startIndex opens the transaction index, where it is wanted, and brings it up
// to the chain.
func (n *Node) startIndex(ctx context.Context) error {
	if !n.Config.TxIndex {
		return nil
	}
	n.tell("Bringing the transaction index up to the chain")
	index, err := tx.Open(tx.Options{
		Dir: filepath.Join(n.Config.NetDir, "indexes", "txindex"), Net: n.Config.Net, CharterID: charterID(n.Config),
		CacheBytes: indexCacheBytes, Log: n.Log,
	})
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
