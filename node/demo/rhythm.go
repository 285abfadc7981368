package demo

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"granary/chain"
	"granary/mempool"
	"granary/mine/cpu"
	"granary/mine/template"
	"granary/node/life"
	"granary/params"
	"granary/state"
)

const (
	// FirstBlocks are mined at once: coinbases of the first can be spent and
	// goods records are allowed after them.
	FirstBlocks = 101
	// DefaultInterval is the pause between blocks at first; see Every.
	DefaultInterval = time.Minute
	// demoCalm lets most days of the demo be good ones.
	demoCalm = 6

	minePause    = 5 * time.Second // after a failure
	minePauseMax = 2 * time.Minute
)

// Every is the pause before the block after height. Regtest halves its subsidy
// every 150 blocks and makes 15,000 coins in all. At one block a minute, half
// of what is ever issued would be out in two and a half hours and a coin a
// block in 14, so each halving lengthens the pause by the first one: with a
// minute, the eras take 2.5, 2.5, 5, 7.5, 10 ... hours. After a day the chain
// is in its fifth era, after five days in its tenth, still issuing.
func Every(first time.Duration, height, halvingBlocks int32) time.Duration {
	era := int64((height + 1) / halvingBlocks)
	return first * time.Duration(max(1, min(era, 60)))
}

// Parts are the services of the node that the demo works on.
type Parts struct {
	Net   *params.Network
	Chain *chain.Engine
	Pool  *mempool.Pool
	Miner *cpu.Miner
	Log   *slog.Logger
}

// Work mines the first blocks at once and then one after each pause, and lets
// the demo's people act before each.
type Work struct {
	Interval    time.Duration
	MinerScript []byte
	// Keys let the people of the demo's charter live; nil leaves the chain
	// to itself.
	Keys    *Keys
	Charter *params.Charter
}

// people are those of the demo, nil where there are none. Their chances follow
// from the seed of the keys and the height, so that a second start does not
// repeat the first.
func (w *Work) people(n Parts) *life.Life {
	if w.Keys == nil || w.Charter == nil {
		return nil
	}
	return life.New(life.Options{
		Charter: w.Charter, Chain: n.Chain, Keys: w.Keys, Secret: w.Keys.seed[:], Log: n.Log,
		Calm: demoCalm, Seed: binary.BigEndian.Uint64(w.Keys.seed[:]) + uint64(n.Chain.Tip().Height),
		Give: func(tx *state.Tx) error { _, err := n.Pool.Accept(tx); return err },
	})
}

// Run works until ctx ends. An error is final: nothing here can mine.
func (w *Work) Run(ctx context.Context, n Parts) error {
	if err := w.first(ctx, n); err != nil {
		return err
	}
	people := w.people(n)
	pause := minePause
	for {
		tip := n.Chain.Tip()
		wait := time.NewTimer(Every(w.Interval, tip.Height, n.Net.SubsidyHalvingInterval))
		select {
		case <-ctx.Done():
			wait.Stop()
			return nil
		case <-wait.C:
		}
		if people != nil && tip.Height >= FirstBlocks {
			if err := people.Step(); err != nil {
				n.Log.Warn("the demo's people stood still", "err", err)
			}
		}
		_, err := n.Miner.MineOne(ctx, w.MinerScript)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, template.ErrSealed):
			return err
		case err != nil:
			n.Log.Warn("no block was mined", "err", err, "again in", pause)
			if !sleep(ctx, pause) {
				return nil
			}
			pause = min(2*pause, minePauseMax)
		default:
			pause = minePause
			tip := n.Chain.Tip()
			n.Log.Info("mined", "height", tip.Height, "hash", tip.Hash)
		}
	}
}

// first brings a young chain to FirstBlocks.
func (w *Work) first(ctx context.Context, n Parts) error {
	start, began := n.Chain.Tip().Height, time.Now()
	for height := start; height < FirstBlocks; height = n.Chain.Tip().Height {
		if _, err := n.Miner.Generate(ctx, int(FirstBlocks-height), w.MinerScript, 1<<62); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("mining the first blocks: %w", err)
		}
	}
	if start < FirstBlocks {
		n.Log.Info("mined the first blocks", "from", start+1, "to", n.Chain.Tip().Height, "took", time.Since(began).Round(time.Millisecond))
	}
	return nil
}

func sleep(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
