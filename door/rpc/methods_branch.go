package rpc

import (
	"errors"
	"math"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/chain"
	"granary/params"
)

func branchMethods() []Method {
	block := []Param{{Name: "blockhash", Type: Hash, Help: "The block."}}
	return []Method{
		{
			Name: "invalidateblock", Family: familyChain, Params: block, Result: "null",
			Summary: "Treats a block as invalid for good, with all that builds on it.",
			run: func(c *call) (any, error) {
				return c.steer(c.Chain.Invalidate)
			},
		},
		{
			Name: "reconsiderblock", Family: familyChain, Params: block, Result: "null",
			Summary: "Takes the mark of invalidity off a block and its descendants, and tries them again.",
			run: func(c *call) (any, error) {
				return c.steer(c.Chain.Reconsider)
			},
		},
		{
			Name: "preciousblock", Family: familyChain, Params: block, Result: "null",
			Summary: "Prefers a block to others of the same work, until the program ends.",
			run: func(c *call) (any, error) {
				return c.steer(c.Chain.Precious)
			},
		},
		{
			Name: "pruneblockchain", Family: familyChain,
			Summary: "Deletes old block files (needs --prune).",
			Params:  []Param{{Name: "height", Type: Integer, Help: "The highest block that may go, or Unix seconds above 1000000000."}},
			Result:  "The height of the last block that was deleted.",
			run:     pruneBlockchain,
		},
		{
			Name: "verifychain", Family: familyChain,
			Summary: "Checks the last blocks once more.",
			Params: []Param{
				{Name: "checklevel", Type: Integer, Optional: true, Default: "3", Help: "0 reads them, 1 checks them, 2 reads their undo, 3 takes them back in memory, 4 connects them again."},
				{Name: "nblocks", Type: Integer, Optional: true, Default: "6", Help: "How many; 0 for all."},
			},
			Result: "True, or false with the reason in the log.",
			run:    verifyChain,
		},
	}
}

// steer runs one of the three verbs that choose between branches.
func (c *call) steer(verb func(chainhash.Hash) error) (any, error) {
	hash, err := c.hash("blockhash")
	if err != nil {
		return nil, err
	}
	switch err := verb(hash); {
	case errors.Is(err, chain.ErrUnknownBlock):
		return nil, errorf(CodeInvalidAddress, "Block not found")
	case err != nil:
		return nil, errorf(CodeDatabase, "%v", err)
	}
	return nil, nil
}

func pruneBlockchain(c *call) (any, error) {
	if !c.Prune {
		return nil, errorf(CodeMisc, "Cannot prune blocks because node is not in prune mode.")
	}
	n, err := c.integer("height", 0)
	if err != nil {
		return nil, err
	}
	if n < 0 {
		return nil, errorf(CodeInvalidParameter, "Negative block height.")
	}
	tip := c.Chain.Tip()
	const firstTime = 1_000_000_000
	if n > firstTime {
		h := tip
		for h.Parent != nil && h.Raw.Timestamp.Unix() >= n-params.MaxFutureSeconds {
			h = h.Parent
		}
		n = int64(h.Height)
	}
	if n > int64(tip.Height) {
		return nil, errorf(CodeInvalidParameter, "Blockchain is shorter than the attempted prune height.")
	}
	if err := c.Chain.Prune(max(0, min(int32(n), tip.Height-params.MinBlocksToKeep))); err != nil {
		return nil, errorf(CodeMisc, "%v", err)
	}
	return c.pruneHeight(tip) - 1, nil
}

func verifyChain(c *call) (any, error) {
	level, err := c.int32("checklevel", 3)
	if err != nil {
		return nil, err
	}
	count, err := c.int32("nblocks", 6)
	if err != nil {
		return nil, err
	}
	if err := c.Chain.VerifyChain(int(level), int(count)); err != nil {
		c.server.opts.Log.Error("verifychain found a fault", "why", err)
		return false, nil
	}
	return true, nil
}

// setMockTime is in this file because it steers what headers are accepted.
func setMockTime(c *call) (any, error) {
	if !c.server.opts.Net.NoRetargeting {
		return nil, errorf(CodeMisc, "setmocktime is for regression testing (-regtest mode) only")
	}
	const latest = math.MaxInt64 / int64(time.Second)
	seconds, err := c.integer("timestamp", 0)
	if err != nil {
		return nil, err
	}
	if seconds < 0 || seconds > latest {
		return nil, errorf(CodeInvalidParameter, "Mocktime must be in the range [0, %d], not %d.", latest, seconds)
	}
	if seconds == 0 {
		c.Clock.Set(time.Time{})
	} else {
		c.Clock.Set(time.Unix(seconds, 0))
	}
	return nil, nil
}
