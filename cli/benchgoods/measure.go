package benchgoods

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/spf13/pflag"

	"granary/config"
	"granary/node"
	"granary/params"
	"granary/state"
)

// Options are the shape of the bench.
type Options struct {
	// Dir is the data directory; it must be empty.
	Dir string
	// Receipts and Claims are how many there are open when the chain is full.
	Receipts, Claims int
	// Blocks are measured of each kind, Calls of each method.
	Blocks, Calls int
	// DBCacheMiB is as for a node.
	DBCacheMiB int
	// ProfileDir, if set, gets processor profiles of the measured blocks.
	ProfileDir string
	// Version is the program's.
	Version string
	// Progress, if set, hears what is being done and how far it is.
	Progress func(doing string, done, of int)
}

// Bounds of Options.
const (
	smallReceipts = 1_000
	smallDrawn    = 300
	smallClaims   = 600
	maxReceipts   = 4_000_000
	claimsPerDraw = 10
)

// Check refuses shapes that cannot be made.
func (o *Options) Check() error {
	switch {
	case o.Receipts < smallReceipts || o.Receipts > maxReceipts:
		return fmt.Errorf("the number of receipts must be from %d to %d", smallReceipts, maxReceipts)
	case o.Claims < smallClaims || o.Claims > 10*o.Receipts || o.Claims > 1_000_000:
		return fmt.Errorf("the number of claims must be from %d to ten a receipt, at most 1000000", smallClaims)
	case o.Blocks < 1 || o.Blocks > 100 || o.Calls < 1 || o.Calls > 100_000:
		return errors.New("1 to 100 blocks and 1 to 100000 calls can be measured")
	}
	return nil
}

// bench is one run.
type bench struct {
	Options
	charter *params.Charter
	config  *config.Config
	core    *node.Core
	maker   *maker
}

// Run makes the chain and measures. It stops between blocks when ctx ends.
func Run(ctx context.Context, o Options) (*Result, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	if o.Progress == nil {
		o.Progress = func(string, int, int) {}
	}
	b := &bench{Options: o}
	result, err := b.run(ctx)
	if b.core != nil {
		err = errors.Join(err, b.core.Close())
	}
	return result, err
}

func (b *bench) run(ctx context.Context) (*Result, error) {
	var err error
	if b.charter, err = newCharter(); err != nil {
		return nil, err
	}
	if b.config, err = b.configure(); err != nil {
		return nil, err
	}
	b.maker = newMaker(b.config.Rules(), 1, b.Progress)
	r := &Result{RecordsPerBlock: RecordsPerBlock, Blocks: b.Blocks, Calls: b.Calls, Processors: runtime.GOMAXPROCS(0), Custodians: custodianCount, CharterBytes: len(b.charter.Canonical())}
	if r.Small, err = b.stage(ctx, size{smallReceipts, smallDrawn, smallClaims}); err != nil {
		return nil, err
	}
	full := size{b.Receipts, max(smallDrawn, b.Claims/claimsPerDraw), b.Claims}
	if r.Full, err = b.stage(ctx, full); err != nil {
		return nil, err
	}
	r.ratios()
	return r, nil
}

// configure fills a node's configuration in the bench's directory.
func (b *bench) configure() (*config.Config, error) {
	charter, err := writeCharter(b.Dir, b.charter)
	if err != nil {
		return nil, err
	}
	set := pflag.NewFlagSet("bench", pflag.ContinueOnError)
	config.AddFlags(set)
	args, err := b.flags(charter)
	if err != nil {
		return nil, err
	}
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	c, err := config.Load(set, nil)
	if err == nil && c.Charter.ID() != b.charter.ID() {
		err = errors.New("the bench's charter is another one when it is read again")
	}
	return c, err
}

// openCore opens the node without doors and tells how long it took.
func (b *bench) openCore(ctx context.Context) (time.Duration, error) {
	start := time.Now()
	core, err := node.OpenCore(ctx, b.config, node.CoreOptions{})
	if err != nil {
		return 0, err
	}
	b.core, b.maker.engine = core, core.Chain
	return time.Since(start), nil
}

func (b *bench) closeCore() error {
	err := b.core.Close()
	b.core = nil
	return err
}

// stage brings the chain to a size and measures there.
func (b *bench) stage(ctx context.Context, to size) (s Stage, err error) {
	if _, err := b.openCore(ctx); err != nil {
		return s, err
	}
	if err := b.maker.grow(ctx, to); err != nil {
		return s, err
	}
	s.Receipts, s.Claims = int(b.maker.receipts), b.maker.openClaims()
	b.Progress("making what is measured", 0, 0)
	raws, err := b.maker.ahead(3 * b.Blocks)
	if err != nil {
		return s, err
	}
	if err := b.closeCore(); err != nil {
		return s, err
	}
	resetPeakMemory()
	b.Progress("measuring", 0, 0)
	if err := b.measureCore(ctx, &s, raws[:warmUpBlocks+2*b.Blocks]); err != nil {
		return s, err
	}
	if err := b.measureNode(ctx, &s, raws[warmUpBlocks+2*b.Blocks:]); err != nil {
		return s, err
	}
	return s, b.sizes(&s)
}

// measureCore opens the core, gives it blocks, and measures the rules alone on
// as many more.
func (b *bench) measureCore(ctx context.Context, s *Stage, raws [][]byte) error {
	opened, err := b.openCore(ctx)
	if err != nil {
		return err
	}
	s.OpenCore = seconds(opened)
	for _, raw := range raws[:warmUpBlocks] {
		if _, err := accept(b.core, raw); err != nil {
			return err
		}
	}
	raws = raws[warmUpBlocks:]
	err = b.profiled(s, "engine", func() error {
		for _, raw := range raws[:b.Blocks] {
			before := processorTime()
			took, err := accept(b.core, raw)
			if err != nil {
				return err
			}
			s.coreBlocks, s.processor = append(s.coreBlocks, took), append(s.processor, processorTime()-before)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, raw := range raws[b.Blocks:] {
		took, err := connect(b.core, raw)
		if err != nil {
			return err
		}
		s.rules = append(s.rules, took)
		if _, err := accept(b.core, raw); err != nil {
			return err
		}
	}
	s.Height = b.core.Chain.Tip().Height
	return b.closeCore()
}

// accept gives the engine a block whose header it knows and tells how long
// that took until the block was the durable tip.
func accept(core *node.Core, raw []byte) (time.Duration, error) {
	block, err := state.DecodeBlock(raw)
	if err != nil {
		return 0, err
	}
	if _, err := core.Chain.AcceptHeader(&block.Msg.Header); err != nil {
		return 0, err
	}
	start := time.Now()
	if _, err := core.Chain.AcceptBlock(block); err != nil {
		return 0, err
	}
	took := time.Since(start)
	if tip := core.Chain.Tip(); tip.Hash != block.Hash {
		return 0, fmt.Errorf("the tip is %d %v, it should be the measured block %v", tip.Height, tip.Hash, block.Hash)
	}
	return took, nil
}

// connect judges a block on the tip's state, without scripts, and keeps
// nothing of it.
func connect(core *node.Core, raw []byte) (took time.Duration, err error) {
	block, err := state.DecodeBlock(raw)
	if err != nil {
		return 0, err
	}
	err = core.Chain.View(func(tip *state.Header, v state.View) error {
		h := state.NewHeader(&block.Msg.Header, tip)
		start := time.Now()
		_, _, _, err := core.Rules.Connect(block, h, v, nil)
		took = time.Since(start)
		return err
	})
	return took, err
}
