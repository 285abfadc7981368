package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"granary/base/clock"
	"granary/chain"
	"granary/config"
	"granary/rules/block"
	"granary/rules/script"
	"granary/store"
)

// Core is a chain without doors: what import and check need. It holds the
// data directory's lock.
type Core struct {
	Store   *store.Store
	Scripts *script.Checker // nil where scripts are not checked
	Rules   block.Rules
	Chain   *chain.Engine
	Clock   *clock.Mock

	dir *directory
}

// CoreOptions are what a command may change of the core.
type CoreOptions struct {
	Log *slog.Logger // nil: none
	// SkipScripts leaves script checks out: for measuring what they cost.
	SkipScripts bool
	// Told, if set, hears what the start is busy with; Progress hears how far
	// a reindex has come.
	Told     func(doing string)
	Progress func(chain.Progress)
}

// OpenCore locks the data directory and opens store and chain. With the
// configuration's reindex the state is built anew from the block files first.
func OpenCore(ctx context.Context, c *config.Config, o CoreOptions) (*Core, error) {
	boundMemory(c, 0)
	dir, err := openDirectory(c)
	if err != nil {
		return nil, err
	}
	core, err := openCoreIn(ctx, c, dir, o)
	if err != nil {
		return nil, errors.Join(err, dir.close())
	}
	return core, nil
}

// openCoreIn is OpenCore in a locked directory, which the Core closes.
func openCoreIn(ctx context.Context, c *config.Config, dir *directory, o CoreOptions) (*Core, error) {
	core := &Core{
		Rules: c.Rules(),
		Clock: &clock.Mock{Base: clock.Real{}},
	}
	if c.MockTime > 0 {
		core.Clock.Set(time.Unix(int64(c.MockTime), 0))
	}
	tell := func(doing string) {
		if o.Told != nil {
			o.Told(doing)
		}
	}
	tell("Opening the database")
	var err error
	stored := c.Store()
	stored.Log = o.Log
	core.Store, err = store.Open(stored)
	if err != nil {
		return nil, err
	}
	if !o.SkipScripts {
		core.Scripts = script.NewChecker(c.Script())
	}
	tell("Loading the block index")
	engine := c.Chain()
	engine.Store, engine.Scripts, engine.Clock, engine.Log = core.Store, core.Scripts, core.Clock, o.Log
	core.Chain, err = chain.Open(engine)
	if err != nil {
		return nil, errors.Join(err, core.closeStore())
	}
	core.dir = dir
	if err := core.reindex(ctx, o, tell); err != nil {
		return nil, errors.Join(err, core.Chain.Close(), core.closeStore())
	}
	return core, nil
}

// reindex builds the state anew where that is due: asked for now, or begun in
// a run that did not finish. Damaged records are logged and left out.
func (c *Core) reindex(ctx context.Context, o CoreOptions, tell func(string)) error {
	if !c.Chain.Reindexing() {
		return nil
	}
	tell("Building the state from the block files")
	_, err := c.Chain.Reindex(ctx, o.Progress)
	var refused *chain.RefusedError
	if errors.As(err, &refused) && o.Log != nil {
		o.Log.Warn("some records of the block files were left out", "err", err)
		return nil
	}
	return err
}

// Close stops the engine, then the store, and unlocks the directory. The
// error is why the engine had to stop, or what closing met.
func (c *Core) Close() error {
	err := c.Chain.Close()
	return errors.Join(err, c.closeStore(), c.dir.close())
}

func (c *Core) closeStore() error {
	if c.Scripts != nil {
		c.Scripts.Close()
	}
	return c.Store.Close()
}

// describe is the first line of a node's log.
func describe(c *config.Config) string {
	if c.Charter == nil {
		return fmt.Sprintf("%s, plain Bitcoin rules, data in %s", c.Net.Name, c.NetDir)
	}
	return fmt.Sprintf("%s, charter %q (%s), data in %s", c.Net.Name, c.Charter.Name, c.Charter.ID(), c.NetDir)
}
