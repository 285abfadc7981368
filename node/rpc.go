package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"

	"granary/door/rpc"
)

// startRPC opens the JSON-RPC door. It answers "warming up" until readyRPC.
func (n *Node) startRPC() error {
	c := n.Config
	if !c.Server {
		return nil
	}
	listeners, err := n.listen("rpc", rpcAddresses(c.RPCBind, c.RPCAllowIP, c.RPCPort))
	if err != nil {
		return err
	}
	options := rpc.Options{
		Net: c.Net, Version: n.options.Version, User: c.RPCUser, Password: c.RPCPassword, Auth: c.RPCAuth,
		AllowIPs: c.RPCAllowIP, Stop: n.Stop, LogPath: c.DebugLogFile, Log: rateLimited(n.Log),
	}
	if c.RPCPassword == "" {
		options.CookiePath = c.RPCCookieFile
	}
	n.rpc, err = rpc.New(options)
	if err != nil {
		closeAll(listeners)
		return err
	}
	n.add("JSON-RPC", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), stopGrace)
		defer cancel()
		return n.rpc.Close(ctx)
	})
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

// readyRPC hands the services to the door.
func (n *Node) readyRPC(ctx context.Context) error {
	if n.rpc == nil {
		return nil
	}
	n.rpc.Ready(rpc.Services{
		Chain: n.Chain, Pool: n.Pool, Rules: n.Rules, Clock: n.Clock, TxIndex: n.Index,
		Prune: n.Config.PruneMiB > 0, PruneTargetBytes: pruneTargetBytes(n.Config),
	})
	return n.Chain.Follow(ctx, n.rpc, n.Chain.Tip().Hash, nil)
}

// rpcAddresses are where the door listens: on this machine only, unless both
// rpcbind and rpcallowip say otherwise (Core's rule).
func rpcAddresses(bind, allow []string, port int) []string {
	if len(bind) == 0 || len(allow) == 0 {
		return withPort([]string{"127.0.0.1", "::1"}, port)
	}
	return withPort(bind, port)
}

// withPort adds the port to the addresses that have none.
func withPort(addresses []string, port int) []string {
	full := make([]string, len(addresses))
	for i, address := range addresses {
		if _, _, err := net.SplitHostPort(address); err == nil {
			full[i] = address
			continue
		}
		if len(address) > 1 && address[0] == '[' && address[len(address)-1] == ']' {
			address = address[1 : len(address)-1]
		}
		full[i] = net.JoinHostPort(address, strconv.Itoa(port))
	}
	return full
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
