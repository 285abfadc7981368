// Package fleet runs the real program as processes for tests that need whole
// nodes: the test binary, started again, is the program itself, so that nothing
// has to be built or installed first. A package that uses it calls Become at
// the beginning of its TestMain.
package fleet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"granary/base/rpcclient"
	"granary/cli"
)

// asNode tells the test binary that it is to be the program itself.
const asNode = "FLEET_AS_GRANARY"

// Become runs the program, and ends the process, where a test began it for
// that; otherwise it returns.
func Become() {
	if os.Getenv(asNode) != "" {
		os.Exit(cli.Main())
	}
}

// Long tells whether the long form is wanted.
func Long() bool { return os.Getenv("GRANARY_LONG") != "" }

// Seed gives the chance of a test, from GRANARY_SEED or the clock, and prints
// the seed.
func Seed(t testing.TB) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("GRANARY_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("GRANARY_SEED: %v", err)
		}
	}
	t.Logf("GRANARY_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, seed))
}

// Node is one process of the program.
type Node struct {
	T       testing.TB
	Name    string
	Dir     string // data directory
	Charter string // file; "" for plain regtest, or what Args say
	IP      string // where it listens for peers
	RPCIP   string // where it listens for us
	P2PPort int
	RPCPort int
	Space   string   // network namespace, "" for ours
	Args    []string // further options

	cmd    *exec.Cmd // nil while it does not run
	exited chan error
	rpc    *rpcclient.Client
}

// New makes a node in a fresh directory; it does not run yet. Its data
// directory may be filled before start.
func New(t testing.TB, name, charter string, args ...string) *Node {
	t.Helper()
	n := &Node{
		T: t, Name: name, Dir: filepath.Join(t.TempDir(), name), Charter: charter,
		IP: "127.0.0.1", RPCIP: "127.0.0.1", P2PPort: freePort(t), RPCPort: freePort(t), Args: args,
	}
	if err := os.MkdirAll(n.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Kill)
	return n
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func (n *Node) NetDir() string { return filepath.Join(n.Dir, "regtest") }

// Addr is where peers find it.
func (n *Node) Addr() string { return net.JoinHostPort(n.IP, strconv.Itoa(n.P2PPort)) }

// Command is the program with the node's options.
func (n *Node) Command(words ...string) *exec.Cmd {
	all := append([]string{os.Args[0]}, words...)
	if n.Charter != "" {
		all = append(all, "--charter="+n.Charter)
	} else if !slices.ContainsFunc(n.Args, func(arg string) bool { return strings.HasPrefix(arg, "--network=") }) {
		all = append(all, "--network=regtest")
	}
	all = append(all, "--datadir="+n.Dir)
	if n.Space != "" {
		all = append([]string{"ip", "netns", "exec", n.Space}, all...)
	}
	cmd := exec.Command(all[0], all[1:]...)
	EndWithUs(cmd)
	cmd.Env = append(withoutOurs(os.Environ()), asNode+"=1")
	return cmd
}

// withoutOurs takes the tests' own variables out: the program would read them
// as its options.
func withoutOurs(environ []string) []string {
	return slices.DeleteFunc(environ, func(pair string) bool { return strings.HasPrefix(pair, "GRANARY_") })
}

// Start runs the node and waits until it answers.
func (n *Node) Start(more ...string) {
	n.T.Helper()
	n.Launch(more...)
	n.Wait(60*time.Second, "answers", func() bool {
		var height int
		return n.Try("getblockcount", nil, &height) == nil
	})
}

// Launch runs the node and does not wait.
func (n *Node) Launch(more ...string) {
	n.T.Helper()
	words := append([]string{"node"}, n.Args...)
	words = append(words,
		"--printtoconsole=0", "--web=0", "--loglevel=debug", "--dbcache=16",
		"--listen=1", "--bind="+n.Addr(),
		fmt.Sprintf("--rpcport=%d", n.RPCPort), "--rpcbind="+n.RPCIP, "--rpcallowip=0.0.0.0/0", "--rpcuser=fire", "--rpcpassword=fire")
	cmd := n.Command(append(words, more...)...)
	output, err := os.OpenFile(filepath.Join(n.Dir, "output"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		n.T.Fatal(err)
	}
	defer output.Close()
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		n.T.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	n.cmd, n.exited = cmd, exited
	if n.rpc, err = rpcclient.New(rpcclient.Options{
		URL: net.JoinHostPort(n.RPCIP, strconv.Itoa(n.RPCPort)), User: "fire", Password: "fire", Timeout: time.Minute,
	}); err != nil {
		n.T.Fatal(err)
	}
}

// Kill ends the process at once, as a power button would.
func (n *Node) Kill() {
	if n.cmd == nil {
		return
	}
	n.signal(syscall.SIGKILL)
	<-n.exited
	n.gone()
}

// Stop ends it in order and wants the exit code 0.
func (n *Node) Stop() {
	n.T.Helper()
	n.signal(syscall.SIGTERM)
	select {
	case err := <-n.exited:
		n.gone()
		if err != nil {
			n.T.Fatalf("%s stopped with %v\n%s", n.Name, err, n.Tail())
		}
	case <-time.After(60 * time.Second):
		n.signal(syscall.SIGQUIT)
		<-n.exited
		n.gone()
		n.T.Fatalf("%s did not stop within a minute\n%s", n.Name, n.Tail())
	}
}

func (n *Node) signal(s syscall.Signal) {
	if err := n.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		n.T.Error(err)
	}
}

func (n *Node) gone() {
	n.rpc.Close()
	n.cmd, n.rpc = nil, nil
}

// Tail is the end of what the node printed.
func (n *Node) Tail() string {
	text, _ := os.ReadFile(filepath.Join(n.Dir, "output"))
	return string(text[max(0, len(text)-4000):])
}

func (n *Node) Try(method string, params, result any) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return n.rpc.Call(ctx, method, params, result)
}

// Call wants an answer.
func (n *Node) Call(method string, result any, params ...any) {
	n.T.Helper()
	if err := n.Try(method, params, result); err != nil {
		n.T.Fatalf("%s: %s: %v\n%s", n.Name, method, err, n.Tail())
	}
}

// Wait asks again and again until the answer is yes.
func (n *Node) Wait(atMost time.Duration, what string, yes func() bool) {
	n.T.Helper()
	for end := time.Now().Add(atMost); !yes(); time.Sleep(20 * time.Millisecond) {
		select {
		case err := <-n.exited:
			n.exited <- err
			n.T.Fatalf("%s ended by itself: %v\n%s", n.Name, err, n.Tail())
		default:
		}
		if time.Now().After(end) {
			n.T.Fatalf("%s: not within %v: %s\n%s", n.Name, atMost, what, n.Tail())
		}
	}
}

// Tip is the best block, "" while the node does not answer.
func (n *Node) Tip() string {
	var hash string
	_ = n.Try("getbestblockhash", nil, &hash)
	return hash
}

func (n *Node) Height() int32 {
	n.T.Helper()
	var height int32
	n.Call("getblockcount", &height)
	return height
}

// ResidentBytes is the memory of the process.
func (n *Node) ResidentBytes() int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", n.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	var size, resident int64
	_, _ = fmt.Sscan(string(text), &size, &resident)
	return resident * int64(os.Getpagesize())
}

// Standing is everything that the tip determines.
type Standing struct {
	Tip   string `json:"bestblock"`
	Coins string `json:"muhash"`
	Root  string `json:"root"`
}

// Stands gives the node's state in hashes: block, coins, goods.
func (n *Node) Stands() Standing {
	n.T.Helper()
	var s, g Standing
	n.Call("gettxoutsetinfo", &s, "muhash")
	if n.Charter != "" {
		n.Call("getgoodsinfo", &g)
		s.Root = g.Root
	}
	return s
}

// Anyone can spend what this descriptor pays to.
const Anyone = "raw(51)"

// Mine makes blocks that pay to nobody in particular.
func (n *Node) Mine(count int) {
	n.T.Helper()
	n.Call("generatetodescriptor", nil, count, Anyone)
}

// Connect makes n open a link to other.
func (n *Node) Connect(other *Node) {
	n.T.Helper()
	n.Call("addnode", nil, other.Addr(), "add")
}

// Peers are the addresses of the links.
func (n *Node) Peers() []string {
	n.T.Helper()
	var list []struct {
		Addr string `json:"addr"`
	}
	n.Call("getpeerinfo", &list)
	all := make([]string, len(list))
	for i := range list {
		all[i] = list[i].Addr
	}
	return all
}
