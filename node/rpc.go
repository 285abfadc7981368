package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"granary/door/rest"
	"granary/door/rpc"
)

// startRPC opens the JSON-RPC door. It answers "warming up" until readyRPC.
func (n *Node) startRPC() error {
	c := n.Config
	if !c.Server {
		return nil
	}
	listeners, err := n.listen("rpc", c.RPCAddresses())
	if err != nil {
		return err
	}
	options := c.RPC()
	options.UserAgent = c.UserAgent(rpc.UserAgent(n.options.Version))
	options.Version, options.Stop, options.Log = n.options.Version, n.Stop, rateLimited(n.Log)
	n.rpc, err = rpc.New(options)
	if err != nil {
		closeAll(listeners)
		return err
	}
	if c.REST {
		n.rpc.MountREST(rest.New(n.rpc))
	}
	n.add("JSON-RPC", n.closeRPC)
	for _, l := range listeners {
		n.Log.Info("JSON-RPC listens", "address", l.Addr())
		go func() {
			if err := n.rpc.Serve(l); err != nil {
				n.cancel(fmt.Errorf("JSON-RPC on %s: %w", l.Addr(), err))
			}
		}()
	}
	return nil
}

// closeRPC may be called twice.
func (n *Node) closeRPC() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopGrace)
	defer cancel()
	return n.rpc.Close(ctx)
}

// readyRPC hands the services to the door.
func (n *Node) readyRPC(ctx context.Context) error {
	if n.rpc == nil {
		return nil
	}
	services := rpc.Services{
		Chain: n.Chain, Pool: n.Pool, Rules: n.Rules, Clock: n.Clock, TxIndex: n.Index, Goods: n.Goods,
		Prune: n.Config.PruneMiB > 0, PruneTargetBytes: n.Config.PruneTargetBytes(),
		Scripts: n.Scripts, Templates: n.Templates, Net: n.door(),
		Filters: n.Filters, LogLevel: n.logLevel,
		Fees: n.Fees, SaveMempool: n.saveMempool, ImportMempool: n.importMempool, MempoolLoaded: n.mempoolLoaded,
	}
	if n.Config.Net.MineOnDemand {
		services.Miner = n.Miner
	}
	if n.ZMQ != nil {
		for _, at := range n.ZMQ.Notifiers() {
			services.Notifications = append(services.Notifications, rpc.Notification{Type: "pub" + at.Topic, Address: at.Address, HWM: at.HighWater})
		}
	}
	n.rpc.Ready(services)
	// The door was the first to open, so that it could answer "warming up";
	// its calls must have ended before the services behind them do.
	n.add("JSON-RPC calls", func() error {
		n.Chain.EndWalks()
		return n.closeRPC()
	})
	return n.Chain.Follow(ctx, n.rpc, n.Chain.Tip().Hash, nil)
}

// listen opens every address. A machine without IPv6 may lack ::1 as long as
// another address works.
func (n *Node) listen(door string, addresses []string) ([]net.Listener, error) {
	var listeners []net.Listener
	var failure error
	for _, address := range addresses {
		l, err := net.Listen("tcp", address)
		switch {
		case err == nil:
			listeners = append(listeners, l)
		case errors.Is(err, syscall.EADDRINUSE):
			closeAll(listeners)
			return nil, fmt.Errorf("address %s is in use: stop the other program, or choose another --%sport", address, door)
		default:
			failure = errors.Join(failure, fmt.Errorf("cannot listen on %s: %w", address, err))
		}
	}
	if len(listeners) == 0 {
		return nil, failure
	}
	if failure != nil {
		n.Log.Debug("an address is not there", "err", failure)
	}
	return listeners, nil
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		_ = l.Close()
	}
}
