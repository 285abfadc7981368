package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"granary/config"
	"granary/node"
)

func newCheck(io *streams) *cobra.Command {
	var scripts bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Replay every block into a fresh state and compare",
		Long: "Replays every block of the data directory's files into a fresh state, compares the\n" +
			"state hashes, and recounts the goods state. Where they differ it names the first\n" +
			"differing key. Scripts are not run again unless --scripts says so. The node must not\n" +
			"run meanwhile; nothing in the directory is changed.",
		Example: "  granary check --datadir data\n  granary check --regtest --charter charter.toml --scripts",
		Args:    arguments(noWords),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := io.load(cmd)
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return checkDirectory(ctx, io, c, scripts)
		},
	}
	cmd.Flags().BoolVar(&scripts, "scripts", false, "Check every script again too, which takes as long as an import")
	config.AddFlags(cmd.Flags())
	return cmd
}

func checkDirectory(ctx context.Context, io *streams, c *config.Config, scripts bool) error {
	core, err := node.OpenCore(ctx, c, node.CoreOptions{Log: toolLog(io)})
	if err != nil {
		return err
	}
	bar := newProgress(io.err, "checked")
	err = core.Chain.Check(ctx, bar.tell)
	bar.end()
	if err == nil && scripts {
		err = core.Chain.VerifyChain(4, 0)
	}
	if errors.Is(err, context.Canceled) {
		err = errors.New("interrupted: the check is not done")
	}
	tip := core.Chain.Tip()
	if err = errors.Join(err, core.Close()); err != nil {
		return err
	}
	return printTip(io, tip)
}
