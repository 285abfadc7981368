package node

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"

	"granary/base/clock"
	"granary/chain"
	"granary/config"
	"granary/params"
	"granary/rules/block"
	"granary/rules/script"
	"granary/store"
)

// scriptCacheBytes bounds the memory of checked scripts.
const scriptCacheBytes = 32 << 20

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
	// Told, if set, hears what the start is busy with.
	Told func(doing string)
}

// OpenCore locks the data directory and opens store and chain. With the
// configuration's reindex the state is built anew from the block files first.
func OpenCore(c *config.Config, o CoreOptions) (*Core, error) {
	dir, err := openDirectory(c)
	if err != nil {
		return nil, err
	}
	core, err := openCoreIn(c, dir, o)
	if err != nil {
		return nil, errors.Join(err, dir.close())
	}
	return core, nil
}

// openCoreIn is OpenCore in a locked directory, which the Core closes.
func openCoreIn(c *config.Config, dir *directory, o CoreOptions) (*Core, error) {
	core := &Core{
		Rules: block.Rules{Net: c.Net, Charter: c.Charter},
		Clock: &clock.Mock{Base: clock.Real{}},
	}
	tell := func(doing string) {
		if o.Told != nil {
			o.Told(doing)
		}
	}
	tell("Opening the database")
	var err error
	core.Store, err = store.Open(store.Options{
		Dir: c.NetDir, Net: c.Net, CharterID: charterID(c), CacheBytes: int64(c.DBCacheMiB) << 20,
		Log: o.Log, Reindex: c.Reindex,
	})
	if err != nil {
		return nil, err
	}
	if !o.SkipScripts {
		core.Scripts = script.NewChecker(script.Options{Workers: Workers(c.Par), CacheBytes: scriptCacheBytes})
	}
	tell("Loading the block index")
	core.Chain, err = chain.Open(chain.Options{
		Store: core.Store, Rules: core.Rules, Scripts: core.Scripts, Clock: core.Clock, Log: o.Log,
		PruneTargetBytes: pruneTargetBytes(c),
	})
	if err != nil {
		return nil, errors.Join(err, core.closeStore())
	}
	core.dir = dir
	return core, nil
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

func charterID(c *config.Config) params.CharterID {
	if c.Charter == nil {
		return params.CharterID{}
	}
	return c.Charter.ID()
}

// pruneTargetBytes is 0 where the engine does not prune by itself.
func pruneTargetBytes(c *config.Config) int64 {
	if c.PruneMiB <= 1 {
		return 0
	}
	return int64(c.PruneMiB) << 20
}

// Workers gives the number of script threads that --par means on this
// machine.
func Workers(par int) int {
	cores := runtime.GOMAXPROCS(0)
	switch {
	case par > 0:
		return par
	case par < 0:
		return max(1, cores+par)
	}
	return cores
}

// describe is the first line of a node's log.
func describe(c *config.Config) string {
	if c.Charter == nil {
		return fmt.Sprintf("%s, plain Bitcoin rules, data in %s", c.Net.Name, c.NetDir)
	}
	return fmt.Sprintf("%s, charter %q (%s), data in %s", c.Net.Name, c.Charter.Name, c.Charter.ID(), c.NetDir)
}
