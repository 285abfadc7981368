package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"granary/chain"
	"granary/config"
	"granary/node"
)

type benchFlags struct {
	against string
	runs    int
	dbcache int
	par     int
	outside bool
}

func newBenchImport(io *streams) *cobra.Command {
	flags := &benchFlags{}
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Measure the import of a bench chain, alone or against another node",
		Long: "Imports a regtest block file into a fresh data directory, with every check, and prints\n" +
			"time, blocks/s, signatures/s, processor time and peak memory. A second import without\n" +
			"script checks tells what happens outside verification. --against runs another node's\n" +
			"command on the same file between the runs; {file} and {dir} in it stand for the file\n" +
			"and a fresh folder. Figures of several runs are medians.",
		Example: "  granary bench chain --out bench.dat\n" +
			"  granary bench import bench.dat --runs 3 --against 'addblock --regtest --datadir={dir} --infile={file}'",
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if flags.runs < 1 {
				return &usageError{errors.New("--runs must be at least 1")}
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return benchImport(ctx, io, flags, args[0])
		},
	}
	cmd.Flags().StringVar(&flags.against, "against", "", "Shell command of another node's import")
	cmd.Flags().IntVar(&flags.runs, "runs", 1, "Times that each import is run")
	cmd.Flags().IntVar(&flags.dbcache, "dbcache", 450, "Memory for the coin cache and the database, in MiB")
	cmd.Flags().IntVar(&flags.par, "par", 0, "Threads that check scripts; 0 is one per core")
	cmd.Flags().BoolVar(&flags.outside, "outside", true, "Import once more without script checks")
	return cmd
}

// measure is what one import took.
type measure struct {
	wall, cpu time.Duration
	peakBytes int64 // of the process so far; 0 where unknown
	progress  chain.Progress
	tip       string
}

func benchImport(ctx context.Context, io *streams, flags *benchFlags, file string) error {
	file, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	var ours, bare, theirs []measure
	for run := range flags.runs {
		m, err := importOnce(ctx, flags, file, false)
		if err != nil {
			return err
		}
		fmt.Fprintf(io.err, "run %d: granary %.1f s\n", run+1, m.wall.Seconds())
		ours = append(ours, *m)
		if flags.against == "" {
			continue
		}
		if m, err = runAgainst(ctx, flags.against, file); err != nil {
			return err
		}
		fmt.Fprintf(io.err, "run %d: the other node %.1f s\n", run+1, m.wall.Seconds())
		theirs = append(theirs, *m)
	}
	if flags.outside {
		m, err := importOnce(ctx, flags, file, true)
		if err != nil {
			return err
		}
		bare = append(bare, *m)
	}
	return printBench(io, ours, bare, theirs)
}

func printBench(io *streams, ours, bare, theirs []measure) error {
	m := median(ours)
	fmt.Fprintf(io.out, "granary       %8.2f s  %8.2f s of processor  peak %d MiB\n", m.wall.Seconds(), m.cpu.Seconds(), m.peakBytes>>20)
	fmt.Fprintf(io.out, "blocks/s      %8.1f    (%d blocks)\n", float64(m.progress.Blocks)/m.wall.Seconds(), m.progress.Blocks)
	fmt.Fprintf(io.out, "signatures/s  %8.0f    (%d signatures)\n", float64(m.progress.Signatures)/m.wall.Seconds(), m.progress.Signatures)
	if len(bare) > 0 {
		b := bare[0]
		fmt.Fprintf(io.out, "no scripts    %8.2f s  %8.2f s of processor: %.0f %% of the processor time is outside verification\n",
			b.wall.Seconds(), b.cpu.Seconds(), 100*b.cpu.Seconds()/m.cpu.Seconds())
	}
	if len(theirs) > 0 {
		t := median(theirs)
		fmt.Fprintf(io.out, "the other     %8.2f s  %8.2f s of processor  peak %d MiB\n", t.wall.Seconds(), t.cpu.Seconds(), t.peakBytes>>20)
		fmt.Fprintf(io.out, "ratio         %8.2f    the other's time over granary's\n", t.wall.Seconds()/m.wall.Seconds())
	}
	_, err := fmt.Fprintln(io.out, m.tip)
	return err
}

// median picks the run with the median wall time.
func median(runs []measure) measure {
	sorted := slices.Clone(runs)
	slices.SortFunc(sorted, func(a, b measure) int { return int(a.wall - b.wall) })
	return sorted[(len(sorted)-1)/2]
}

// importOnce imports into a fresh folder that is removed afterwards.
func importOnce(ctx context.Context, flags *benchFlags, file string, skipScripts bool) (*measure, error) {
	dir, err := os.MkdirTemp("", "granary-bench-")
	if err != nil {
		return nil, fmt.Errorf("cannot make a folder for the bench: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // best effort
	set := pflag.NewFlagSet("bench", pflag.ContinueOnError)
	config.AddFlags(set)
	args := []string{
		"--regtest", "--datadir", dir, "--dbcache", strconv.Itoa(flags.dbcache), "--par", strconv.Itoa(flags.par),
	}
	if err := set.Parse(args); err != nil {
		return nil, &usageError{err}
	}
	c, err := config.Load(set, nil)
	if err != nil {
		return nil, err
	}
	m := &measure{}
	before, start := cpuTime(), time.Now()
	core, err := node.OpenCore(ctx, c, node.CoreOptions{SkipScripts: skipScripts})
	if err != nil {
		return nil, err
	}
	tip, err := core.Chain.Import(ctx, []string{file}, func(p chain.Progress) { m.progress = p })
	if err = errors.Join(err, core.Close()); err != nil {
		return nil, err
	}
	m.wall, m.cpu, m.peakBytes = time.Since(start), cpuTime()-before, peakMemory("self")
	m.tip = fmt.Sprintf("tip %d %s", tip.Height, tip.Hash)
	return m, nil
}

// runAgainst runs another node's import in a fresh folder.
func runAgainst(ctx context.Context, command, file string) (*measure, error) {
	dir, err := os.MkdirTemp("", "granary-bench-")
	if err != nil {
		return nil, fmt.Errorf("cannot make a folder for the bench: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // best effort
	command = strings.NewReplacer("{file}", shellQuote(file), "{dir}", shellQuote(dir)).Replace(command)
	shell := exec.CommandContext(ctx, "sh", "-c", command)
	var output bytes.Buffer
	shell.Stdout, shell.Stderr = &output, &output
	m, start := &measure{}, time.Now()
	if err := shell.Start(); err != nil {
		return nil, fmt.Errorf("the other node cannot be started: %w", err)
	}
	peak := watchMemory(shell.Process.Pid)
	err = shell.Wait()
	m.wall, m.peakBytes = time.Since(start), peak()
	if err != nil {
		tail := strings.TrimSpace(output.String())
		if cut := strings.LastIndexByte(tail, '\n'); cut >= 0 {
			tail = tail[cut+1:]
		}
		return nil, fmt.Errorf("the other node failed: %w: %s", err, tail)
	}
	m.cpu = shell.ProcessState.UserTime() + shell.ProcessState.SystemTime()
	return m, nil
}

func shellQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// cpuTime is the processor time of this process.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// watchMemory looks at a process and its children until the function it gives
// is called, which tells the highest resident memory of any of them. (The
// figure that wait gives would count this process's own memory before exec.)
func watchMemory(pid int) (peak func() int64) {
	stop, result := make(chan struct{}), make(chan int64)
	go func() {
		var most int64
		ticker := time.NewTicker(50 * time.Millisecond)
		defer ticker.Stop()
		for {
			most = max(most, familyMemory(pid))
			select {
			case <-stop:
				result <- most
				return
			case <-ticker.C:
			}
		}
	}()
	return func() int64 { close(stop); return <-result }
}

func familyMemory(pid int) int64 {
	most := peakMemory(strconv.Itoa(pid))
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return most
	}
	for _, child := range strings.Fields(string(children)) {
		if id, err := strconv.Atoi(child); err == nil {
			most = max(most, familyMemory(id))
		}
	}
	return most
}

// peakMemory is the highest resident memory of a process ("self" for this
// one), 0 where the system does not tell.
func peakMemory(pid string) int64 {
	text, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		return 0
	}
	for _, line := range strings.Split(string(text), "\n") {
		fields := strings.Fields(line)
		if len(fields) >= 2 && fields[0] == "VmHWM:" {
			kib, err := strconv.ParseInt(fields[1], 10, 64)
			if err == nil {
				return kib << 10
			}
		}
	}
	return 0
}
