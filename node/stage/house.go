package stage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"granary/base/clock"
	"granary/chain"
	"granary/mempool"
	"granary/mine/cpu"
	"granary/mine/template"
	"granary/params"
	"granary/rules/block"
	"granary/rules/goods"
	"granary/rules/script"
	"granary/state"
	"granary/store"
)

// House is a whole node without doors, for plays: chain, mempool and miner in
// one directory. It is for one goroutine.
type House struct {
	Net     *params.Network
	Charter *params.Charter
	Chain   *chain.Engine
	Pool    *mempool.Pool
	Miner   *cpu.Miner
	Builder *template.Builder
	Cast    *Cast
	// MinerScript earns the fees.
	MinerScript []byte
	// Seen, if set, hears every block with what it did to the goods.
	Seen func(*chain.Event)

	store   *store.Store
	scripts *script.Checker
}

// houseCacheBytes is plenty for a play.
const houseCacheBytes = 64 << 20

// OpenHouse opens or begins the chain of a charter in dir. A nil clock is the
// machine's, a nil log drops everything.
func OpenHouse(ctx context.Context, dir string, charter *params.Charter, clk clock.Clock, log *slog.Logger) (h *House, err error) {
	if clk == nil {
		clk = clock.Real{}
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	net, err := charter.Network()
	if err != nil {
		return nil, err
	}
	h = &House{Net: net, Charter: charter}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.Close())
		}
	}()
	if h.store, err = store.Open(store.Options{Dir: dir, Net: net, CharterID: charter.ID(), CacheBytes: houseCacheBytes, Log: log}); err != nil {
		return h, err
	}
	rules := block.Rules{Net: net, Charter: charter}
	h.scripts = script.NewChecker(script.Options{})
	if h.Chain, err = chain.Open(chain.Options{Store: h.store, Rules: rules, Scripts: h.scripts, Clock: clk, Log: log}); err != nil {
		return h, err
	}
	h.Pool = mempool.New(mempool.Options{Chain: h.Chain, Rules: rules, Scripts: h.scripts, Clock: clk, Standard: true, Log: log})
	if err = h.Chain.Follow(ctx, h.Pool, h.Chain.Tip().Hash, nil); err != nil {
		return h, err
	}
	vault := template.NewVault(h.Chain, charter)
	if err = h.Chain.Follow(ctx, vault, h.Chain.Tip().Hash, nil); err != nil {
		return h, err
	}
	h.Builder = template.NewBuilder(template.Options{Chain: h.Chain, Pool: h.Pool, Rules: rules, Scripts: h.scripts, Clock: clk, Vault: vault})
	h.Miner = cpu.NewMiner(cpu.Options{Builder: h.Builder, Chain: h.Chain, Clock: clk})
	h.Cast = New(charter, h.Chain)
	return h, h.Chain.Follow(ctx, watcher{h}, h.Chain.Tip().Hash, nil)
}

// watcher tells Seen of blocks.
type watcher struct{ h *House }

func (w watcher) Connect(e *chain.Event) error {
	if w.h.Seen != nil {
		w.h.Seen(e)
	}
	return nil
}
func (watcher) Disconnect(*chain.Event) error { return nil }
func (watcher) Prune(int32) error             { return nil }

// Close stops everything; the directory stays.
func (h *House) Close() error {
	var errs []error
	if h.Chain != nil {
		errs = append(errs, h.Chain.Close())
	}
	if h.scripts != nil {
		h.scripts.Close()
	}
	if h.store != nil {
		errs = append(errs, h.store.Close())
	}
	return errors.Join(errs...)
}

// Give puts a transaction into the mempool, as a wallet would. A coin that a
// refused one spends may be spent again.
func (h *House) Give(tx *state.Tx, err error) (*state.Tx, error) {
	if err != nil {
		return nil, err
	}
	if _, err := h.Pool.Accept(tx); err != nil {
		h.Cast.Forget(tx)
		return nil, err
	}
	return tx, nil
}

// Mine makes n blocks from the mempool.
func (h *House) Mine(ctx context.Context, n int) error {
	ids, err := h.Miner.Generate(ctx, n, h.MinerScript, 1<<40)
	if err == nil && len(ids) < n {
		err = fmt.Errorf("%d of %d blocks were found", len(ids), n)
	}
	return err
}

// MineWith makes one block with exactly these transactions. The error is a
// RuleError where the block is invalid.
func (h *House) MineWith(ctx context.Context, txs ...*state.Tx) (*state.Block, error) {
	return h.Miner.GenerateBlock(ctx, h.MinerScript, txs, true)
}

// Height is that of the tip.
func (h *House) Height() int32 { return h.Chain.Tip().Height }

// CheckState counts the whole goods state again.
func (h *House) CheckState() error {
	return h.Chain.View(func(tip *state.Header, v state.View) error {
		return goods.CheckState(h.Charter, tip.Height, v, h.Chain.RangeCoins)
	})
}
