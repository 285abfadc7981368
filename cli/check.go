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
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Replay every block into a fresh state and compare",
		Long: "Replays every block of the data directory's files into a fresh state, compares the\n" +
			"state hashes, and recounts the goods state. Where they differ it names the first\n" +
			"differing key. The node must not run meanwhile; nothing in the directory is changed.",
		Args: arguments(noWords),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := io.load(cmd)
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return checkDirectory(ctx, io, c)
		},
	}
	config.AddFlags(cmd.Flags())
	return cmd
}

func checkDirectory(ctx context.Context, io *streams, c *config.Config) error {
	core, err := node.OpenCore(c, node.CoreOptions{Log: toolLog(io)})
	if err != nil {
		return err
	}
	bar := newProgress(io.err, "checked")
	err = core.Chain.Check(ctx, bar.tell)
	bar.end()
	if errors.Is(err, context.Canceled) {
		err = errors.New("interrupted: the check is not done")
	}
	tip := core.Chain.Tip()
	if err = errors.Join(err, core.Close()); err != nil {
		return err
	}
	return printTip(io, tip)
}
