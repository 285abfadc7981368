package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"granary/config"
	"granary/node"
)

func newNode(io *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "node",
		Short: "Run a node",
		Long: "Runs a node until Ctrl-C, SIGTERM or granary rpc stop. Options come from flags, the\n" +
			"environment (GRANARY_RPCPORT=1) and granary.conf in the data directory; granary config\n" +
			"prints such a file.\n\n" +
			"Behind --core, as the first word, the rest is read as bitcoind reads it: -regtest\n" +
			"-datadir=DIR -rpcport=1 and bitcoin.conf, with its errors and exit codes.",
		Example: "  granary node --network regtest --datadir /var/lib/granary\n  granary node --charter charter.toml",
		Args:    arguments(noWords),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("core") {
				return &usageError{errors.New("--core must stand directly behind node: granary node --core -regtest")}
			}
			c, err := io.load(cmd)
			if err != nil {
				return err
			}
			return node.Run(cmd.Context(), c, node.Options{Version: version, Console: io.err})
		},
	}
	cmd.Flags().Bool("core", false, "Read the rest of the command line as bitcoind does; must be the first word")
	config.AddFlags(cmd.Flags())
	return cmd
}

// noWords refuses words behind the flags, and says why they may be there.
func noWords(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return &wordError{args[0]}
}

type wordError struct{ word string }

func (e *wordError) Error() string {
	return "unexpected word \"" + e.word + "\": values of flags stand behind an equals sign or directly after the flag; switches take =0 or =1"
}
