package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"granary/node/tour"
)

func newTour(io *streams) *cobra.Command {
	return &cobra.Command{
		Use:   "tour",
		Short: "Tell the whole story once: goods in, coins out, goods out, and what is refused",
		Long: "Makes a chain of its own in a temporary directory and tells its life in plain words, with\n" +
			"real transactions: a charter, goods in, coins out, payment, redemption, delivery; what\n" +
			"every node refuses; and what happens when a warehouse does not deliver. It takes a few\n" +
			"seconds, needs no network and leaves nothing behind.",
		Example: "  granary tour",
		Args:    arguments(noWords),
		RunE:    func(cmd *cobra.Command, _ []string) error { return runTour(cmd.Context(), io) },
	}
}

func runTour(ctx context.Context, io *streams) (err error) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir, err := os.MkdirTemp("", "granary-tour-")
	if err != nil {
		return fmt.Errorf("no place for the tour's chain: %w; set TMPDIR to a directory that can be written", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return tour.Run(ctx, dir, io.out)
}
