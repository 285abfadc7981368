package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/chain"
	"granary/door/web"
	"granary/index/tx"
)

// startWeb serves the page.
func (n *Node) startWeb() error {
	c := n.Config
	if !c.Web {
		return nil
	}
	options := web.Options{
		Chain: n.Chain, Pool: n.Pool, Net: c.Net, Charter: c.Charter, Clock: n.Clock,
		History: n.Goods, Log: rateLimited(n.Log), BlockEvery: n.options.BlockEvery, Version: n.options.Version,
	}
	if n.Index != nil {
		options.Index = &txLookUp{n.Index, n.Chain}
	}
	handler, err := web.New(options)
	if err != nil {
		return err
	}
	listeners, err := n.listen("web", c.WebAddresses())
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: handler, ReadTimeout: web.ReadTimeout, WriteTimeout: web.WriteTimeout,
		IdleTimeout: web.IdleTimeout, MaxHeaderBytes: web.MaxHeaderBytes,
		ErrorLog: slog.NewLogLogger(n.Log.Handler(), slog.LevelDebug),
	}
	n.add("page", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), stopGrace)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			return server.Close()
		}
		return nil
	})
	for _, l := range listeners {
		go func() {
			if err := server.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
				n.cancel(fmt.Errorf("the page on %s: %w", l.Addr(), err))
			}
		}()
	}
	n.PageURL = "http://" + listeners[0].Addr().String() + "/"
	n.Log.Info("the page is at " + n.PageURL)
	return nil
}

// txLookUp binds the transaction index to the page.
type txLookUp struct {
	index *tx.Index
	chain *chain.Engine
}

// Lookup implements web.TxIndex.
func (l *txLookUp) Lookup(txid chainhash.Hash) (block chainhash.Hash, ok bool, err error) {
	place, found, err := l.index.Find(l.chain, txid)
	if err != nil || !found {
		return chainhash.Hash{}, false, err
	}
	return place.Block.Hash, true, nil
}

var _ web.TxIndex = (*txLookUp)(nil)
