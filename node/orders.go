package node

import (
	"context"
	"os/exec"
	"strings"

	"granary/chain"
)

// orders are what a person wants done when the chain moves: stop at a height,
// run a command for every block.
type orders struct {
	node *Node
}

// startOrders follows the chain where something was ordered, and runs the
// command of the start.
func (n *Node) startOrders(ctx context.Context) error {
	c := n.Config
	if c.StopAtHeight > 0 || c.BlockNotify != "" {
		if err := n.Chain.Follow(ctx, &orders{node: n}, n.Chain.Tip().Hash, nil); err != nil {
			return err
		}
	}
	if c.StartupNotify != "" {
		go n.command("startupnotify", c.StartupNotify)
	}
	if c.ShutdownNotify != "" {
		n.add("shutdownnotify", func() error {
			n.command("shutdownnotify", c.ShutdownNotify)
			return nil
		})
	}
	return nil
}

// Connect implements chain.Follower.
func (o *orders) Connect(event *chain.Event) error {
	c := o.node.Config
	if c.StopAtHeight > 0 && int(event.Header.Height) >= c.StopAtHeight {
		o.node.Log.Info("the height to stop at is reached", "height", event.Header.Height)
		o.node.Stop()
	}
	if c.BlockNotify != "" {
		go o.node.command("blocknotify", strings.ReplaceAll(c.BlockNotify, "%s", event.Header.Hash.String()))
	}
	return nil
}

// Disconnect implements chain.Follower.
func (*orders) Disconnect(*chain.Event) error { return nil }

// Prune implements chain.Follower.
func (*orders) Prune(int32) error { return nil }

// command runs a line of the person's in the shell and waits for its end.
func (n *Node) command(option, line string) {
	if err := exec.Command("/bin/sh", "-c", line).Run(); err != nil { //nolint:gosec // the person's own order
		n.Log.Warn("a command failed", "option", option, "err", err)
	}
}
