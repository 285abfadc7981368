package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"granary/base/rpcclient"
)

// The user that every node of a bench answers.
const benchUser, benchPassword = "bench", "bench"

// benchPatience is how long a node of a bench may go without a new block.
const benchPatience = 5 * time.Minute

type syncFlags struct {
	against string
	runs    int
	dbcache int
}

func newBenchSync(io *streams) *cobra.Command {
	flags := &syncFlags{}
	cmd := &cobra.Command{
		Use:   "sync FILE",
		Short: "Measure how fast a node synchronises a bench chain from a peer",
		Long: "Imports a regtest block file, serves it from a node on this machine, and lets a fresh node\n" +
			"synchronise it over the peer protocol, with every check; all as processes of their own, so\n" +
			"that the source takes its part of the machine. --against starts another node's command\n" +
			"instead, from the same source: {peer} is where that listens, {dir} a fresh folder, {rpc}\n" +
			"the address on which the other must answer getblockcount to bench:bench. Figures of\n" +
			"several runs are medians.",
		Example: "  granary bench chain --out bench.dat\n" +
			"  granary bench sync bench.dat --runs 3 --against 'btcd --regtest --datadir={dir} --connect={peer} --rpclisten={rpc} --rpcuser=bench --rpcpass=bench --notls'",
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if flags.runs < 1 {
				return &usageError{errors.New("--runs must be at least 1")}
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return benchSync(ctx, io, flags, args[0])
		},
	}
	cmd.Flags().StringVar(&flags.against, "against", "", "Shell command that starts another node")
	cmd.Flags().IntVar(&flags.runs, "runs", 1, "Times that each synchronisation is run")
	cmd.Flags().IntVar(&flags.dbcache, "dbcache", 450, "Memory for the coin cache and the database, in MiB")
	return cmd
}

// syncBench is a source and what is measured from it.
type syncBench struct {
	*syncFlags
	io     *streams
	self   string // the program
	height int32  // of the chain
	peer   string // where the source listens
}

func benchSync(ctx context.Context, io *streams, flags *syncFlags, file string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("cannot find the program itself: %w", err)
	}
	dir, err := os.MkdirTemp("", "granary-bench-")
	if err != nil {
		return fmt.Errorf("cannot make a folder for the bench: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // best effort
	b := &syncBench{syncFlags: flags, io: io, self: self}
	var imports, ours, theirs []measure
	for run := range flags.runs {
		m, err := b.importOnce(ctx, file, filepath.Join(dir, fmt.Sprint(run)))
		if err != nil {
			return err
		}
		imports = append(imports, *m)
		fmt.Fprintf(io.err, "run %d: import %.1f s\n", run+1, m.wall.Seconds())
	}
	stop, err := b.source(ctx, filepath.Join(dir, "0"))
	if err != nil {
		return err
	}
	defer stop()
	for run := range flags.runs {
		m, err := b.once(ctx, b.ourCommand())
		if err != nil {
			return err
		}
		ours = append(ours, *m)
		fmt.Fprintf(io.err, "run %d: granary %.1f s\n", run+1, m.wall.Seconds())
		if flags.against == "" {
			continue
		}
		if m, err = b.once(ctx, flags.against); err != nil {
			return err
		}
		theirs = append(theirs, *m)
		fmt.Fprintf(io.err, "run %d: the other node %.1f s\n", run+1, m.wall.Seconds())
	}
	return b.print(imports, ours, theirs)
}

func (b *syncBench) print(imports, ours, theirs []measure) error {
	row := func(name string, m measure) {
		fmt.Fprintf(b.io.out, "%-13s %8.2f s  %8.2f s of processor  peak %d MiB\n", name, m.wall.Seconds(), m.cpu.Seconds(), m.peakBytes>>20)
	}
	m, im := median(ours), median(imports)
	row("import", im)
	row("granary", m)
	fmt.Fprintf(b.io.out, "against import %7.2f    granary's time over that of the import\n", m.wall.Seconds()/im.wall.Seconds())
	if len(theirs) > 0 {
		t := median(theirs)
		row("the other", t)
		fmt.Fprintf(b.io.out, "ratio         %8.2f    the other's time over granary's\n", t.wall.Seconds()/m.wall.Seconds())
	}
	_, err := fmt.Fprintf(b.io.out, "height %d\n", b.height)
	return err
}

// importOnce imports the file as a process of its own and leaves the directory.
func (b *syncBench) importOnce(ctx context.Context, file, dir string) (*measure, error) {
	cmd := exec.CommandContext(ctx, b.self, "import", "--regtest", "--datadir="+dir, "--dbcache="+strconv.Itoa(b.dbcache), file)
	var out bytes.Buffer
	cmd.Stdout = &out
	cmd.Stderr = &out
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	peak := watchMemory(cmd.Process.Pid)
	err := cmd.Wait()
	m := &measure{wall: time.Since(began), peakBytes: peak()}
	if err != nil {
		return nil, fmt.Errorf("the import failed: %w: %s", err, oneLine(errors.New(out.String())))
	}
	m.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	at := strings.LastIndex(out.String(), "tip ")
	if _, err := fmt.Sscanf(out.String()[max(at, 0):], "tip %d", &b.height); err != nil || at < 0 {
		return nil, fmt.Errorf("the import did not say where it ended: %q", out.String())
	}
	return m, nil
}

// source runs the node that serves the chain.
func (b *syncBench) source(ctx context.Context, dir string) (stop func(), err error) {
	if b.peer, err = freeLoopback(); err != nil {
		return nil, err
	}
	n, err := b.start(ctx, b.nodeCommand(dir)+" --listen=1 --bind="+b.peer)
	if err != nil {
		return nil, err
	}
	if err := n.reach(ctx, b.height); err != nil {
		n.stop()
		return nil, fmt.Errorf("the source: %w", err)
	}
	return n.stop, nil
}

func (b *syncBench) nodeCommand(dir string) string {
	return shellQuote(b.self) + " node --regtest --datadir=" + dir + " --dbcache=" + strconv.Itoa(b.dbcache) +
		" --web=0 --printtoconsole=0 --rpcuser=" + benchUser + " --rpcpassword=" + benchPassword + " --rpcport={rpcport}"
}

func (b *syncBench) ourCommand() string {
	return b.nodeCommand("{dir}") + " --listen=0 --connect={peer}"
}

// once lets a fresh node synchronise and measures it from its start on.
func (b *syncBench) once(ctx context.Context, command string) (*measure, error) {
	dir, err := os.MkdirTemp("", "granary-bench-")
	if err != nil {
		return nil, fmt.Errorf("cannot make a folder for the bench: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // best effort
	began := time.Now()
	n, err := b.start(ctx, strings.ReplaceAll(command, "{dir}", shellQuote(dir)))
	if err != nil {
		return nil, err
	}
	err = n.reach(ctx, b.height)
	m := &measure{wall: time.Since(began)}
	m.cpu, m.peakBytes = n.usage()
	n.stop()
	return m, err
}

// benchNode is a node that a bench started.
type benchNode struct {
	cmd    *exec.Cmd
	rpc    *rpcclient.Client
	output bytes.Buffer
	exited chan struct{}
}

func (b *syncBench) start(ctx context.Context, command string) (*benchNode, error) {
	rpc, err := freeLoopback()
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(rpc)
	command = strings.NewReplacer("{rpc}", rpc, "{rpcport}", port, "{peer}", b.peer).Replace(command)
	n := &benchNode{exited: make(chan struct{})}
	n.cmd = exec.CommandContext(ctx, "sh", "-c", "exec "+command)
	n.cmd.Stdout, n.cmd.Stderr = &n.output, &n.output
	if n.rpc, err = rpcclient.New(rpcclient.Options{URL: rpc, User: benchUser, Password: benchPassword, Timeout: time.Minute}); err != nil {
		return nil, err
	}
	if err := n.cmd.Start(); err != nil {
		return nil, fmt.Errorf("the node cannot be started: %w", err)
	}
	go func() {
		defer close(n.exited)
		n.cmd.Wait() //nolint:errcheck // told by who waits for it
	}()
	return n, nil
}

// reach waits until the node has the height.
func (n *benchNode) reach(ctx context.Context, height int32) error {
	best, since := int32(-1), time.Now()
	for {
		var now int32
		if err := n.rpc.Call(ctx, "getblockcount", nil, &now); err == nil && now > best {
			best, since = now, time.Now()
		}
		switch {
		case best >= height:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case time.Since(since) > benchPatience:
			return fmt.Errorf("no block after %d for %v", best, benchPatience)
		}
		select {
		case <-n.exited:
			return fmt.Errorf("the node ended by itself: %s", oneLine(errors.New(n.output.String())))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// usage is the processor time and the highest memory of the node so far.
func (n *benchNode) usage() (cpu time.Duration, peakBytes int64) {
	pid := strconv.Itoa(n.cmd.Process.Pid)
	text, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return 0, 0
	}
	// The name in brackets may hold anything; fields 14 and 15 are ticks of a
	// hundredth of a second.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) > 12 {
		user, _ := strconv.ParseInt(fields[11], 10, 64)
		system, _ := strconv.ParseInt(fields[12], 10, 64)
		cpu = time.Duration(user+system) * 10 * time.Millisecond
	}
	return cpu, peakMemory(pid)
}

func (n *benchNode) stop() {
	n.rpc.Close()
	n.cmd.Process.Signal(os.Interrupt) //nolint:errcheck // it may be gone
	select {
	case <-n.exited:
	case <-time.After(30 * time.Second):
		n.cmd.Process.Kill() //nolint:errcheck // it may be gone
		<-n.exited
	}
}

// freeLoopback is an address that nobody listens on now.
func freeLoopback() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("no free port on this machine: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}
