package benchgoods

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"time"

	"granary/base/rpcclient"
	"granary/node"
)

// flags are the command line of the bench's node.
func (b *bench) flags(charter string) ([]string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("no port for the bench's node: %w", err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		return nil, err
	}
	return []string{
		"--datadir", b.Dir, "--charter", charter, "--dbcache", strconv.Itoa(b.DBCacheMiB),
		"--rpcbind", "127.0.0.1", "--rpcport", strconv.Itoa(port), "--web=0", "--printtoconsole=0",
	}, nil
}

// serve runs a whole node and work in it, and tells how long the node took
// from the start to the end of its opening.
func (b *bench) serve(ctx context.Context, work func(ctx context.Context, n *node.Node) error) (opened time.Duration, err error) {
	start := time.Now()
	var failed error
	err = node.Run(ctx, b.config, node.Options{Version: b.Version, Console: io.Discard, Work: func(ctx context.Context, n *node.Node) error {
		opened = time.Since(start)
		defer n.Stop()
		failed = work(ctx, n)
		return nil
	}})
	err = errors.Join(err, failed)
	if err == nil {
		err = ctx.Err()
	}
	return opened, err
}

// measureNode starts a whole node twice: once so that its history of the goods
// is there, and once to measure. It gets the blocks then, and is asked.
func (b *bench) measureNode(ctx context.Context, s *Stage, raws [][]byte) error {
	built, err := b.serve(ctx, func(context.Context, *node.Node) error { return nil })
	if err != nil {
		return err
	}
	s.BuildHistory = seconds(built)
	opened, err := b.serve(ctx, func(ctx context.Context, n *node.Node) error {
		c, err := b.client()
		if err != nil {
			return err
		}
		defer c.Close()
		for _, raw := range raws {
			took, err := accept(n.Core, raw)
			if err != nil {
				return err
			}
			s.nodeBlocks = append(s.nodeBlocks, took)
			if took, err = b.proof(ctx, c, s); err != nil {
				return err
			}
			s.firstProofs = append(s.firstProofs, took)
		}
		return b.profiled(s, "rpc", func() error { return b.ask(ctx, c, s) })
	})
	s.OpenNode = seconds(opened)
	return err
}

func (b *bench) client() (*rpcclient.Client, error) {
	return rpcclient.New(rpcclient.Options{
		URL: "127.0.0.1:" + strconv.Itoa(b.config.RPCPort), CookiePath: b.config.RPCCookieFile,
	})
}

// proof asks for the proof of one receipt, any.
func (b *bench) proof(ctx context.Context, c *rpcclient.Client, s *Stage) (time.Duration, error) {
	var answer struct{ Bytes int }
	number := rand.N(uint64(s.Receipts)) // those that are older than what is measured
	start := time.Now()
	err := c.Call(ctx, "getgoodsproof", []any{number}, &answer)
	took := time.Since(start)
	s.ProofBytes = max(s.ProofBytes, answer.Bytes)
	return took, err
}

// ask measures the methods.
func (b *bench) ask(ctx context.Context, c *rpcclient.Client, s *Stage) error {
	for range b.Calls {
		start := time.Now()
		if err := c.Call(ctx, "getreserve", nil, nil); err != nil {
			return err
		}
		s.reserves = append(s.reserves, time.Since(start))
		took, err := b.proof(ctx, c, s)
		if err != nil {
			return err
		}
		s.proofs = append(s.proofs, took)
	}
	return nil
}
