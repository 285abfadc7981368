package node

import (
	"context"

	"granary/door/zmq"
)

// startZMQ publishes blocks and transactions, where a person asked for it.
func (n *Node) startZMQ(ctx context.Context) error {
	notifiers := n.Config.Notifiers()
	if len(notifiers) == 0 {
		return nil
	}
	publisher, err := zmq.Listen(zmq.Options{
		Notifiers: notifiers, Tip: n.Chain, Syncing: n.Peers.Sync.InitialBlockDownload, Log: rateLimited(n.Log),
	})
	if err != nil {
		return err
	}
	n.ZMQ = publisher
	n.add("ZMQ", publisher.Close)
	if err := n.Chain.Follow(ctx, publisher, n.Chain.Tip().Hash, nil); err != nil {
		return err
	}
	stop := n.Pool.Watch(publisher.PoolChanged)
	n.add("ZMQ's watch", func() error { stop(); return nil })
	for _, at := range publisher.Notifiers() {
		n.Log.Info("ZMQ publishes", "topic", at.Topic, "address", at.Address)
	}
	return nil
}
