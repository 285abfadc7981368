package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"granary/door/metrics"
)

// Time-outs of the metrics' door.
const (
	metricsReadTimeout  = 10 * time.Second
	metricsWriteTimeout = 30 * time.Second
	metricsIdleTimeout  = 2 * time.Minute
	metricsHeaderBytes  = 16 << 10
)

// startMetrics serves figures for Prometheus, where a person asked for it.
func (n *Node) startMetrics() error {
	if !n.Config.Metrics {
		return nil
	}
	listeners, err := n.listen("metrics", n.Config.MetricsAddresses())
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: metrics.New(metrics.Options{
			Chain: n.Chain, Pool: n.Pool, Network: n.Peers.Network, Version: n.options.Version, Clock: n.Clock,
			Syncing: n.Peers.Sync.InitialBlockDownload,
		}),
		ReadTimeout: metricsReadTimeout, WriteTimeout: metricsWriteTimeout, IdleTimeout: metricsIdleTimeout,
		MaxHeaderBytes: metricsHeaderBytes, ErrorLog: slog.NewLogLogger(rateLimited(n.Log).Handler(), slog.LevelDebug),
	}
	n.add("metrics", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), stopGrace)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			return server.Close()
		}
		return nil
	})
	for _, l := range listeners {
		n.Log.Info("metrics are served", "address", l.Addr())
		go func() {
			if err := server.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
				n.cancel(fmt.Errorf("metrics on %s: %w", l.Addr(), err))
			}
		}()
	}
	return nil
}
