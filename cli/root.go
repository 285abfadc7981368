package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"granary/config"
)

// Exit codes.
const (
	exitFailed = 1
	exitUsage  = 2
)

// streams are where a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
	environ  []string
}

// usageError is a command line that was not understood.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// exitError carries an exit code of its own; an empty text prints nothing.
type exitError struct {
	code int
	text string
}

func (e *exitError) Error() string { return e.text }

// Main runs the process's command line and gives its exit code.
func Main() int {
	return run(context.Background(), os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr, os.Environ()})
}

// run is Main with everything injected.
func run(ctx context.Context, args []string, io streams) int {
	if isCore(args) {
		return runCore(ctx, args[len(coreWords):], &io)
	}
	root := newRoot(&io)
	root.SetArgs(singleDashes(args))
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	var exit *exitError
	var usage *usageError
	switch {
	case errors.As(err, &exit):
		if exit.text != "" {
			fmt.Fprintln(io.err, exit.text)
		}
		return exit.code
	case errors.As(err, &usage):
		fmt.Fprintf(io.err, "granary: %s (see granary --help)\n", oneLine(err))
		return exitUsage
	}
	fmt.Fprintf(io.err, "granary: %s\n", oneLine(err))
	return exitFailed
}

// oneLine folds errors that were joined; what was said twice is said once.
func oneLine(err error) string {
	var lines []string
	for _, line := range strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' }) {
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}

func newRoot(io *streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "granary",
		Short: "A Bitcoin node whose coins stand for goods",
		Long: "granary validates Bitcoin's rules in full and, on a chain with a charter, the goods\n" +
			"rules: no coin circulates unless live, attested goods stand behind it.\n\n" +
			"Start with: granary up",
		SilenceErrors: true, SilenceUsage: true,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return &usageError{fmt.Errorf("unknown command %q", args[0])}
			}
			return cmd.Help()
		},
	}
	root.SetIn(io.in)
	root.SetOut(io.out)
	root.SetErr(io.err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	root.AddCommand(
		newUp(io), newTour(io), newNode(io), newImport(io), newCheck(io), newRPC(io), newCharter(io), newReserve(io), newProof(io),
		newBench(io), newConfig(io), newVersion(io), newMan(io),
	)
	return root
}

// arguments wraps an argument rule so that breaking it is a usage error.
func arguments(rule cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := rule(cmd, args); err != nil {
			return &usageError{err}
		}
		return nil
	}
}

// singleDashes lets the options be written as Bitcoin Core's users write them
// (-regtest, -rpcport=1): a known option behind one dash gets its second. What
// follows the method of an rpc call is not touched.
func singleDashes(args []string) []string {
	takesValue := maps.Clone(rpcFlagNames) // known options: whether a value follows
	for _, option := range config.Table() {
		takesValue[option.Name] = !option.Switch()
	}
	out := make([]string, 0, len(args))
	inRPC, isValue := false, false
	for i, arg := range args {
		if isValue {
			out, isValue = append(out, arg), false
			continue
		}
		if arg == "--" || (inRPC && !strings.HasPrefix(arg, "-")) {
			return append(out, args[i:]...)
		}
		inRPC = inRPC || arg == "rpc" && i == 0
		name, _, hasValue := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if value, known := takesValue[name]; known && len(name) > 1 && strings.HasPrefix(arg, "-") {
			arg = "--" + strings.TrimLeft(arg, "-")
			isValue = value && !hasValue
		}
		out = append(out, arg)
	}
	return out
}
