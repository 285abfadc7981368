package node

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"granary/base/files"
	"granary/mempool"
	"granary/mempool/fees"
)

// The files of the mempool in the network's folder, by Bitcoin Core's names.
const (
	mempoolFile = "mempool.dat"
	feesFile    = "fee_estimates.dat"
)

// saveFeesEvery is how often what was learned about fees is written.
const saveFeesEvery = time.Hour

// startMempool opens the mempool with its memory of fees and lets it follow the
// chain. What waited at the last stop is offered to it beside the start.
func (n *Node) startMempool(ctx context.Context) error {
	if err := n.loadFees(); err != nil {
		return err
	}
	options := n.Config.Mempool()
	options.Chain, options.Scripts, options.Clock, options.Log = n.Chain, n.Scripts, n.Clock, rateLimited(n.Log)
	options.Fees = n.Fees
	n.Pool = mempool.New(options)
	if err := n.Chain.Follow(ctx, n.Pool, n.Chain.Tip().Hash, nil); err != nil {
		return err
	}
	n.keepMempool()
	return nil
}

// loadFees reads what an earlier run learned. A file that is not ours, as one
// of Bitcoin Core's of the same name, is not written over at the stop.
func (n *Node) loadFees() error {
	n.Fees = fees.New()
	err := n.Fees.Load(vfs.Default, n.Config.NetDir, feesFile, n.Clock.Now(), n.Config.AcceptStaleFeeEstimates)
	switch {
	case errors.Is(err, fees.ErrDamaged):
		n.Log.Warn(feesFile + " is damaged or another program's and was set aside as " + feesFile + ".damaged: fee estimates start anew")
		return files.SetAside(vfs.Default, n.Config.NetDir, feesFile)
	case errors.Is(err, fees.ErrStale):
		n.Log.Warn("fee estimates start anew", "err", err)
		return nil
	}
	return err
}

// keepMempool reads the mempool's file on a goroutine, and at the stop writes
// the mempool, unless its file was never read to the end.
func (n *Node) keepMempool() {
	ctx, stop := context.WithCancel(context.Background())
	var work sync.WaitGroup
	if n.Config.PersistMempool {
		work.Go(func() { n.loaded.Store(n.loadMempool(ctx)) })
	}
	work.Go(func() { n.saveFees(ctx) })
	n.add("mempool", func() error {
		stop()
		work.Wait()
		err := n.Fees.Save(vfs.Default, n.Config.NetDir, feesFile, n.Clock.Now())
		if n.loaded.Load() {
			_, saveErr := n.saveMempool()
			err = errors.Join(err, saveErr)
		}
		return err
	})
}

// loadMempool reports whether the file was read to the end.
func (n *Node) loadMempool(ctx context.Context) bool {
	l, damaged, err := n.Pool.LoadOwn(ctx, vfs.Default, n.Config.NetDir, mempoolFile)
	switch {
	case ctx.Err() != nil:
		return false
	case err != nil:
		n.Log.Warn("what waited at the last stop could not be read", "err", err)
		return false
	case damaged:
		n.Log.Warn(mempoolFile + " is damaged and was set aside as " + mempoolFile + ".damaged: the mempool starts empty")
	case l != mempool.Loaded{}:
		n.Log.Info("what waited at the last stop was read", "accepted", l.Accepted, "already", l.Already, "refused", l.Failed, "expired", l.Expired)
	}
	return true
}

// saveMempool writes what waits and tells where.
func (n *Node) saveMempool() (path string, err error) {
	_, err = n.Pool.Save(vfs.Default, n.Config.NetDir, mempoolFile)
	return filepath.Join(n.Config.NetDir, mempoolFile), err
}

// importMempool reads a file of another run or program.
func (n *Node) importMempool(ctx context.Context, path string, o mempool.LoadOptions) (mempool.Loaded, error) {
	return n.Pool.Load(ctx, vfs.Default, path, o)
}

// mempoolLoaded reports whether what waited at the last stop was read; without
// persistmempool there is nothing to read.
func (n *Node) mempoolLoaded() bool { return n.loaded.Load() || !n.Config.PersistMempool }

// saveFees writes what was learned about fees now and then.
func (n *Node) saveFees(ctx context.Context) {
	ticker := time.NewTicker(saveFeesEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := n.Fees.Save(vfs.Default, n.Config.NetDir, feesFile, n.Clock.Now()); err != nil {
			n.Log.Warn("fee estimates could not be written", "err", err)
		}
	}
}
