package cli

import (
	"context"
	"fmt"
	"slices"

	"granary/config"
	"granary/node"
)

// coreWords stand before a command line in Bitcoin Core's dialect.
var coreWords = []string{"node", "--core"}

// isCore reports whether the rest of the command line is bitcoind's.
func isCore(args []string) bool {
	return len(args) >= len(coreWords) && slices.Equal(args[:len(coreWords)], coreWords)
}

// runCore is "granary node --core ARGS...": a node that is started as bitcoind
// is, with its options, its configuration file, its words and its exit codes,
// for scripts and test suites that know bitcoind. The log goes to standard
// output, errors to standard error behind "Error: ".
func runCore(ctx context.Context, args []string, io *streams) int {
	fail := func(err error) int {
		fmt.Fprintf(io.err, "Error: %s\n", oneLine(err))
		return exitFailed
	}
	asked, err := config.LoadCore(args)
	switch {
	case err != nil:
		return fail(err)
	case asked.Version:
		fmt.Fprintf(io.out, "Granary daemon version %s, in the manner of Bitcoin Core 28.1\n", version)
		return 0
	case asked.Help:
		coreHelp(io)
		return 0
	}
	if err := node.Run(ctx, asked.Config, node.Options{Version: version, Console: io.out}); err != nil {
		return fail(err)
	}
	return 0
}

// coreHelp lists the options that have an effect.
func coreHelp(io *streams) {
	fmt.Fprintf(io.out, "Granary daemon version %s, in the manner of Bitcoin Core 28.1\n\n"+
		"Usage:  granary node --core [options]\n\nOptions:\n\n", version)
	for _, option := range config.Table() {
		name := "-" + option.Name
		if option.Arg != "" {
			name += "=<" + option.Arg + ">"
		}
		fmt.Fprintf(io.out, "  %s\n       %s (default: %s)\n\n", name, option.Help, option.Default)
	}
	fmt.Fprint(io.out, "Other options of bitcoind are accepted; the log says which of those given have no effect.\n")
}
