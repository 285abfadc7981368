package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"granary/base/rpcclient"
	"granary/rules/proof"
)

// nodeCalls is a running node and where to write what it says.
type nodeCalls struct {
	ctx    context.Context
	io     *streams
	client *rpcclient.Client
}

// withNode calls f with the node that the configuration describes, once it is
// clear that the output may be written.
func withNode(cmd *cobra.Command, io *streams, flags *rpcFlags, f func(*nodeCalls) error) error {
	if err := binaryOut(io.out); err != nil {
		return err
	}
	c, err := io.load(cmd)
	if err != nil {
		return err
	}
	client, err := rpcClient(c, flags)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return f(&nodeCalls{ctx, io, client})
}

// call runs a method; an answer that is an error is told in the node's words.
func (n *nodeCalls) call(result any, method string, params ...any) error {
	err := n.client.Call(n.ctx, method, append([]any{}, params...), result)
	if err != nil && n.ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return err
}

// blockAt gives the hash of the block with so many confirmations.
func (n *nodeCalls) blockAt(depth int) (hash string, err error) {
	var tip int
	if err := n.call(&tip, "getblockcount"); err != nil {
		return "", err
	}
	if tip-depth+1 < 1 {
		return "", fmt.Errorf("the chain is %d blocks long: no block has %d confirmations", tip, depth)
	}
	return hash, n.call(&hash, "getblockhash", tip-depth+1)
}

func makeProof(n *nodeCalls, flags *makeFlags) error {
	hash, err := n.blockAt(flags.depth)
	if err != nil {
		return err
	}
	if flags.all {
		return n.makeAudit(hash)
	}
	var made struct{ Proof string }
	claims := append([]int64{}, flags.claims...)
	if err := n.call(&made, "getgoodsproof", flags.receipt, hash, claims); err != nil {
		return err
	}
	raw, err := hex.DecodeString(made.Proof)
	if err != nil {
		return fmt.Errorf("the node's answer is not hex: %w", err)
	}
	p, err := proof.Decode(raw)
	if err != nil {
		return fmt.Errorf("the node's proof cannot be read: %w", err)
	}
	facts, err := p.Verify(nil) // the node's own charter would say nothing more
	if err != nil {
		return fmt.Errorf("the node's proof does not hold: %w", err)
	}
	if _, err := n.io.out.Write(raw); err != nil {
		return fmt.Errorf("cannot write the proof: %w", err)
	}
	what := "the reserve"
	if facts.Receipt != nil {
		what = fmt.Sprintf("receipt %d", facts.Receipt.Number)
	}
	fmt.Fprintf(n.io.err, "%s as after block %d, proved by block %d %s in %d bytes\n",
		what, facts.Block.StateHeight(), facts.Block.Height, facts.Block.Hash, len(raw))
	return nil
}

func (n *nodeCalls) makeAudit(hash string) error {
	out := bufio.NewWriterSize(n.io.out, 1<<16)
	facts, err := proof.CopyAudit(out, &pages{calls: n, method: "getgoodsaudit", hash: hash}, keyLines(n.io.err))
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return fmt.Errorf("%w; the file is not whole: delete it and make it anew", err)
	}
	fmt.Fprintf(n.io.err, "the whole state after block %d, proved by block %d %s: %d keys in %d bytes\n",
		facts.Block.StateHeight(), facts.Block.Height, facts.Block.Hash, facts.Keys, facts.Bytes)
	return nil
}

// keyLines tells how many keys of an audit were read, a line now and then.
func keyLines(out io.Writer) func(keys int64) {
	at := time.Now()
	return func(keys int64) {
		if time.Since(at) >= lineEvery {
			at = time.Now()
			fmt.Fprintf(out, "%d keys\n", keys)
		}
	}
}

func makeHeaders(n *nodeCalls) error {
	var tip string
	if err := n.call(&tip, "getbestblockhash"); err != nil {
		return err
	}
	pages := &pages{calls: n, method: "getgoodsheaders", hash: tip}
	if _, err := io.Copy(n.io.out, pages); err != nil {
		return fmt.Errorf("%w; the file is not whole: delete it and make it anew", err)
	}
	fmt.Fprintf(n.io.err, "headers 1 to %d %s\n", pages.last.Height, tip)
	return nil
}

// pages reads a file that a paged method gives, one page at a time.
type pages struct {
	calls  *nodeCalls
	method string
	hash   string
	last   struct {
		Height int32
		Data   string
		Next   json.RawMessage
	}
	rest  bytes.Reader
	begun bool
}

// Read implements io.Reader.
func (p *pages) Read(b []byte) (int, error) {
	for p.rest.Len() == 0 {
		params := []any{p.hash}
		if p.begun {
			if p.last.Next == nil {
				return 0, io.EOF
			}
			params = append(params, p.last.Next)
		}
		p.last.Next, p.last.Data = nil, ""
		if err := p.calls.call(&p.last, p.method, params...); err != nil {
			return 0, err
		}
		raw, err := hex.DecodeString(p.last.Data)
		if err != nil {
			return 0, fmt.Errorf("the node's answer is not hex: %w", err)
		}
		p.begun = true
		p.rest.Reset(raw)
	}
	return p.rest.Read(b)
}
