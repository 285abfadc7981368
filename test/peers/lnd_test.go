package peers

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"granary/test/fleet"
)

// lnd is a running Lightning node of that project with a wallet of its own,
// reached by its command line only.
type lnd struct {
	t       *testing.T
	program string // of lncli
	dir     string
	address string // of its RPC door
	cmd     *exec.Cmd
	exited  chan struct{} // closed when the process is gone
	output  string        // file with what it prints
}

// findLnd gives the paths of lnd and of lncli beside it, or skips the test.
func findLnd(t *testing.T) (daemon, client string) {
	t.Helper()
	names := []string{filepath.Join("..", "..", "bin", "peers", "lnd"), "lnd"}
	if named := os.Getenv("GRANARY_LND"); named != "" {
		names = []string{named}
	}
	for _, name := range names {
		path, err := program(name)
		if err != nil {
			continue
		}
		beside, err := program(filepath.Join(filepath.Dir(path), "lncli"))
		if err != nil {
			t.Fatalf("%s has no lncli beside it: %v", path, err)
		}
		return path, beside
	}
	const missing = "lnd is not here, so no Lightning node is tried on our chain: run make peers, or name it in GRANARY_LND"
	if os.Getenv("GRANARY_REQUIRE_PEERS") == "1" || os.Getenv("GRANARY_LND") != "" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return "", ""
}

// backend is how lnd sees the chain.
type backend struct {
	name string
	ours []string                        // options of our program
	lnd  func(ours *fleet.Node) []string // options of lnd
	// deep says that its wallet takes back what deep reorganisations took out.
	// Over RPC it does so for the highest block only: its client names those
	// below by a wrong hash (btcwallet 0.16.17, BitcoindClient.reorg).
	deep bool
}

// backends are lnd's own light client, which asks us for filters over the peer
// protocol, and a trusted node by its RPC, told of news by ZMQ or by asking.
func backends(t *testing.T) []backend {
	t.Helper()
	rpc := func(ours *fleet.Node, more ...string) []string {
		return append([]string{
			"--bitcoin.node=bitcoind", "--bitcoind.rpcuser=fire", "--bitcoind.rpcpass=fire",
			"--bitcoind.rpchost=" + net.JoinHostPort(ours.RPCIP, strconv.Itoa(ours.RPCPort)),
		}, more...)
	}
	blocks, txs := "zmqpubrawblock=tcp://"+freeAddress(t), "zmqpubrawtx=tcp://"+freeAddress(t)
	return []backend{
		{
			name: "neutrino", deep: true, ours: []string{"--blockfilterindex=1", "--peerblockfilters=1"},
			lnd: func(ours *fleet.Node) []string {
				return []string{"--bitcoin.node=neutrino", "--neutrino.connect=" + ours.Addr()}
			},
		},
		{
			name: "RPC and ZMQ", ours: []string{"--" + blocks, "--" + txs},
			lnd: func(ours *fleet.Node) []string {
				return rpc(ours, "--bitcoind."+blocks, "--bitcoind."+txs)
			},
		},
		{
			name: "RPC alone", lnd: func(ours *fleet.Node) []string {
				return rpc(ours, "--bitcoind.rpcpolling", "--bitcoind.blockpollinginterval=500ms", "--bitcoind.txpollinginterval=500ms")
			},
		},
	}
}

// startLnd runs lnd with a fresh wallet on regtest until the test ends, and
// returns once its wallet answers.
func startLnd(t *testing.T, args ...string) *lnd {
	t.Helper()
	daemon, client := findLnd(t)
	dir := t.TempDir()
	l := &lnd{t: t, program: client, dir: dir, address: freeAddress(t), output: filepath.Join(dir, "output"), exited: make(chan struct{})}
	output, err := os.Create(l.output)
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	l.cmd = exec.Command(daemon, append([]string{
		"--lnddir=" + dir, "--bitcoin.regtest", "--noseedbackup", "--nobootstrap",
		"--rpclisten=" + l.address, "--norest", "--nolisten", "--debuglevel=info",
	}, args...)...)
	l.cmd.Dir = dir
	l.cmd.Env = []string{"HOME=" + dir, "GOMAXPROCS=2"}
	l.cmd.Stdout, l.cmd.Stderr = output, output
	fleet.EndWithUs(l.cmd)
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(l.exited)
		l.cmd.Wait() //nolint:errcheck // how it ends is in its output
	}()
	t.Cleanup(l.stop)
	l.wait("opens its wallet", func() bool {
		_, err := l.try("getinfo")
		return err == nil
	})
	return l
}

// stop asks the node to end, then ends it.
func (l *lnd) stop() {
	if l.t.Failed() {
		l.t.Logf("lnd's last words:\n%s", l.lastWords())
	}
	l.cmd.Process.Signal(os.Interrupt) //nolint:errcheck // it may be gone
	select {
	case <-l.exited:
		return
	case <-time.After(stopTimeout):
	}
	l.cmd.Process.Kill() //nolint:errcheck // it may be gone
	<-l.exited
}

func (l *lnd) lastWords() string {
	text, err := os.ReadFile(l.output)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text[max(0, len(text)-6_000):]))
}

// try runs a command of lncli and gives what it prints.
func (l *lnd) try(args ...string) ([]byte, error) {
	cmd := exec.Command(l.program, append([]string{"--lnddir=" + l.dir, "--network=regtest", "--rpcserver=" + l.address}, args...)...)
	cmd.Env = []string{"HOME=" + l.dir}
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("%w: %s", err, exit.Stderr)
	}
	return out, err
}

// call runs a command that must succeed and reads the JSON that it prints.
func (l *lnd) call(result any, args ...string) {
	l.t.Helper()
	out, err := l.try(args...)
	if err == nil && result != nil {
		err = json.Unmarshal(out, result)
	}
	if err != nil {
		l.t.Fatalf("lncli %v: %v\n%s", args, err, out)
	}
}

// wait asks again and again until the answer is yes.
func (l *lnd) wait(what string, yes func() bool) {
	l.t.Helper()
	for end := time.Now().Add(patience); !yes(); time.Sleep(200 * time.Millisecond) {
		select {
		case <-l.exited:
			l.t.Fatal("lnd ended by itself")
		default:
		}
		if time.Now().After(end) {
			l.t.Fatalf("lnd: not within %v: %s", patience, what)
		}
	}
}
