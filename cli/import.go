package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"granary/config"
	"granary/node"
	"granary/state"
)

func newImport(io *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import FILE...",
		Short: "Import block files into a data directory",
		Long: "Imports blocks from files of magic, length and block, as Bitcoin Core writes them: out of\n" +
			"order, with zero padding, with an xor.dat beside them. A folder stands for its\n" +
			"blk*.dat. Every rule is checked. Blocks that are known are skipped, so that an\n" +
			"interrupted import goes on where it stopped. The last line on standard output is\n" +
			"tip HEIGHT HASH.",
		Example: "  granary import --network mainnet --datadir data blk00000.dat",
		Args:    arguments(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, files []string) error {
			c, err := io.load(cmd)
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return importFiles(ctx, io, c, files)
		},
	}
	config.AddFlags(cmd.Flags())
	return cmd
}

func importFiles(ctx context.Context, io *streams, c *config.Config, files []string) error {
	bar := newProgress(io.err, "imported")
	core, err := node.OpenCore(ctx, c, node.CoreOptions{Log: toolLog(io), Progress: bar.tell})
	if err != nil {
		bar.clear()
		return err
	}
	tip, err := core.Chain.Import(ctx, files, bar.tell)
	bar.end()
	if errors.Is(err, context.Canceled) {
		err = errors.New("interrupted: start the same import again to go on")
	}
	if err = errors.Join(err, core.Close()); err != nil {
		if tip != nil {
			fmt.Fprintf(io.err, "the chain stands at %d %s\n", tip.Height, tip.Hash)
		}
		return err
	}
	return printTip(io, tip)
}

func printTip(io *streams, tip *state.Header) error {
	_, err := fmt.Fprintf(io.out, "tip %d %s\n", tip.Height, tip.Hash)
	return err
}

// toolLog shows a tool's user what is out of order, and no more.
func toolLog(io *streams) *slog.Logger {
	return slog.New(slog.NewTextHandler(io.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
}
