package cli

import (
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
			"prints such a file.",
		Example: "  granary node --network regtest --datadir /var/lib/granary\n  granary node --charter charter.toml",
		Args:    arguments(noWords),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := io.load(cmd)
			if err != nil {
				return err
			}
			return node.Run(cmd.Context(), c, node.Options{Version: version, Console: io.err})
		},
	}
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
