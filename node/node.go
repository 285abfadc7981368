package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"granary/chain"
	"granary/config"
	"granary/door/rpc"
	"granary/door/zmq"
	"granary/index/filter"
	"granary/index/goods"
	"granary/index/tx"
	"granary/mempool"
	"granary/mempool/fees"
	"granary/mine/cpu"
	"granary/mine/template"
)

// stopGrace is how long answers under way may take when the node stops.
const stopGrace = 5 * time.Second

// Options are what a subcommand adds to the configuration.
type Options struct {
	Version string
	Console io.Writer // where printtoconsole prints
	// BlockEvery tells the page how long this node waits before the block
	// after height; nil where it does not mine by itself.
	BlockEvery func(height int32) time.Duration
	// Work, if set, runs once the node is up; the node stops when it fails.
	Work func(ctx context.Context, n *Node) error
	// Charter and NetDir of the configuration may be made by Prepare, which
	// runs when the directory is locked and before anything else is opened.
	Prepare func(c *config.Config) error
}

// Node is a running node.
type Node struct {
	*Core
	Config *config.Config
	Log    *slog.Logger
	Pool   *mempool.Pool
	Fees   *fees.Estimator
	Index  *tx.Index    // nil without --txindex
	Goods  *goods.Index // nil on a chain without a charter
	// Filters is nil without --blockfilterindex.
	Filters   *filter.Index
	Templates *template.Builder
	Miner     *cpu.Miner
	Peers     *Peers
	ZMQ       *zmq.Publisher // nil where nothing is published
	// PageURL is where the page is, "" where it is off.
	PageURL string

	options  Options
	rpc      *rpc.Server
	parts    []part // in starting order
	cancel   context.CancelCauseFunc
	logLevel *slog.LevelVar
	loaded   atomic.Bool // the mempool's file was read to its end
}

// part is something that must be stopped.
type part struct {
	name string
	stop func() error
}

// errStopped is the cause of an orderly stop.
var errStopped = errors.New("stopped")

// Run starts a node and serves until ctx ends, a signal comes, the stop method
// is called or a part fails; then it stops every part in reverse order. It
// returns nil after an orderly stop. A second signal ends the process at once.
func Run(ctx context.Context, c *config.Config, o Options) error {
	if o.Console == nil {
		o.Console = os.Stderr
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	signals, stopSignals := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stopSignals()
	n := &Node{Config: c, options: o, cancel: cancel, logLevel: new(slog.LevelVar)}
	err := n.start(signals)
	if err == nil {
		n.serve(signals)
		err = n.reason(ctx)
		stopSignals() // from here on a signal ends the process
	} else if signals.Err() != nil && errors.Is(err, context.Canceled) {
		err = nil // a signal during the start
	}
	notifySystemd("STOPPING=1")
	return errors.Join(err, n.stop())
}

// start opens every part in order.
func (n *Node) start(ctx context.Context) error {
	c := n.Config
	boundMemory(c, int64(c.MaxMempoolMB)*1_000_000)
	dir, err := openDirectory(c)
	if err != nil {
		return err
	}
	if n.options.Prepare != nil {
		if err := n.options.Prepare(c); err != nil {
			return errors.Join(err, dir.close())
		}
	}
	core, err := n.startInDirectory(ctx, dir)
	if err != nil {
		if core == nil {
			err = errors.Join(err, dir.close())
		}
		return err
	}
	return n.startServices(ctx)
}

// startInDirectory opens log, door and core. The core owns dir once it is
// there.
func (n *Node) startInDirectory(ctx context.Context, dir *directory) (*Core, error) {
	if err := n.startLog(ctx); err != nil {
		return nil, err
	}
	if err := dir.writePID(n.Config.PIDFile); err != nil {
		return nil, err
	}
	n.Log.Info("granary " + n.options.Version + " starts on " + describe(n.Config))
	for _, warning := range n.Config.Warnings {
		n.Log.Warn(warning)
	}
	if err := n.startRPC(); err != nil {
		return nil, err
	}
	core, err := openCoreIn(ctx, n.Config, dir, CoreOptions{Log: n.Log, Told: n.tell, Progress: n.tellReindex()})
	if err != nil {
		return nil, err
	}
	n.Core = core
	n.add("chain", func() error {
		told := core.Chain.Err() // why the node stops, already reported
		err := core.Close()
		if told != nil && errors.Is(err, told) {
			return nil
		}
		return err
	})
	return core, nil
}

// startServices opens what stands on the chain.
func (n *Node) startServices(ctx context.Context) error {
	if err := n.startMempool(ctx); err != nil {
		return err
	}
	if err := n.startIndexes(ctx); err != nil {
		return err
	}
	if err := n.startMiner(ctx); err != nil {
		return err
	}
	if err := n.startWeb(); err != nil {
		return err
	}
	if err := n.startPeers(ctx); err != nil {
		return err
	}
	if err := n.startZMQ(ctx); err != nil {
		return err
	}
	if err := n.startMetrics(); err != nil {
		return err
	}
	if err := n.readyRPC(ctx); err != nil {
		return err
	}
	if err := n.startOrders(ctx); err != nil {
		return err
	}
	tip := n.Chain.Tip()
	n.Log.Info("ready", "height", tip.Height, "tip", tip.Hash)
	notifySystemd("READY=1\nSTATUS=Following the chain")
	return nil
}

// tell says what the start is busy with, to clients and the service manager.
func (n *Node) tell(doing string) {
	if n.rpc != nil {
		n.rpc.SetWarmup(doing + "\u2026")
	}
	notifySystemd("STATUS=" + doing)
}

// tellReindex logs how far a reindex has come, now and then.
func (n *Node) tellReindex() func(chain.Progress) {
	said := time.Now()
	return func(p chain.Progress) {
		if time.Since(said) > 10*time.Second {
			said = time.Now()
			n.Log.Info("building the state from the block files", "height", p.Height, "read", p.BytesRead, "of", p.BytesTotal)
		}
	}
}

// serve runs the work of the subcommand and waits for an end.
func (n *Node) serve(signals context.Context) {
	if n.options.Work != nil {
		done := make(chan struct{})
		go func() {
			defer close(done)
			if err := n.options.Work(signals, n); err != nil && signals.Err() == nil {
				n.cancel(err)
			}
		}()
		n.add("work", func() error { <-done; return nil })
	}
	select {
	case <-signals.Done():
	case <-n.Chain.Done():
		n.cancel(n.Chain.Err())
	}
	n.cancel(errStopped) // the first cause stays
}

// reason is why the node stops, nil where somebody asked for it.
func (n *Node) reason(ctx context.Context) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, errStopped) || errors.Is(cause, context.Canceled) {
		return nil
	}
	return cause
}

// Stop asks the node to stop; it does not wait.
func (n *Node) Stop() { n.cancel(errStopped) }

func (n *Node) add(name string, stop func() error) {
	n.parts = append(n.parts, part{name, stop})
}

// stop stops every part that started, the last first.
func (n *Node) stop() error {
	var all error
	for i := len(n.parts) - 1; i >= 0; i-- {
		part := n.parts[i]
		if n.Log != nil {
			n.Log.Debug("stopping", "part", part.name)
		}
		if err := part.stop(); err != nil {
			all = errors.Join(all, fmt.Errorf("stopping %s: %w", part.name, err))
		}
	}
	return all
}

// startLog opens the log; SIGHUP opens its file anew.
func (n *Node) startLog(ctx context.Context) error {
	log, file, err := newLog(n.Config, n.options.Console, n.logLevel)
	if err != nil {
		return err
	}
	n.Log = log
	if file == nil {
		return nil
	}
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	stop := make(chan struct{})
	go func() {
		for {
			select {
			case <-hangups:
				if err := file.reopen(); err != nil {
					log.Error("the log file could not be opened anew", "err", err)
				}
			case <-stop:
				return
			}
		}
	}()
	n.add("log", func() error {
		signal.Stop(hangups)
		close(stop)
		log.Info("stopped")
		return file.close()
	})
	return nil
}

// startMiner makes the CPU miner; it works only when somebody asks. On a chain
// with a charter its blocks draw by themselves.
func (n *Node) startMiner(ctx context.Context) error {
	options := template.Options{Chain: n.Chain, Pool: n.Pool, Rules: n.Rules, Scripts: n.Scripts, Clock: n.Clock}
	if n.Rules.Charter != nil {
		options.Vault = template.NewVault(n.Chain, n.Rules.Charter)
		if err := n.Chain.Follow(ctx, options.Vault, n.Chain.Tip().Hash, nil); err != nil {
			return err
		}
	}
	n.Templates = template.NewBuilder(options)
	n.Miner = cpu.NewMiner(cpu.Options{Builder: n.Templates, Chain: n.Chain, Clock: n.Clock})
	return nil
}
