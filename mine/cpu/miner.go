package cpu

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/base/clock"
	"granary/mine/template"
	"granary/state"
)

// Builder makes the blocks that the miner solves.
type Builder interface {
	Build(minerScript []byte, extraNonce uint64) (*template.Template, error)
	BuildWith(minerScript []byte, extraNonce uint64, txs []*state.Tx) (*template.Template, error)
}

// Chain takes solved blocks.
type Chain interface {
	// AcceptBlock waits until the block is judged.
	AcceptBlock(b *state.Block) (isNew bool, err error)
}

// Options are the parts that a Miner is made of.
type Options struct {
	Builder Builder
	Chain   Chain
	Clock   clock.Clock // nil: the machine's
}

// Miner makes blocks. Its methods are safe for concurrent use.
type Miner struct {
	builder Builder
	chain   Chain
	clock   clock.Clock
	extra   atomic.Uint64 // no two templates share one
}

// NewMiner puts the parts together.
func NewMiner(o Options) *Miner {
	m := &Miner{builder: o.Builder, chain: o.Chain, clock: o.Clock}
	if m.clock == nil {
		m.clock = clock.Real{}
	}
	m.extra.Store(uint64(m.clock.Now().UnixNano()))
	return m
}

// DefaultTries is how many hashes generatetoaddress tries for all its blocks.
const DefaultTries = 1_000_000

// Generate makes count blocks on the tip, one after the other, whose coinbases
// pay script, and gives the ids of those that were made. It stops early,
// without an error, after tries hashes (as Bitcoin Core does), and with one if
// the context ends or a block is refused. A block's time is the clock's, or
// the earliest that the rules allow.
func (m *Miner) Generate(ctx context.Context, count int, script []byte, tries int64) ([]chainhash.Hash, error) {
	ids := make([]chainhash.Hash, 0, max(0, min(count, 1024)))
	for len(ids) < count && tries > 0 {
		// Easy blocks are found before the search looks at ctx.
		if err := ctx.Err(); err != nil {
			return ids, err
		}
		t, err := m.builder.Build(script, m.extra.Add(1))
		if err != nil {
			return ids, err
		}
		found, used, err := m.solve(ctx, t, tries)
		tries -= used
		if err != nil || !found {
			return ids, err
		}
		id, err := m.submit(t)
		if err != nil {
			return ids, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// GenerateBlock makes one block with exactly these transactions and hands it
// to the chain if submit says so.
func (m *Miner) GenerateBlock(ctx context.Context, script []byte, txs []*state.Tx, submit bool) (*state.Block, error) {
	t, err := m.builder.BuildWith(script, m.extra.Add(1), txs)
	if err != nil {
		return nil, err
	}
	found, _, err := m.solve(ctx, t, DefaultTries)
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, fmt.Errorf("no block within %d hashes: the difficulty is too high for a processor", DefaultTries)
	case !submit:
		return state.NewBlock(t.Block), nil
	}
	b := state.NewBlock(t.Block)
	return b, m.give(b)
}

// solve searches within tries hashes, taking a new extra nonce for every 2^32.
func (m *Miner) solve(ctx context.Context, t *template.Template, tries int64) (found bool, used int64, err error) {
	target, ok := state.TargetOf(t.Block.Header.Bits)
	if !ok {
		return false, 0, fmt.Errorf("bits %08x name no target", t.Block.Header.Bits)
	}
	for used < tries {
		found, n, err := SolveWithin(ctx, &t.Block.Header, &target, tries-used)
		used += n
		if found || err != nil {
			return found, used, err
		}
		t.SetExtraNonce(m.extra.Add(1))
	}
	return false, used, nil
}

func (m *Miner) submit(t *template.Template) (chainhash.Hash, error) {
	b := state.NewBlock(t.Block)
	return b.Hash, m.give(b)
}

func (m *Miner) give(b *state.Block) error {
	if _, err := m.chain.AcceptBlock(b); err != nil {
		return fmt.Errorf("the chain refused the new block %v: %w", b.Hash, err)
	}
	return nil
}

// templateLife is how long a search goes on before the pool and the tip are
// looked at again.
const templateLife = 10 * time.Second

// MineOne makes one block, however long it takes: the template is renewed
// while the search goes on, so that it follows the tip and the pool. The error
// is ctx's where it ends first.
func (m *Miner) MineOne(ctx context.Context, script []byte) (chainhash.Hash, error) {
	for ctx.Err() == nil {
		t, err := m.builder.Build(script, m.extra.Add(1))
		if err != nil {
			return chainhash.Hash{}, err
		}
		life, cancel := context.WithTimeout(ctx, templateLife)
		found, _, err := m.solve(life, t, math.MaxInt64)
		cancel()
		if found {
			return m.submit(t)
		}
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return chainhash.Hash{}, err
		}
	}
	return chainhash.Hash{}, ctx.Err()
}
