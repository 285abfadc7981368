package peers

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"granary/base/rpcclient"
	"granary/state"
	"granary/test/fleet"
)

const (
	startTimeout = 60 * time.Second
	callTimeout  = 60 * time.Second
	stopTimeout  = 15 * time.Second
)

// btcd is a running node of that project, reached by its RPC door only.
type btcd struct {
	t      *testing.T
	rpc    *rpcclient.Client
	cmd    *exec.Cmd
	exited chan struct{} // closed when the process is gone
	output string        // file with what it prints
}

// findBtcd gives the path of the binary, or skips the test.
func findBtcd(t *testing.T) string {
	t.Helper()
	if named := os.Getenv("GRANARY_BTCD"); named != "" {
		path, err := program(named)
		if err != nil {
			t.Fatalf("GRANARY_BTCD names no program: %v", err)
		}
		return path
	}
	for _, name := range []string{filepath.Join("..", "..", "bin", "peers", "btcd"), "btcd"} {
		if path, err := program(name); err == nil {
			return path
		}
	}
	const missing = "btcd is not here, so nothing is checked against a real Bitcoin node: run make peers, or name it in GRANARY_BTCD"
	if os.Getenv("GRANARY_REQUIRE_PEERS") == "1" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

// program gives the absolute path of an executable file, or of one in the PATH.
func program(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", err
	}
	return filepath.Abs(path)
}

// startBtcd runs a node on an empty data directory until the test ends. It
// listens on loopback for RPC, and for and to nobody else unless --listen is
// among args.
func startBtcd(t *testing.T, args ...string) *btcd {
	t.Helper()
	path := findBtcd(t)
	var err error
	for range 3 { // the free port may be taken in between
		var b *btcd
		if b, err = tryBtcd(t, path, args); err == nil {
			return b
		}
	}
	t.Fatalf("btcd does not start: %v", err)
	return nil
}

func tryBtcd(t *testing.T, path string, args []string) (*btcd, error) {
	dir := t.TempDir()
	config := filepath.Join(dir, "btcd.conf")
	if err := os.WriteFile(config, nil, 0o600); err != nil {
		return nil, err
	}
	output, err := os.Create(filepath.Join(dir, "output"))
	if err != nil {
		return nil, err
	}
	defer output.Close()
	address := freeAddress(t)
	b := &btcd{t: t, output: output.Name(), exited: make(chan struct{})}
	quiet := []string{"--nolisten"}
	if slices.ContainsFunc(args, func(arg string) bool { return strings.HasPrefix(arg, "--listen=") }) {
		quiet = nil
	}
	b.cmd = exec.Command(path, slices.Concat([]string{
		"--configfile=" + config, "--datadir=" + filepath.Join(dir, "data"), "--logdir=" + filepath.Join(dir, "logs"),
		"--rpcuser=peer", "--rpcpass=peer", "--rpclisten=" + address, "--notls",
		"--nodnsseed", "--utxocachemaxsize=16", "--debuglevel=warn",
	}, quiet, args)...)
	b.cmd.Dir = dir
	b.cmd.Env = []string{"HOME=" + dir, "GOMAXPROCS=2"}
	b.cmd.Stdout, b.cmd.Stderr = output, output
	fleet.EndWithUs(b.cmd)
	b.rpc, err = rpcclient.New(rpcclient.Options{URL: "http://" + address, User: "peer", Password: "peer", Timeout: callTimeout})
	if err != nil {
		return nil, err
	}
	if err := b.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(b.exited)
		b.cmd.Wait() //nolint:errcheck // how it ends is in its output
	}()
	t.Cleanup(b.stop)
	return b, b.waitReady()
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// waitReady returns once the node answers.
func (b *btcd) waitReady() error {
	deadline := time.Now().Add(startTimeout)
	for {
		var height int
		err := b.rpc.Call(context.Background(), "getblockcount", nil, &height)
		switch {
		case err == nil && height == 0:
			return nil
		case err == nil:
			return fmt.Errorf("a fresh node has %d blocks", height)
		case time.Now().After(deadline):
			return fmt.Errorf("no answer within %v: %w: %s", startTimeout, err, b.lastWords())
		}
		select {
		case <-b.exited:
			return errors.New("it ended at once: " + b.lastWords())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (b *btcd) lastWords() string {
	text, err := os.ReadFile(b.output)
	if err != nil {
		return err.Error()
	}
	text = bytes.TrimSpace(text)
	return string(text[max(0, len(text)-2_000):])
}

// stop asks the node to end, then ends it.
func (b *btcd) stop() {
	b.rpc.Close()
	if b.t.Failed() {
		b.t.Logf("btcd's last words:\n%s", b.lastWords())
	}
	b.cmd.Process.Signal(os.Interrupt) //nolint:errcheck // it may be gone
	select {
	case <-b.exited:
		return
	case <-time.After(stopTimeout):
	}
	b.cmd.Process.Kill() //nolint:errcheck // it may be gone
	<-b.exited
}

// call runs a method that must succeed.
func (b *btcd) call(result any, method string, params ...any) {
	b.t.Helper()
	if err := b.rpc.Call(context.Background(), method, params, result); err != nil {
		b.t.Fatalf("btcd %s: %v", method, err)
	}
}

// submit hands over a block; the refusal is empty if it is valid as far as
// btcd judges it: whole where it extends the best chain, its context
// otherwise.
func (b *btcd) submit(block *state.Block) (refusal string) {
	b.t.Helper()
	var result *string
	b.call(&result, "submitblock", hex.EncodeToString(block.Raw))
	if result == nil {
		return ""
	}
	return *result
}

// mustTake hands over blocks that must all be accepted.
func (b *btcd) mustTake(blocks ...*state.Block) {
	b.t.Helper()
	for _, block := range blocks {
		if refusal := b.submit(block); refusal != "" {
			b.t.Fatalf("btcd refuses block %v: %s", block.Hash, refusal)
		}
	}
}

func (b *btcd) tip() chainhash.Hash {
	b.t.Helper()
	var text string
	b.call(&text, "getbestblockhash")
	return b.hash(text)
}

func (b *btcd) hash(text string) chainhash.Hash {
	b.t.Helper()
	hash, err := chainhash.NewHashFromStr(text)
	if err != nil {
		b.t.Fatal(err)
	}
	return *hash
}

// block fetches a block as a stranger would.
func (b *btcd) block(hash chainhash.Hash) *state.Block {
	b.t.Helper()
	var text string
	b.call(&text, "getblock", hash.String(), 0)
	raw, err := hex.DecodeString(text)
	if err != nil {
		b.t.Fatal(err)
	}
	block, err := state.DecodeBlock(raw)
	if err != nil {
		b.t.Fatalf("block %v of btcd: %v", hash, err)
	}
	return block
}

// generate lets btcd mine on its tip and gives the blocks.
func (b *btcd) generate(count int) []*state.Block {
	b.t.Helper()
	var ids []string
	b.call(&ids, "generate", count)
	blocks := make([]*state.Block, len(ids))
	for i, id := range ids {
		blocks[i] = b.block(b.hash(id))
	}
	return blocks
}
